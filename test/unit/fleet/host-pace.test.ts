import { expect, test } from 'vitest'
import { HostPace } from '../../../src/fleet/host-pace.js'

test('a rate is of the last five seconds, or since the host joined', () => {
  const pace = new HostPace(1_000)
  expect(pace.perSecond(1_000)).toBe(0)
  pace.add(100, 2_000)
  expect(pace.perSecond(2_000)).toBe(100)
  for (let at = 3_000; at <= 20_000; at += 1_000) pace.add(200, at)
  expect(pace.perSecond(21_000)).toBe(200)
  expect(pace.settled).toBe(3_700)
})

test('one that settles nothing any more has none', () => {
  const pace = new HostPace(0)
  pace.add(5_000, 4_999)
  expect(pace.perSecond(7_500)).toBe(500)
  expect(pace.perSecond(10_000)).toBe(0)
  expect(pace.perSecond(60_000)).toBe(0)
  expect(pace.settled).toBe(5_000)
})
