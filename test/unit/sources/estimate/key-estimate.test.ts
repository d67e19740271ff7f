import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareKeys, contains, type KeyRange } from '../../../../src/keys.js'
import { boundariesOf } from '../../../../src/rules/shards.js'
import { estimateKeys, type KeyEstimate } from '../../../../src/sources/estimate/key-estimate.js'
import {
  counter,
  days,
  folders,
  hashedFolders,
  hashes,
  oneHot,
  pageOf,
  randomFrom,
  users,
  type KeyLayout,
} from '../../../support/key-layouts.js'

async function estimateOf(
  layout: KeyLayout,
  seed: number,
  { requests = 2_000, windows = 100 } = {},
): Promise<KeyEstimate> {
  let listed = 0
  const found = await estimateKeys({
    list(after) {
      listed++
      return Promise.resolve(pageOf(layout, after))
    },
    ...{ ranges: [{}], requests, windows, atOnce: 8, random: randomFrom(seed) },
  })
  expect(listed).toBeLessThanOrEqual(requests)
  expect(found?.requests).toBe(listed)
  return found!
}

/** Keys that share beginnings, of characters that do not sort as their UTF-16 units do too. */
const KEYS = fc.uniqueArray(
  fc
    .array(fc.constantFrom('a', 'b', '0', '1', '/', ' ', '~', 'é', '\u{ffff}', '\u{10000}', '\u{10ffff}'), {
      minLength: 1,
      maxLength: 7,
    })
    .map((characters) => characters.join('')),
  { maxLength: 300 },
)

describe('with requests enough', () => {
  test('all keys are counted, whatever they are', async () => {
    await fc.assert(
      fc.asyncProperty(KEYS, fc.integer({ min: 1, max: 9 }), fc.nat(), async (unsorted, size, seed) => {
        const keys = unsorted.toSorted(compareKeys)
        const list = (after: string | undefined): Promise<{ keys: readonly string[]; more: boolean }> => {
          const behind = after === undefined ? keys : keys.filter((key) => compareKeys(key, after) > 0)
          return Promise.resolve({ keys: behind.slice(0, size), more: behind.length > size })
        }
        const random = randomFrom(seed)
        const found = await estimateKeys({ list, ranges: [{}], requests: 1e5, windows: 7, atOnce: 3, random })
        expect(found).toMatchObject({ exact: true, objects: keys.length, low: keys.length, high: keys.length })
        for (const { range, keys: count } of found!.windows)
          expect(keys.filter((key) => contains(range, key))).toHaveLength(count)
      }),
    )
  })

  test('only those of the ranges are counted', async () => {
    const layout = counter(50_000)
    const key = (index: number): string => layout.keyAt(index)
    const ranges: KeyRange[] = [
      { after: key(9), until: key(20_009) },
      { after: key(30_000), until: key(30_005) },
    ]
    const list = (after: string | undefined): ReturnType<typeof Promise.resolve<ReturnType<typeof pageOf>>> =>
      Promise.resolve(pageOf(layout, after))
    const found = await estimateKeys({ list, ranges, requests: 500, windows: 10, atOnce: 4, random: randomFrom(1) })
    expect(found).toMatchObject({ exact: true, objects: 20_005 })
  })
})

const SEEDS = [1, 2, 3]
const SHARDS = 16

/** How many keys of a layout lie behind one. */
function keysBehind({ count, keyAt }: KeyLayout, key: string): number {
  let [low, high] = [0, count]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (keyAt(middle) > key) high = middle
    else low = middle + 1
  }
  return count - low
}

describe('a key space that is much larger than what may be listed', () => {
  test.each<readonly [string, (seed: number) => KeyLayout, number]>([
    ['a counter', () => counter(1e9), 0.02],
    ['hashes', (seed) => hashes(1e8, seed), 0.03],
    ['folders named by hashes', (seed) => hashedFolders(1e8, seed), 0.4],
    ['days that grow', (seed) => days(1e8, seed), 0.5],
    ['one hot folder of three hundred', (seed) => oneHot(1e8, seed), 0.6],
    ['users of very unequal sizes', (seed) => users(1e8, 300, seed), 1],
  ])('%s: is estimated, with an interval that has the number nearly always', async (_name, layout, error) => {
    let inside = 0
    for (const seed of SEEDS) {
      const of = layout(seed)
      // As many as a plan asks for: with fewer a hot folder is missed.
      const { exact, objects, low, high, seen } = await estimateOf(of, seed, { requests: 4_500 })
      expect(exact).toBe(false)
      expect(Math.abs(Math.log(objects / of.count))).toBeLessThan(error)
      expect(seen).toBeLessThanOrEqual(low)
      if (low <= of.count && of.count <= high) inside++
    }
    expect(inside).toBeGreaterThanOrEqual(SEEDS.length - 1)
  })

  test('places for a look lie in order, and in all kinds of folders as much as these have', async () => {
    const layout = folders(
      1e8,
      [
        { name: 'a/', weight: 1 },
        { name: 'b/', weight: 3 },
        { name: 'c/', weight: 6 },
      ],
      (count, at) => (at === 1 ? hashes(count, 5) : counter(count)),
    )
    const { windows, objects } = await estimateOf(layout, 3)
    const ends = windows.map(({ range }) => range.until ?? '')
    expect(ends).toEqual(ends.toSorted(compareKeys))
    const share = (name: string): number =>
      windows.reduce((sum, { range, standsFor }) => sum + ((range.until ?? '').startsWith(name) ? standsFor : 0), 0) /
      objects
    expect([share('a/'), share('b/'), share('c/')]).toEqual([
      expect.closeTo(0.1, 1),
      expect.closeTo(0.3, 1),
      expect.closeTo(0.6, 1),
    ])
    expect(windows.reduce((sum, { standsFor }) => sum + standsFor, 0) / objects).toBeCloseTo(1, 6)
  })

  test.each<readonly [string, (seed: number) => KeyLayout, number]>([
    ['a counter', () => counter(1e9), 1.2],
    ['folders named by hashes', (seed) => hashedFolders(1e8, seed), 1.5],
    ['days that grow', (seed) => days(1e8, seed), 2],
    ['one hot folder of three hundred', (seed) => oneHot(1e8, seed), 2.5],
    ['users of very unequal sizes', (seed) => users(1e8, 300, seed), 4],
  ])('%s: is cut by its places into shards of about as many keys', async (_name, layout, factor) => {
    const of = layout(7)
    const { windows } = await estimateOf(of, 7, { requests: 4_500, windows: 500 })
    const boundaries = boundariesOf(
      windows.map(({ range: { until = '' }, standsFor }) => ({ until, keys: standsFor })),
      SHARDS,
    )
    const ends = [0, ...boundaries.map((key) => of.count - keysBehind(of, key)), of.count]
    const sizes = ends.slice(1).map((end, at) => end - ends[at]!)
    expect(Math.max(...sizes)).toBeLessThan((of.count / SHARDS) * factor)
  })

  test('too few requests for an interval tell nothing', async () => {
    const list = (after: string | undefined): ReturnType<typeof Promise.resolve<ReturnType<typeof pageOf>>> =>
      Promise.resolve(pageOf(counter(1e8), after))
    const options = { ranges: [{}], requests: 30, windows: 5, atOnce: 4, random: randomFrom(1) }
    expect(await estimateKeys({ list, ...options })).toBeUndefined()
  })
})

test('what a listing fails with is what the estimate fails with', async () => {
  let listed = 0
  const list = (after: string | undefined): ReturnType<typeof Promise.resolve<ReturnType<typeof pageOf>>> =>
    ++listed > 20 ? Promise.reject(new Error('AccessDenied')) : Promise.resolve(pageOf(counter(1e8), after))
  const options = { ranges: [{}], requests: 500, windows: 5, atOnce: 4, random: randomFrom(1) }
  await expect(estimateKeys({ list, ...options })).rejects.toThrow('AccessDenied')
})
