import { describe, expect, test } from 'vitest'
import { contentOf, put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { run, workFolder } from '../support/cli-program.js'
import { front, refused } from '../support/proxy.js'

type Counts = Readonly<Record<string, number>>

interface Planned {
  readonly requests: Counts
  readonly checkRequestsAtMost: Counts
}

/** What a store is asked once besides, to learn what its answers mean; an object too many or too few is more than that. */
const ONCE = 2

/** What the server was asked meanwhile, by operation. */
async function askedBy(server: TestSandbox, work: () => Promise<unknown>): Promise<Counts> {
  const before = { ...server.stats().byOperation }
  await work()
  const after = Object.entries(server.stats().byOperation)
  return Object.fromEntries(after.map(([name, n]): [string, number] => [name, n - (before[name] ?? 0)]))
}

/** A bucket whose objects have tags, and ETags of parts, here and there, and one that has some of them. */
async function objects(server: TestSandbox): Promise<void> {
  for (let i = 0; i < 12; i++) {
    const tagged = i % 3 === 0 ? { Tagging: 'a=1&b=2' } : {}
    await put(server, 'src', `k${i}`, { Body: 'x'.repeat(i), CacheControl: 'old', ...tagged })
    if (i % 2 === 0) await put(server, 'dst', `k${i}`, { Body: i % 4 === 0 ? 'x'.repeat(i) : 'other' })
  }
  for (const key of ['extra1', 'extra2', 'extra3']) await put(server, 'dst', key, { Body: key })
  await put(server, 'dst', 'k2', { Body: 'other' })
}

describe('the requests that a dry run counts are those that the run then sends:', () => {
  test.each([
    'copy s3://dst',
    'copy s3://dst --preserve acl',
    'copy s3://dst --tagging c=3',
    'copy s3://dst --no-preserve tags --cache-control new',
    'copy s3://dst --no-clobber',
    'copy s3://dst --map s/^k/n/',
    'sync s3://dst',
    'sync s3://dst --delete --yes',
    'sync s3://dst --delete --yes --max-delete 2',
    'move s3://dst --yes',
    'move s3://dst/moved/ --yes --map s/^k/n/',
    'delete --yes',
    'set-headers --cache-control new --preserve acl',
    'set-headers --cache-control new --reset-acl',
  ])('%s', async (job) => {
    const [command = '', ...more] = job.split(' ')
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    await objects(server)
    const args = [
      command,
      's3://src',
      ...more,
      '--endpoint-url',
      server.url,
      '--lanes',
      '1',
      '--threads',
      '1',
      '--json',
    ]
    const before = [await contentOf(server, 'src'), await contentOf(server, 'dst')]
    const dry = await run([...args, '--dry-run'], { cwd })
    expect(dry.code).toBe(0)
    const planned = JSON.parse(dry.stdout.trimEnd().split('\n').at(-1)!) as Planned
    expect([await contentOf(server, 'src'), await contentOf(server, 'dst')]).toEqual(before)
    const sent = await askedBy(server, () => run(args, { cwd }))
    const { requests, checkRequestsAtMost } = planned
    for (const operation of new Set([...Object.keys(requests), ...Object.keys(sent)])) {
      const least = requests[operation] ?? 0
      const most = least + (checkRequestsAtMost[operation] ?? 0) + ONCE
      const n = sent[operation] ?? 0
      expect(n >= least && n <= most, `${n} ${operation}, not ${least} to ${most}`).toBe(true)
    }
  })
})

test('a dry run of sync --delete from an empty source counts no deletion, as none would be sent', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src', 'dst'] })
  await put(server, 'dst', 'extra')
  const args = ['sync', 's3://src', 's3://dst', '--delete', '--yes', '--endpoint-url', server.url]
  const { code, stdout } = await run([...args, '--dry-run'], { cwd })
  expect([code, stdout]).toEqual([
    0,
    expect.stringContaining('would keep   what is extra: the source has no objects at all') as string,
  ])
  expect(stdout).not.toMatch(/DeleteObject|before deletions/)
})

test('a dry run of set-headers prints the first few changes, with -v all, and with --quiet none', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src'] })
  for (const key of ['c', 'a', 'e', 'b', 'd']) await put(server, 'src', key, { CacheControl: 'old' })
  await put(server, 'src', 'same', { CacheControl: 'new' })
  const args = ['set-headers', 's3://src', '--cache-control', 'new', '--endpoint-url', server.url, '--dry-run']
  const [some, all, none] = [
    await run(args, { cwd }),
    await run([...args, '-v'], { cwd }),
    await run([...args, '-q'], { cwd }),
  ]
  const lines = (...keys: string[]): string[] =>
    keys.flatMap((key) => [`set s3://src/${key}`, '  cache-control: "old" -> "new"'])
  const [first = '', ...rest] = some.stdout.slice(some.stdout.indexOf('examples')).trimEnd().split('\n')
  expect([first, ...rest].map((line) => line.slice('examples     '.length))).toEqual([
    ...lines('a', 'b', 'c'),
    '… (-v has a line for each object)',
  ])
  expect(some.stdout).toContain('would skip   1 unchanged\n')
  const told = all.stdout.split('\n')
  expect(told.slice(0, told.indexOf('dry run: nothing was changed')).sort()).toEqual(
    lines('a', 'b', 'c', 'd', 'e').sort(),
  )
  expect(all.stdout).not.toContain('examples')
  expect(none.stdout).not.toMatch(/s3:\/\/src\/\w/)
})

test('a dry run ends with an estimate of the time, as text and as JSON, of the requests that it counts', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src:seq:3000', 'dst'] })
  const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--dry-run']
  const text = await run(args, { cwd })
  expect(text.stdout).toMatch(
    /^time {9}about [^:]+, an estimate: (256 in flight, and \S+ ms for a request|no less than)/m,
  )
  const { stdout } = await run([...args, '--json'], { cwd })
  const { estimate } = JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as { estimate: Record<string, number> }
  expect(estimate).toMatchObject({ inFlight: 256, ms: expect.any(Number) as number })
  expect(estimate.requestMs).toBeGreaterThan(0)
})

test('an object that a dry run cannot look at, even after retries, is told as one that would fail', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src:seq:5'] })
  const url = await front(server.url, {
    before: ({ method, url = '' }) =>
      method === 'HEAD' && url.includes('00002') ? refused(500, 'InternalError') : undefined,
  })
  const args = ['set-headers', 's3://src', '--cache-control', 'new', '--endpoint-url', url, '--retry-for', '0']
  const { stdout } = await run([...args, '--dry-run', '--json'], { cwd })
  const { totals } = JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as { totals: object }
  expect(totals).toMatchObject({ copied: 4, failed: { InternalError: 1 }, failedObjects: 1 })
})

test('a dry run tells no time of what passes through this machine, nor of nothing', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src', 'dst'] })
  const args = (destination: string): string[] => ['copy', 's3://src', destination, '--endpoint-url', server.url, '-n']
  const nothing = await run(args('s3://dst'), { cwd })
  await objects(server)
  const folder = await run(args(`file://${cwd}/to`), { cwd })
  for (const { code, stdout } of [nothing, folder]) {
    expect(code).toBe(0)
    expect(stdout).not.toMatch(/^time/m)
  }
})

test('a dry run says that a filter matches nothing, and that a bucket has no objects', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src', 'dst'] })
  const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--dry-run']
  const empty = await run(args, { cwd })
  expect([empty.code, empty.stdout]).toEqual([
    0,
    expect.stringContaining('nothing      s3://src/ has no objects; are bucket and prefix right?\n') as string,
  ])
  await objects(server)
  const filtered = await run([...args, '--exclude', '*', '--include', 'none/*'], { cwd })
  expect(filtered.stdout).toContain('nothing      no object of s3://src/ matches ')
  expect(filtered.stdout).toContain('is the filter right?')
  const all = await run(args, { cwd })
  expect(all.stdout).not.toContain('nothing   ')
})
