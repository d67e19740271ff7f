import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { DeleteObjectCommand, GetObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { contentOf, look, makeBucket, put, type Server } from '../../support/cli-buckets.js'
import { run, start, until, workFolder } from '../../support/cli-program.js'
import { gateway, type Gateway } from '../../support/gateway.js'

const CEPH = gateway('a Ceph gateway', 'test', 'testtest', 'S3MOVE_TEST_CEPH')
const SWIFT = gateway('OpenStack Swift with s3api', 'test:tester', 'testtest', 'S3MOVE_TEST_SWIFT')

/** Both stores under profiles of their own, and a bucket in each. */
async function between(old: Gateway, now: Gateway) {
  const cwd = await workFolder()
  await mkdir(join(cwd, '.aws'))
  const profile = (name: string, { keys }: Gateway): string =>
    `[${name}]\naws_access_key_id = ${keys.accessKeyId}\naws_secret_access_key = ${keys.secretAccessKey}\n`
  await writeFile(join(cwd, '.aws/credentials'), profile('old', old) + profile('now', now))
  const [source, destination] = [old, now].map(({ url, keys }) => look(url, 'us-east-1', keys)) as [Server, Server]
  const bucket = `moving-${randomBytes(4).toString('hex')}`
  for (const server of [source, destination]) await makeBucket(server, bucket)
  const ends = [
    ...['--source-endpoint-url', old.url, '--source-profile', 'old'],
    ...['--destination-endpoint-url', now.url, '--destination-profile', 'now'],
  ]
  const env = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined }
  const args = (...more: string[]): string[] => ['sync', `s3://${bucket}`, `s3://${bucket}`, ...ends, ...more]
  return { source, destination, bucket, args, as: { cwd, env } }
}

/** Writes, replaces and deletes objects until it is ended. Answers what each key is to be, and how often it wrote. */
async function writing(server: Server, bucket: string, stop: AbortSignal, keys: number) {
  const now = new Map<string, string>()
  let writes = 0
  while (!stop.aborted) {
    const key = `k/${(writes * 7) % keys}${writes % 5 === 0 ? ' ü+%2F' : ''}`
    if (writes % 11 === 10) {
      await server.s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }))
      now.delete(key)
    } else {
      const text = `${key} ${writes}`
      await put(server, bucket, key, { Body: text, CacheControl: `max-age=${writes}`, Metadata: { n: `${writes}` } })
      now.set(key, text)
    }
    writes++
    await pause(5)
  }
  return { now, writes }
}

async function textOf({ s3 }: Server, Bucket: string, Key: string): Promise<string> {
  return (await s3.send(new GetObjectCommand({ Bucket, Key }))).Body!.transformToString()
}

describe.each([
  ['Ceph', 'Swift', CEPH, SWIFT],
  ['Swift', 'Ceph', SWIFT, CEPH],
])('s3move sync --follow from %s to %s', (_one, _other, old, now) => {
  test('follows a writer over kill -9 until the cut-over: each key, header and deletion is there, and nothing newer is replaced', async () => {
    const { source, destination, bucket, args, as } = await between(old, now)
    const stop = new AbortController()
    const written = writing(source, bucket, stop.signal, 150)
    const deletes = ['--delete', '--max-delete', '500', '--yes'] as const
    const following = args('--follow', '--every', '2s', ...deletes)
    const first = start(following, as)
    await until(() => first.stderr().includes('round 1: '), first)
    await pause(1_500)
    first.kill('SIGKILL')
    await first.finished
    const second = start(following, as)
    await until(() => (second.stderr().match(/^round \d+: /gm) ?? []).length >= 3, second)
    stop.abort()
    const { now: wanted, writes } = await written
    second.kill('SIGINT')
    expect((await second.finished).code).toBe(130)
    expect(writes).toBeGreaterThan(60)

    const cut = await run(args('--cut-over', ...deletes, '--report', 'cut-over.md'), as)
    expect([cut.code, cut.stderr]).toEqual([0, expect.stringContaining('cut over: both sides are alike')])
    expect(await readFile(join(as.cwd, 'cut-over.md'), 'utf8')).toMatch(
      /## Rounds\n\n[^]*## Proof\n\n.*no object differs/i,
    )
    expect([...(await contentOf(destination, bucket)).keys()].sort()).toEqual([...wanted.keys()].sort())
    for (const [key, text] of wanted) {
      expect(await textOf(destination, bucket, key)).toBe(text)
      const { CacheControl, Metadata } = await destination.s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key }))
      expect([CacheControl, Metadata]).toEqual([`max-age=${Metadata?.n ?? ''}`, { n: text.split(' ').at(-1) }])
    }

    // Clients write to the new store by now, while somebody still follows the old one.
    await pause(6_000)
    const [key = ''] = wanted.keys()
    await put(destination, bucket, key, { Body: 'by a client that has moved over' })
    await put(destination, bucket, 'new', { Body: 'new' })
    const late = start(following, as)
    await until(() => late.stderr().includes('2 left as they are: newer at the destination'), late)
    late.kill('SIGINT')
    await late.finished
    expect(await textOf(destination, bucket, key)).toBe('by a client that has moved over')
    expect(await textOf(destination, bucket, 'new')).toBe('new')
  })
})
