import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { compareKeys } from '../../../src/keys.js'
import { run, start, until, workFolder } from '../../support/cli-program.js'
import { simulator, type Books, type Simulator } from './simulator.js'

const copyArgs = ({ url }: Simulator, ...more: string[]) =>
  ['copy', 's3://src', 's3://dst', '--endpoint-url', url, '--checkpoint', 'run', ...more] as const

async function ledgerKeys(cwd: string): Promise<string[]> {
  const lines = (await readFile(join(cwd, 'run/failures.ndjson'), 'utf8')).trimEnd().split('\n')
  return lines.map((line) => (JSON.parse(line) as { key: string }).key)
}

async function savedCount(cwd: string): Promise<number> {
  const text = await readFile(join(cwd, 'run/checkpoint.json'), 'utf8').catch(() => undefined)
  return text === undefined ? 0 : (JSON.parse(text) as { totals: { copied: number } }).totals.copied
}

describe('s3move copy s3://src s3://dst, judged by s3sim', () => {
  test.each([
    ['weird', 50_000],
    ['mix', 100_000],
  ])('the books of %s are exact: every object once, none wrong, with signatures verified', async (shape, count) => {
    const cwd = await workFolder()
    const buckets = ['--bucket', `src:${shape}:${count}`, '--bucket', 'dst:sink:src:map=>']
    const sim = await simulator(...buckets, '--require-auth', 'AKIDOFTHETESTS:wJalr/secret+of+the+tests')
    const { code, stderr } = await run(copyArgs(sim), { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('none skipped, none failed') as string])
    expect(await sim.books()).toMatchObject({
      ...{ copyable_in_scope: count, copies_total: count, unique: count, duplicates: 0 },
      ...{ missing: 0, missing_copyable: 0, wrong: 0, metadata_lost: 0 },
    })
  })

  test('a prefix is replaced exactly', async () => {
    const cwd = await workFolder()
    const sim = await simulator('--bucket', 'src:mix:60000', '--bucket', 'dst:sink:src:map=weird/>odd/$&/')
    const args = ['copy', 's3://src/weird/', 's3://dst/odd/$&/', '--endpoint-url', sim.url]
    // A key of 1,024 bytes has no room for a longer prefix; such keys are in the ledger.
    expect([0, 3]).toContain((await run(args, { cwd })).code)
    const books = await sim.books()
    expect(books).toMatchObject({ wrong: 0, duplicates: 0, missing_copyable: 0 })
    expect(books.unique).toBe(books.copyable_in_scope)
    expect(books.unique).toBeGreaterThan(1000)
  })

  test('the ledger holds exactly the objects that are refused; those that are archived are skipped', async () => {
    const cwd = await workFolder()
    const sim = await simulator(
      '--bucket',
      'src:mix:40000:glacier=1/200',
      '--bucket',
      'dst:sink:src:map=>',
      '--fail-key-every',
      '500',
    )
    expect((await run(copyArgs(sim), { cwd })).code).toBe(3)
    const books = await sim.books()
    expect(books).toMatchObject({ missing_copyable: 0, wrong: 0, duplicates: 0 })
    const { keys } = (await sim.get('keys?bucket=src&start=0&limit=40000&full=1')) as {
      keys: { key: string; storage_class: string; fail_key: boolean; size: number }[]
    }
    const refused = keys.filter(({ fail_key }) => fail_key)
    const archived = keys.filter(({ storage_class }) => storage_class === 'GLACIER')
    expect((await ledgerKeys(cwd)).sort()).toEqual(refused.map(({ key }) => key).sort())
    expect(books.unique).toBe(40_000 - new Set([...refused, ...archived]).size)

    await sim.post('fault?kind=fail-key-every&every=0&bucket=src')
    const { code, stderr } = await run(['resume', '--only-failed', 'run'], { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining(`${archived.length} archived, to be restored first`)])
    expect(await readFile(join(cwd, 'run/failures.ndjson'), 'utf8')).toBe('')
    expect(await sim.books()).toMatchObject({ unique: 40_000 - archived.length, wrong: 0, duplicates: 0 })
  })

  test('with faults of every kind nothing is lost, and only lost answers make duplicates', async () => {
    const cwd = await workFolder()
    const faults = [
      '500',
      '503',
      'reset',
      'reset-after',
      'reset-mid',
      'truncated-list',
      'copy200err',
      'keepalive-space',
    ]
    const flags = faults.flatMap((kind) => ['--fault', `${kind}=${kind === 'truncated-list' ? '1/20' : '1/400'}`])
    const sim = await simulator('--bucket', 'src:mix:40000', '--bucket', 'dst:sink:src:map=>', ...flags)
    const { code } = await run(copyArgs(sim), { cwd })
    expect(code).toBe(0)
    const books = await sim.books()
    expect(books).toMatchObject({ unique: 40_000, missing: 0, wrong: 0 })
    expect(books.duplicates).toBe(books.duplicates_after_lost_response)
  })
})

describe('kill -9 of s3move copy, then s3move resume, judged by s3sim', () => {
  test('of objects over 5 GiB among others nothing is missing, wrong, or without its headers; killed again and again, under faults', async () => {
    const cwd = await workFolder()
    const faults = ['503=1/100', '500=1/100', 'reset=1/100', 'copy200err=1/100'].flatMap((one) => ['--fault', one])
    const buckets = ['--bucket', 'src:mix:20000:size=mixed,big=500,tags=1/3', '--bucket', 'dst:sink:src:map=>']
    const sim = await simulator(...buckets, '--latency', 'copy=5-15', ...faults)
    const at = ['--concurrency', '64', '--lanes', '8', '--part-size', '256M']
    const parts = async () => ((await sim.get('stats')) as { by_op: Record<string, number> }).by_op.UploadPartCopy ?? 0
    let args: readonly string[] = copyArgs(sim, ...at)
    for (const target of [200, 600, 1000]) {
      const running = start(args, { cwd })
      await until(async () => (await parts()) >= target && (await savedCount(cwd)) > 0, running)
      running.kill('SIGKILL')
      await running.finished
      await until(async () => (await sim.requestsUnderWay()) <= 1)
      args = ['resume', 'run']
    }
    const { code, stderr } = await run(args, { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('20,000 objects copied, none skipped, none failed')])
    const books = (await sim.books()) as Books & {
      by_multipart: number
      metadata_lost: number
      metadata_changed: number
    }
    expect(books).toMatchObject({ unique: 20_000, missing: 0, wrong: 0, metadata_lost: 0, metadata_changed: 0 })
    const { keys } = (await sim.get('keys?bucket=src&start=0&limit=20000&full=1')) as { keys: { size: number }[] }
    const large = keys.filter(({ size }) => size > 5 * 1024 ** 3)
    expect(large.length).toBeGreaterThan(20)
    expect(books.by_multipart).toBeGreaterThanOrEqual(large.length)
    // Each was made once, but for those that a kill took between their end and the next save.
    expect(books.by_multipart - large.length).toBeLessThanOrEqual(3 * 4)
    // What was copied of a part is not copied again: only what was refused, or under way at a kill.
    const needed = large.reduce((sum, { size }) => sum + Math.ceil(size / (256 * 1024 ** 2)), 0)
    expect(await parts()).toBeLessThanOrEqual(needed * 1.1 + 3 * 4 * 8)
  })

  test('killed three times on the way, it misses nothing and repeats only what was not saved', async () => {
    const cwd = await workFolder()
    const buckets = ['--bucket', 'src:mix:60000', '--bucket', 'dst:sink:src:map=>']
    const sim = await simulator(...buckets, '--latency', 'copy=5-15,list=5-20')
    let repeatable = 0
    let args: readonly string[] = copyArgs(sim, '--concurrency', '64', '--lanes', '8')
    for (const target of [6_000, 20_000, 40_000]) {
      const running = start(args, { cwd })
      await until(async () => (await sim.books()).unique >= target && (await savedCount(cwd)) > 0, running)
      running.kill('SIGKILL')
      expect((await running.finished).signal).toBe('SIGKILL')
      await until(async () => (await sim.requestsUnderWay()) <= 1)
      repeatable += (await sim.books()).unique - (await savedCount(cwd))
      args = ['resume', 'run']
    }
    const { code, stderr } = await run(args, { cwd })
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining('60,000 objects copied, none skipped, none failed') as string,
    ])
    const books = await sim.books()
    expect(books).toMatchObject({ unique: 60_000, missing_copyable: 0, wrong: 0 })
    expect(books.duplicates).toBeLessThanOrEqual(repeatable)
  })
})

describe('s3move ls of a bucket that the judge made', () => {
  test.each([
    ['weird', []],
    ['weird', ['--sorted']],
    ['mix', ['--sorted', '--lanes', '64', '--threads', '3']],
  ])('the layout %s is listed exactly, with %j', async (shape, more) => {
    const cwd = await workFolder()
    const simulated = await simulator('--bucket', `src:${shape}:30000`, '--latency', 'list=1-9')
    const args = ['ls', 's3://src', '--format', 'json', '--endpoint-url', simulated.url, ...more]
    const { code, stdout } = await run(args, { cwd })
    expect(code).toBe(0)
    const expected: string[] = []
    while (expected.length < 30_000) {
      const page = `keys?bucket=src&start=${expected.length}&limit=5000`
      const { keys: entries } = (await simulated.get(page)) as { readonly keys: readonly Entry[] }
      expect(entries.length).toBeGreaterThan(0)
      for (const entry of entries) expected.push(typeof entry === 'string' ? entry : entry.key)
    }
    const listed = stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => (JSON.parse(line) as { key: string }).key)
    expect(more.length > 0 ? listed : listed.sort(compareKeys)).toEqual(expected)
  })
})

type Entry = string | { readonly key: string }

describe('s3move set-headers s3://src, judged by s3sim', () => {
  const CC = 'public, max-age=31536000'
  const args = ({ url }: Simulator, ...more: string[]) => [
    ...['set-headers', 's3://src', '--cache-control', CC, '--reset-acl', '--folder-markers', '--endpoint-url', url],
    ...['--checkpoint', 'run', ...more],
  ]
  interface Rewrites {
    readonly rewrites_total: number
    readonly rewritten_unique: number
    readonly rewrite_duplicates: number
    readonly metadata_lost: number
    readonly metadata_changed: number
    readonly cache_control: Readonly<Record<string, number>>
  }
  const books = async (sim: Simulator) => (await sim.books('src')) as unknown as Rewrites
  const copies = async (sim: Simulator) =>
    ((await sim.get('stats')) as { by_op: Record<string, number> }).by_op.CopyObject ?? 0

  test('of 200,000 objects exactly those are rewritten that are not right yet, no header is lost, and again none is written', async () => {
    const cwd = await workFolder()
    const sim = await simulator('--bucket', 'src:mix:200000:cc=1/3,tags=1/10')
    const { code, stderr } = await run(args(sim), { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('none failed') as string])
    const done = await books(sim)
    const right = Number(/(\d+,\d+) unchanged/.exec(stderr)![1]!.replace(',', ''))
    expect(right).toBeGreaterThan(60_000)
    expect(done).toMatchObject({
      ...{ rewrites_total: 200_000 - right, rewritten_unique: 200_000 - right, rewrite_duplicates: 0 },
      ...{ metadata_lost: 0, metadata_changed: 0, cache_control: { [CC]: 200_000 - right } },
    })
    const before = await copies(sim)
    const again = await run(args(sim, '--fresh'), { cwd })
    expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('200,000 unchanged') as string])
    // The one with which it asks, before it begins, whether it may write.
    expect((await copies(sim)) - before).toBe(1)
  })

  test('killed with -9 in the middle and resumed, under faults, the books are the same', async () => {
    const cwd = await workFolder()
    const faults = ['503=1/200', '500=1/200', 'reset=1/300', 'reset-after=1/300', 'copy200err=1/200'].flatMap((one) => [
      '--fault',
      one,
    ])
    const sim = await simulator('--bucket', 'src:mix:100000:cc=1/3,tags=1/10', '--fail-key-every', '10000', ...faults)
    let running = start(args(sim, '--concurrency', '128'), { cwd })
    for (const part of [10_000, 30_000]) {
      await until(async () => (await books(sim)).rewritten_unique > part, running)
      running.kill('SIGKILL')
      await running.finished
      running = start(['resume', 'run'], { cwd })
    }
    const { code, stderr } = await running.finished
    const failing = ((await sim.get('failkeys?bucket=src&start=0&limit=100')) as { keys: unknown[] }).keys.length
    expect([code, stderr]).toEqual([3, expect.stringContaining('AccessDenied') as string])
    const done = await books(sim)
    expect(done).toMatchObject({ metadata_lost: 0, metadata_changed: 0 })
    const right = Number(/(\d+,\d+) unchanged/.exec(stderr)![1]!.replace(',', ''))
    const failed = await ledgerKeys(cwd)
    expect(new Set(failed).size).toBe(failed.length)
    expect(failed.length).toBeLessThanOrEqual(failing)
    // What a killed session rewrote and did not save is found right by the next one.
    expect(done.rewritten_unique + right + failed.length).toBeGreaterThanOrEqual(100_000)
    expect(done.cache_control).toEqual({ [CC]: done.rewritten_unique })
    const check = await run(args(sim, '--fresh', '--dry-run', '--quiet', '--json'), { cwd })
    const plan = JSON.parse(check.stdout.trimEnd().split('\n').at(-1)!) as {
      totals: { copied: number; skipped: { unchanged: number } }
    }
    expect(plan.totals).toMatchObject({ copied: failed.length, skipped: { unchanged: 100_000 - failed.length } })
  })
})

describe('s3move verify s3://src s3://dst, on s3sim', () => {
  test('of 200,000 pairs exactly those are told that were changed, under faults, and though it was killed', async () => {
    const cwd = await workFolder()
    const faults = ['503=1/100', 'reset=1/100', 'truncated-list=1/100']
    const sim = await simulator('--bucket', 'src:mix:200000', '--bucket', 'dst:mix:200000', '--latency', 'list=20-40')
    const { keys } = (await sim.get('keys?bucket=src&start=0&limit=200000')) as { keys: string[] }
    expect(keys).toHaveLength(200_000)
    const expected = new Map<string, string>()
    for (const [index, key] of keys.entries()) {
      if (index % 4001 !== 17) continue
      const bucket = index % 2 === 0 ? 'src' : 'dst'
      const path = key.split('/').map(encodeURIComponent).join('/')
      expect((await fetch(`${sim.url}/${bucket}/${path}`, { method: 'DELETE' })).status).toBe(204)
      expected.set(key, bucket === 'src' ? 'extra' : 'missing')
    }
    for (const fault of faults) {
      const [kind = '', rate = ''] = fault.split('=')
      await sim.post(`fault?kind=${kind}&rate=${rate}`)
    }
    const from = ['--endpoint-url', sim.url, '--lanes', '8']
    const running = start(['verify', 's3://src', 's3://dst', '--to', 'found', '--checkpoint', 'run', ...from], { cwd })
    const lists = async () => ((await sim.get('stats')) as { by_op: Record<string, number> }).by_op.ListObjectsV2 ?? 0
    await until(async () => (await lists()) > 150, running)
    running.kill('SIGKILL')
    await running.finished
    const { code } = await run(['resume', 'run', ...from], { cwd })
    expect(code).toBe(3)
    const found = (await readFile(join(cwd, 'found'), 'utf8')).trimEnd().split('\n')
    const told = found.map((line) => JSON.parse(line) as { key: string; verdict: string })
    expect(told).toHaveLength(expected.size)
    expect(new Map(told.map(({ key, verdict }) => [key, verdict]))).toEqual(expected)
  })

  test('--deep finds exactly the headers that were changed', async () => {
    const cwd = await workFolder()
    const sim = await simulator('--bucket', 'src:seq:3000', '--bucket', 'dst:seq:3000')
    const at = ['--endpoint-url', sim.url]
    const prefix = 'avatars/00000000'
    const rules = ['--cache-control', 'changed', '--reset-acl', '--checkpoint', 'headers']
    expect((await run(['set-headers', `s3://dst/${prefix}1`, ...rules, ...at], { cwd })).code).toBe(0)
    const { code, stdout } = await run(['verify', 's3://src', 's3://dst', '--deep', ...at], { cwd })
    expect(code).toBe(3)
    const told = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { key: string; differs: string[] })
    const changed = await run(['ls', `s3://dst/${prefix}1`, '--format', 'json', ...at], { cwd })
    const expected = changed.stdout
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { key: string }).key)
    expect(expected.length).toBeGreaterThan(500)
    expect(told.map(({ key }) => key).sort()).toEqual(expected.sort())
    for (const { differs } of told) expect(differs).toEqual(['cache-control'])
  })
})
