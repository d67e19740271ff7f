import { expect, test } from 'vitest'
import type { MeasuredRequests, Sweep } from '../../../src/job/probed.js'
import { adviceOf } from '../../../src/probe/advice.js'

const MIB = 1024 * 1024

function sweptAt(ms: number, more: Partial<Sweep> = {}): Sweep {
  const level = { requests: 100, refused: 0, failed: 0, busy: 0.1, whole: { p50: ms } }
  const levels = [1, 2, 4].map((concurrency) => ({ ...level, concurrency, perSecond: (concurrency * 1000) / ms }))
  return { operation: 'HeadObject', levels, ended: 'refusals', ...more }
}

const listed: MeasuredRequests = {
  operation: 'ListObjectsV2',
  samples: 100,
  whole: { p50: 100 },
  bytes: 300_000,
  failed: {},
}

test('so many at once as the rate that a store bears takes, and a fifth more', () => {
  expect(adviceOf([listed], [sweptAt(50, { limit: 1000 })]).concurrency).toBe(60)
})

test('of HEAD and COPY it is COPY that decides about copies', () => {
  const sweeps = [sweptAt(10, { limit: 5000 }), sweptAt(40, { operation: 'CopyObject', limit: 500 })]
  expect(adviceOf([], sweeps).concurrency).toBe(24)
})

test('where copies were refused to these credentials, HEAD decides', () => {
  const failed = sweptAt(40, { operation: 'CopyObject', ended: 'failures' })
  const { concurrency, reasons } = adviceOf([], [sweptAt(50, { limit: 1000 }), failed])
  expect(concurrency).toBe(60)
  expect(reasons.join()).not.toContain('CopyObject')
})

test('where answers wait for each other, as many at once as the best rate took', () => {
  const level = { requests: 100, refused: 0, failed: 0, busy: 0.1 }
  const levels = [
    { ...level, concurrency: 1, perSecond: 140, whole: { p50: 5 } },
    { ...level, concurrency: 2, perSecond: 212, whole: { p50: 8 } },
    { ...level, concurrency: 4, perSecond: 270, whole: { p50: 13 } },
  ]
  expect(adviceOf([], [sweptAt(5, { levels, limit: 270, ended: 'knee' })]).concurrency).toBe(4)
})

test('no concurrency follows where no limit was found, and that is said', () => {
  const { concurrency, reasons } = adviceOf([listed], [sweptAt(50, { ended: 'requests' })])
  expect(concurrency).toBeUndefined()
  expect(reasons[0]).toBe('concurrency: no limit up to 80 HeadObject requests a second, 4 at once; the default stands')
})

test('so many lanes that their listing keeps up with the rate, and never fewer than by default', () => {
  expect(adviceOf([listed], [sweptAt(10, { limit: 400 })]).lanes).toBe(16)
  expect(adviceOf([{ ...listed, whole: { p50: 4000 } }], [sweptAt(10, { limit: 10_000 })]).lanes).toBe(48)
})

test('a part is so large that its first byte takes a tenth of the time at most', () => {
  const row = (bytesPerSecond: number): MeasuredRequests => ({
    ...{ operation: 'GetObject', sizes: { from: MIB }, samples: 20, whole: { p50: 100 }, bytes: 8 * MIB, failed: {} },
    ...{ firstByte: { p50: 40 }, bytesPerSecondAfterFirst: bytesPerSecond },
  })
  expect(adviceOf([row(50 * MIB)], []).partSize).toBe(32 * MIB)
  expect(adviceOf([row(MIB)], []).partSize).toBe(8 * MIB)
  expect(adviceOf([listed], []).partSize).toBeUndefined()
})
