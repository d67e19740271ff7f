import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf, put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'

const copy = (server: TestSandbox, ...more: string[]) =>
  ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--checkpoint', 'run', ...more] as const
const keysIn = async (server: TestSandbox, bucket: string) => [...(await contentOf(server, bucket)).keys()]
const lists = (server: TestSandbox) => server.stats().byOperation.ListObjectsV2 ?? 0

async function filled(...keys: string[]): Promise<TestSandbox> {
  const server = await sandbox({ buckets: ['src', 'dst'] })
  for (const [index, key] of keys.entries()) await put(server, 'src', key, { Body: 'x'.repeat(index) })
  return server
}

describe('s3move copy --include … --exclude … --size …', () => {
  test('copies what is selected, counts what is not, and does not even list a folder that is left out', async () => {
    const cwd = await workFolder()
    const server = await filled('a/1.txt', 'a/2.jpg', 'a/b/3.txt', 'c/4.txt', 'd.txt')
    const { code, stderr } = await run(copy(server, '--exclude', '*', '--include', '*.txt', '--exclude', 'c/*'), {
      cwd,
    })
    expect([code, stderr]).toEqual([0, expect.stringContaining('3 objects copied, 1 skipped, none failed') as string])
    expect(stderr).toContain('1 not selected')
    expect(await keysIn(server, 'dst')).toEqual(['a/1.txt', 'a/b/3.txt', 'd.txt'])
  })

  test('every condition must hold', async () => {
    const cwd = await workFolder()
    const server = await filled('a0', 'a1', 'a2', 'a3', 'b4')
    const { code } = await run(copy(server, '--size', '1..3', '--regex', '^a', '--after', 'a1', '--newer-than', '1h'), {
      cwd,
    })
    expect(code).toBe(0)
    expect(await keysIn(server, 'dst')).toEqual(['a2', 'a3'])
  })

  test('lists no more than the prefix that the globs name', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:dates:300k:size=1', 'dst'] })
    const [first = ''] = await keysIn({ ...server }, 'src').then((keys) => keys.slice(-1))
    const day = first.slice(0, 'logs/2009/05/25/'.length)
    const before = lists(server)
    const { code, stderr } = await run(copy(server, '--exclude', '*', '--include', `${day}*`), { cwd })
    expect([code, stderr]).toEqual([0, expect.stringMatching(/objects copied/) as string])
    const copied = await keysIn(server, 'dst')
    expect(copied.length).toBeGreaterThan(0)
    expect(copied.every((key) => key.startsWith(day))).toBe(true)
    // The whole bucket has 300 pages.
    expect(lists(server) - before).toBeLessThan(copied.length / 1000 + 40)
  })

  test('what is not selected takes no name from what is', async () => {
    const cwd = await workFolder()
    const server = await filled('a.jpg', 'a.txt', 'b.jpg', 'b.png')
    const { code } = await run(copy(server, '--exclude', '*.txt', '--map', String.raw`s/\.\w+$//`), { cwd })
    expect(code).toBe(3)
    expect(await keysIn(server, 'dst')).toEqual(['a'])
  })

  test('a selection that is not understood is refused, and nothing is asked', async () => {
    const cwd = await workFolder()
    const server = await filled('a')
    expect(refusal(await run(copy(server, '--regex', '('), { cwd }))).toContain('regular expression')
    expect(refusal(await run(copy(server, '--map', 's/a/b'), { cwd }))).toContain('--map')
    expect(await keysIn(server, 'dst')).toEqual([])
  })
})

describe('s3move copy --map s/regex/replacement/', () => {
  test('calls copies as the expressions say, one after the other', async () => {
    const cwd = await workFolder()
    const server = await filled('2024/01/02/a.jpg', '2024/01/03/b.jpg', 'other')
    const map = ['--map', String.raw`s|^(\d+)/(\d+)/(\d+)/|\3-\2-\1/|`, '--map', 's/jpg$/jpeg/']
    const { code } = await run(copy(server, ...map), { cwd })
    expect(code).toBe(0)
    expect(await keysIn(server, 'dst')).toEqual(['02-01-2024/a.jpeg', '03-01-2024/b.jpeg', 'other'])
  })

  test('objects that would get one name, no name or one inside the source are failed, and none replaces another', async () => {
    const cwd = await workFolder()
    const server = await filled('x1', 'x2', 'y', 'z')
    const { code } = await run(copy(server, '--map', 's/^x.$/same/', '--map', 's/^y$//'), { cwd })
    expect(code).toBe(3)
    expect(await keysIn(server, 'dst')).toEqual(['z'])
    const lines = (await readFile(join(cwd, 'run', 'failures.ndjson'), 'utf8')).trim().split('\n')
    expect(
      lines.map((line) => JSON.parse(line) as { key: string; code: string }).map((one) => [one.key, one.code]),
    ).toEqual([
      ['x1', 'NamesCollide'],
      ['x2', 'NamesCollide'],
      ['y', 'NoNameLeft'],
    ])
  })

  test('objects that would get one name replace each other in no retry, however far apart the ledger has them', async () => {
    const cwd = await workFolder()
    // In the ledger, one is among the first thousand and the other is not.
    const server = await sandbox({ buckets: ['src:seq:2000:size=1', 'dst'], latency: 'copy=5' })
    const keys = await keysIn(server, 'src')
    const map = 's/0000000(1000|1999)[.]/same./'
    const pair = keys.filter((key) => /(1000|1999)[.]/.test(key))
    expect(pair.map((key) => keys.indexOf(key))).toEqual([1000, 1999])
    const running = start(copy(server, '--map', map, '--max-errors', '2000', '--lanes', '1'), { cwd })
    await until(() => (server.stats().byOperation.CopyObject ?? 0) >= 1, running)
    await server.fault('denied', '99%', 'CopyObject')
    expect((await running.finished).code).toBe(3)
    await server.fault('denied', '0', 'CopyObject')
    const retried = await run(['resume', '--only-failed', 'run'], { cwd })
    expect([retried.code, retried.stderr]).toEqual([3, expect.stringContaining('2 objects: 2 NamesCollide') as string])
    expect(retried.stderr, 'no retry helps').not.toContain('--only-failed')
    expect(await keysIn(server, 'dst')).toEqual(keys.filter((key) => !pair.includes(key)))
    const ledger = (await readFile(join(cwd, 'run', 'failures.ndjson'), 'utf8')).trim().split('\n')
    expect(ledger.map((line) => (JSON.parse(line) as { key: string }).key)).toEqual(pair)
  })

  test('killed with -9 and resumed, a selection that is renamed is copied whole', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:6000:size=3', 'dst'], latency: 'copy=5-15' })
    const running = start(copy(server, '--regex', '[02468]$|[ace]$', '--map', 's/^/new-/', '--concurrency', '40'), {
      cwd,
    })
    await until(() => (server.stats().byOperation.CopyObject ?? 0) > 1500, running)
    running.kill('SIGKILL')
    await running.finished
    expect((await run(['resume', 'run'], { cwd })).code).toBe(0)
    const expected = (await keysIn(server, 'src')).filter((key) => /[02468ace]$/.test(key)).map((key) => `new-${key}`)
    expect(await keysIn(server, 'dst')).toEqual(expected)
  })

  test('move renames as well, and deletes what was copied', async () => {
    const cwd = await workFolder()
    const server = await filled('a', 'b')
    const args = ['move', '--yes', 's3://src', 's3://dst', '--endpoint-url', server.url, '--map', 's/^a$/c/']
    expect((await run(args, { cwd })).code).toBe(0)
    expect([await keysIn(server, 'src'), await keysIn(server, 'dst')]).toEqual([[], ['b', 'c']])
  })
})
