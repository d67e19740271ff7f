import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf, expectCopiedOnce, expectSame, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder, type Running } from '../support/cli-program.js'

const COUNT = 4000

const copies = (server: TestSandbox): number => server.stats().copies.dst?.total ?? 0

/** Random numbers in [0, 1) that are the same for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => (state = (state * 48_271) % 0x7fff_ffff) / 0x7fff_ffff
}

/** What of a run is settled on the disk, or zero when nothing was saved. */
async function saved(cwd: string): Promise<number> {
  const text = await readFile(join(cwd, 'run/checkpoint.json'), 'utf8').catch(() => undefined)
  return text === undefined ? 0 : (JSON.parse(text) as { totals: { copied: number } }).totals.copied
}

async function begin(cwd: string, server: TestSandbox, ...args: string[]): Promise<Running> {
  const running = start([...args, '--endpoint-url', server.url, '--concurrency', '16', '--lanes', '4'], { cwd })
  await until(() => running.isOver() || server.stats().connections.open > 0)
  return running
}

const COPY = ['copy', 's3://src', 's3://dst', '--checkpoint', 'run']

describe('kill -9 of s3move copy, then s3move resume', () => {
  test.each([1, 2, 3, 4, 5, 6])(
    'at random points, with seed %i: nothing is lost, and only what was not saved is repeated',
    async (seed) => {
      const cwd = await workFolder()
      const random = randomOf(seed * 7919)
      const layout = ['hex', 'seq', 'hot', 'dates', 'deep', 'odd'][seed - 1]!
      const server = await sandbox({ buckets: [`src:${layout}:${COUNT}`, 'dst'], latency: 'copy=4-10,list=2-6', seed })
      let args = COPY
      let repeatable = 0
      for (let kills = 0; kills < 3; kills++) {
        const running = await begin(cwd, server, ...args)
        const target = copies(server) + Math.floor(random() * random() * COUNT * 0.7)
        await until(() => running.isOver() || copies(server) >= target)
        running.kill('SIGKILL')
        const { signal } = await running.finished
        if (signal === undefined) break
        await until(() => server.stats().connections.open === 0 && server.stats().inFlight.now === 0)
        const unsettled = (server.stats().copies.dst?.unique ?? 0) - (await saved(cwd))
        expect(unsettled).toBeGreaterThanOrEqual(0)
        repeatable += unsettled
        if ((await readFile(join(cwd, 'run/checkpoint.json')).catch(() => undefined)) !== undefined)
          args = ['resume', 'run']
      }
      const last = await run([...args, '--endpoint-url', server.url, '--concurrency', '64'], { cwd })
      expect([last.code, last.stderr]).toEqual([
        0,
        expect.stringContaining('4,000 objects copied, none skipped, none failed') as string,
      ])
      expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
      const { unique, duplicates } = server.stats().copies.dst!
      expect(unique).toBe(COUNT)
      expect(duplicates).toBeLessThanOrEqual(repeatable)
    },
  )

  test('failures outlive it: every object is copied or in the ledger, none in both', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:3000:denied=7', 'dst'], latency: 'copy=4-10' })
    const running = await begin(cwd, server, ...COPY)
    await until(() => copies(server) >= 1200, running)
    running.kill('SIGKILL')
    await running.finished
    expect((await run(['resume', 'run', '--concurrency', '64'], { cwd })).code).toBe(3)
    const lines = (await readFile(join(cwd, 'run/failures.ndjson'), 'utf8')).trimEnd().split('\n')
    const failed = lines.map((line) => (JSON.parse(line) as { key: string }).key).sort()
    const there = await contentOf(server, 'dst')
    expect(failed).toEqual([...(await contentOf(server, 'src')).keys()].filter((key) => !there.has(key)))
    const told = await run(['status', 'run', '--json'], { cwd })
    expect(JSON.parse(told.stdout)).toMatchObject({
      done: 3000,
      totals: { copied: there.size, failed: { AccessDenied: failed.length } },
    })
  })

  test('on a resume at another endpoint, it warns that what was done is taken to be there', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:3000', 'dst'], latency: 'copy=4-10' })
    const running = await begin(cwd, server, ...COPY)
    await until(() => copies(server) >= 300, running)
    running.kill('SIGKILL')
    await running.finished
    const other = await sandbox({ buckets: ['src:hex:3000', 'dst'] })
    const { code, stderr } = await run(['resume', 'run', '--quiet', '--endpoint-url', other.url], { cwd })
    expect(code).toBe(0)
    expect(stderr).toContain(
      `endpoint: checkpoint has ${server.url}, command has ${other.url}; what was done so far is taken to be there too`,
    )
  })

  test('while the failed are tried again: the ledger and the bucket still make up the whole', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:1500', 'dst'], latency: 'copy=4-10' })
    const first = await begin(cwd, server, ...COPY)
    await until(() => copies(server) >= 100, first)
    await server.fault('denied', '9/10', 'CopyObject')
    expect((await first.finished).code).toBe(3)
    await server.fault('denied', '0', 'CopyObject')
    const before = copies(server)
    const again = await begin(cwd, server, 'resume', '--only-failed', 'run')
    await until(() => copies(server) >= before + 300, again)
    again.kill('SIGKILL')
    await again.finished
    const last = await run(['resume', '--only-failed', 'run'], { cwd })
    expect([last.code, last.stderr]).toEqual([0, expect.stringContaining('1,500 objects copied') as string])
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
  })
})

describe('Ctrl-C and SIGTERM', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)(
    'one %s: what is in flight ends, the run is saved, and a resume repeats nothing',
    async (signal) => {
      const cwd = await workFolder()
      const server = await sandbox({ buckets: [`src:hex:${COUNT}`, 'dst'], latency: 'copy=4-10' })
      const running = await begin(cwd, server, ...COPY)
      await until(() => copies(server) >= 700, running)
      running.kill(signal)
      const { code, stderr } = await running.finished
      expect(code).toBe(130)
      expect(stderr).toMatch(/^interrupted before it finished: /m)
      expect(stderr).toMatch(/^ {2}next +s3move resume run$/m)
      expect(await saved(cwd)).toBe(copies(server))
      expect((await run(['resume', 'run', '--concurrency', '64'], { cwd })).code).toBe(0)
      expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
      expectCopiedOnce(server, 'dst', COUNT)
    },
  )

  test('the second one ends at once what the first still waits for, and the run can be resumed', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:1500', 'dst'], latency: 'copy=4-10' })
    const running = await begin(cwd, server, ...COPY)
    await until(() => copies(server) >= 300, running)
    await server.fault('hang', '1', 'CopyObject')
    await until(() => (server.stats().faults.hang ?? 0) >= 16, running)
    running.kill('SIGINT')
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(running.isOver()).toBe(false)
    running.kill('SIGINT')
    const { code, stderr } = await running.finished
    expect(code).toBe(130)
    expect(stderr).toMatch(/^ {2}next +s3move resume run$/m)
    await server.fault('hang', '0', 'CopyObject')
    const before = server.stats().copies.dst!.unique - (await saved(cwd))
    expect((await run(['resume', 'run', '--concurrency', '64'], { cwd })).code).toBe(0)
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
    expect(server.stats().copies.dst!.duplicates).toBeLessThanOrEqual(before)
  })

  test.each([
    ['copy', '503'],
    ['copy', 'hang'],
    ['copy --dry-run', 'hang'],
  ])('one while s3move %s waits for the first answer (%s) ends it, and nothing was changed', async (command, fault) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:100', 'dst'], faults: [`${fault}=1`] })
    const [, ...flags] = command.split(' ')
    const running = start(['copy', 's3://src', 's3://dst', ...flags, '--endpoint-url', server.url], { cwd })
    await until(() => server.stats().requests > 0, running)
    running.kill('SIGINT')
    expect(refusal(await running.finished, 130)).toContain('interrupted before anything was changed')
    expect(copies(server)).toBe(0)
    expect(await readdir(cwd)).toEqual([])
  })

  test('one ends a dry run that has told of its progress, and its result is told as a part', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:20k', 'dst'], latency: 'list=100' })
    const args = ['copy', 's3://src', 's3://dst', '--dry-run', '--json', '--lanes', '1', '--endpoint-url', server.url]
    const running = start(args, { cwd })
    await until(() => running.stdout().includes('\n'), running)
    running.kill('SIGINT')
    const { code, stdout, stderr } = await running.finished
    expect([code, stderr]).toEqual([130, ''])
    const told = stdout.trimEnd().split('\n')
    const records = told.map((line) => JSON.parse(line) as { type: string; totals: { copied: number } })
    expect(records.at(0)).toMatchObject({ type: 'progress', listingEnded: false })
    expect(records.at(-1)).toMatchObject({ type: 'plan', complete: false, exitCode: 130 })
    expect(records.at(-1)!.totals.copied).toBeGreaterThanOrEqual(records.at(0)!.totals.copied)
    expect(records.at(-1)!.totals.copied).toBeLessThan(20_000)
  })

  test('the second one ends a dry run that waits for a page', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:20k', 'dst'], latency: 'list=50' })
    const args = ['copy', 's3://src', 's3://dst', '--dry-run', '--lanes', '1', '--endpoint-url', server.url]
    const running = start(args, { cwd })
    await until(() => (server.stats().byOperation.ListObjectsV2 ?? 0) > 3, running)
    await server.fault('hang', '1')
    await until(() => (server.stats().faults.hang ?? 0) > 0, running)
    running.kill('SIGINT')
    await new Promise((resolve) => setTimeout(resolve, 300))
    running.kill('SIGINT')
    expect((await running.finished).code).toBe(130)
  })
})
