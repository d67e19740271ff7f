import fc from 'fast-check'
import { expect, test } from 'vitest'
import { percentilesOf } from '../../../src/probe/percentiles.js'

const many = (n: number) => Array.from({ length: n }, (_, at) => at + 1)

test('percentiles are told by the nearest rank', () => {
  expect(percentilesOf(many(1000).reverse())).toEqual({ p50: 500, p90: 900, p99: 990, p999: 999 })
})

test.each([
  [0, []],
  [1, []],
  [2, ['p50']],
  [9, ['p50']],
  [10, ['p50', 'p90']],
  [99, ['p50', 'p90']],
  [100, ['p50', 'p90', 'p99']],
  [999, ['p50', 'p90', 'p99']],
  [1000, ['p50', 'p90', 'p99', 'p999']],
])('of %i numbers no percentile is told that so few cannot tell', (n, told) => {
  expect(Object.keys(percentilesOf(many(n)))).toEqual(told)
})

test('each percentile is one of the numbers, and so many of them are no larger', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { maxLength: 1500 }), (numbers) => {
      const told = percentilesOf(numbers)
      for (const [name, share] of [
        ['p50', 0.5],
        ['p90', 0.9],
        ['p99', 0.99],
        ['p999', 0.999],
      ] as const) {
        const value = told[name]
        if (value === undefined) continue
        expect(numbers).toContain(value)
        expect(numbers.filter((one) => one <= value).length).toBeGreaterThanOrEqual(numbers.length * share)
        expect(numbers.filter((one) => one < value).length).toBeLessThan(numbers.length * share)
      }
    }),
  )
})
