import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Group } from '../../../src/job/usage.js'
import { forecast, growthOf } from '../../../src/report/growth.js'

const DAY = 86_400_000
const dayName = (at: number): string => new Date(Date.UTC(2026, 0, 1) + at * DAY).toISOString().slice(0, 10)

/** The days of a bucket from the first of 2026 on: objects and bytes of each; days without any are in no listing. */
const daysOf = (amounts: readonly number[], size = 10): Group[] =>
  amounts.flatMap((n, at): Group[] => (n === 0 ? [] : [[dayName(at), n, n * size]]))
const total = (amounts: readonly number[], size = 10) => {
  const objects = amounts.reduce((sum, n) => sum + n, 0)
  return { objects, bytes: objects * size }
}

describe('the growth a day', () => {
  test('is the average over whole days, those without any among them, and today is none yet', () => {
    const growth = growthOf(
      [...daysOf([8, 0, 0, 4]), [dayName(4), 1000, 1000], ['unknown', 7, 7]],
      total([12]),
      dayName(4),
    )
    expect(growth).toEqual({
      ...{ from: '2026-01-01', until: '2026-01-04', perDay: { objects: 3, bytes: 30 } },
      late: { days: 4, perDay: { objects: 3, bytes: 30 } },
      forecasts: [],
    })
  })

  test('of late is that of the last 90 days', () => {
    const amounts = [...Array.from({ length: 100 }, () => 5), ...Array.from({ length: 90 }, () => 2)]
    const growth = growthOf(daysOf(amounts), total(amounts), dayName(190))
    expect(growth?.late).toEqual({ days: 90, perDay: { objects: 2, bytes: 20 } })
    expect(growth?.perDay.objects).toBeCloseTo(680 / 190)
  })

  test('is not known where no whole day has any', () => {
    expect(growthOf([], { objects: 0, bytes: 0 }, dayName(3))).toBeUndefined()
    expect(
      growthOf(
        [
          ['unknown', 1, 1],
          [dayName(3), 1, 1],
          [dayName(9), 1, 1],
        ],
        total([3]),
        dayName(3),
      ),
    ).toBeUndefined()
  })
})

describe('a forecast', () => {
  test('is refused before ten days, and made from then on', () => {
    const at = (days: number) => growthOf(daysOf([1]), total([1]), dayName(days))?.forecasts.map((one) => one.days)
    expect([at(9), at(10)]).toEqual([[], [30, 365]])
  })

  test('is exact, and without an error, where each day brings the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 400 }), fc.integer({ min: 1, max: 1e6 }), (days, each) => {
        const amounts = Array.from({ length: days }, () => each)
        const now = total(amounts)
        for (const { days: ahead, objects, bytes } of growthOf(daysOf(amounts), now, dayName(days))!.forecasts) {
          const [then, thenBytes] = [now.objects + each * ahead, now.bytes + each * ahead * 10]
          expect([objects, bytes]).toEqual([
            { estimate: then, low: then, high: then },
            { estimate: thenBytes, low: thenBytes, high: thenBytes },
          ])
        }
      }),
    )
  })

  test('is never less than what is there, and has its estimate within its range', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1e9), { minLength: 10, maxLength: 90 }), fc.nat(1e12), (found, now) => {
        const { estimate, low, high } = forecast(now, found, found.length, 30)
        expect(low).toBeGreaterThanOrEqual(now)
        expect(low).toBeLessThanOrEqual(estimate)
        expect(estimate).toBeLessThanOrEqual(high)
      }),
    )
  })

  test.each([
    [10, 30],
    [90, 30],
    [90, 365],
  ])('from %i days for %i has 19 of 20 in its range, where days differ by chance', (days, ahead) => {
    const random = uniform(7)
    // The sum of twelve is all but normal.
    const day = (): number => 1_000 + 100 * (Array.from({ length: 12 }, random).reduce((sum, one) => sum + one, 0) - 6)
    const trials = 4_000
    let within = 0
    for (let trial = 0; trial < trials; trial++) {
      const { low, high } = forecast(0, Array.from({ length: days }, day), days, ahead)
      const truth = Array.from({ length: ahead }, day).reduce((sum, one) => sum + one, 0)
      if (truth >= low && truth <= high) within++
    }
    expect(within / trials).toBeGreaterThan(0.935)
    expect(within / trials).toBeLessThan(0.965)
  })
})

// Numbers in [0, 1) that are the same each time (mulberry32).
function uniform(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
