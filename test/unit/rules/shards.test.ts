import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareKeys, contains } from '../../../src/keys.js'
import { rangesOf, selector } from '../../../src/rules/selection.js'
import { boundariesOf, gapBetween, rangesOfShard, shardOf } from '../../../src/rules/shards.js'

const key = fc.string({ unit: 'binary', maxLength: 4 })
const sortedKeys = fc.uniqueArray(key, { maxLength: 60 }).map((keys) => keys.sort(compareKeys))
const many = fc.integer({ min: 1, max: 20 })

const cut = (keys: readonly string[], shards: number): readonly string[] =>
  boundariesOf(
    keys.map((until) => ({ until, keys: 1 })),
    shards,
  )
const all = (boundaries: readonly string[]): ReturnType<typeof shardOf>[] =>
  Array.from({ length: boundaries.length + 1 }, (_, at) => shardOf(boundaries, at + 1))

describe('shards', () => {
  test('have every key once between them, those that were there when they were cut and any other', () => {
    fc.assert(
      fc.property(sortedKeys, fc.array(key), many, (keys, others, n) => {
        const shards = all(cut(keys, n))
        expect(shards).toHaveLength(n)
        expect(gapBetween(shards)).toBeUndefined()
        for (const one of [...keys, ...others]) {
          const holding = shards.filter((shard) => rangesOfShard(shard).some((range) => contains(range, one)))
          expect(holding).toHaveLength(1)
        }
      }),
    )
  })

  test('list and select the same keys of a job, whatever else it selects by: each key that the job is for once', () => {
    fc.assert(
      fc.property(sortedKeys, fc.array(key), key, many, (keys, others, prefix, n) => {
        const limits = { after: `${prefix}b`, until: `${prefix}y` }
        const ofAll = selector(limits, prefix)
        for (const name of [...keys, ...others]) {
          const object = { key: name, size: 1, lastModified: '2026-01-01T00:00:00.000Z', storageClass: 'STANDARD' }
          const holding = all(cut(keys, n)).filter((shard) => {
            const select = { ...limits, shard }
            const isSelected = selector(select, prefix)(object)
            expect(isSelected).toBe(rangesOf(select, prefix).some((range) => contains(range, name)))
            return isSelected
          })
          expect(holding).toHaveLength(ofAll(object) ? 1 : 0)
        }
      }),
    )
  })

  test('have as many keys as each other, give or take one, where all keys are known', () => {
    fc.assert(
      fc.property(sortedKeys, many, (keys, n) => {
        const sizes = all(cut(keys, n)).map(
          (shard) => keys.filter((one) => rangesOfShard(shard).some((range) => contains(range, one))).length,
        )
        expect(Math.max(...sizes)).toBeLessThanOrEqual(Math.ceil(keys.length / n))
      }),
    )
  })

  test('are as many as were asked for, some of them empty, where there are fewer keys', () => {
    const shards = all(cut(['a', 'b'], 5))
    expect(shards.map((shard) => rangesOfShard(shard))).toEqual([
      [{ until: 'a' }],
      [],
      [{ after: 'a', until: 'b' }],
      [],
      [{ after: 'b' }],
    ])
    expect(all(cut([], 3)).map((shard) => rangesOfShard(shard))).toEqual([[{ until: '' }], [], [{ after: '' }]])
  })

  test('are told apart by their sharing when they were cut elsewhere, and have the same when not', () => {
    const [one, other, third] = [shardOf(['a', 'm'], 1), shardOf(['a', 'm'], 3), shardOf(['a', 'n'], 1)]
    expect(one.sharing).toMatch(/^[0-9a-f]{16}$/)
    expect(other.sharing).toBe(one.sharing)
    // What it ends with is the same.
    expect([third.until, third.sharing === one.sharing]).toEqual([one.until, false])
  })
})

describe('what is no sharing of all keys', () => {
  const [a, b, c] = all(['g', 'p']) as [
    ReturnType<typeof shardOf>,
    ReturnType<typeof shardOf>,
    ReturnType<typeof shardOf>,
  ]

  test.each([
    ['one is not there', [a, c]],
    ['one is there twice', [a, a, c]],
    ['keys lie between two', [a, { ...b, after: 'h' }, c]],
    ['two overlap', [a, b, { ...c, after: 'o' }]],
    ['the first begins somewhere', [{ ...a, after: 'a' }, b, c]],
    ['the last ends somewhere', [a, b, { ...c, until: 'z' }]],
    [
      'one ends before it begins',
      [
        { ...a, until: 'p' },
        { ...b, after: 'p', until: 'g' },
        { ...c, after: 'g' },
      ],
    ],
    ['one that is not the last has no end', [{ ...a, until: undefined }, { ...b, after: undefined }, c]],
  ])('is not taken for one: %s', (_what, shards) => {
    expect(gapBetween(shards as typeof shards & readonly ReturnType<typeof shardOf>[])).toMatch(/shard/)
  })
})
