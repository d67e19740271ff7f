import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Checkpoint } from '../../src/checkpoint/checkpoint.js'
import { put, sandbox } from '../support/cli-buckets.js'
import { refusal, run, workFolder } from '../support/cli-program.js'
import { CONFIGURATION, damageData, deliver } from '../support/delivered-inventory.js'
import { inventoryOf, md5, type InventoryOptions, type InventoryRow } from '../support/inventory.js'
import { killedAgain, randomOf } from '../support/kills.js'

const containing = (text: string): unknown => expect.stringContaining(text)

/** Rows of which each fifth is of a version of before, and each third is not below `in/`. */
function rowsOf(count: number): InventoryRow[] {
  return Array.from({ length: count }, (_, n) => ({
    ...{ key: `${n % 3 === 0 ? 'out' : 'in'}/${n % 11}/é ${n}`, size: n, etag: md5(String(n)), version: 'v' },
    ...{ latest: n % 5 !== 0, storageClass: n % 7 === 0 ? 'GLACIER' : 'STANDARD' },
  }))
}

const isCounted = ({ key, latest }: InventoryRow): boolean => key.startsWith('in/') && latest === true

async function onDisk(cwd: string, rows: readonly InventoryRow[], options: Partial<InventoryOptions>) {
  for (const [key, bytes] of inventoryOf(rows, { within: CONFIGURATION, ...options })) {
    await mkdir(join(cwd, dirname(key)), { recursive: true })
    await writeFile(join(cwd, key), bytes)
  }
}

describe('an S3 Inventory that several threads read', () => {
  test('is counted exactly by du, however many files and row groups it has', async () => {
    const server = await sandbox({ buckets: ['src'] })
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          format: fc.constantFrom<'CSV' | 'Parquet'>('CSV', 'Parquet'),
          count: fc.nat(4000),
          files: fc.integer({ min: 1, max: 12 }),
          groups: fc.integer({ min: 1, max: 5 }),
          threads: fc.integer({ min: 1, max: 4 }),
        }),
        async ({ format, count, files, groups, threads }) => {
          const cwd = await workFolder()
          const rows = rowsOf(count)
          const perFile = Math.max(1, Math.ceil(count / files))
          await onDisk(cwd, rows, { format, perFile, perGroup: Math.ceil(perFile / groups) })
          const args = ['du', 's3://src/in/', '--json', '--depth', '1', '--files-from', CONFIGURATION]
          const { code, stdout } = await run([...args, '--threads', String(threads), '--endpoint-url', server.url], {
            cwd,
          })
          const counted = rows.filter(isCounted)
          const of = (has: (row: InventoryRow) => boolean) => {
            const some = counted.filter(has)
            return { objects: some.length, bytes: some.reduce((sum, { size }) => sum + size, 0) }
          }
          expect([code, JSON.parse(stdout)]).toMatchObject([0, of(() => true)])
          const { storageClasses, folders, passedOver } = JSON.parse(stdout) as {
            readonly storageClasses: readonly { readonly name: string }[]
            readonly folders: readonly { readonly name: string }[]
            readonly passedOver: { readonly outside?: number; readonly oldVersions?: number }
          }
          for (const { name, ...told } of storageClasses)
            expect(told).toMatchObject(of(({ storageClass }) => storageClass === name))
          for (const { name, ...told } of folders)
            expect(told).toMatchObject(of(({ key }) => key.startsWith(`in/${name}`)))
          const outside = rows.filter(({ key }) => !key.startsWith('in/')).length
          const { outside: out = 0, oldVersions = 0 } = passedOver
          expect([out, oldVersions]).toEqual([outside, rows.length - outside - counted.length])
        },
      ),
      { numRuns: 12 },
    )
  })

  test('is written by ls with the rows of each file in their order, and in that of the list by one thread', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src'] })
    const rows = rowsOf(3000)
    await onDisk(cwd, rows, { perFile: 400, perGroup: 90 })
    const keysBy = async (threads: string): Promise<string[]> => {
      const args = ['ls', 's3://src/in/', '--format', 'json', '--files-from', CONFIGURATION, '--threads', threads]
      const { code, stdout } = await run([...args, '--endpoint-url', server.url], { cwd })
      expect(code).toBe(0)
      const lines = stdout.trimEnd().split('\n')
      return lines.map((line) => (JSON.parse(line) as { readonly key: string }).key)
    }
    const expected = rows.filter(isCounted).map(({ key }) => key)
    expect(await keysBy('1')).toEqual(expected)
    const found = await keysBy('3')
    const fileOf = (key: string): number => Math.floor(Number(key.split(' ')[1]) / 400)
    for (let file = 0; file * 400 < rows.length; file++) {
      const of = (keys: readonly string[]) => keys.filter((key) => fileOf(key) === file)
      expect(of(found)).toEqual(of(expected))
    }
    expect(found).toHaveLength(expected.length)
  })

  test.each([
    ['Parquet', 1],
    ['Parquet', 2],
    ['CSV', 3],
  ] as const)(
    'is counted and listed once by runs that are killed with -9 again and again (%s, seed %i)',
    async (format, seed) => {
      const random = randomOf(seed)
      const server = await sandbox({ buckets: ['src', 'inv'], latency: 'get=20-40', seed })
      const rows = rowsOf(4500)
      await deliver(server, rows, { format, perFile: format === 'CSV' ? 30 : 150, perGroup: 40 })
      // Requests for what a thread reads until the next kill, a few.
      const [least, more] = format === 'CSV' ? [15, 30] : [120, 150]
      let partly = 0
      const expected = rows.filter(isCounted)
      const PASSED = { outside: 1500, oldVersions: 600 }
      for (const what of [
        ['du', '--json', '--to', 'result'],
        ['ls', '--format', 'json', '--to', 'result'],
      ]) {
        const cwd = await workFolder()
        const args = [what[0]!, 's3://src/in/', ...what.slice(1), '--files-from', `s3://inv/${CONFIGURATION}`]
        const reads = (): number => server.stats().byOperation.GetObject ?? 0
        let kills = 0
        const again = await killedAgain([...args, '--threads', '3', '--checkpoint', 'run'], {
          ...{ cwd, server, kills: 3, counted: reads },
          after: () => (kills++, least + Math.floor(random() * more)),
        })
        expect(again.slice(0, 2)).toEqual(['resume', 'run'])
        const before = JSON.parse(await readFile(join(cwd, 'run/checkpoint.json'), 'utf8')) as Checkpoint
        const { code } = await run([...again], { cwd })
        expect([code, kills > 1]).toEqual([0, true])
        const saved = JSON.parse(await readFile(join(cwd, 'run/checkpoint.json'), 'utf8')) as Checkpoint
        expect([saved.state, saved.listed, saved.passedOver]).toEqual(['finished', expected.length, PASSED])
        // A thread may have claimed the next rows before what it delivered is written.
        expect(before.list?.open?.length ?? 0).toBeLessThanOrEqual(6)
        partly += before.listed
        const result = await readFile(join(cwd, 'result'), 'utf8')
        if (what[0] === 'du') {
          const bytes = expected.reduce((sum, { size }) => sum + size, 0)
          expect(JSON.parse(result)).toMatchObject({ objects: expected.length, bytes, passedOver: PASSED })
          continue
        }
        const told = result
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as { readonly key: string; readonly size: number; readonly etag: string })
        const inOrder = (all: readonly (typeof told)[number][]) =>
          all.map(({ key, size, etag }) => ({ key, size, etag })).sort((one, other) => one.size - other.size)
        expect(inOrder(told)).toEqual(inOrder(expected))
      }
      // Some of it was counted before the last kill, and not counted again.
      expect(partly).toBeGreaterThan(0)
    },
  )

  test('is not gone on with once a file of it is another, by whichever thread that is found', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'inv'], latency: 'get=10-20' })
    const files = await deliver(server, rowsOf(2000), { perFile: 200, perGroup: 50 })
    const args = ['du', 's3://src/in/', '--files-from', `s3://inv/${CONFIGURATION}`, '--threads', '2']
    await killedAgain([...args, '--checkpoint', 'run'], {
      ...{ cwd, server, kills: 1, counted: () => server.stats().byOperation.GetObject ?? 0 },
      after: () => 60,
    })
    await damageData(server, files)
    const resumed = await run(['resume', 'run'], { cwd })
    expect([resumed.code, resumed.stderr]).toEqual([4, containing('is damaged: its MD5 is not that in')])
  })

  test('has objects looked up of which it does not tell the size, and those that are not there are told of once', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src'] })
    await put(server, 'src', 'in/there', { Body: 'twelve bytes' })
    const rows = rowsOf(200).filter(isCounted)
    await onDisk(cwd, rows, { format: 'CSV', perFile: 50 })
    const odd = ['in/there', 'in/gone'].map((key) => ({ key, size: '' as unknown as number, etag: md5(key) }))
    await onDisk(cwd, [...rows, ...odd], { format: 'CSV', perFile: 50 })
    const args = ['du', 's3://src/in/', '--json', '--files-from', CONFIGURATION, '--threads', '2']
    const { code, stdout, stderr } = await run([...args, '--endpoint-url', server.url], { cwd })
    const bytes = rows.reduce((sum, { size }) => sum + size, 0) + 12
    expect([code, JSON.parse(stdout)]).toMatchObject([3, { objects: rows.length + 1, bytes }])
    expect(stderr).toContain('in/gone: NoSuchKey: the list names it, and it does not exist')
    expect(stderr).toContain('1 object that ')
  })

  test('needs all that is asked for of its objects: --threads is refused where each is looked up', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    await onDisk(cwd, rowsOf(10), {})
    const at = ['--files-from', CONFIGURATION, '--threads', '2', '--endpoint-url', server.url]
    expect(refusal(await run(['verify', 's3://src/in/', 's3://dst/in/', ...at], { cwd }))).toContain(
      '--threads does not go with verify --files-from:',
    )
  })
})
