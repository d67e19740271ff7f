import { ListMultipartUploadsCommand, ListPartsCommand } from '@aws-sdk/client-s3'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf, sandbox, traitsOf, type TestSandbox } from '../support/cli-buckets.js'
import { run, start, until, workFolder } from '../support/cli-program.js'

const LARGE = 5 * 1024 ** 3
const PART = 64 * 1024 ** 2

interface Saved {
  readonly state: string
  readonly ranges: readonly unknown[]
  readonly totals: { readonly copied: number }
  readonly large?: { readonly open: readonly { readonly upload?: { readonly id: string } }[] }
}

const args = (server: TestSandbox, ...more: string[]) => [
  ...['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--checkpoint', 'run', ...more],
]

async function saved(cwd: string): Promise<Saved | undefined> {
  const text = await readFile(join(cwd, 'run/checkpoint.json'), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as Saved)
}

async function uploads({ s3 }: TestSandbox) {
  return (await s3.send(new ListMultipartUploadsCommand({ Bucket: 'dst' }))).Uploads ?? []
}

async function quiet(server: TestSandbox): Promise<void> {
  await until(() => server.stats().connections.open === 0 && server.stats().inFlight.now === 0)
}

const parts = (server: TestSandbox): number => server.stats().byOperation.UploadPartCopy ?? 0

/** Every object of the source is at the destination, once, with what a copy keeps. */
async function expectWhole(server: TestSandbox): Promise<void> {
  const [source, copied] = [await contentOf(server, 'src'), await contentOf(server, 'dst')]
  expect([...copied.keys()]).toEqual([...source.keys()])
  for (const [key, { size, storageClass }] of source) {
    expect(copied.get(key)).toMatchObject({ size, storageClass })
    if (size <= LARGE) continue
    const plain = (traits: unknown) => ({ ...(traits as object), ETag: '' })
    expect(plain(await traitsOf(server, 'dst', key))).toEqual(plain(await traitsOf(server, 'src', key)))
  }
  expect(await uploads(server)).toEqual([])
}

describe('s3move copy of objects over 5 GiB', () => {
  test('they hold nothing up: all others are done and saved while they wait, and a resume does only them', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:3000:big=500,tags=2', 'dst'] })
    await server.fault('hang', '1', 'UploadPartCopy')
    const running = start(args(server), { cwd })
    await until(async () => {
      const now = await saved(cwd)
      const begun = now?.large?.open.filter(({ upload }) => upload !== undefined)
      return now?.totals.copied === 2994 && now.ranges.length === 0 && begun?.length === 4
    }, running)
    running.kill('SIGKILL')
    await running.finished
    expect(await saved(cwd)).toMatchObject({ state: 'unfinished' })
    const { stdout } = await run(['status', 'run'], { cwd })
    expect(stdout).toMatch(/^ {2}large +6 objects over 5 GiB to be copied in parts$/m)
    await server.fault('hang', '0', 'UploadPartCopy')
    const before = server.stats().copies.dst!
    const { code, stderr } = await run(['resume', 'run'], { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('3,000 objects copied, none skipped, none failed')])
    // What a slow machine answers late is sent again, so only what the resume did is counted.
    const { total, unique } = server.stats().copies.dst!
    expect([unique, total - before.total]).toEqual([3000, 6])
    await expectWhole(server)
    // Nothing is left of their ledger once all of them are done.
    expect(await readdir(join(cwd, 'run'))).not.toContain('large.ndjson')
    expect(await saved(cwd)).toMatchObject({ state: 'finished' })
  })

  test.each(['sync', 'move'])('%s does them apart as well, and goes on with what was begun', async (command) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:600:big=300', 'dst'] })
    const source = await contentOf(server, 'src')
    await server.fault('hang', '1', 'UploadPartCopy')
    const [, ...rest] = args(server)
    const running = start([command, ...rest, '--yes'], { cwd })
    await until(async () => {
      const now = await saved(cwd)
      const begun = now?.large?.open.filter(({ upload }) => upload !== undefined)
      return now?.ranges.length === 0 && begun?.length === 2 && server.stats().copies.dst?.unique === 598
    }, running)
    running.kill('SIGKILL')
    await running.finished
    await server.fault('hang', '0', 'UploadPartCopy')
    const before = server.stats().copies.dst!
    const { code, stderr } = await run(['resume', 'run'], { cwd })
    const done = command === 'move' ? 'moved' : 'copied'
    expect([code, stderr]).toEqual([0, expect.stringContaining(`600 objects ${done}, none skipped, none failed`)])
    expect(server.stats().byOperation.CreateMultipartUpload).toBe(2)
    const { total, unique } = server.stats().copies.dst!
    expect([unique, total - before.total]).toEqual([600, 2])
    expect((await contentOf(server, 'src')).size).toBe(command === 'move' ? 0 : 600)
    const copied = await contentOf(server, 'dst')
    for (const [key, { size, storageClass }] of source) expect(copied.get(key)).toMatchObject({ size, storageClass })
    expect(await uploads(server)).toEqual([])
  })

  test('killed with -9 in the middle of one, no part is copied twice', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:3:big=3', 'dst'], latency: 'copy=40-80' })
    let argv = args(server, '--part-size', '64M')
    for (const killAt of [20, 50]) {
      const running = start(argv, { cwd })
      await until(() => parts(server) >= killAt, running)
      running.kill('SIGKILL')
      await running.finished
      await quiet(server)
      argv = ['resume', 'run']
    }
    const { size } = [...(await contentOf(server, 'src')).values()].find((object) => object.size > LARGE)!
    const needed = Math.ceil(size / PART)
    const [upload] = (await saved(cwd))!.large!.open
    const [left] = await uploads(server)
    expect(left!.UploadId).toBe(upload!.upload!.id)
    const there = await server.s3.send(
      new ListPartsCommand({ Bucket: 'dst', Key: left!.Key, UploadId: left!.UploadId }),
    )
    expect(there.Parts!.length).toBeGreaterThanOrEqual(50)
    expect(there.Parts!.length).toBeLessThan(needed)
    expect((await run(argv, { cwd })).code).toBe(0)
    expect(parts(server)).toBe(needed)
    expect(server.stats().byOperation.CreateMultipartUpload).toBe(1)
    await expectWhole(server)
  })

  test('one Ctrl-C leaves no upload behind, and a resume copies what was given up', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:6:big=3', 'dst'], latency: 'copy=40-80' })
    const running = start(args(server, '--part-size', '64M'), { cwd })
    await until(() => parts(server) >= 20, running)
    running.kill('SIGINT')
    const { code, stderr } = await running.finished
    expect([code, stderr]).toEqual([130, expect.stringContaining('none failed')])
    expect(await uploads(server)).toEqual([])
    expect((await saved(cwd))!.large!.open).toHaveLength(2)
    expect((await run(['resume', 'run'], { cwd })).code).toBe(0)
    expect(server.stats().copies.dst).toMatchObject({ unique: 6, duplicates: 0 })
    await expectWhole(server)
  })

  test('what fails is in the ledger, leaves no upload behind, and can be tried again', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:400:big=100', 'dst'] })
    await server.fault('denied', '1', 'UploadPartCopy')
    expect((await run(args(server), { cwd })).code).toBe(3)
    const failures = (await readFile(join(cwd, 'run/failures.ndjson'), 'utf8')).trimEnd().split('\n')
    expect(failures.map((line) => (JSON.parse(line) as { code: string }).code)).toEqual(Array(4).fill('AccessDenied'))
    expect(await uploads(server)).toEqual([])
    await server.fault('denied', '0', 'UploadPartCopy')
    const before = server.stats().copies.dst!
    const { code, stderr } = await run(['resume', '--only-failed', 'run'], { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('400 objects copied, none skipped, none failed')])
    const { total, unique } = server.stats().copies.dst!
    expect([unique, total - before.total]).toEqual([400, 4])
    await expectWhole(server)
  })

  test.each(['500', '503', 'reset', 'reset-after', 'copy200err', 'truncate'])(
    'with %s at a few percent each arrives whole',
    async (kind) => {
      const cwd = await workFolder()
      // Not the beginning of an upload: one whose name is lost stays behind, empty.
      const faults = ['UploadPartCopy', 'CompleteMultipartUpload']
      const server = await sandbox({
        buckets: ['src:seq:12:big=3', 'dst'],
        faults: faults.map((on) => `${kind}=10%@${on}`),
      })
      expect((await run(args(server, '--part-size', '128M'), { cwd })).code).toBe(0)
      await expectWhole(server)
    },
  )

  test('verify --fix copies them too', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:20:big=10', 'dst'] })
    const fix = ['verify', 's3://src', 's3://dst', '--fix', '--endpoint-url', server.url, '--to', 'found']
    expect((await run(fix, { cwd })).code).toBe(0)
    await expectWhole(server)
  })
})
