import { GetObjectCommand } from '@aws-sdk/client-s3'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { ListState } from '../../src/checkpoint/checkpoint.js'
import { entriesSettled } from '../../src/sources/files-from/list-progress.js'
import { contentOf, expectSame, put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'
import { readKeyList } from '../../src/sources/files-from/read-list.js'
import { CONFIGURATION, damageData, deliver } from '../support/delivered-inventory.js'
import { inventoryOf, md5, type InventoryOptions, type InventoryRow } from '../support/inventory.js'

const containing = (text: string): unknown => expect.stringContaining(text)
const asked = (server: TestSandbox, operation: string): number => server.stats().byOperation[operation] ?? 0
const copies = (server: TestSandbox): number => server.stats().copies.dst?.total ?? 0

const ODD = ['a b', 'c+d', '%2B', 'é/日本', 'x,"y"', 'line\nfeed']
const ODD_ROWS: readonly InventoryRow[] = ODD.map((key) => ({ key, size: Buffer.byteLength(key), etag: md5(key) }))

async function filled(): Promise<TestSandbox> {
  const server = await sandbox({ buckets: ['src', 'dst', 'inv'] })
  for (const key of ODD) await put(server, 'src', key, { Body: key })
  return server
}

async function onDisk(cwd: string, rows: readonly InventoryRow[], options: Partial<InventoryOptions> = {}) {
  for (const [key, bytes] of inventoryOf(rows, { within: CONFIGURATION, ...options })) {
    await mkdir(join(cwd, dirname(key)), { recursive: true })
    await writeFile(join(cwd, key), bytes)
  }
}

const at = (server: TestSandbox, list: string) => ['--endpoint-url', server.url, '--files-from', list]

describe('du and ls of an S3 Inventory', () => {
  test('count what the newest one in the folder of its configuration has, without a look at any object', async () => {
    const cwd = await workFolder()
    const server = await filled()
    // The objects of the inventory need not be there.
    const rows = Array.from({ length: 2500 }, (_, n): InventoryRow => ({
      ...{ key: `of/${n}`, size: n, etag: md5(String(n)), storageClass: n % 5 === 0 ? 'GLACIER' : 'STANDARD' },
    }))
    await deliver(server, ODD_ROWS, { at: '2026-01-30T01-00Z' })
    await deliver(server, rows, { at: '2026-01-31T01-00Z', created: Date.now() - 25 * 3_600_000 })
    // One that is not there wholly yet.
    await put(server, 'inv', `${CONFIGURATION}2026-02-01T01-00Z/manifest.checksum`, { Body: 'x' })
    const [heads, lists] = [asked(server, 'HeadObject'), asked(server, 'ListObjectsV2')]
    const list = `s3://inv/${CONFIGURATION}`
    const counted = await run(['du', 's3://src', '--json', ...at(server, list)], { cwd })
    expect(counted.code).toBe(0)
    expect(JSON.parse(counted.stdout)).toMatchObject({
      ...{ objects: 2500, bytes: (2500 * 2499) / 2 },
      storageClasses: [
        { name: 'GLACIER', objects: 500 },
        { name: 'STANDARD', objects: 2000 },
      ],
      dates: [{ name: '2024', objects: 2500 }],
    })
    const manifest = `s3://inv/${CONFIGURATION}2026-01-31T01-00Z/manifest.json`
    expect(counted.stderr).toContain(`${manifest} is read as the manifest of an S3 Inventory of 20`)
    expect(counted.stderr).toMatch(/UTC, 1 d 1 h old: Parquet, 3 files, .*, 2,500 rows/)
    expect(counted.stderr).toContain('warning: the inventory does not know what was written, replaced or deleted')
    // The manifest of three folders, its checksum, and three files, by each that reads of them; none of the 2,500 objects.
    expect(asked(server, 'HeadObject') - heads).toBeLessThan(40)
    expect(asked(server, 'ListObjectsV2') - lists).toBeLessThan(5)
    const selected = await run(['du', 's3://src', '--json', '--size', '+2490', ...at(server, list)], { cwd })
    expect(JSON.parse(selected.stdout)).toMatchObject({ objects: 10 })
  })

  test.each(['Parquet', 'CSV'] as const)(
    'write the keys as they are, in %s, in a bucket and on disk',
    async (format) => {
      const cwd = await workFolder()
      const server = await filled()
      await deliver(server, ODD_ROWS, { format })
      await onDisk(cwd, ODD_ROWS, { format })
      const told = ODD_ROWS.map((row) => ({
        ...row,
        lastModified: '2024-01-31T12:00:00.000Z',
        storageClass: 'STANDARD',
      }))
      for (const list of [`s3://inv/${CONFIGURATION}2026-01-31T01-00Z/manifest.json`, CONFIGURATION]) {
        const { code, stdout } = await run(['ls', 's3://src', '--format', 'json', ...at(server, list)], { cwd })
        expect(code).toBe(0)
        const lines = stdout.split('\n').filter((line) => line !== '')
        expect(lines.map((line) => JSON.parse(line) as object)).toEqual(told)
      }
    },
  )

  test('pass over delete markers and versions that are not current', async () => {
    const cwd = await workFolder()
    const server = await filled()
    const rows = [
      ...[
        { version: 'v3', latest: true },
        { version: 'v2', latest: false },
      ].map((more) => ({ ...ODD_ROWS[0]!, ...more })),
      { ...ODD_ROWS[1]!, version: 'v1', latest: true, marker: true },
    ]
    await deliver(server, rows)
    const { code, stdout } = await run(['du', 's3://src', '--json', ...at(server, `s3://inv/${CONFIGURATION}`)], {
      cwd,
    })
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { objects: 1, bytes: ODD_ROWS[0]!.size }])
  })
})

describe('a job over an S3 Inventory', () => {
  test.each(['Parquet', 'CSV'] as const)(
    'in a bucket copies each object without looking it up, and verify of its run finds them equal (%s)',
    async (format) => {
      const cwd = await workFolder()
      const server = await filled()
      await deliver(server, ODD_ROWS, { format, perFile: 4 })
      const list = `s3://inv/${CONFIGURATION}`
      const args = ['copy', 's3://src', 's3://dst', '--checkpoint', 'run', ...at(server, list)]
      const { code, stderr } = await run(args, { cwd })
      expect([code, stderr]).toEqual([0, containing('6 objects copied, none skipped, none failed')])
      expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
      const proof = await run(['verify', 'run'], { cwd })
      expect([proof.code, proof.stderr + proof.stdout]).toEqual([0, containing('6 objects')])
    },
  )

  test('that is killed goes on from the row to which it was saved, and repeats only what was not saved', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst', 'inv', 'all:hex:3k'], latency: 'copy=2-6' })
    const fill = ['copy', 's3://all', 's3://src', '--endpoint-url', server.url, '--checkpoint', 'fill']
    expect((await run(fill, { cwd })).code).toBe(0)
    const expected = await contentOf(server, 'src')
    const rows = [...expected].map(([key, { size, etag }]) => ({ key, size: size, etag: etag.replaceAll('"', '') }))
    await deliver(server, rows, { perFile: 900, perGroup: 250 })
    let args = ['copy', 's3://src', 's3://dst', ...at(server, `s3://inv/${CONFIGURATION}`)]
    args = [...args, '--checkpoint', 'run', '--concurrency', '16']
    let kills = 0
    let repeatable = 0
    for (const share of [0.3, 0.35]) {
      const target = copies(server) + share * rows.length
      const { open } = server.stats().connections
      const running = start(args, { cwd })
      await until(() => running.isOver() || copies(server) >= target)
      running.kill('SIGKILL')
      if ((await running.finished).signal === undefined) break
      kills++
      await until(() => server.stats().connections.open <= open && server.stats().inFlight.now === 0)
      args = ['resume', 'run', '--concurrency', '16']
      const text = await readFile(join(cwd, 'run/checkpoint.json'), 'utf8')
      const { totals, list } = JSON.parse(text) as { totals: { copied: number }; list: ListState }
      repeatable += (server.stats().copies.dst?.unique ?? 0) - totals.copied
      expect(entriesSettled(list)).toBe(totals.copied)
      // Each row is an object here.
      const { file, row } = list.next ?? { file: 0, row: 0 }
      expect(file * 900 + row).toBe(list.entries)
    }
    expect(kills).toBeGreaterThan(0)
    const last = await run(args, { cwd })
    expect([last.code, last.stderr]).toEqual([0, containing('3,000 objects copied, none skipped, none failed')])
    expectSame(await contentOf(server, 'dst'), expected)
    expect(server.stats().copies.dst?.duplicates).toBeLessThanOrEqual(repeatable)
  })

  test('goes to the ledger with what is not there any more', async () => {
    const cwd = await workFolder()
    const server = await filled()
    await deliver(server, [...ODD_ROWS, { key: 'gone', size: 1, etag: md5('x') }])
    const args = ['copy', 's3://src', 's3://dst', '--checkpoint', 'run', ...at(server, `s3://inv/${CONFIGURATION}`)]
    expect((await run(args, { cwd })).code).toBe(3)
    expect(await readFile(join(cwd, 'run/failures.ndjson'), 'utf8')).toMatch(/"key":"gone".*"code":"NoSuchKey"/)
  })
})

describe('rows of an S3 Inventory that are of no object below the source', () => {
  const KEYS = ['in/a b', 'in/line\nfeed', 'in/../x']
  const OUTSIDE = ['in', 'inside', 'out/a', '../in/a', 'é']
  const ROWS: readonly InventoryRow[] = [
    ...[...KEYS, ...OUTSIDE].map((key) => ({ key, size: key.length, etag: md5(key), version: 'v1' })),
    { key: 'in/a b', size: 9, etag: md5('old'), version: 'v0', latest: false },
    { key: 'in/gone', size: 0, etag: md5('gone'), version: 'v1', marker: true },
    { key: 'out/gone', size: 0, etag: md5('gone'), version: 'v1', marker: true },
  ]
  const COUNTS = { outside: 6, oldVersions: 1, deleteMarkers: 1 }
  const TOLD = '6 keys that are not below the source, 1 delete marker, 1 version that is not current'
  const full = async (format: 'Parquet' | 'CSV') => {
    const server = await sandbox({ buckets: ['src', 'dst', 'inv'] })
    for (const key of [...KEYS, ...OUTSIDE]) await put(server, 'src', key, { Body: 'x'.repeat(key.length) })
    await deliver(server, ROWS, { format, perFile: 4 })
    return server
  }
  const list = `s3://inv/${CONFIGURATION}`
  const records = (text: string) =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>)

  test.each(['Parquet', 'CSV'] as const)('are counted, and du, ls and verify tell how many (%s)', async (format) => {
    const cwd = await workFolder()
    const server = await full(format)
    const du = await run(['du', 's3://src/in/', ...at(server, list)], { cwd })
    expect([du.code, du.stdout]).toEqual([0, containing(`s3://src/in/: 3 objects, 25 B\npassed over: ${TOLD}\n`)])
    const json = await run(['du', 's3://src/in/', '--json', ...at(server, list)], { cwd })
    expect([json.code, JSON.parse(json.stdout)]).toMatchObject([0, { objects: 3, passedOver: COUNTS }])
    const csv = ['du', 's3://src/in/', '--format', 'csv', ...at(server, list)]
    const table = await run(csv, { cwd })
    expect([table.code, table.stdout]).toEqual([0, containing('trait,name,objects,bytes\ntotal,,3,25\n')])
    expect(table.stderr).toContain(`passed over: ${TOLD}\n`)
    expect((await run([...csv, '--quiet'], { cwd })).stderr).not.toContain('passed over')
    const ls = await run(['ls', 's3://src/in/', '--format', 'json', ...at(server, list)], { cwd })
    expect([ls.code, ls.stderr]).toEqual([0, containing(`passed over: ${TOLD}\n`)])
    expect(records(ls.stdout).map(({ key }) => key)).toEqual(KEYS)
    const quiet = await run(['ls', 's3://src/in/', '--quiet', ...at(server, list)], { cwd })
    expect([quiet.code, quiet.stderr.includes('passed over')]).toEqual([0, false])
    for (const key of KEYS) await put(server, 'dst', key, { Body: 'x'.repeat(key.length) })
    const verify = ['verify', 's3://src/in/', 's3://dst/in/', ...at(server, list)]
    const verified = await run(verify, { cwd })
    expect([verified.code, verified.stderr]).toEqual([0, containing(`left out  ${TOLD}`)])
    const compared = records((await run([...verify, '--json'], { cwd })).stdout).at(-1)
    expect(compared).toMatchObject({ type: 'comparison', objects: 3, passedOver: COUNTS })
  })

  test('are counted by copy, its dry run and what goes on with it, and left alone by delete', async () => {
    const cwd = await workFolder()
    const server = await full('Parquet')
    const args = ['copy', 's3://src/in/', 's3://dst/to/', ...at(server, list)]
    const dry = await run([...args, '--dry-run'], { cwd })
    expect([dry.code, dry.stderr]).toEqual([0, containing(`: 3 objects; passed over: ${TOLD}`)])
    const notes = records((await run([...args, '--dry-run', '--json'], { cwd })).stdout)
    expect(notes).toContainEqual(expect.objectContaining({ type: 'note', message: containing(TOLD) }))
    const copied = await run([...args, '--checkpoint', 'run'], { cwd })
    expect([copied.code, copied.stderr]).toEqual([0, containing(`  left out  ${TOLD}`)])
    expect((await run(['status', 'run'], { cwd })).stdout).toContain(`  left out  ${TOLD}`)
    expect([...(await contentOf(server, 'dst')).keys()].sort()).toEqual(KEYS.map((key) => `to/${key.slice(3)}`).sort())
    const again = await run([...args, '--again', '--json', '--checkpoint', 'run'], { cwd })
    expect(records(again.stdout).at(-1)).toMatchObject({ type: 'summary', exitCode: 0, passedOver: COUNTS })
    const proof = await run(['verify', 'run', '--json'], { cwd })
    expect([proof.code, records(proof.stdout).at(-1)]).toMatchObject([0, { objects: 3, passedOver: COUNTS }])
    const deleted = await run(['delete', 's3://src/in/', '--yes', ...at(server, list)], { cwd })
    expect([deleted.code, deleted.stderr]).toEqual([0, containing(`  left out  ${TOLD}`)])
    expect([...(await contentOf(server, 'src')).keys()].sort()).toEqual([...OUTSIDE].sort())
    // In a list that somebody made it is a mistake.
    await writeFile(join(cwd, 'keys.txt'), 'in/a b\nout/a\n')
    expect(refusal(await run(['du', 's3://src/in/', ...at(server, 'keys.txt')], { cwd }))).toContain('not below')
  })

  test('are counted once, however often the run is killed', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'inv'], latency: 'get=20-40' })
    const rows = Array.from({ length: 3000 }, (_, n): InventoryRow => ({
      ...{
        key: `${n % 3 === 0 ? 'in' : 'out'}/${n}`,
        size: n,
        etag: md5(String(n)),
        version: 'v1',
        latest: n % 5 !== 0,
      },
    }))
    await deliver(server, rows, { perFile: 60, perGroup: 20 })
    const expected = { outside: 2000, oldVersions: 200 }
    let args = ['ls', 's3://src/in/', '--to', 'keys.json', '--checkpoint', 'run', ...at(server, list)]
    let kills = 0
    for (let n = 0; n < 3; n++) {
      const target = asked(server, 'GetObject') + 60
      const running = start(args, { cwd })
      await until(() => running.isOver() || asked(server, 'GetObject') >= target)
      running.kill('SIGKILL')
      if ((await running.finished).signal === undefined) break
      kills++
      args = ['resume', 'run']
    }
    expect(kills).toBeGreaterThan(0)
    const { code, stderr } = await run(args, { cwd })
    const told = 'passed over: 2,000 keys that are not below the source, 200 versions that are not current\n'
    expect([code, stderr]).toEqual([0, containing(told)])
    const { passedOver } = JSON.parse(await readFile(join(cwd, 'run/checkpoint.json'), 'utf8')) as {
      passedOver: object
    }
    expect(passedOver).toEqual(expected)
    expect(records(await readFile(join(cwd, 'keys.json'), 'utf8'))).toHaveLength(800)
  })
})

describe('an S3 Inventory that cannot be read as it should be', () => {
  const broken: readonly [string, Partial<InventoryOptions>, (files: Map<string, Buffer>) => void, string][] = [
    ['lacks a file', {}, (files) => files.delete(data(files)), 'is neither where S3 puts it'],
    [
      'has a file of another length',
      {},
      (files) => change(files, (bytes) => Buffer.concat([bytes, bytes])),
      'are expected',
    ],
    [
      'has a file of other content',
      {},
      (files) =>
        change(files, (bytes) => {
          const other = Buffer.from(bytes)
          other[20]! ^= 1
          return other
        }),
      'is damaged: its MD5 is not that in',
    ],
    [
      'is not what its checksum says',
      {},
      (files) => files.set(`${CONFIGURATION}2026-01-31T01-00Z/manifest.checksum`, Buffer.from(md5('other'))),
      'is not what',
    ],
    ['is of another bucket', { bucket: 'other' }, () => undefined, 'is of another bucket, other'],
    ['is in ORC', { format: 'ORC' }, () => undefined, 'is of an inventory in ORC, which cannot be read'],
  ]
  function data(files: Map<string, Buffer>): string {
    return [...files.keys()].find((key) => key.includes('/data/'))!
  }
  function change(files: Map<string, Buffer>, to: (bytes: Buffer) => Buffer): void {
    files.set(data(files), to(files.get(data(files))!))
  }

  test.each(broken)(
    'since it %s is refused in one line, and nothing is touched',
    async (_, options, spoil, message) => {
      const cwd = await workFolder()
      const server = await filled()
      const files = inventoryOf(ODD_ROWS, { within: CONFIGURATION, ...options })
      spoil(files)
      for (const [key, Body] of files) {
        await put(server, 'inv', key, { Body })
        await mkdir(join(cwd, 'disk', dirname(key)), { recursive: true })
        await writeFile(join(cwd, 'disk', key), Body)
      }
      for (const list of [`s3://inv/${CONFIGURATION}`, `disk/${CONFIGURATION}2026-01-31T01-00Z/manifest.json`]) {
        for (const args of [
          ['copy', 's3://src', 's3://dst'],
          ['du', 's3://src'],
          ['delete', 's3://src', '--yes'],
        ])
          expect(refusal(await run([...args, ...at(server, list)], { cwd }))).toContain(message)
      }
      expect([await readdir(cwd), copies(server), (await contentOf(server, 'src')).size]).toEqual([
        ['disk'],
        0,
        ODD.length,
      ])
    },
  )

  test('is refused where a folder has none, with the folders that it has', async () => {
    const cwd = await workFolder()
    const server = await filled()
    await deliver(server, ODD_ROWS)
    const { url } = server
    const other = await run(['du', 's3://src', '--endpoint-url', url, '--files-from', 's3://inv/inv/src/'], { cwd })
    expect(refusal(other)).toMatch(/there is no inventory in s3:\/\/inv\/inv\/src\/: .*it has daily\//)
    await mkdir(join(cwd, 'folder'))
    expect(refusal(await run(['du', 's3://src', ...at(server, 'folder')], { cwd }))).toContain('folder is a folder')
  })

  test('that was delivered anew under the same name since a run began is not gone on with', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:3k', 'dst', 'inv'], latency: 'copy=4-10' })
    const rows = [...(await contentOf(server, 'src'))].map(([key, { size, etag }]) => ({
      ...{ key, size: size, etag: etag.replaceAll('"', '') },
    }))
    const files = await deliver(server, rows, { perFile: 1500 })
    const args = ['copy', 's3://src', 's3://dst', '--checkpoint', 'run', ...at(server, `s3://inv/${CONFIGURATION}`)]
    const running = start(args, { cwd })
    await until(() => copies(server) >= 800, running)
    running.kill('SIGINT')
    expect((await running.finished).code).toBe(130)
    await damageData(server, files)
    const resumed = await run(['resume', 'run'], { cwd })
    expect([resumed.code, resumed.stderr]).toEqual([4, containing('is damaged: its MD5 is not that in')])
    for (const [key, Body] of files) await put(server, 'inv', key, { Body })
    expect((await run(['resume', 'run'], { cwd })).code).toBe(0)
    expect((await contentOf(server, 'dst')).size).toBe(rows.length)
  })
})

describe('ls --format parquet', () => {
  const keysFrom = async (list: string) => {
    const found: unknown[] = []
    for await (const entry of readKeyList(
      { file: list, format: 'parquet' },
      { bucket: 'src', prefix: '', versions: false },
    ))
      found.push(entry)
    return found as { readonly key: string }[]
  }
  const inOrder = (entries: readonly { readonly key: string }[]) =>
    [...entries].sort((one, other) => Buffer.compare(Buffer.from(one.key), Buffer.from(other.key)))

  test('writes a file that --files-from reads as the same objects, many groups of them, to a file and an object', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:60k', 'dst'] })
    const args = ['ls', 's3://src', '--endpoint-url', server.url]
    const listed = await run([...args, '--to', 'all.ndjson'], { cwd })
    const written = await run([...args, '--to', 'all.parquet'], { cwd })
    expect([listed.code, written.code, written.stderr]).toEqual([0, 0, containing('wrote 60,000 objects')])
    const lines = (await readFile(join(cwd, 'all.ndjson'), 'utf8')).split('\n').filter((line) => line !== '')
    const found = inOrder(await keysFrom(join(cwd, 'all.parquet')))
    expect(found).toEqual(inOrder(lines.map((line) => JSON.parse(line) as { key: string })))
    expect((await run([...args, '--format', 'parquet', '--to', 's3://dst/all.parquet'], { cwd })).code).toBe(0)
    const sent = await server.s3.send(new GetObjectCommand({ Bucket: 'dst', Key: 'all.parquet' }))
    await writeFile(join(cwd, 'sent.parquet'), await sent.Body!.transformToByteArray())
    expect(inOrder(await keysFrom(join(cwd, 'sent.parquet')))).toEqual(found)
  })

  test('has odd keys as they are, from a list too, and is a list for the next command', async () => {
    const cwd = await workFolder()
    const server = await filled()
    await deliver(server, ODD_ROWS)
    const list = `s3://inv/${CONFIGURATION}`
    const { code } = await run(['ls', 's3://src', '--to', 'odd.parquet', '--size', '+4', ...at(server, list)], { cwd })
    expect(code).toBe(0)
    const copied = await run(['copy', 's3://src', 's3://dst', ...at(server, 'odd.parquet')], { cwd })
    expect([copied.code, copied.stderr]).toEqual([0, containing('odd.parquet is read as Parquet: 3 objects')])
    expect([...(await contentOf(server, 'dst')).keys()]).toEqual(['line\nfeed', 'x,"y"', 'é/日本'])
  })

  test.each([
    [['--to', 'x.parquet.gz'], 'a Parquet file is compressed inside'],
    [['--to', 'x.csv', '--format', 'parquet'], 'is named as a file of csv'],
    [['--to', 'x.parquet', '--format', 'csv'], 'is named as a file of parquet'],
    [['--to', 'x.parquet', '--checkpoint', 'run'], '--checkpoint does not go with Parquet'],
    [['--to', 'x.parquet', '--sorted'], '--sorted does not go with Parquet'],
    [['--format', 'parquet', '--folders'], '--folders does not go with Parquet'],
    [['--format', 'parquet', '--json'], 'contradict each other'],
  ])('is refused before anything is asked: %j', async (args, message) => {
    const cwd = await workFolder()
    expect(refusal(await run(['ls', 's3://src', '--endpoint-url', 'http://127.0.0.1:9', ...args], { cwd }))).toContain(
      message,
    )
    expect(await readdir(cwd)).toEqual([])
  })
})
