import fc from 'fast-check'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ListState } from '../../../../src/checkpoint/checkpoint.js'
import type { KeyList } from '../../../../src/job/files-from.js'
import { addPassedOver, type PassedOver } from '../../../../src/job/passed-over.js'
import { GrantedRowsReader, type NamedRows } from '../../../../src/sources/files-from/granted-rows.js'
import { InventoryRanges } from '../../../../src/sources/files-from/inventory-ranges.js'
import { unreadState } from '../../../../src/sources/files-from/list-identity.js'
import { factsOf } from '../../../../src/sources/page-facts.js'
import type { RangeClaim } from '../../../../src/sources/work-source.js'
import { inventoryOf, md5 } from '../../../support/inventory.js'

let folder: string
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 's3move-rows-'))))
afterAll(() => rm(folder, { recursive: true }))

const WANTED = { bucket: 'src', prefix: 'in/', versions: false }

const fail = (error: unknown): never => {
  throw error
}

interface Layout {
  readonly format: 'CSV' | 'Parquet'
  readonly perFile: number
  readonly perGroup: number
}

let lists = 0

/** An inventory of `count` objects below the prefix, and of others and old versions among them. */
async function written(
  count: number,
  layout: Layout,
): Promise<{ readonly list: KeyList; readonly passed: PassedOver }> {
  const within = join(folder, String(++lists))
  const rows = Array.from({ length: count }, (_, i) => [
    ...(i % 7 === 3 ? [{ key: `out/${i}`, latest: true }] : []),
    ...(i % 5 === 1 ? [{ key: `in/${i}`, latest: false }] : []),
    { key: `in/${i}`, latest: true },
  ]).flat()
  const whole = rows.map((row) => ({ size: 1, etag: md5(row.key), version: 'v', ...row }))
  for (const [key, bytes] of inventoryOf(whole, { within: '', ...layout })) {
    await mkdir(join(within, dirname(key)), { recursive: true })
    await writeFile(join(within, key), bytes)
  }
  const rowsThat = (has: (row: (typeof rows)[number]) => boolean): number => rows.filter(has).length
  const outside = rowsThat(({ key }) => key.startsWith('out/'))
  const oldVersions = rowsThat(({ latest }) => !latest)
  const passed = { ...(outside === 0 ? {} : { outside }), ...(oldVersions === 0 ? {} : { oldVersions }) }
  return { list: { file: join(within, '2026-01-31T01-00Z/manifest.json'), format: 'inventory' }, passed }
}

/** A lane at work. */
interface Lane {
  readonly reader: GrantedRowsReader
  claim: RangeClaim | undefined
  rows: AsyncGenerator<NamedRows, void> | undefined
  row: number
}

/** Reads the next rows of a lane and settles them; undefined when there is no more for it. */
async function step(
  lane: Lane,
  ranges: InventoryRanges,
  take: (rows: NamedRows, file: number) => void,
): Promise<boolean> {
  if (lane.claim === undefined) {
    lane.claim = await ranges.claim()
    if (lane.claim === undefined) return false
    lane.rows = lane.reader.read(lane.claim.rows!)
    lane.row = lane.claim.rows!.row
  }
  const { value } = await lane.rows!.next()
  if (value === undefined) {
    if (lane.claim.rows!.until === undefined) {
      await lane.claim.accept({ ...factsOf([], { truncated: false }), count: lane.row })
    }
    lane.claim.release()
    lane.claim = undefined
  } else {
    take(value, lane.claim.rows!.file)
    lane.claim.settle('', value.next - lane.row)
    lane.row = value.next
  }
  return true
}

test('each row of an inventory is settled once, however it is cut, by however many lanes, however often they are killed', async () => {
  const layouts = fc.record({
    format: fc.constantFrom<'CSV' | 'Parquet'>('CSV', 'Parquet'),
    perFile: fc.integer({ min: 1, max: 4000 }),
    perGroup: fc.integer({ min: 1, max: 1500 }),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.nat(5000),
      layouts,
      fc.boolean(),
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.array(fc.nat(3), { maxLength: 12 }), { maxLength: 4 }),
      async (count, { perFile, perGroup, format }, wholeFiles, lanes, sessions) => {
        // A few thousand files, or groups of them, would only take time.
        const layout = { format, perFile: Math.max(perFile, count / 20), perGroup: Math.max(perGroup, count / 60) }
        layout.perFile = Math.ceil(layout.perFile)
        layout.perGroup = Math.ceil(layout.perGroup)
        const { list, passed } = await written(count, layout)
        let state: ListState | undefined = await unreadState(list)
        const found = new Map<number, number[]>()
        let over: PassedOver = {}
        const take = ({ objects, passedOver }: NamedRows, file: number): void => {
          const names = found.get(file) ?? []
          names.push(...objects.map(({ key }) => Number(key)))
          found.set(file, names)
          over = addPassedOver(over, passedOver)
        }
        for (const steps of [...sessions, undefined]) {
          const ranges = new InventoryRanges(list, WANTED, { begun: state, wholeFiles, fail })
          const all = Array.from({ length: lanes }, (): Lane => ({
            reader: new GrantedRowsReader(list, WANTED),
            ...{ claim: undefined, rows: undefined, row: 0 },
          }))
          for (const of of steps ?? []) {
            const lane = all[of % lanes]!
            await step(lane, ranges, take)
            // Given back in the middle, the rest is for somebody else.
            if (of === 3) {
              lane.claim?.release()
              lane.claim = undefined
            }
          }
          if (steps === undefined) for (const lane of all) while (await step(lane, ranges, take));
          const left = ranges.remaining()
          ranges.close()
          for (const lane of all) await lane.reader.close()
          if (steps === undefined) expect(left).toBeUndefined()
          if (left === undefined) break
          state = JSON.parse(JSON.stringify({ ...state, ...left })) as ListState
        }
        const names = [...found.values()].flat()
        expect([names.length, new Set(names).size]).toEqual([count, count])
        expect(over).toEqual(passed)
        // The numbers ascend in the inventory, so those of a file do in it.
        const sorted = (some: readonly number[]): number[] => [...some].sort((one, other) => one - other)
        if (wholeFiles) for (const some of found.values()) expect(some).toEqual(sorted(some))
      },
    ),
    { numRuns: 60 },
  )
})
