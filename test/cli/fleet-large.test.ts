import { GetObjectCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { run, start, until, workFolder, type Running } from '../support/cli-program.js'
import { HAS_REDIS, startRedis, type TestRedis } from '../support/redis.js'

const LARGE = 5 * 1024 ** 3
const PART = 64 * 1024 ** 2

interface Saved {
  readonly large?: { readonly open: readonly { readonly upload?: { readonly id: string } }[] }
}

interface Fleet {
  readonly cwd: string
  readonly redis: TestRedis
  /** Starts a host. */
  readonly worker: (...more: readonly string[]) => Running
  /** The flags of a run that only hosts work on. */
  readonly lent: readonly string[]
  readonly saved: () => Promise<Saved>
}

async function fleet(endpoints: readonly TestSandbox[]): Promise<Fleet> {
  const cwd = await workFolder()
  const redis = await startRedis()
  const places = ['--allow', 's3://src', '--allow', 's3://dst', '--allow-delete']
  const allowed = [...places, ...endpoints.flatMap(({ url }) => ['--allow-endpoint', url])]
  return {
    ...{ cwd, redis },
    worker: (...more) => start(['worker', redis.url, ...allowed, '--threads', '1', ...more], { cwd }),
    lent: ['--fleet', redis.url, '--threads', '0', '--checkpoint', 'run'],
    saved: async () => JSON.parse(await readFile(join(cwd, 'run/checkpoint.json'), 'utf8')) as Saved,
  }
}

/** Objects of which some are larger than one request can copy. */
async function inOneStore(layout: string, latency = 'copy=40-80') {
  const server = await sandbox({ buckets: [`src:${layout}`, 'dst'], latency })
  const parts = (): number => server.stats().byOperation.UploadPartCopy ?? 0
  const large = [...(await contentOf(server, 'src')).values()].filter(({ size }) => size > LARGE)
  const needed = large.reduce((sum, { size }) => sum + Math.ceil(size / PART), 0)
  const copy = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--part-size', '64M']
  return { ...(await fleet([server])), server, parts, needed, large: large.length, copy }
}

async function uploads({ s3 }: TestSandbox): Promise<string[]> {
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: 'dst' }))
  return Uploads.map(({ UploadId }) => UploadId!)
}

/** All is there, each large object by one upload, none of whose parts was made twice. */
async function expectWhole({ server, parts, needed, large }: Awaited<ReturnType<typeof inOneStore>>): Promise<void> {
  const [source, copies] = [await contentOf(server, 'src'), await contentOf(server, 'dst')]
  expect([...copies.keys()]).toEqual([...source.keys()])
  for (const [key, { size, storageClass }] of source) expect(copies.get(key)).toMatchObject({ size, storageClass })
  const { CreateMultipartUpload, CompleteMultipartUpload } = server.stats().byOperation
  expect([parts(), CreateMultipartUpload, CompleteMultipartUpload]).toEqual([needed, large, large])
  expect(await uploads(server)).toEqual([])
}

describe.skipIf(!HAS_REDIS)('objects over 5 GiB of a run on several hosts', () => {
  test.each(['copy', 'sync', 'move'])('are copied by hosts alone where the run has no threads: %s', async (command) => {
    const one = await inOneStore('seq:40:big=10')
    const source = await contentOf(one.server, 'src')
    one.worker()
    one.worker()
    const [, ...rest] = one.copy
    const { code, stderr } = await run([command, ...rest, ...(command === 'copy' ? [] : ['--yes']), ...one.lent], {
      cwd: one.cwd,
    })
    const done = command === 'move' ? 'moved' : 'copied'
    expect([code, stderr]).toEqual([0, expect.stringContaining(`40 objects ${done}, none skipped, none failed`)])
    const copies = await contentOf(one.server, 'dst')
    for (const [key, { size }] of source) expect(copies.get(key)).toMatchObject({ size })
    expect([copies.size, one.parts()]).toEqual([40, one.needed])
    expect((await contentOf(one.server, 'src')).size).toBe(command === 'move' ? 0 : 40)
  })

  test('a host is killed in the middle of one: another goes on with its upload, and makes no part again', async () => {
    const one = await inOneStore('seq:3:big=3')
    const first = one.worker()
    const copy = start([...one.copy, ...one.lent], { cwd: one.cwd })
    await until(() => one.parts() >= 20, copy)
    const [upload] = (await one.saved()).large!.open
    expect(await uploads(one.server)).toEqual([upload!.upload!.id])
    first.kill('SIGKILL')
    await first.finished
    expect(one.parts()).toBeLessThan(one.needed)
    one.worker()
    const { code, stderr } = await copy.finished
    expect([code, stderr]).toEqual([0, expect.stringContaining('3 objects copied, none skipped, none failed')])
    expect(stderr).toContain('nothing was heard of it for 15 seconds')
    await expectWhole(one)
  })

  test('a host that is asked to end in the middle of one gives it back, and does not wait for its end', async () => {
    const one = await inOneStore('seq:3:big=3')
    const first = one.worker()
    const copy = start([...one.copy, ...one.lent], { cwd: one.cwd })
    await until(() => one.parts() >= 20, copy)
    first.kill('SIGTERM')
    expect((await first.finished).code).toBe(0)
    const made = one.parts()
    expect(made).toBeLessThan(one.needed)
    expect(await uploads(one.server)).toHaveLength(1)
    one.worker()
    expect((await copy.finished).code).toBe(0)
    await expectWhole(one)
  })

  test('the run is killed in the middle of one: a resume has hosts go on with it, and makes no part again', async () => {
    const one = await inOneStore('seq:3:big=3', 'copy=500-600')
    const host = one.worker()
    const copy = start([...one.copy, ...one.lent], { cwd: one.cwd })
    await until(() => one.parts() >= 20, copy)
    copy.kill('SIGKILL')
    await copy.finished
    const [upload] = (await one.saved()).large!.open
    // It gives up by itself, and leaves the upload to the session that comes.
    await until(() => host.stderr().includes('the connection with run was lost'), host)
    expect(await uploads(one.server)).toEqual([upload!.upload!.id])
    const [, fleetUrl = ''] = one.lent
    const resumed = await run(['resume', 'run', '--fleet', fleetUrl], { cwd: one.cwd })
    expect([resumed.code, resumed.stderr]).toEqual([0, expect.stringContaining('3 objects copied, none skipped')])
    await expectWhole(one)
  })

  test('the run is stopped by Ctrl-C in the middle of some: hosts abort their uploads, and a resume without them does the rest', async () => {
    const one = await inOneStore('seq:6:big=3')
    one.worker()
    const copy = start([...one.copy, ...one.lent], { cwd: one.cwd })
    await until(() => one.parts() >= 20, copy)
    copy.kill('SIGINT')
    const { code, stderr } = await copy.finished
    expect([code, stderr]).toEqual([130, expect.stringContaining('none failed')])
    expect(await uploads(one.server)).toEqual([])
    expect((await one.saved()).large!.open).toHaveLength(2)
    expect((await run(['resume', 'run', '--threads', '1'], { cwd: one.cwd })).code).toBe(0)
    expect(one.server.stats().copies.dst).toMatchObject({ unique: 6, duplicates: 0 })
    expect(await uploads(one.server)).toEqual([])
  })

  test('the run copies some by itself, and hosts copy others', async () => {
    const one = await inOneStore('seq:12:big=1', 'copy=200-300')
    const said = await one.redis.monitor()
    one.worker()
    const shared = one.lent.map((flag) => (flag === '0' ? '1' : flag))
    expect((await run([...one.copy, ...shared], { cwd: one.cwd })).code).toBe(0)
    await expectWhole(one)
    const lent = said().match(/type\\":\\"lend\\"/g) ?? []
    expect([lent.length > 0, lent.length < one.large]).toEqual([true, true])
  })
})

describe.skipIf(!HAS_REDIS)('objects over 256 MiB whose content passes through hosts', () => {
  test('a host is killed in the middle of one: another goes on, sends no part again, and it is the same to the byte', async () => {
    const [from, to] = [
      await sandbox({ buckets: ['src:seq:1:size=285212672'] }),
      await sandbox({ buckets: ['dst'], latency: 'put=60-90' }),
    ]
    const one = await fleet([from, to])
    const sent = (): number => to.stats().byOperation.UploadPart ?? 0
    const ends = ['--source-endpoint-url', from.url, '--destination-endpoint-url', to.url]
    const first = one.worker()
    const copy = start(['copy', 's3://src', 's3://dst', ...ends, ...one.lent], { cwd: one.cwd })
    await until(() => sent() >= 16, copy)
    first.kill('SIGKILL')
    await first.finished
    await until(() => to.stats().inFlight.now === 0)
    const before = sent()
    expect(before).toBeLessThan(34)
    one.worker()
    const { code, stderr } = await copy.finished
    expect([code, stderr]).toEqual([0, expect.stringContaining('1 object copied, none skipped, none failed')])
    // Again are only those on whose way the first one was killed.
    expect(sent() - 34).toBeLessThanOrEqual(8)
    const [key = ''] = (await contentOf(from, 'src')).keys()
    const digest = async ({ s3 }: TestSandbox, Bucket: string): Promise<string> => {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: key }))
      return createHash('sha256')
        .update(await Body!.transformToByteArray())
        .digest('hex')
    }
    expect(await digest(to, 'dst')).toBe(await digest(from, 'src'))
    expect(await uploads(to)).toEqual([])
  })
})
