import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareKeys, contains } from '../../../src/keys.js'
import { cutAt, EVERYTHING, intersection, union } from '../../../src/rules/ranges.js'

const key = fc.string({ unit: 'binary', maxLength: 3 })

test('ranges that are cut hold each key that they held, once, in order, whatever the marks are', () => {
  fc.assert(
    fc.property(fc.array(key), fc.array(fc.tuple(key, key)), fc.array(key), (marks, ends, keys) => {
      const ranges = ends
        .map(([a, b]) => (compareKeys(a, b) < 0 ? { after: a, until: b } : { after: b, until: a }))
        .reduce((all, one) => union(all, [one]), intersection(EVERYTHING, [{ until: '' }]))
      for (const whole of [EVERYTHING, ranges]) {
        const cut = cutAt(whole, marks)
        for (const one of [...keys, ...marks]) {
          const holding = (some: typeof whole): number => some.filter((range) => contains(range, one)).length
          expect(holding(cut)).toBe(holding(whole))
        }
        for (const [at, { until }] of cut.entries()) {
          const after = cut[at + 1]?.after
          if (until !== undefined && after !== undefined) expect(compareKeys(until, after)).toBeLessThanOrEqual(0)
        }
      }
    }),
  )
})

test('each mark within is the end of a range', () => {
  expect(cutAt(EVERYTHING, ['m', 'b'])).toEqual([{ until: 'b' }, { after: 'b', until: 'm' }, { after: 'm' }])
  expect(cutAt([{ after: 'b', until: 'm' }], ['a', 'b', 'c', 'm', 'z'])).toEqual([
    { after: 'b', until: 'c' },
    { after: 'c', until: 'm' },
  ])
})
