import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AdaptiveTimeout } from '../../../../src/storage/s3/adaptive-timeout.js'

const MINUTE = 60_000

/** A patience that has seen so many answers, each after so many milliseconds. */
function seasoned(ms: number, answers = 2_000): AdaptiveTimeout {
  const patience = new AdaptiveTimeout(MINUTE)
  for (let i = 0; i < answers; i++) patience.answered(`k${i}`, ms, 0)
  return patience
}

describe('how long an answer is waited for', () => {
  test('is five seconds at first, when nothing is known of the server, and twice that for what was given up', () => {
    const patience = new AdaptiveTimeout(MINUTE)
    expect([patience.ms, new AdaptiveTimeout(3_000).ms]).toEqual([5_000, 3_000])
    patience.gaveUp('k')
    expect(patience.for('k', 0).ms).toBeGreaterThanOrEqual(10_000)
    // And for everything when nothing is ever answered in that time.
    for (let i = 0; i < 10; i++) patience.gaveUp(`k${i}`)
    expect(patience.ms).toBe(MINUTE)
  })

  test('is a second once answers come at once, and twenty times what nearly all of them take when they are slower', () => {
    expect(seasoned(20).ms).toBe(1_000)
    expect(seasoned(200).ms).toBeGreaterThan(2_500)
    expect(seasoned(200).ms).toBeLessThan(8_000)
  })

  test('is five seconds at least for the first request of a connection, and never more than the most', () => {
    const patience = seasoned(20)
    expect([patience.first, patience.for('k', 10).first]).toEqual([5_000, 5_010])
    const short = new AdaptiveTimeout(3_000)
    for (let i = 0; i < 2_000; i++) short.answered(`k${i}`, 20, 0)
    expect([short.ms, short.first]).toEqual([1_000, 3_000])
    expect(seasoned(1_000).first).toBe(seasoned(1_000).ms)
  })

  test('stays short when one request in fifty is never answered, and is the most again when all become slow', () => {
    const patience = seasoned(20)
    for (let i = 0; i < 5_000; i++) {
      if (i % 50 === 0) patience.gaveUp(`late${i}`)
      else patience.answered(`k${i}`, 20, 0)
    }
    expect(patience.ms).toBeLessThan(2_000)
    for (let i = 0; i < 150; i++) for (let times = 0; times < 3; times++) patience.gaveUp(`slow${i}`)
    expect(patience.ms).toBe(MINUTE)
  })

  test('stays short when the requests that hang are all that is left at the end, or come all at once, some of them twice', () => {
    const patience = seasoned(20, 20_000)
    for (let i = 0; i < 600; i++) patience.gaveUp(`hung${i}`)
    for (let i = 0; i < 12; i++) patience.gaveUp(`hung${i}`)
    expect(patience.ms).toBe(1_000)
  })

  test('stays short when slow answers come together at the end, and follows a server that has become slow', () => {
    const patience = seasoned(20, 20_000)
    for (let i = 0; i < 200; i++) patience.answered(`slow${i}`, 600, 0)
    expect(patience.ms).toBe(1_000)
    for (let i = 0; i < 2_000; i++) patience.answered(`slow${i}`, 600, 0)
    expect(patience.ms).toBeGreaterThan(10_000)
    expect(patience.ms).toBeLessThan(20_000)
    for (let i = 0; i < 20_000; i++) patience.answered(`k${i}`, 20, 0)
    expect(patience.ms).toBe(1_000)
  })

  test('is the most when one request hangs again and again, or all that are under way do so twice', () => {
    const slow = seasoned(20)
    for (let i = 0; i < 20; i++) slow.gaveUp('slow')
    expect(slow.ms).toBe(MINUTE)
    const all = seasoned(20, 1_000_000)
    for (let times = 0; times < 2; times++) for (let i = 0; i < 256; i++) all.gaveUp(`hung${i}`)
    expect(all.ms).toBe(MINUTE)
  })

  test('is twice as long for a request each time it was given up, so that a slow object is done in the end', () => {
    const patience = seasoned(20)
    const waits = [0, 1, 2, 3, 4, 5, 6, 7].map(() => {
      const { ms } = patience.for('slow', 0)
      patience.gaveUp('slow')
      for (let i = 0; i < 100; i++) patience.answered(`k${i}`, 20, 0)
      return ms
    })
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, MINUTE, MINUTE])
    patience.answered('slow', 10, 0)
    expect(patience.for('slow', 0).ms).toBe(1_000)
  })

  test('is five seconds at least after a first answer that came at once, which may have been an easy one', () => {
    expect(seasoned(2, 1).ms).toBeGreaterThan(4_500)
    expect(seasoned(2, 1).ms).toBeLessThan(5_500)
    expect(seasoned(2, 21).ms).toBe(1_000)
    expect(seasoned(2, 10).ms).toBeGreaterThan(1_500)
    expect(seasoned(100, 1).ms).toBeGreaterThan(7_000)
    expect(seasoned(100, 1).ms).toBeLessThan(8_500)
    expect(seasoned(MINUTE, 1).ms).toBe(MINUTE)
  })

  test('begins with what another one has learned, if that has seen an answer', () => {
    expect(new AdaptiveTimeout(MINUTE).learned).toBeUndefined()
    const late = new AdaptiveTimeout(MINUTE)
    late.gaveUp('k')
    expect(late.learned).toBeUndefined()
    const { learned, ms } = seasoned(200)
    expect(new AdaptiveTimeout(MINUTE, learned).ms).toBe(ms)
    // And a first answer means no more to it than any other.
    const heir = new AdaptiveTimeout(MINUTE, learned)
    heir.answered('k', 1, 0)
    expect(heir.ms).toBeGreaterThan(0.97 * ms)
  })

  test('is five times as long until all of an answer has come, but not for what is read, which is asked for anew after five seconds', () => {
    const copied = seasoned(20)
    expect(copied.whole).toBe(5_000)
    expect(copied.for('k', 1_000).whole).toBe(10_000)
    copied.gaveUp('slow')
    expect(copied.for('slow', 0).whole).toBe(10_000)

    const read = new AdaptiveTimeout(MINUTE, undefined, true)
    const wholes = [0, 1, 2, 3, 4].map(() => {
      const { whole } = read.for('slow', 0)
      read.gaveUp('slow')
      // What comes at once elsewhere keeps the estimate where it is.
      for (let i = 0; i < 100; i++) read.answered(`k${i}`, 240, 0)
      return whole
    })
    expect(wholes[0]).toBe(5_000)
    expect(wholes[1]).toBeLessThan(11_000)
    // On a line that is as slow as that it comes in the end.
    for (let i = 0; i < 8; i++) read.gaveUp('slow')
    expect(read.for('slow', 0).whole).toBe(5 * MINUTE)
    const learned = new AdaptiveTimeout(MINUTE, seasoned(20).learned, true)
    expect([learned.ms, learned.whole]).toEqual([1_000, 5_000])
  })

  test('has the time on top that the bytes of a copy need, and never more than the most besides', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.boolean(), fc.nat(100_000)), { maxLength: 300 }),
        fc.nat(1e6),
        (history, extra) => {
          const patience = new AdaptiveTimeout(MINUTE)
          for (const [late, ms] of history) {
            if (late) patience.gaveUp('k')
            else patience.answered('k', ms, 0)
          }
          const { ms } = patience.for('k', extra)
          expect(ms).toBeGreaterThanOrEqual(1_000 + extra)
          expect(ms).toBeLessThanOrEqual(MINUTE + extra)
        },
      ),
    )
  })
})
