import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { GetObjectCommand } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import {
  contentOf,
  expectCopiedOnce,
  expectSame,
  put,
  sandbox,
  traitsOf,
  type TestSandbox,
} from '../support/cli-buckets.js'
import {
  CREDENTIALS,
  refusal,
  run,
  start,
  until,
  workFolder,
  type Finished,
  type Running,
} from '../support/cli-program.js'
import { randomOf } from '../support/kills.js'

const RUN = 's3://kept/run'
const KEPT = ['--checkpoint', RUN]
const COPY = ['copy', 's3://src', 's3://dst', ...KEPT]

const copied = (server: TestSandbox): number => server.stats().copies.dst?.unique ?? 0
const copies = (server: TestSandbox): number => server.stats().copies.dst?.total ?? 0

/** A machine that knows nothing of any run. */
async function host() {
  const cwd = await workFolder()
  const tmp = join(cwd, 'tmp')
  await mkdir(tmp)
  return { cwd, env: { TMPDIR: tmp } }
}

type Host = Awaited<ReturnType<typeof host>>

async function begin(args: readonly string[], server: TestSandbox, at?: Host): Promise<Running> {
  return start([...args, '--endpoint-url', server.url], at ?? (await host()))
}

async function end(args: readonly string[], server: TestSandbox, at?: Host): Promise<Finished> {
  return await (
    await begin(args, server, at)
  ).finished
}

interface Kept {
  readonly session: string
  readonly holder?: object
  readonly files: readonly { readonly name: string; readonly pieces: readonly { readonly key: string }[] }[]
  readonly checkpoint?: {
    readonly totals: { readonly copied: number }
    readonly removals?: { readonly entries: number }
  }
}

async function textOf({ s3 }: TestSandbox, Key: string): Promise<string> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'kept', Key }))
  return await Body!.transformToString()
}

async function kept(server: TestSandbox): Promise<Kept | undefined> {
  const text = await textOf(server, 'run/run.json').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as Kept)
}

const isSaved = async (server: TestSandbox): Promise<boolean> => (await kept(server))?.checkpoint !== undefined

const isQuiet = (server: TestSandbox, open: number): boolean =>
  server.stats().connections.open <= open && server.stats().inFlight.now === 0

/** Kills a run with -9, and waits until nothing of it is under way. */
async function killed(running: Running, server: TestSandbox, open: number): Promise<boolean> {
  running.kill('SIGKILL')
  const { signal } = await running.finished
  await until(() => isQuiet(server, open))
  return signal !== undefined
}

const openNow = (server: TestSandbox): number => server.stats().connections.open

describe('a run whose folder is in a bucket', () => {
  test.each([1, 2, 3])(
    'is gone on with from any machine after kill -9 at random points, with seed %i: nothing is lost, nothing counts twice',
    async (seed) => {
      const random = randomOf(seed)
      const layout = ['hex', 'odd', 'hot'][seed - 1]!
      const buckets = [`src:${layout}:4000:denied=40`, 'dst', 'kept']
      const server = await sandbox({ buckets, latency: 'copy=30-60,list=2-6', seed })
      let args: readonly string[] = [...COPY, '--concurrency', '48', '--lanes', '4']
      let repeatable = 0
      for (let kills = 0; kills < 3; kills++) {
        const open = openNow(server)
        const running = await begin(args, server)
        const target = copies(server) + Math.floor(random() * 1200)
        await until(() => running.isOver() || copies(server) >= target)
        if (!(await killed(running, server, open))) break
        const unsettled = copied(server) - ((await kept(server))?.checkpoint?.totals.copied ?? 0)
        expect(unsettled).toBeGreaterThanOrEqual(0)
        repeatable += unsettled
        if (await isSaved(server)) args = ['resume', RUN]
      }
      const last = await end([...args, '--concurrency', '64'], server)
      expect([last.code, last.stderr]).toEqual([3, expect.stringContaining('100 failed') as string])
      const there = await contentOf(server, 'dst')
      const all = await contentOf(server, 'src')
      const told = await end(['failures', RUN, '--format', 'json'], server)
      const failed = told.stdout
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { key: string }).key)
      expect(failed.toSorted()).toEqual([...all.keys()].filter((key) => !there.has(key)).toSorted())
      for (const key of failed) all.delete(key)
      expectSame(there, all)
      expect(server.stats().copies.dst!.duplicates).toBeLessThanOrEqual(repeatable)
      // Of all sessions only what the record counts on is left.
      const record = (await kept(server))!
      const pieces = record.files.flatMap((file) => file.pieces.map(({ key }) => `run/${key}`))
      expect([...(await contentOf(server, 'kept')).keys()].toSorted()).toEqual([...pieces, 'run/run.json'].toSorted())
      expect(record.holder).toBeUndefined()
    },
  )

  test('is saved by SIGTERM: another machine repeats nothing, and nothing of it stays on the first', async () => {
    const server = await sandbox({ buckets: ['src:hex:2000', 'dst', 'kept'], latency: 'copy=20-40' })
    const first = await host()
    const running = await begin([...COPY, '--concurrency', '16'], server, first)
    await until(() => copied(server) >= 300, running)
    running.kill('SIGTERM')
    const { code, stderr } = await running.finished
    expect([code, stderr]).toEqual([130, expect.stringContaining(`next      s3move resume ${RUN}/`) as string])
    expect((await kept(server))?.checkpoint?.totals.copied).toBe(copied(server))
    expect(await readdir(first.env.TMPDIR)).toEqual([])
    const again = await end(['resume', RUN, '--concurrency', '64'], server)
    expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('2,000 objects copied') as string])
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
    expectCopiedOnce(server, 'dst', 2000)
    const done = await end(['resume', RUN], server)
    expect([done.code, done.stderr]).toEqual([0, `nothing to resume: the run in ${RUN}/ is finished\n`])
  })

  test('is of one process at a time, and tells which', async () => {
    const server = await sandbox({ buckets: ['src:hex:2000', 'dst', 'kept'], latency: 'copy=30-60' })
    const running = await begin([...COPY, '--concurrency', '2'], server)
    await until(() => isSaved(server), running)
    const other = await end(['resume', RUN], server)
    expect(refusal(other)).toContain(`${RUN}/ is in use by process ${running.pid} on `)
    expect(refusal(await end(COPY, server))).toContain('an unfinished run of this job is in s3://kept/run/')
    const { stdout } = await end(['status', RUN, '--json'], server)
    expect(JSON.parse(stdout)).toMatchObject({ folder: `${RUN}/`, heldBy: { pid: running.pid }, state: 'unfinished' })
    running.kill('SIGTERM')
    expect((await running.finished).code).toBe(130)
    // A start that may go on with it does.
    const last = await end([...COPY, '--or-resume', '--concurrency', '64'], server)
    expect([last.code, last.stderr]).toEqual([
      0,
      expect.stringContaining(`going on with the unfinished run in ${RUN}/`) as string,
    ])
    expectCopiedOnce(server, 'dst', 2000)
  })

  test('of two that begin it at the same moment one is refused', async () => {
    const server = await sandbox({ buckets: ['src:hex:500', 'dst', 'kept'], latency: 'copy=10-20,put=5-30' })
    const both = await Promise.all([end(COPY, server), end(COPY, server)])
    expect(both.map(({ code }) => code).toSorted()).toEqual([0, 2])
    expect(refusal(both.find(({ code }) => code === 2)!)).toMatch(
      /is in use by|unfinished run of this job|finished .* ago/,
    )
    expectCopiedOnce(server, 'dst', 500)
  })

  test('is taken from who was taken for dead: that one stops, and has written nothing since', async () => {
    const server = await sandbox({ buckets: ['src:hex:3000', 'dst', 'kept'], latency: 'copy=30-60' })
    const first = await begin([...COPY, '--concurrency', '16'], server)
    await until(() => isSaved(server), first)
    first.kill('SIGSTOP')
    await until(() => server.stats().inFlight.now === 0)
    const record = await textOf(server, 'run/run.json')
    await put(server, 'kept', 'run/run.json', { Body: record.replace(/"pid": ?\d+/, '"pid": 0') })
    const second = await end(['resume', RUN, '--concurrency', '64'], server)
    expect([second.code, second.stderr]).toEqual([0, expect.stringContaining('3,000 objects copied') as string])
    const after = await textOf(server, 'run/run.json')
    first.kill('SIGCONT')
    const { code, stderr } = await first.finished
    expect([code, stderr]).toEqual([
      4,
      expect.stringContaining(`another process has taken the run in ${RUN}/ over`) as string,
    ])
    expect(await textOf(server, 'run/run.json')).toBe(after)
  })

  test('is exact where answers to its saves are lost, cut or refused for being too many', async () => {
    const server = await sandbox({ buckets: ['src:hex:1500:denied=15', 'dst', 'kept'], latency: 'copy=30-60', seed: 5 })
    for (const [fault, rate] of [
      ['reset-after', '1/4'],
      ['503', '1/5'],
      ['reset', '1/6'],
    ] as const)
      await server.fault(fault, rate, 'PutObject')
    let args: readonly string[] = [...COPY, '--concurrency', '16']
    const open = openNow(server)
    const running = await begin(args, server)
    await until(() => copied(server) >= 500, running)
    await killed(running, server, open)
    if (await isSaved(server)) args = ['resume', RUN, '--concurrency', '16']
    const { code, stderr } = await end(args, server)
    expect([code, stderr]).toEqual([
      3,
      expect.stringContaining('1,400 objects copied, none skipped, 100 failed') as string,
    ])
    expect(server.stats().faults['reset-after']).toBeGreaterThan(0)
    const told = await end(['failures', RUN, '--format', 'keys'], server)
    const there = await contentOf(server, 'dst')
    const all = [...(await contentOf(server, 'src')).keys()]
    expect(told.stdout.trim().split('\n').toSorted()).toEqual(all.filter((key) => !there.has(key)).toSorted())
  })

  test('outlives a bucket that refuses for a while, and says so', async () => {
    const server = await sandbox({ buckets: ['src:hex:1500', 'dst', 'kept'], latency: 'copy=30-60' })
    const running = await begin([...COPY, '--concurrency', '4'], server)
    await until(() => isSaved(server), running)
    await server.fault('503', '1', 'PutObject')
    await until(() => running.stderr().includes('The work goes on'), running)
    const before = copied(server)
    await until(() => copied(server) > before + 20, running)
    await server.fault('503', '0', 'PutObject')
    const { code, stderr } = await running.finished
    expect(code).toBe(0)
    expect(stderr).toMatch(/cannot save s3:\/\/kept\/run\/: PutObject: .*SlowDown/)
    expect(stderr).toContain('the checkpoint can be saved again')
  })

  test('stops when it may not be saved any more, as on a disk, and can be resumed once it may', async () => {
    const server = await sandbox({ buckets: ['src:hex:1500', 'dst', 'kept'], latency: 'copy=30-60' })
    const running = await begin([...COPY, '--concurrency', '8'], server)
    await until(() => isSaved(server), running)
    await server.fault('denied', '1', 'PutObject')
    const { code, stderr } = await running.finished
    expect([code, stderr]).toEqual([
      4,
      expect.stringMatching(/cannot save s3:\/\/kept\/run\/: PutObject: .*AccessDenied/) as string,
    ])
    await server.fault('denied', '0', 'PutObject')
    expect((await end(['resume', RUN, '--concurrency', '64'], server)).code).toBe(0)
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
  })

  test('has no secret in it, and tells what failed and all of it from any machine', async () => {
    const server = await sandbox({ buckets: ['src:hex:300:denied=30', 'dst', 'kept'] })
    expect((await end(COPY, server)).code).toBe(3)
    for (const key of (await contentOf(server, 'kept')).keys())
      expect(await textOf(server, key)).not.toContain(CREDENTIALS.secretAccessKey)
    expect((await end(['failures', RUN], server)).stdout).toMatch(
      /10 objects failed in s3:\/\/kept\/run\/: copy.*next: s3move resume --only-failed s3:\/\/kept\/run\/\n$/s,
    )
    expect((await end(['status', RUN], server)).stdout).toContain(
      'see s3move failures s3://kept/run/, or s3://kept/run/pieces/failures.ndjson/',
    )
    expect((await end(['report', RUN], server)).stdout).toContain('10')
    // What failed is tried again from elsewhere; what is tried in vain is there once.
    const again = await end(['resume', '--only-failed', RUN], server)
    expect(again.code).toBe(3)
    expect((await end(['failures', RUN, '--format', 'keys'], server)).stdout.trim().split('\n').length).toBe(10)
  })

  test('keeps the record of an earlier run that is begun again, and its failures', async () => {
    const server = await sandbox({ buckets: ['src:hex:300:denied=30', 'dst', 'kept'] })
    expect((await end(COPY, server)).code).toBe(3)
    expect(refusal(await end(COPY, server))).toContain('this job finished ')
    for (let times = 0; times < 2; times++) expect((await end([...COPY, '--fresh'], server)).code).toBe(3)
    const { files } = (await kept(server))!
    expect(files.map(({ name }) => name.replace(/\d{4}-.*Z/, 'TIME')).toSorted()).toEqual([
      'failures.TIME.ndjson',
      'failures.TIME.ndjson',
      'failures.ndjson',
    ])
    for (const { pieces } of files)
      for (const { key } of pieces) expect(await textOf(server, `run/${key}`)).toMatch(/^(?:\{.*\}\n){10}$/)
  })

  test('has a list with it that came on standard input', async () => {
    const server = await sandbox({ buckets: ['src:seq:2000', 'dst', 'kept'], latency: 'copy=20-40' })
    const keys = [...(await contentOf(server, 'src')).keys()].slice(500)
    const at = await host()
    const args = [...COPY, '--files-from', '-', '--concurrency', '16', '--endpoint-url', server.url]
    const running = start(args, { ...at, input: `${keys.join('\n')}\n` })
    await until(async () => copied(server) >= 300 && (await isSaved(server)), running)
    running.kill('SIGTERM')
    expect((await running.finished).code).toBe(130)
    const again = await end(['resume', RUN, '--concurrency', '64'], server)
    expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('1,500 objects copied') as string])
    expect([...(await contentOf(server, 'dst')).keys()]).toEqual(keys)
    expectCopiedOnce(server, 'dst', 1500)
  })
})

describe('what deletes behind its checkpoint', () => {
  const KEYS = Array.from({ length: 400 }, (_, n) => `k${String(n).padStart(4, '0')}`)

  async function filled(bucket: string, keys: readonly string[]): Promise<TestSandbox> {
    const server = await sandbox({ buckets: ['src', 'dst', 'kept'], latency: 'copy=40-80,delete=5-20' })
    await Promise.all(keys.map((key) => put(server, bucket, key, { Body: key })))
    return server
  }

  test.each([1, 2, 3])(
    'move: killed with -9 at random points, with seed %i: each object is at one side or both, and at the end moved',
    async (seed) => {
      const random = randomOf(seed)
      const server = await filled('src', KEYS)
      let args: readonly string[] = ['move', 's3://src', 's3://dst', ...KEPT, '--yes', '--concurrency', '4']
      for (let kills = 0; kills < 3; kills++) {
        const open = openNow(server)
        const running = await begin(args, server)
        const target = copies(server) + Math.floor(random() * 250)
        await until(() => running.isOver() || copies(server) >= target)
        await killed(running, server, open)
        const [from, to] = [await contentOf(server, 'src'), await contentOf(server, 'dst')]
        expect(KEYS.filter((key) => !from.has(key) && !to.has(key))).toEqual([])
        // Only what the bucket has as copied is deleted.
        const allowed = (await kept(server))?.checkpoint?.removals?.entries ?? 0
        expect(KEYS.length - from.size).toBeLessThanOrEqual(allowed)
        if (await isSaved(server)) args = ['resume', RUN, '--concurrency', '4']
      }
      const { code, stderr } = await end(args, server)
      expect([code, stderr]).toEqual([0, expect.stringMatching(/finished|nothing to resume/) as string])
      expect((await contentOf(server, 'src')).size).toBe(0)
      expect([...(await contentOf(server, 'dst')).keys()]).toEqual(KEYS)
    },
  )

  test('sync --delete: killed while it deletes, and gone on with elsewhere', async () => {
    const server = await filled('dst', KEYS)
    await put(server, 'src', 'new', { Body: 'x' })
    const args = ['sync', 's3://src', 's3://dst', '--delete', '--max-delete', '1000', '--yes', ...KEPT]
    const open = openNow(server)
    const running = await begin(args, server)
    await until(async () => running.isOver() || (await contentOf(server, 'dst')).size < 395)
    await killed(running, server, open)
    const { code } = await end(['resume', RUN], server)
    expect(code).toBe(0)
    expect([...(await contentOf(server, 'dst')).keys()]).toEqual(['new'])
  })
})

describe('each command that may keep its run in a bucket', () => {
  const KEYS = Array.from({ length: 120 }, (_, n) => `k${String(n).padStart(4, '0')}`)

  test.each([
    ['set-headers', ['set-headers', 's3://src', '--cache-control', 'max-age=5']],
    ['set-tags', ['set-tags', 's3://src', '--tag', 'team=red']],
    ['delete', ['delete', 's3://src', '--yes']],
    ['verify', ['verify', 's3://src', 's3://dst', '--deep']],
  ])('%s is gone on with elsewhere', async (name, args) => {
    const server = await sandbox({
      buckets: ['src', 'dst', 'kept'],
      latency: 'copy=50-90,head=50-90,put=20-40,delete=300-400',
    })
    await Promise.all(['src', 'dst'].flatMap((bucket) => KEYS.map((key) => put(server, bucket, key, { Body: key }))))
    const open = openNow(server)
    const running = await begin([...args, ...KEPT, ...(name === 'delete' ? [] : ['--concurrency', '2'])], server)
    await until(async () => running.isOver() || (await isSaved(server)))
    await killed(running, server, open)
    const { code, stderr } = await end(['resume', RUN], server)
    expect([code, stderr]).toEqual([0, expect.any(String) as string])
    if (name === 'delete') expect((await contentOf(server, 'src')).size).toBe(0)
    if (name === 'set-headers')
      expect(await traitsOf(server, 'src', 'k0119')).toMatchObject({ CacheControl: 'max-age=5' })
    if (name === 'set-tags')
      expect(await traitsOf(server, 'src', 'k0119')).toMatchObject({ tags: [{ Key: 'team', Value: 'red' }] })
    if (name === 'verify') expect(stderr).toContain('120')
  })
})

describe('a bucket that cannot keep a run', () => {
  /** Refused with one line, before an object is copied and without anything in the bucket. */
  async function refused(args: readonly string[], server: TestSandbox, input?: string): Promise<string> {
    const at = await host()
    const said = refusal(
      await run([...args, '--endpoint-url', server.url], { ...at, ...(input === undefined ? {} : { input }) }),
    )
    expect(copied(server)).toBe(0)
    expect(await readdir(at.env.TMPDIR)).toEqual([])
    return said
  }

  test.each([
    [
      'is not there',
      ['--checkpoint', 's3://nobody/run'],
      's3://nobody: ListObjectsV2 failed: The specified bucket does not exist',
    ],
    ['ignores conditions', ['--checkpoint', 's3://loose/run'], 'and this store ignores it'],
    ['holds something else there', ['--checkpoint', 's3://full/a'], 's3://full/a/ holds no run, and other objects: x'],
    [
      'is the destination',
      ['--checkpoint', 's3://dst/run'],
      'one of that and the destination, s3://dst/, lies in the other',
    ],
    ['is the source', ['--checkpoint', 's3://src/run'], 'one of that and the source, s3://src/, lies in the other'],
  ])('%s', async (_what, args, why) => {
    const server = await sandbox({ buckets: ['src:hex:50', 'dst', 'loose:unconditional', 'full'] })
    await put(server, 'full', 'a/x')
    expect(await refused(['copy', 's3://src', 's3://dst', ...args], server)).toContain(why)
    expect((await contentOf(server, 'loose')).size).toBe(0)
    expect([...(await contentOf(server, 'full')).keys()]).toEqual(['a/x'])
  })

  test.each([
    ['to be written to', ['PutObject']],
    ['anything to be deleted', ['DeleteObject', 'DeleteObjects']],
  ])('does not allow %s', async (_what, operations) => {
    const server = await sandbox({ buckets: ['src:hex:50', 'dst', 'kept'] })
    for (const operation of operations) await server.fault('denied', '1', operation)
    expect(await refused(COPY, server)).toMatch(/s3:\/\/kept\/run\/: \w+ failed: .*\(AccessDenied, HTTP 403\)/)
  })

  test('of a store that knows no conditional writes', async () => {
    const server = await sandbox({ buckets: ['src', 'dst', 'kept'], dialect: 'swift' })
    await put(server, 'src', 'k')
    expect(await refused(COPY, server)).toContain('and this store refuses it: NotImplemented, HTTP 501')
  })

  test('whose run needs a file of this machine, or is none that is kept there', async () => {
    const server = await sandbox({ buckets: ['src:hex:50', 'dst', 'kept'] })
    expect(await refused([...COPY, '--files-from', '/etc/hostname'], server)).toContain('is a file of this one')
    expect(await refused(['verify', 's3://src', 's3://dst', '--to', 'differences', ...KEPT], server)).toContain(
      'is a file of this one',
    )
    expect(await refused(['ls', 's3://src', ...KEPT], server)).toContain('ls cannot keep how far it came in a bucket')
    expect(await refused(['du', 's3://src', ...KEPT], server)).toContain('du cannot keep how far it came in a bucket')
    expect(await refused([...COPY, '--listen', '0'], server)).toContain('--listen shows what is in a folder')
    expect(await refused(['resume', RUN], server)).toContain('there is no run in s3://kept/run/')
    expect(await refused(['status', RUN], server)).toContain('there is no run in s3://kept/run/')
    expect(await refused(['failures', RUN], server)).toContain('there is no run in s3://kept/run/')
    expect(await refused(['status', RUN, '--watch'], server)).toContain('--watch is for runs in folders')
    expect((await contentOf(server, 'kept')).size).toBe(0)
  })
})
