import fc from 'fast-check'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ListState } from '../../../../src/checkpoint/checkpoint.js'
import type { KeyList } from '../../../../src/job/files-from.js'
import { unreadState } from '../../../../src/sources/files-from/list-identity.js'
import { entriesSettled, joined } from '../../../../src/sources/files-from/list-progress.js'
import { ListRanges } from '../../../../src/sources/files-from/list-ranges.js'
import type { RangeClaim } from '../../../../src/sources/work-source.js'
import { inventoryOf, md5 } from '../../../support/inventory.js'

let folder: string
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 's3move-ranges-'))))
afterAll(() => rm(folder, { recursive: true }))

const WANTED = { bucket: 'src', prefix: 'in/', versions: false }

const fail = (error: unknown): never => {
  throw error
}

let lists = 0

/** A list of `count` names below the prefix; an inventory has others among them. */
async function written(count: number, format: 'keys' | 'CSV' | 'Parquet'): Promise<KeyList> {
  const within = join(folder, String(++lists))
  await mkdir(within)
  const names = Array.from({ length: count }, (_, i) => `in/${i}`)
  if (format === 'keys') {
    const file = join(within, 'list')
    await writeFile(file, names.map((name) => `${name}\n`).join(''))
    return { file, format: 'keys' }
  }
  const keys = names.flatMap((name, i) => (i % 7 === 3 ? [`out/${i}`, name] : [name]))
  const rows = keys.map((key) => ({ key, size: 1, etag: md5(key), version: 'v', latest: true }))
  for (const [key, bytes] of inventoryOf(rows, { within: '', format, perFile: 1700, perGroup: 600 })) {
    await mkdir(join(within, dirname(key)), { recursive: true })
    await writeFile(join(within, key), bytes)
  }
  return { file: join(within, '2026-01-31T01-00Z/manifest.json'), format: 'inventory' }
}

interface Held {
  readonly claim: RangeClaim
  next: number
}

test('each entry of a list is settled once, in whatever order its claims are, however often the run is killed', async () => {
  const steps = fc.array(fc.record({ of: fc.nat(9), count: fc.integer({ min: 1, max: 1200 }) }), { maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(
      fc.nat(6000),
      fc.constantFrom<'keys' | 'CSV' | 'Parquet'>('keys', 'CSV', 'Parquet'),
      fc.integer({ min: 1, max: 5 }),
      fc.array(steps, { maxLength: 4 }),
      async (count, format, lanes, sessions) => {
        const list = await written(count, format)
        let state: ListState | undefined = { ...(await unreadState(list)), of: count }
        const settled: string[] = []
        for (const [index, steps] of [...sessions, undefined].entries()) {
          const ranges = new ListRanges(list, WANTED, { begun: state, fail })
          const held: Held[] = []
          const take = (one: Held, most: number): void => {
            const named = one.claim.named!.slice(one.next, one.next + most)
            if (named.length === 0) return
            one.next += named.length
            settled.push(...named.map(({ key }) => key))
            one.claim.settle(named.at(-1)!.key, named.length)
          }
          for (const step of steps ?? []) {
            while (held.length < lanes) {
              const claim = await ranges.claim()
              if (claim === undefined) break
              held.push({ claim, next: 0 })
            }
            const one = held[step.of % Math.max(1, held.length)]
            if (one === undefined) break
            take(one, step.count)
            // Given back in the middle, the rest is for somebody else.
            if (one.next === one.claim.named!.length || step.count % 5 === 0) {
              held.splice(held.indexOf(one), 1)[0]!.claim.release()
            }
            const left = ranges.remaining()
            expect(left === undefined ? count : entriesSettled(left)).toBe(settled.length)
          }
          if (steps === undefined) {
            for (let claim = await ranges.claim(); claim !== undefined; claim = await ranges.claim()) {
              take({ claim, next: 0 }, Infinity)
            }
          }
          const left = ranges.remaining()
          ranges.close()
          if (index === sessions.length) expect(left).toBeUndefined()
          if (left === undefined) break
          state = JSON.parse(JSON.stringify(left)) as ListState
        }
        expect(settled).toHaveLength(count)
        expect(new Set(settled).size).toBe(count)
      },
    ),
    { numRuns: 60 },
  )
})

test('a claim that waits while the list is closed is of nothing, and what was read stays to be done', async () => {
  const list = await written(2500, 'keys')
  const state = await unreadState(list)
  const ranges = new ListRanges(list, WANTED, { begun: state, fail })
  const claims = [ranges.claim(), ranges.claim()]
  const first = await claims[0]
  ranges.close()
  expect(first!.named).toHaveLength(1000)
  expect(await claims[1]).toBeUndefined()
  expect(await ranges.claim()).toBeUndefined()
  expect(ranges.remaining()).toEqual(state)
})

test('a list that cannot be read on is told of once, and is not taken for read', async () => {
  const file = join(folder, 'broken')
  await writeFile(file, 'in/a\nout/b\n')
  const list: KeyList = { file, format: 'keys' }
  const state = await unreadState(list)
  const told: unknown[] = []
  const ranges = new ListRanges(list, WANTED, { begun: state, fail: (error) => told.push(error) })
  expect(await Promise.all([ranges.claim(), ranges.claim(), ranges.claim()])).toEqual([undefined, undefined, undefined])
  expect(told).toHaveLength(1)
  expect(ranges.remaining()).toEqual(state)
})

test('intervals are joined to those that have the same numbers, in order', () => {
  const interval = fc.tuple(fc.nat(30), fc.nat(5)).map(([from, more]) => ({ from, to: from + more }))
  fc.assert(
    fc.property(fc.array(interval), (intervals) => {
      const numbers = (all: readonly { from: number; to: number }[]): number[] =>
        all.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i))
      const all = joined(intervals)
      expect(numbers(all)).toEqual([...new Set(numbers(intervals))].sort((one, other) => one - other))
      for (const [i, { from }] of all.slice(1).entries()) expect(from).toBeGreaterThan(all[i]!.to)
    }),
  )
})
