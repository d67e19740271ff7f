import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { aboutLeft, aboutShare, TimeLeft, type Standing } from '../../../src/report/time-left.js'

const HOUR = 3_600_000

/** Looks four times a second, from the start on, as a run does. */
function outlookAt(seconds: number, at: (seconds: number) => Partial<Standing>) {
  const timeLeft = new TimeLeft()
  for (let second = 0.25; second < seconds; second += 0.25) timeLeft.look(standing(second, at(second)))
  return timeLeft.look(standing(seconds, at(seconds)))
}

function standing(seconds: number, changes: Partial<Standing>): Standing {
  const done = seconds * 100
  return { expected: undefined, done, doneHere: done, elapsed: seconds * 1000, perSecond: 100, ...changes }
}

const estimated = (objects: number): Partial<Standing> => ({ expected: { objects, told: false } })

describe('what is left', () => {
  test('is told at once of a total that somebody has told', () => {
    expect(outlookAt(1, () => ({ expected: { objects: 10_000, told: true } }))).toEqual({ share: 0.01, left: 99_000 })
  })

  test('is not told of an estimate before it has been steady for twenty seconds', () => {
    expect(outlookAt(19, () => estimated(10_000))).toBeUndefined()
    expect(outlookAt(21, () => estimated(10_000))).toEqual({ share: 0.21, left: 79_000 })
    // It grew tenfold, and then stayed.
    const grown = (second: number): Partial<Standing> => estimated(second < 30 ? 10_000 : 100_000)
    expect(outlookAt(40, grown)).toBeUndefined()
    expect(outlookAt(51, grown)).toEqual({ share: 0.051, left: 949_000 })
  })

  test('is told by the largest of the latest estimates, at the lower of two rates', () => {
    const falling = (second: number): Partial<Standing> => ({ ...estimated(12_000 - second * 40), perSecond: 1000 })
    const { share, left } = outlookAt(40, falling)!
    expect(share).toBeCloseTo(4000 / 11_200, 10)
    expect(left).toBeCloseTo(72_000, 0)
  })

  test('is never all, and takes no time when nothing moves', () => {
    expect(outlookAt(30, () => estimated(3000))).toEqual({ share: 0.99 })
    expect(outlookAt(30, () => ({ ...estimated(30_000), perSecond: 0 }))).toEqual({ share: 0.1 })
  })

  test('is never less than by any estimate of the last twenty seconds', () => {
    const estimates = fc.array(fc.integer({ min: 5000, max: 6000 }), { minLength: 100, maxLength: 200 })
    fc.assert(
      fc.property(estimates, (all) => {
        const outlook = outlookAt(all.length / 4, (second) => estimated(all[second * 4 - 1]!))
        const least = Math.max(...all.slice(-80)) - (all.length / 4) * 100
        expect(outlook?.left).toBeGreaterThanOrEqual((least * 1000) / 100 - 1)
      }),
    )
  })
})

test('it is said as something about which nobody is certain', () => {
  expect(aboutShare({ share: 0.129 })).toBe('about 12%')
  expect([45_200, 100_000, 0.5 * HOUR, 21 * HOUR, 49 * HOUR].map(aboutLeft)).toEqual([
    'about 46 s left',
    'about 1 min 40 s left',
    'about 30 min left',
    'about 21 h left',
    'about 3 d left',
  ])
})
