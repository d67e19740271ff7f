import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RateSample } from '../../../../src/checkpoint/checkpoint.js'
import { rateCharts, ratesOf } from '../../../../src/report/pages/run-rates.js'

const sample = (seconds: number, more: Partial<RateSample> = {}): RateSample => ({
  ...{ activeMs: seconds * 1000, settled: 0, bytes: 0, throttled: 0 },
  ...more,
})

/** Samples of one session: time passes, and what is counted never becomes less. */
const histories = fc
  .array(fc.record({ ms: fc.integer({ min: 1, max: 1e6 }), objects: fc.nat(1e6), bytes: fc.nat(1e9) }), {
    minLength: 1,
    maxLength: 120,
  })
  .map((steps) => {
    let [at, settled, bytes] = [0, 0, 0]
    return steps.map(({ ms, objects, bytes: size }): RateSample => {
      ;[at, settled, bytes] = [at + ms, settled + objects, bytes + size]
      return { activeMs: at, settled, bytes, throttled: settled }
    })
  })

describe('rates over time', () => {
  test('are for so few parts as are wanted, and make up all that was done from the first one on', () => {
    fc.assert(
      fc.property(histories, fc.integer({ min: 1, max: 30 }), (history, most) => {
        const rows = ratesOf(history, most)
        expect(rows.length).toBeLessThanOrEqual(most)
        if (rows.length === 0) {
          expect(history).toHaveLength(1)
          return
        }
        expect(rows.at(-1)?.activeMs).toBe(history.at(-1)?.activeMs)
        const step = Math.max(1, Math.ceil((history.length - 1) / most))
        const first = history[(history.length - 1) % step]!
        let before = first.activeMs
        let done = 0
        for (const { activeMs, objects } of rows) {
          done += (objects * (activeMs - before)) / 1000
          before = activeMs
        }
        expect(done).toBeCloseTo(history.at(-1)!.settled - first.settled, 2)
      }),
    )
  })

  test('are none, and never below, where failures are tried again and the total falls', () => {
    const [row] = ratesOf([sample(10, { settled: 1_000_000 }), sample(20, { settled: 999_990 })], 10)
    expect(row?.objects).toBe(0)
  })

  test('of what a session counts from zero go on with the next session', () => {
    const charts = rateCharts([sample(10, { retried: 500 }), sample(20, { retried: 500 }), sample(30, { retried: 30 })])
    expect(charts).toMatch(/<figcaption>requests sent again a second: 3\.0\/s/)
  })

  test('are charts of what there was: objects always, anything else where there is some', () => {
    const titles = (history: RateSample[]): string[] =>
      [...rateCharts(history).matchAll(/<figcaption>([^:]*):/g)].map(([, title = '']) => title)
    expect(rateCharts([])).toBe('')
    expect(rateCharts([sample(1), sample(2)])).toBe('')
    expect(titles([sample(1), sample(2), sample(3)])).toEqual(['objects a second'])
    const all = { settled: 9, bytes: 9, throttled: 9, inFlight: 9, retried: 9, failed: 9 }
    expect(
      titles([sample(1), sample(2, { inFlight: 1, retried: 0, failed: 0 }), sample(3, all), sample(4, all)]),
    ).toEqual([
      ...['objects a second', 'bytes a second', 'in flight', 'throttled a second'],
      ...['requests sent again a second', 'failed'],
    ])
  })
})
