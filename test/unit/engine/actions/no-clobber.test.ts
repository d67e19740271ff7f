import { HeadObjectCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { ActionContext } from '../../../../src/engine/actions/context.js'
import { withNoClobber } from '../../../../src/engine/actions/no-clobber.js'
import { StorageError } from '../../../../src/errors.js'
import type { CopyJob } from '../../../../src/job/copy.js'
import type { Outcome } from '../../../../src/job/outcome.js'
import { openAccount } from '../../../../src/storage/s3/account.js'
import { S3Store } from '../../../../src/storage/s3/store.js'
import type { ObjectSummary, Storage } from '../../../../src/storage/storage.js'
import type { Uploading } from '../../../../src/storage/parts.js'
import { contentOf, expectSame, put, sandbox, type TestSandbox } from '../../../support/cli-buckets.js'
import { CREDENTIALS, run, start, until, workFolder } from '../../../support/cli-program.js'

const JOB: CopyJob = {
  ...{
    kind: 'copy',
    noClobber: true,
    source: { bucket: 'src', prefix: '' },
    destination: { bucket: 'dst', prefix: '' },
  },
}
const EXISTS: Outcome = { kind: 'skipped', reason: 'exists' }
const MIB = 1024 ** 2

/** Both buckets as s3move sees them, if the destination is one that honours conditions. */
async function waysTo(server: TestSandbox): Promise<ActionContext> {
  vi.stubEnv('AWS_ACCESS_KEY_ID', CREDENTIALS.accessKeyId)
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', CREDENTIALS.secretAccessKey)
  onTestFinished(() => void vi.unstubAllEnvs())
  const account = await openAccount({ endpointUrl: server.url, region: 'us-east-1' }, () => undefined)
  const open = async (bucket: string): Promise<Storage> => {
    const { credentials } = account
    const store = new S3Store(
      { bucket, prefix: '' },
      { target: await account.target(bucket), credentials, trust: {}, aws: true },
    )
    onTestFinished(() => store.close())
    return store
  }
  onTestFinished(() => account.close())
  return { source: await open('src'), destination: await open('dst'), settings: { streamed: false } }
}

async function listed({ source }: ActionContext, key: string): Promise<ObjectSummary> {
  const { objects } = await source.list({})
  return objects.find((object) => object.key === key)!
}

const sent = (server: TestSandbox, operation: string): number => server.stats().byOperation[operation] ?? 0

const classOf = async ({ s3 }: TestSandbox, Key: string) =>
  (await s3.send(new HeadObjectCommand({ Bucket: 'dst', Key }))).StorageClass

const problem = (code: string) =>
  new StorageError(code, {
    severity: 'fail-object',
    code,
    operation: 'CompleteMultipartUpload',
    bucket: 'dst',
    key: 'k',
  })

describe('a copy that replaces nothing, where the store honours conditions', () => {
  const buckets = ['src', 'dst']

  test('is one request that carries it beside all that is sent anyway, and is passed over when that is refused', async () => {
    const server = await sandbox({ buckets })
    await put(server, 'src', 'k', { Body: 'source', StorageClass: 'STANDARD_IA' })
    const ways = await waysTo(server)
    const object = await listed(ways, 'k')
    const act = withNoClobber(JOB, ways)
    expect(await act(object)).toMatchObject({ kind: 'copied' })
    expect(await classOf(server, 'k')).toBe('STANDARD_IA')
    expect(await act(object)).toEqual(EXISTS)
    expect([sent(server, 'CopyObject'), server.stats().copies.dst]).toEqual([2, { total: 1, unique: 1, duplicates: 0 }])
    // The one that looked at what is there now is this test.
    expect(sent(server, 'HeadObject')).toBe(1)
  })

  test.each<[string, Partial<CopyJob>]>([
    ['attributes', { attributes: { set: [['cache-control', 'no-store']] } }],
    ['new names', { map: ['s/k/other/'] }],
  ])('with %s it does the same', async (_title, more) => {
    const server = await sandbox({ buckets })
    await put(server, 'src', 'k', { Body: 'source' })
    const ways = await waysTo(server)
    const act = withNoClobber({ ...JOB, ...more }, ways)
    const object = await listed(ways, 'k')
    expect(await act(object)).toMatchObject({ kind: 'copied' })
    const name = more.map === undefined ? 'k' : 'other'
    await put(server, 'dst', name, { Body: 'mine' })
    expect(await act(object)).toEqual(EXISTS)
    expect([...(await contentOf(server, 'dst'))].map(([key, { size }]) => [key, size])).toEqual([[name, 4]])
  })

  test('the source changing meanwhile is no reason to take the name for taken', async () => {
    const server = await sandbox({ buckets })
    await put(server, 'src', 'k', { Body: 'of before' })
    const ways = await waysTo(server)
    const object = await listed(ways, 'k')
    await put(server, 'src', 'k', { Body: 'as it is now' })
    const job: CopyJob = { ...JOB, attributes: { preserve: ['acl'] } }
    // What was listed is no more: it is looked at again, and copied as it is.
    expect(await withNoClobber(job, ways)(object)).toMatchObject({ kind: 'copied' })
    expect((await contentOf(server, 'dst')).get('k')?.size).toBe(12)
  })

  describe('in parts', () => {
    const limits = { copy: MIB, part: 5 * MIB }

    test('it looks before it copies anything, and is put together only where nothing is', async () => {
      const server = await sandbox({ buckets })
      await put(server, 'src', 'k', { Body: Buffer.alloc(6 * MIB) })
      const ways = await waysTo(server)
      const object = await listed(ways, 'k')
      // Somebody else is faster, between the look and the completion.
      const uploading: Uploading = {
        ...ways.destination.uploading!,
        complete: async (...given) => {
          await put(server, 'dst', 'k', { Body: 'mine' })
          return await ways.destination.uploading!.complete(...given)
        },
      }
      const raced = { ...ways, destination: facade(ways.destination, { uploading }) }
      expect(await withNoClobber(JOB, raced, limits)(object)).toEqual(EXISTS)
      expect(sent(server, 'UploadPartCopy')).toBe(2)
      expect(await withNoClobber(JOB, ways, limits)(object)).toEqual(EXISTS)
      expect(sent(server, 'UploadPartCopy')).toBe(2)
      expect((await contentOf(server, 'dst')).get('k')?.size).toBe(4)
      const left = await server.s3.send(new ListMultipartUploadsCommand({ Bucket: 'dst' }))
      expect(left.Uploads ?? []).toEqual([])
    })

    test('an upload of before is aborted when the name is taken by now', async () => {
      const server = await sandbox({ buckets })
      await put(server, 'src', 'k', { Body: Buffer.alloc(6 * MIB) })
      await put(server, 'dst', 'k', { Body: 'mine' })
      const ways = await waysTo(server)
      const { key, etag, lastModified, ...rest } = await listed(ways, 'k')
      const id = await ways.destination.uploading!.begin('k', [])
      const before = { id, partSize: 5 * MIB, etag, lastModified }
      const uploads = { before, begun: () => Promise.resolve() }
      const act = withNoClobber(JOB, { ...ways, uploads }, limits)
      expect(await act({ key, etag, lastModified, ...rest })).toEqual(EXISTS)
      expect(await ways.destination.uploading!.parts('k', id)).toBeUndefined()
    })

    test.each(['ConditionalRequestConflict', 'NoSuchUpload'])(
      '%s: a look tells whether somebody was faster',
      async (code) => {
        const server = await sandbox({ buckets })
        await put(server, 'src', 'k', { Body: Buffer.alloc(6 * MIB) })
        const ways = await waysTo(server)
        const object = await listed(ways, 'k')
        const refusing = (before: () => Promise<void>) => {
          const complete = async () => {
            await before()
            throw problem(code)
          }
          const uploading = { ...ways.destination.uploading!, complete }
          return withNoClobber(JOB, { ...ways, destination: facade(ways.destination, { uploading }) }, limits)
        }
        const nothing = await refusing(() => Promise.resolve())(object)
        expect(nothing).toMatchObject({ kind: 'failed', failure: { code } })
        const somebody = refusing(() => put(server, 'dst', 'k', { Body: 'mine' }))
        expect(await somebody(object)).toEqual(EXISTS)
      },
    )
  })
})

/** A store with some of its parts replaced. */
function facade(store: Storage, parts: Partial<Storage>): Storage {
  const { place, conditional, reading, rewriting, copyFrom, uploading } = store
  return { place, conditional, reading, rewriting, copyFrom, uploading, list: (from) => store.list(from), ...parts }
}

describe('s3move copy --no-clobber', () => {
  const args = (server: TestSandbox, ...more: string[]) => [
    ...['copy', 's3://src', 's3://dst', '--no-clobber', '--endpoint-url', server.url, '--checkpoint', 'run', ...more],
  ]

  test('copies what is missing, and leaves what is there, whatever it is', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    for (const key of ['new', 'there', 'odd\n']) await put(server, 'src', key, { Body: `${key} of the source` })
    await put(server, 'dst', 'there', { Body: 'mine' })
    await put(server, 'dst', 'odd\n', { Body: 'mine too' })
    const dry = await run(args(server, '--dry-run'), { cwd })
    expect(dry.stdout).toMatch(/would copy {3}1 object, .*\nwould skip {3}2 exists at the destination\n/)
    const { code, stderr } = await run(args(server), { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('1 object copied, 2 skipped, none failed') as string])
    expect(stderr).toContain('2 exists at the destination')
    const sizes = [...(await contentOf(server, 'dst'))].map(([key, { size }]) => [key, size])
    expect(sizes).toEqual([
      ['new', 17],
      ['odd\n', 8],
      ['there', 4],
    ])
    // Only what was missing was asked to be copied, and the probes of the rehearsal and of the run.
    expect(sent(server, 'CopyObject')).toBe(3)
  })

  test('with --map it is the new name that counts', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    for (const key of ['a', 'b']) await put(server, 'src', key, { Body: 'source' })
    for (const key of ['a', 'new-b']) await put(server, 'dst', key, { Body: 'mine' })
    const mapped = args(server, '--map', 's/^/new-/')
    const { stdout } = await run([...mapped, '--dry-run', '--verbose'], { cwd })
    expect(stdout).toMatch(/^copy s3:\/\/src\/a s3:\/\/dst\/new-a$/m)
    expect(stdout).toMatch(/^skip s3:\/\/src\/b \(exists at the destination\)$/m)
    expect((await run(mapped, { cwd })).stderr).toContain('1 object copied, 1 skipped, none failed')
    expect([...(await contentOf(server, 'dst'))].map(([key, { size }]) => [key, size])).toEqual([
      ['a', 4],
      ['new-a', 6],
      ['new-b', 4],
    ])
  })

  test('killed with -9 and resumed, large objects too: all is there, nothing was replaced, and nothing failed', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:3000:big=1000', 'dst'], latency: 'copy=4-10' })
    const source = await contentOf(server, 'src')
    const mine = [...source.keys()].filter((_, index) => index % 10 === 0)
    for (const key of mine) await put(server, 'dst', key, { Body: 'mine' })
    let argv = args(server, '--concurrency', '16', '--lanes', '4')
    for (const killAt of [500, 1500, 2200]) {
      const running = start(argv, { cwd })
      await until(() => (server.stats().copies.dst?.unique ?? 0) >= killAt, running)
      running.kill('SIGKILL')
      await running.finished
      await until(() => server.stats().inFlight.now === 0)
      argv = ['resume', 'run', '--concurrency', '16']
    }
    const { code, stderr } = await run(argv, { cwd })
    expect([code, stderr]).toEqual([0, expect.stringMatching(/ copied, [\d,]+ skipped, none failed/)])
    const { totals } = JSON.parse(await readFile(join(cwd, 'run/checkpoint.json'), 'utf8')) as {
      totals: { copied: number; skipped: { exists: number } }
    }
    expect(totals.copied + totals.skipped.exists).toBe(3000)
    expect(totals.skipped.exists).toBeGreaterThanOrEqual(mine.length)
    const there = await contentOf(server, 'dst')
    for (const key of mine) {
      expect(there.get(key)?.size).toBe(4)
      there.delete(key)
      source.delete(key)
    }
    const plain = (all: typeof source) => new Map([...all].map(([key, listed]) => [key, { ...listed, etag: '' }]))
    expectSame(plain(there), plain(source))
    expect(server.stats().copies.dst).toEqual({ total: 2700, unique: 2700, duplicates: 0 })
  })

  test('belongs to the job, and does not go with --all-versions', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    const both = await run(args(server, '--all-versions'), { cwd })
    expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('leave one of them away')])
    await server.fault('denied', '1', 'CopyObject')
    for (const key of ['a', 'b']) await put(server, 'src', key)
    expect((await run(args(server), { cwd })).code).toBe(2)
    await server.fault('denied', '0', 'CopyObject')
    expect((await run(args(server), { cwd })).code).toBe(0)
    const other = await run(
      args(server).filter((arg) => arg !== '--no-clobber'),
      { cwd },
    )
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('holds the checkpoint of another job')])
  })
})
