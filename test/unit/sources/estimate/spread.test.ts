import { expect, test } from 'vitest'
import { relativeDeviation, spreadOf } from '../../../../src/sources/estimate/spread.js'
import { randomFrom } from '../../../support/key-layouts.js'

test('draws that are all alike leave one percent', () => {
  expect(spreadOf([200, 200, 200, 200])).toEqual({
    mean: 200,
    low: expect.closeTo(198, 0) as number,
    high: expect.closeTo(202, 0) as number,
  })
})

test('draws of which some are far larger reach further up than down, and one alone does not make the mean', () => {
  const draws = Array.from({ length: 100 }, () => 100)
  const { mean, low, high } = spreadOf([...draws, 1_000_000])
  expect(low).toBeLessThan(mean / 4)
  expect(mean).toBeLessThan(2_000)
  expect(high).toBeGreaterThan(9_900)
})

test('of draws around a mean the interval has it nineteen times of twenty', () => {
  let inside = 0
  for (let seed = 0; seed < 400; seed++) {
    const random = randomFrom(seed)
    // Exponential, of mean 1.
    const { low, high } = spreadOf(Array.from({ length: 100 }, () => -Math.log(1 - random())))
    if (low <= 1 && 1 <= high) inside++
  }
  expect(inside / 400).toBeGreaterThan(0.94)
})

test('the deviation of a sum of parts is that of chance, not that of a trend', () => {
  expect(relativeDeviation([])).toBe(0)
  expect(relativeDeviation([0, 0])).toBe(0)
  expect(relativeDeviation(Array.from({ length: 100 }, (_, n) => 100 + n))).toBeLessThan(0.001)
  const random = randomFrom(7)
  // Of 400 numbers that are even in [0, 2): 1/sqrt(3)/20.
  expect(relativeDeviation(Array.from({ length: 400 }, () => 2 * random()))).toBeCloseTo(0.0289, 2)
})
