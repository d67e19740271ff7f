import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runPages } from '../../../src/engine/lanes/page-lanes.js'
import { compareKeys, type KeyRange } from '../../../src/keys.js'
import type { ListFrom, Page, Storage } from '../../../src/storage/storage.js'
import { Keyspace } from '../../../src/sources/ranges/keyspace.js'
import { pairsAfter, type Pair } from '../../../src/sources/pair-listing.js'

interface Side {
  readonly keys: readonly string[]
  readonly pageSize: number
  readonly emptyPages: boolean
}

/** Lists as S3 does, counts the calls, and answers after a while that `wait` decides. */
function memoryStore(
  { keys, pageSize, emptyPages }: Side,
  wait: () => Promise<void>,
  calls: string[],
): Pick<Storage, 'list'> {
  const page = ({ after, token }: ListFrom): Page => {
    calls.push(token ?? (after === undefined ? 'from the start' : `after ${after}`))
    const start = keys.findIndex((key) => after === undefined || compareKeys(key, after) > 0)
    const [from = 0, empties = 0] = token?.split(' ').map(Number) ?? [start < 0 ? keys.length : start]
    if (emptyPages && from < keys.length && empties < from % 3) {
      return { objects: [], truncated: true, token: `${from} ${empties + 1}` }
    }
    const to = Math.min(from + pageSize, keys.length)
    const objects = keys.slice(from, to).map((key) => ({
      ...{ key, size: key.length, etag: 'e', lastModified: '2024-01-01T00:00:00.000Z', storageClass: 'STANDARD' },
    }))
    return { objects, truncated: to < keys.length, ...(to < keys.length ? { token: `${to} 0` } : {}) }
  }
  return {
    async list(from) {
      await wait()
      return page(from)
    },
  }
}

const anyKey = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', 'b', '/', '\uffff', '\u{1f600}'), maxLength: 6 }),
  fc.nat({ max: 5000 }).map((n) => `n/${String(n).padStart(5, '0')}`),
)
const anySide = (most: number): fc.Arbitrary<Side> =>
  fc.record({
    keys: fc
      .uniqueArray(anyKey, { maxLength: most, size: 'max' })
      .map((keys) => keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))),
    pageSize: fc.integer({ min: 1, max: 9 }),
    emptyPages: fc.boolean(),
  })

/** What is to come out: every key that one of them has, in order, with the sides that have it. */
function union(left: Side, right: Side): [string, boolean, boolean][] {
  const [a, b] = [new Set(left.keys), new Set(right.keys)]
  return [...new Set([...a, ...b])].sort(compareKeys).map((key) => [key, a.has(key), b.has(key)])
}

const shown = ({ key, source, destination }: Pair): [string, boolean, boolean] => {
  for (const object of [source, destination]) if (object !== undefined) expect(object.key).toBe(key)
  return [key, source !== undefined, destination !== undefined]
}

describe('a pair listing', () => {
  test('gives every name that one side has, once and in order, from wherever it begins', async () => {
    const property = fc.asyncProperty(anySide(60), anySide(60), fc.option(anyKey), async (left, right, start) => {
      const calls: string[][] = [[], []]
      const after = start ?? undefined
      const none = (): Promise<void> => Promise.resolve()
      const listing = pairsAfter(memoryStore(left, none, calls[0]!), memoryStore(right, none, calls[1]!), after)
      const found: Pair[] = []
      for (let truncated = true; truncated;) {
        const page = await listing.next()
        found.push(...page.objects)
        ;({ truncated } = page)
        const held = Math.max(left.pageSize, right.pageSize) * 4
        expect(page.objects.length).toBeLessThanOrEqual(held)
      }
      const expected = union(left, right).filter(([key]) => after === undefined || compareKeys(key, after) > 0)
      expect(found.map(shown)).toEqual(expected)
      // Nothing is listed twice.
      for (const asked of calls) expect(new Set(asked).size).toBe(asked.length)
    })
    await fc.assert(property, { numRuns: 300 })
  })

  test('asks each side once a page when both hold the same, and seldom more often when they drift apart', async () => {
    const keys = Array.from({ length: 20_000 }, (_, n) => String(n).padStart(8, '0'))
    const calls: string[][] = [[], []]
    let rounds = 0
    const none = (): Promise<void> => Promise.resolve()
    const left = { keys, pageSize: 1000, emptyPages: false }
    const right = { keys: keys.filter((_, n) => n % 50 !== 7), pageSize: 1000, emptyPages: false }
    const listing = pairsAfter(memoryStore(left, none, calls[0]!), memoryStore(right, none, calls[1]!), undefined)
    for (let truncated = true; truncated; rounds++) ({ truncated } = await listing.next())
    // A last page that is full is asked whether it is the last.
    expect([calls[0]!.length, calls[1]!.length]).toEqual([21, 20])
    expect(rounds).toBeLessThanOrEqual(22)
  })

  test('lists nothing behind the end of its range on a side that is known up to there', async () => {
    const keys = Array.from({ length: 100 }, (_, n) => String(n).padStart(8, '0'))
    const calls: string[][] = [[], []]
    const none = (): Promise<void> => Promise.resolve()
    const left = { keys, pageSize: 10, emptyPages: false }
    const right = { keys: keys.filter((_, n) => n % 2 === 0), pageSize: 10, emptyPages: false }
    const listing = pairsAfter(memoryStore(left, none, calls[0]!), memoryStore(right, none, calls[1]!), undefined)
    for (let i = 0; i < 2; i++) await listing.next(keys[18])
    expect(calls.map((asked) => asked.length)).toEqual([2, 1])
  })

  test('fed to lanes that split its ranges and are killed, gives every name once', async () => {
    const world = fc.record({
      ...{ left: anySide(400), right: anySide(400), lanes: fc.integer({ min: 1, max: 8 }) },
      ...{ kills: fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 3 }), seed: fc.nat() },
    })
    const property = fc.asyncProperty(world, async ({ left, right, lanes, kills, seed }) => {
      let state = seed
      const wait = async (): Promise<void> => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
        for (let i = (state >>> 16) % 4; i > 0; i--) await Promise.resolve()
      }
      const found: Pair[] = []
      let ranges: readonly KeyRange[] = [{}]
      for (const pages of [...kills, Infinity]) {
        const keyspace = new Keyspace(ranges)
        const stop = new AbortController()
        let taken = 0
        const errors: unknown[] = []
        await runPages<Pair>({
          ...{ ranges: keyspace, lanes, stop: stop.signal, room: () => undefined, taken: () => undefined },
          listing: (after) => pairsAfter(memoryStore(left, wait, []), memoryStore(right, wait, []), after),
          async take(pairs, settle) {
            await wait()
            if (++taken >= pages) stop.abort()
            // A page may be settled piece by piece, and left in the middle.
            for (const [index, pair] of pairs.entries()) {
              if (stop.signal.aborted && index % 2 === 1) return
              found.push(pair)
              settle(1)
            }
          },
          fail: (error) => errors.push(error),
        })
        expect(errors).toEqual([])
        ranges = keyspace.remaining()
      }
      expect(ranges).toEqual([])
      const key = ([name]: [string, boolean, boolean]): string => name
      const sorted = found.map(shown).sort((a, b) => compareKeys(key(a), key(b)))
      expect(sorted).toEqual(union(left, right))
    })
    await fc.assert(property, { numRuns: 200 })
  })
})
