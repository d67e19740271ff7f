import { describe, expect, test } from 'vitest'
import { Standstill } from '../../../../src/commands/run/standstill.js'
import type { Snapshot } from '../../../../src/job/events.js'
import { noTotals } from '../../../../src/job/totals.js'

const MINUTE = 60_000
const SNAPSHOT: Snapshot = {
  ...{ totals: noTotals(), listed: 7, listingEnded: false, inFlight: 0, throttled: 0, retried: 0, requests: {} },
  ...{ settledHere: 0, elapsed: 0 },
}

/** Whether a session stands still that has told the same for so many minutes, each time with `last`. */
function afterMinutes(minutes: number, last: Partial<Snapshot> = {}, first: Partial<Snapshot> = last): boolean {
  const standstill = new Standstill()
  standstill.event({ type: 'progress', snapshot: { ...SNAPSHOT, ...first } }, 0)
  for (let at = 1; at <= minutes * 60; at++) {
    standstill.event({ type: 'progress', snapshot: { ...SNAPSHOT, ...last, elapsed: at * 1000 } }, at * 1000)
  }
  return standstill.isStill(minutes * MINUTE)
}

describe('a session', () => {
  test('stands still when nothing has moved for ten minutes, and nothing is in flight', () => {
    expect([afterMinutes(9), afterMinutes(10)]).toEqual([false, true])
  })

  test.each<[string, Partial<Snapshot>]>([
    ['has objects in flight', { inFlight: 1 }],
    ['waits to try some again', { waiting: { objects: 1, errors: {} } }],
    ['is paused as nearly all fail alike', { paused: 'SlowDown' }],
  ])('that %s does not', (_, snapshot) => {
    expect(afterMinutes(30, snapshot)).toBe(false)
  })

  test('that waited has ten minutes from then on', () => {
    const standstill = new Standstill()
    const told = (minute: number, inFlight: number): boolean => {
      standstill.event({ type: 'progress', snapshot: { ...SNAPSHOT, inFlight } }, minute * MINUTE)
      return standstill.isStill(minute * MINUTE)
    }
    expect([told(0, 1), told(20, 1), told(29, 0), told(30, 0)]).toEqual([false, false, false, true])
  })

  test('that is refused, tries again or lists moves', () => {
    for (const moved of [{ throttled: 1 }, { retried: 1 }, { listed: 8 }, { requests: { ListObjectsV2: 1 } }]) {
      const standstill = new Standstill()
      standstill.event({ type: 'progress', snapshot: SNAPSHOT }, 0)
      standstill.event({ type: 'progress', snapshot: { ...SNAPSHOT, ...moved } }, 9 * MINUTE)
      standstill.event({ type: 'progress', snapshot: { ...SNAPSHOT, ...moved } }, 18 * MINUTE)
      expect(standstill.isStill(18 * MINUTE)).toBe(false)
    }
  })

  test('that tells nothing, as before its start and after its end, is not known to stand still', () => {
    const standstill = new Standstill()
    expect(standstill.isStill(60 * MINUTE)).toBe(false)
    standstill.event({ type: 'progress', snapshot: SNAPSHOT }, 0)
    expect(standstill.isStill(60 * MINUTE)).toBe(false)
  })
})
