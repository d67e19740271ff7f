import { expect, test } from 'vitest'
import { Budget } from '../../../../src/engine/session/budget.js'
import { CostReached } from '../../../../src/engine/session/stop-reason.js'

/** The errors after looks at these sums. */
function looks(most: number, sums: readonly number[]): unknown[] {
  const errors: unknown[] = []
  let at = 0
  const budget = new Budget({ most, spent: () => sums[at] ?? 0, fail: (error) => errors.push(error) })
  for (at = 0; at < sums.length; at++) budget.look()
  return errors
}

test('what was spent before the first look is no pace', () => {
  expect(looks(10, [9, 9, 9.2])).toEqual([])
})

test('a session is ended when as much again as was spent lately, three times, would be too much', () => {
  expect(looks(10, [0, 2, 4])).toEqual([])
  expect(looks(10, [0, 2, 4, 5.9])).toEqual([expect.any(CostReached)])
  expect(looks(10, [0, 3])).toEqual([expect.any(CostReached)])
})

test('a session that has nothing left to spend ends at the first look', () => {
  expect(looks(10, [10])).toEqual([expect.any(CostReached)])
})
