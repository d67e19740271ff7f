import { ListObjectVersionsCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3'
import { appendFile, readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { contentOf, expectSame, put, sandbox, traitsOf, type Server, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'

const copies = (server: TestSandbox): number => server.stats().copies.dst?.total ?? 0
const asked = (server: TestSandbox, operation: string): number => server.stats().byOperation[operation] ?? 0
const keysIn = async (server: Server, bucket: string) => [...(await contentOf(server, bucket)).keys()]
const containing = (text: string): unknown => expect.stringContaining(text)

async function filled(...keys: string[]): Promise<TestSandbox> {
  const server = await sandbox({ buckets: ['src', 'dst'] })
  for (const [index, key] of keys.entries()) await put(server, 'src', key, { Body: 'x'.repeat(index) })
  return server
}

interface Given {
  readonly cwd: string
  readonly server: TestSandbox
}

const command = ({ server }: Given, ...args: string[]) => [
  ...args,
  ...['--endpoint-url', server.url, '--checkpoint', 'run', '--files-from', 'list'],
]

async function failures(cwd: string): Promise<unknown[]> {
  const text = await readFile(join(cwd, 'run/failures.ndjson'), 'utf8')
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown)
}

describe('a list of a database', () => {
  const dump = '"a","1"\n"c\\\\d","2"\n"e","3"\n'

  test('deletes nothing where it can be read in two ways, and what the table held once that is said', async () => {
    const cwd = await workFolder()
    const server = await filled('a', 'c\\d', 'c\\\\d', 'e', 'f')
    await writeFile(join(cwd, 'list'), dump)
    const args = ['delete', 's3://src', '--yes', '--key-column', '1']
    const unclear = await run(command({ cwd, server }, ...args), { cwd })
    expect([unclear.code, refusal(unclear)]).toEqual([2, containing('can be read in two ways')])
    expect(refusal(unclear)).toMatch(/--csv-escape backslash.*It begins: "a","1" ⏎ "c/s)
    expect(await keysIn(server, 'src')).toEqual(['a', 'c\\\\d', 'c\\d', 'e', 'f'])
    const { code, stderr } = await run(command({ cwd, server }, ...args, '--csv-escape', 'backslash'), { cwd })
    expect([code, stderr]).toEqual([0, containing('is read as CSV with backslash escapes, with its keys in column 1')])
    expect(await keysIn(server, 'src')).toEqual(['c\\\\d', 'f'])
  })

  test('is read by resume as it was read, and read otherwise it is another job', async () => {
    const cwd = await workFolder()
    const keys = Array.from({ length: 300 }, (_, n) => `c\\d"${String(n).padStart(3, '0')}`)
    const server = await sandbox({ buckets: ['src', 'dst'], latency: 'copy=20' })
    await Promise.all(keys.map((key) => put(server, 'src', key, { Body: 'x' })))
    await writeFile(join(cwd, 'list'), keys.map((key, n) => `"${key.replace(/[\\"]/g, '\\$&')}";"${n}"\n`).join(''))
    const args = ['copy', 's3://src', 's3://dst', '--key-column', '1', '--delimiter', ';']
    const killed = start(command({ cwd, server }, ...args, '--concurrency', '4'), { cwd })
    await until(() => copies(server) >= 40)
    killed.kill('SIGKILL')
    await killed.finished
    const other = await run(command({ cwd, server }, ...args, '--csv-escape', 'double'), { cwd })
    expect(other.code).toBe(2)
    const same = await run(command({ cwd, server }, ...args, '--csv-escape', 'backslash'), { cwd })
    expect([same.code, refusal(same)]).toEqual([2, containing('an unfinished run of this job')])
    const column = await run(command({ cwd, server }, ...args.with(-3, '2')), { cwd })
    expect([column.code, refusal(column)]).toEqual([2, containing('holds the checkpoint of another job')])
    const resumed = await run(['resume', 'run', '--concurrency', '64'], { cwd })
    expect([resumed.code, resumed.stderr]).toEqual([0, containing('300 objects copied, none skipped, none failed')])
    expect(await keysIn(server, 'dst')).toEqual(keys)
  })

  test.each([
    [['--delimiter', ';'], '--delimiter is about --files-from'],
    [['--csv-escape', 'double'], '--csv-escape is about --files-from'],
    [['--files-from', 'list', '--csv-escape', 'slash'], '--csv-escape cannot be slash'],
    [['--files-from', 'list', '--delimiter', '::'], '--delimiter cannot be ::'],
    [['--files-from', 'list', '--delimiter', '"'], '--delimiter cannot be "'],
    [['--files-from', 'list', '--key-column', '0'], '--key-column 0 is no column'],
    [['--files-from', 'list', '--files-format', 'keys', '--key-column', '1'], '--key-column is about CSV'],
    [['--files-from', 'list', '--files-format', 'ndjson', '--csv-escape', 'double'], '--csv-escape is about CSV'],
  ])('is refused with %j', async (flags, message) => {
    const cwd = await workFolder()
    await writeFile(join(cwd, 'list'), '{"key":"a"}\n')
    const finished = await run(['copy', 's3://src', 's3://dst', '--endpoint-url', 'http://127.0.0.1:9', ...flags], {
      cwd,
    })
    expect([finished.code, refusal(finished)]).toEqual([2, containing(message)])
  })
})

describe('s3move copy --files-from', () => {
  test('a listing of its own copies every odd key as it is, without another list or look', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:odd:2500', 'dst', 'again'] })
    for (const [format, bucket] of [
      ['json', 'dst'],
      ['csv', 'again'],
    ] as const) {
      const file = format === 'json' ? 'all.ndjson.gz' : 'all.csv'
      const listed = await run(['ls', 's3://src', '--endpoint-url', server.url, '--format', format, '--to', file], {
        cwd,
      })
      expect(listed.code).toBe(0)
      const [lists, heads] = [asked(server, 'ListObjectsV2'), asked(server, 'HeadObject')]
      const args = ['copy', 's3://src', `s3://${bucket}`, '--files-from', file, '--endpoint-url', server.url]
      const { code, stderr } = await run([...args, '--threads', '2'], { cwd })
      expect([code, stderr]).toEqual([0, containing('2,500 objects copied, none skipped, none failed')])
      expect(stderr).toContain(
        format === 'json' ? 'is read as one JSON object a line: 2,500 objects' : 'is read as CSV: 2,500 objects',
      )
      // What is asked before the start is asked of any job, and whether what is empty is a manifest of any store but AWS.
      expect(asked(server, 'ListObjectsV2') - lists).toBeLessThanOrEqual(2)
      const empty = [...(await contentOf(server, 'src')).values()].filter(({ size }) => size === 0)
      // Three copies of each thread are looked at, and of each of three lanes the first; each with its source.
      expect(asked(server, 'HeadObject') - heads).toBeLessThanOrEqual(1 + empty.length + (3 + 2 * 2) * 2)
      expectSame(await contentOf(server, bucket), await contentOf(server, 'src'))
    }
  })

  test('plain keys are looked up; what does not exist is on the ledger, and is found once it does', async () => {
    const cwd = await workFolder()
    const server = await filled('p/a', 'p/b c', 'p/d', 'q')
    await writeFile(join(cwd, 'list'), gzipSync('p/d\r\np/none\n\np/b c\n'))
    const first = await run(command({ cwd, server }, 'copy', 's3://src/p/', 's3://dst'), { cwd })
    expect([first.code, first.stderr]).toEqual([3, containing('2 objects copied, none skipped, 1 failed')])
    expect(first.stderr).toContain('list is read as one key a line: 3 objects')
    expect(await keysIn(server, 'dst')).toEqual(['b c', 'd'])
    const [failure, ...others] = await failures(cwd)
    expect([failure, others]).toEqual([
      expect.objectContaining({ key: 'p/none', code: 'NoSuchKey', operation: 'HeadObject', status: 404 }),
      [],
    ])
    expect(failure).not.toHaveProperty('size')
    const again = await run(['resume', 'run', '--only-failed'], { cwd })
    expect([again.code, await failures(cwd)]).toEqual([3, [expect.objectContaining({ key: 'p/none' })]])
    await put(server, 'src', 'p/none', { Body: 'four' })
    const last = await run(['resume', 'run', '--only-failed'], { cwd })
    expect([last.code, last.stderr]).toEqual([0, containing('3 objects copied, none skipped, none failed')])
    expect((await contentOf(server, 'dst')).get('none')).toMatchObject({ size: 4 })
  })

  test('one that a list tells all about and that is gone is on the ledger too', async () => {
    const cwd = await workFolder()
    const server = await filled('a')
    const line = { key: 'b', size: 1, etag: 'e', lastModified: '2024-01-31T12:00:00Z', storageClass: 'STANDARD' }
    await writeFile(join(cwd, 'list'), JSON.stringify(line))
    expect((await run(command({ cwd, server }, 'copy', 's3://src', 's3://dst'), { cwd })).code).toBe(3)
    expect(await failures(cwd)).toEqual([expect.objectContaining({ key: 'b', code: 'NoSuchKey' })])
  })

  test('filters and --map apply; what is not selected by its name is not looked up', async () => {
    const cwd = await workFolder()
    const server = await filled('a', 'b', 'c', 'd.x')
    await writeFile(join(cwd, 'list'), 'd.x\nc\nb\na\n')
    const heads = asked(server, 'HeadObject')
    const flags = ['--exclude', '*.x', '--size', '1..2', '--map', 's/^/new-/', '--checkpoint', 'run']
    const dry = await run(command({ cwd, server }, 'copy', 's3://src', 's3://dst', ...flags.slice(0, 6), '--dry-run'), {
      cwd,
    })
    expect([dry.code, dry.stdout]).toEqual([0, containing('would copy   2 objects, 3 B')])
    expect(dry.stdout).toContain('would skip   2 not selected')
    expect(await keysIn(server, 'dst')).toEqual([])
    const { code, stderr } = await run(command({ cwd, server }, 'copy', 's3://src', 's3://dst', ...flags.slice(0, 6)), {
      cwd,
    })
    expect([code, stderr]).toEqual([0, containing('2 objects copied, 2 skipped, none failed')])
    expect(await keysIn(server, 'dst')).toEqual(['new-b', 'new-c'])
    // Both copies are looked at, and each with its source.
    expect(asked(server, 'HeadObject') - heads).toBeLessThanOrEqual(8 + 2 * 2)
  })

  test('large objects are copied in parts, apart from the others', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:600:big=200', 'dst'] })
    await writeFile(join(cwd, 'list'), (await keysIn(server, 'src')).join('\n'))
    const { code } = await run(command({ cwd, server }, 'copy', 's3://src', 's3://dst'), { cwd })
    expect(code).toBe(0)
    expect(asked(server, 'CompleteMultipartUpload')).toBe(3)
    expect(await keysIn(server, 'dst')).toEqual(await keysIn(server, 'src'))
  })

  test('a version that is named is the one that is copied, and the one that is deleted', async () => {
    const cwd = await workFolder()
    const server = await filled()
    await server.s3.send(
      new PutBucketVersioningCommand({ Bucket: 'src', VersioningConfiguration: { Status: 'Enabled' } }),
    )
    for (const Body of ['old', 'newest']) await put(server, 'src', 'a', { Body })
    const versions = async () => (await server.s3.send(new ListObjectVersionsCommand({ Bucket: 'src' }))).Versions ?? []
    const old = (await versions()).find(({ Size }) => Size === 3)
    await writeFile(join(cwd, 'list'), JSON.stringify({ key: 'a', versionId: old!.VersionId }))
    expect((await run(command({ cwd, server }, 'copy', 's3://src', 's3://dst'), { cwd })).code).toBe(0)
    expect((await contentOf(server, 'dst')).get('a')).toMatchObject({ size: 3 })
    const moved = await run(command({ cwd, server }, 'move', 's3://src', 's3://dst', '--yes', '--fresh'), { cwd })
    expect(refusal(moved)).toContain('line 1 of')
    expect((await run(command({ cwd, server }, 'delete', 's3://src', '--yes', '--fresh'), { cwd })).code).toBe(0)
    expect((await versions()).map(({ Size }) => Size)).toEqual([6])
  })

  test.each([
    ['list.txt', 'p/a\nq/b\n', 'line 2 of'],
    ['list.ndjson', '{"key":"p/a"}\n{"key":"p/b"\n', 'line 2 of'],
    ['list.csv', 'src,p/a\nother,p/b\n', 'line 2 of'],
    ['none.txt', undefined, 'cannot read'],
  ])('a list that is not as it should be is refused before anything is asked: %s', async (name, text, message) => {
    const cwd = await workFolder()
    const server = await filled('p/a')
    const before = server.stats().byOperation
    if (text !== undefined) await writeFile(join(cwd, name), text)
    const args = ['copy', 's3://src/p/', 's3://dst', '--endpoint-url', server.url, '--files-from', name]
    expect(refusal(await run(args, { cwd }))).toContain(message)
    expect(server.stats().byOperation).toEqual(before)
  })

  test('what does not go together with it is refused', async () => {
    const cwd = await workFolder()
    const server = await filled('a')
    await writeFile(join(cwd, 'list'), 'a\n')
    const refused = async (...more: string[]) =>
      refusal(await run(command({ cwd, server }, 'copy', 's3://src', 's3://dst', ...more), { cwd }))
    expect(await refused('--all-versions')).toContain('--all-versions does not go with --files-from')
    expect(await refused('--files-format', 'xml')).toContain('keys, ndjson, csv, parquet, inventory')
    expect(await keysIn(server, 'dst')).toEqual([])
    const counted = ['du', 's3://src', '--files-from', 'list', '--threads', '2', '--endpoint-url', server.url]
    expect(refusal(await run(counted, { cwd }))).toContain('--threads does not go with du --files-from')
  })
})

describe('kill -9 of a run over a list, then s3move resume', () => {
  const COUNT = 5000

  async function killed(seed: number, kind: 'copy' | 'move') {
    const cwd = await workFolder()
    // A synthetic bucket is read-only, and what is moved must be deleted.
    const server = await sandbox({ buckets: [`all:odd:${COUNT}`, 'src', 'dst'], seed })
    const fill = await run(['copy', 's3://all', 's3://src', '--endpoint-url', server.url, '--checkpoint', 'fill'], {
      cwd,
    })
    expect(fill.code).toBe(0)
    const expected = await contentOf(server, 'src')
    const listed = ['ls', 's3://src', '--endpoint-url', server.url, '--format', 'json', '--to', 'all.gz']
    expect((await run(listed, { cwd })).code).toBe(0)
    let args = [kind, 's3://src', 's3://dst', '--files-from', 'all.gz', '--endpoint-url', server.url]
    args = [
      ...args,
      '--checkpoint',
      'run',
      '--concurrency',
      '16',
      '--threads',
      '2',
      ...(kind === 'move' ? ['--yes'] : []),
    ]
    let state = seed * 7919
    let kills = 0
    let repeatable = 0
    for (let turn = 0; turn < 3; turn++) {
      state = (state * 48_271) % 0x7fff_ffff
      const target = copies(server) + Math.floor((state / 0x7fff_ffff) * COUNT * 0.4)
      const { open } = server.stats().connections
      const running = start(args, { cwd })
      await until(() => running.isOver() || copies(server) >= target)
      running.kill('SIGKILL')
      if ((await running.finished).signal === undefined) break
      kills++
      // The test has connections of its own.
      await until(() => server.stats().connections.open <= open && server.stats().inFlight.now === 0)
      const text = await readFile(join(cwd, 'run/checkpoint.json'), 'utf8').catch(() => undefined)
      if (text !== undefined) args = ['resume', 'run']
      const { totals } = JSON.parse(text ?? '{"totals":{"copied":0}}') as { totals: { copied: number } }
      repeatable += (server.stats().copies.dst?.unique ?? 0) - totals.copied
    }
    expect(kills).toBeGreaterThan(0)
    const last = await run([...args.slice(0, 2), '--concurrency', '64'], { cwd })
    return { server, last, expected, repeatable }
  }

  test.each([1, 2, 3])(
    'at random points, with seed %i: each object is copied, and only what was not saved is repeated',
    async (seed) => {
      const { server, last, expected, repeatable } = await killed(seed, 'copy')
      expect([last.code, last.stderr]).toEqual([0, containing('5,000 objects copied, none skipped, none failed')])
      expectSame(await contentOf(server, 'dst'), expected)
      expect(server.stats().copies.dst?.duplicates).toBeLessThanOrEqual(repeatable)
    },
  )

  test('of a move: each object is at the destination, and none at the source any more', async () => {
    const { server, last, expected } = await killed(4, 'move')
    expect([last.code, last.stderr]).toEqual([0, containing('5,000 objects moved, none skipped, none failed')])
    expectSame(await contentOf(server, 'dst'), expected)
    expect(await keysIn(server, 'src')).toEqual([])
  })

  test.each([
    ['grew', (file: string) => appendFile(file, 'z\n')],
    ['was touched', (file: string) => utimes(file, 1, 1)],
  ])('a list that %s meanwhile is refused, and nothing further is done', async (_, change) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: [`src:seq:${COUNT}`, 'dst'], latency: 'copy=4-10' })
    await writeFile(join(cwd, 'list'), `${(await keysIn(server, 'src')).join('\n')}\n`)
    const running = start(command({ cwd, server }, 'copy', 's3://src', 's3://dst'), { cwd })
    await until(() => copies(server) >= 1200, running)
    running.kill('SIGINT')
    expect((await running.finished).code).toBe(130)
    const before = copies(server)
    expect(before).toBeLessThan(COUNT)
    await change(join(cwd, 'list'))
    expect(refusal(await run(['resume', 'run'], { cwd }))).toContain('list was changed since the run began to read it')
    expect(copies(server)).toBe(before)
  })
})

describe('s3move set-headers and delete --files-from', () => {
  test('set-headers changes the objects that are named, and no other', async () => {
    const cwd = await workFolder()
    const server = await filled('a', 'b', 'c')
    await writeFile(join(cwd, 'list'), 'b\nnone\n')
    const args = command({ cwd, server }, 'set-headers', 's3://src', '--cache-control', 'no-store', '--reset-acl')
    expect((await run(args, { cwd })).code).toBe(3)
    expect(await failures(cwd)).toEqual([expect.objectContaining({ key: 'none', code: 'NoSuchKey' })])
    expect(await traitsOf(server, 'src', 'b')).toMatchObject({ CacheControl: 'no-store' })
    for (const key of ['a', 'c']) expect(await traitsOf(server, 'src', key)).not.toHaveProperty('CacheControl')
  })

  test('delete deletes the objects that are named, without looking at them', async () => {
    const cwd = await workFolder()
    const server = await filled('a', 'b\nc', 'd')
    await writeFile(join(cwd, 'list'), '{"key":"a"}\n{"key":"b\\nc"}\n')
    const heads = asked(server, 'HeadObject')
    const { code, stderr } = await run(command({ cwd, server }, 'delete', 's3://src', '--yes'), { cwd })
    expect([code, stderr]).toEqual([0, containing('2 objects deleted, none skipped, none failed')])
    expect(await keysIn(server, 'src')).toEqual(['d'])
    // One for the object with which the listing began: that it begins later now must not be the store's mistake.
    expect(asked(server, 'HeadObject')).toBe(heads + 1)
  })
})
