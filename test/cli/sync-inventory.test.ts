import { mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DeleteObjectCommand } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { contentOf, expectSame, put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'
import { CONFIGURATION, deliver } from '../support/delivered-inventory.js'
import { inventoryOf, md5, type InventoryOptions, type InventoryRow } from '../support/inventory.js'

const containing = (text: string): unknown => expect.stringContaining(text)
const asked = (server: TestSandbox, operation: string): number => server.stats().byOperation[operation] ?? 0
const copies = (server: TestSandbox): number => server.stats().copies.dst?.total ?? 0

const LIST = `s3://inv/${CONFIGURATION}`
const SORTED = 'inventory.sorted.ndjson'

/** What the source has now, as an inventory of this moment has it, in an order that is not that of the keys. */
async function rowsOf(server: TestSandbox): Promise<InventoryRow[]> {
  const rows = [...(await contentOf(server, 'src'))].map(([key, { size, etag }]) => ({
    ...{ key, size, etag: etag.replaceAll('"', ''), version: 'v1' },
  }))
  return rows.sort((one, other) => (md5(one.key) < md5(other.key) ? -1 : 1))
}

async function onDisk(cwd: string, rows: readonly InventoryRow[], options: Partial<InventoryOptions> = {}) {
  for (const [key, bytes] of inventoryOf(rows, { within: CONFIGURATION, ...options })) {
    await mkdir(join(cwd, dirname(key)), { recursive: true })
    await writeFile(join(cwd, key), bytes)
  }
}

const ODD = ['a b', 'c+d', '%2B', 'é/日本', 'x,"y"', 'line\nfeed', '../x', '\u{10000}', '\uffff', '//']
const sync = (server: TestSandbox, from: string, to: string, list: string, ...more: readonly string[]) => [
  ...['sync', from, to, '--endpoint-url', server.url, '--source-inventory', list],
  ...more,
]
const records = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

describe('s3move sync --source-inventory', () => {
  test.each(['Parquet', 'CSV'] as const)(
    'copies what the inventory has and the destination lacks, of odd keys below a prefix, from disk and bucket (%s)',
    async (format) => {
      const cwd = await workFolder()
      const server = await sandbox({ buckets: ['src', 'dst', 'inv'] })
      for (const key of ODD) await put(server, 'src', `in/${key}`, { Body: key })
      for (const key of ['in', 'inside', 'out/a']) await put(server, 'src', key, { Body: key })
      const rows = await rowsOf(server)
      const marker = { key: 'in/marker', size: 0, etag: '', version: 'v2', marker: true }
      const old = { ...rows[0]!, key: 'in/a b', version: 'v0', latest: false }
      await deliver(server, [...rows, marker, old, rows[0]!], { format, perFile: 3 })
      await onDisk(cwd, [...rows, marker, old], { format, perFile: 3 })
      const told = '3 keys that are not below the source, 1 delete marker, 1 version that is not current'
      const dry = await run(sync(server, 's3://src/in/', 's3://dst/', LIST, '--dry-run', '--json'), { cwd })
      expect([dry.code, records(dry.stdout).at(-1)]).toMatchObject([0, { type: 'plan', totals: { copied: 10 } }])
      expect(copies(server)).toBe(0)
      for (const list of [CONFIGURATION, LIST]) {
        const args = sync(server, 's3://src/in/', 's3://dst/', list, '--checkpoint', `run-${list.length}`)
        const { code, stderr } = await run(args, { cwd })
        const done = list === CONFIGURATION ? '10 objects copied, none skipped' : '0 objects copied, 10 skipped'
        expect([code, stderr]).toEqual([0, containing(`${done}, none failed`)])
        expect(stderr).toContain('sorted 10 objects of the inventory in ')
        expect(stderr).toContain(list === CONFIGURATION ? `left out  ${told}` : 'left out  4 keys')
        // Nothing of what was sorted is left.
        expect((await readdir(join(cwd, `run-${list.length}`))).filter((name) => name.includes('inventory'))).toEqual(
          [],
        )
      }
      expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src', 'in/'), (key) => key.slice(3))
      expect(await readdir(cwd)).toEqual(expect.arrayContaining(['inv']))
    },
  )

  test('does not list the source, and copies an object as it is by now', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['all:hex:6k', 'src', 'dst', 'inv'] })
    expect((await run(['copy', 's3://all', 's3://src', '--endpoint-url', server.url], { cwd })).code).toBe(0)
    const rows = await rowsOf(server)
    await deliver(server, rows, { perFile: 2500 })
    const [one, other] = rows.map(({ key }) => key)
    await put(server, 'src', one!, { Body: 'replaced since' })
    await server.s3.send(new DeleteObjectCommand({ Bucket: 'src', Key: other! }))
    await put(server, 'src', 'new', { Body: 'written since' })
    const lists = asked(server, 'ListObjectsV2')
    const { code, stderr } = await run(sync(server, 's3://src', 's3://dst', LIST), { cwd })
    expect([code, stderr]).toEqual([0, containing('5,999 objects copied, 1 skipped, none failed')])
    expect(stderr).toContain('warning: the inventory does not know what was written, replaced or deleted since')
    expect(stderr).toContain('1 deleted after being listed')
    // To reach the source, for what it would call an example, and whether what is gone is; the rest are of the destination.
    expect(asked(server, 'ListObjectsV2') - lists).toBeLessThan(12)
    const there = await contentOf(server, 'dst')
    const source = await contentOf(server, 'src')
    source.delete('new')
    expectSame(there, source)
  })

  test('--delete removes nothing that the source has by now, and its dry run says so', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst', 'inv'] })
    for (const key of ['a', 'b', 'c']) await put(server, 'src', key, { Body: key })
    await deliver(server, await rowsOf(server))
    for (const key of ['new/1', 'new/2']) {
      await put(server, 'src', key, { Body: key })
      await put(server, 'dst', key, { Body: key })
    }
    for (const key of ['a', 'extra/1', 'z']) await put(server, 'dst', key, { Body: key })
    const args = sync(server, 's3://src', 's3://dst', LIST, '--delete', '--json')
    const dry = records((await run([...args, '--dry-run'], { cwd })).stdout).at(-1)
    const expected = { copied: 2, deleted: 2, skipped: { unchanged: 1, appeared: 2 } }
    expect(dry).toMatchObject({ type: 'plan', totals: expected })
    expect((await contentOf(server, 'dst')).size).toBe(5)
    const { code, stdout } = await run([...args, '--yes'], { cwd })
    expect([code, records(stdout).at(-1)]).toMatchObject([0, { type: 'summary', totals: expected }])
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
    const proof = await run(['verify', 's3://src', 's3://dst', '--endpoint-url', server.url], { cwd })
    expect(proof.code).toBe(0)
  })

  test('--max-delete counts only what the source does not have by now, in its dry run too', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst', 'inv'] })
    for (const key of ['a', 'b']) await put(server, 'src', key, { Body: key })
    await deliver(server, await rowsOf(server))
    for (const bucket of ['src', 'dst'])
      for (const key of ['new/1', 'new/2', 'new/3']) await put(server, bucket, key, { Body: key })
    for (const key of ['extra/1', 'extra/2']) await put(server, 'dst', key, { Body: key })
    const args = sync(server, 's3://src', 's3://dst', LIST, '--delete', '--yes', '--json')
    const told = async (...more: string[]) => records((await run([...args, ...more], { cwd })).stdout).at(-1)
    const [kept, done] = [{ extra: 2, appeared: 3 }, { appeared: 3 }]
    const dry = await run([...args.filter((arg) => arg !== '--json'), '--max-delete', '1', '--dry-run'], { cwd })
    expect(dry.stdout).toContain('would keep   what is extra: 2 objects are only at the destination')
    expect(await told('--max-delete', '2', '--dry-run')).toMatchObject({ totals: { deleted: 2, skipped: done } })
    expect(await told('--max-delete', '1')).toMatchObject({ totals: { copied: 2, deleted: 0, skipped: kept } })
    expect((await contentOf(server, 'dst')).size).toBe(7)
    expect(await told('--max-delete', '2')).toMatchObject({ totals: { deleted: 2, skipped: done } })
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
  })

  test('an interrupted dry run goes on with the inventory that it began with', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst:hex:3k', 'inv'], latency: 'head=20-40,list=200-300' })
    await put(server, 'src', 'a', { Body: 'a' })
    await deliver(server, await rowsOf(server))
    const args = sync(server, 's3://src', 's3://dst', LIST, '--delete', '--dry-run', '--concurrency', '8')
    const heads = asked(server, 'HeadObject')
    const running = start(args, { cwd })
    await until(() => asked(server, 'HeadObject') > heads + 600, running)
    running.kill('SIGINT')
    expect((await running.finished).code).toBe(130)
    const [folder] = await readdir(join(cwd, '.s3move'))
    const { code, stdout, stderr } = await run(['resume', join('.s3move', folder!), '--json'], { cwd })
    expect([code, stderr, records(stdout).at(-1)]).toMatchObject([
      ...[0, ''],
      { type: 'plan', complete: true, totals: { copied: 1, deleted: 3_000 } },
    ])
  })

  test('that is killed while it reads the inventory, and while it copies, loses nothing', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:3k', 'dst', 'inv'], latency: 'copy=2-6,get=30-50' })
    const rows = await rowsOf(server)
    await deliver(server, rows, { perFile: 100, perGroup: 25 })
    let args = sync(server, 's3://src', 's3://dst', LIST, '--checkpoint', 'run', '--concurrency', '16')
    const kill = async (when: () => Promise<boolean> | boolean) => {
      const running = start(args, { cwd })
      await until(async () => running.isOver() || (await when()))
      running.kill('SIGKILL')
      const { signal } = await running.finished
      args = ['resume', 'run', '--concurrency', '16']
      return signal
    }
    const names = () => readdir(join(cwd, 'run')).catch(() => [] as string[])
    // The checkpoint is there before the first row is read.
    expect(await kill(async () => (await names()).includes('inventory.sorting.0.ndjson'))).toBe('SIGKILL')
    expect(await names()).toEqual(expect.arrayContaining(['checkpoint.json', 'files-from']))
    const gets = asked(server, 'GetObject')
    expect(await kill(() => asked(server, 'GetObject') > gets + 20)).toBe('SIGKILL')
    expect(copies(server)).toBe(0)
    expect(await kill(() => copies(server) > 500)).toBe('SIGKILL')
    expect((await names()).filter((name) => name.startsWith('inventory.'))).toEqual([SORTED])
    expect((await stat(join(cwd, 'run', SORTED))).mode & 0o777).toBe(0o600)
    // From here on nothing of the inventory is needed.
    for (const [key] of inventoryOf(rows, { within: CONFIGURATION, perFile: 100, perGroup: 25 }))
      await server.s3.send(new DeleteObjectCommand({ Bucket: 'inv', Key: key }))
    expect(await kill(() => copies(server) > 1500)).toBe('SIGKILL')
    const last = await run(args, { cwd })
    expect([last.code, last.stderr]).toEqual([0, containing('3,000 of 3,000 done')])
    expect(last.stderr).toMatch(/finished: .* objects copied, .*none failed/)
    // What was copied and not saved is found unchanged.
    expect(server.stats().copies.dst).toMatchObject({ unique: 3_000, duplicates: 0 })
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
    expect((await names()).filter((name) => name.startsWith('inventory.'))).toEqual([])
  })

  test.each([
    ['was damaged', async (path: string) => writeFile(path, (await readFile(path, 'utf8')).replace('0', '1'))],
    ['was cut', async (path: string) => truncate(path, (await stat(path)).size - 300)],
    ['was removed', (path: string) => rm(path)],
  ])('sorts the inventory anew where what it had sorted %s', async (_, spoil) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:2k', 'dst', 'inv'], latency: 'copy=2-6' })
    await deliver(server, await rowsOf(server))
    const args = sync(server, 's3://src', 's3://dst', LIST, '--checkpoint', 'run', '--concurrency', '16')
    const running = start(args, { cwd })
    await until(() => copies(server) > 500, running)
    running.kill('SIGINT')
    expect((await running.finished).code).toBe(130)
    await spoil(join(cwd, 'run', SORTED))
    const { code, stderr } = await run(['resume', 'run'], { cwd })
    expect([code, stderr]).toEqual([0, containing('2,000 objects copied, none skipped, none failed')])
    expect(stderr).toContain('sorted 2,000 objects of the inventory')
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
  })

  test('refuses an inventory by which nothing can be compared, of another bucket or of none', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst', 'inv'] })
    await put(server, 'src', 'a', { Body: 'a' })
    await deliver(server, await rowsOf(server), { bucket: 'other' })
    expect(refusal(await run(sync(server, 's3://src', 's3://dst', LIST), { cwd }))).toContain('is of another bucket')
    const files = inventoryOf(await rowsOf(server), { within: '', format: 'CSV' })
    const name = '2026-01-31T01-00Z/manifest.json'
    const manifest = files.get(name)!.toString().replace('ETag', 'Other')
    await mkdir(join(cwd, 'data'))
    await mkdir(join(cwd, dirname(name)))
    for (const [key, bytes] of files) if (!key.endsWith('checksum')) await writeFile(join(cwd, key), bytes)
    await writeFile(join(cwd, name), manifest)
    const lacking = refusal(await run(sync(server, 's3://src', 's3://dst', name), { cwd }))
    expect(lacking).toContain('has no column ETag, by which objects are compared')
    const folder = await run(sync(server, `file://${cwd}/data`, 's3://dst', name), { cwd })
    expect(refusal(folder)).toContain('the source is a folder')
    expect(refusal(await run(sync(server, 's3://src', 's3://dst', '-'), { cwd }))).toContain('standard input')
    expect(refusal(await run(sync(server, 's3://src', 's3://dst', 'none.json'), { cwd }))).toContain('cannot read')
    expect(copies(server)).toBe(0)
    expect((await readdir(cwd)).sort()).toEqual(['2026-01-31T01-00Z', 'data'])
  })
})
