import { describe, expect, test } from 'vitest'
import { AnswerTimes } from '../../../../src/engine/session/answer-times.js'
import type { RunRequests } from '../../../../src/engine/session/rehearsal-requests.js'
import { timeOfRun, type TimedRun } from '../../../../src/engine/session/run-time.js'

const place = (bucket: string) => ({ bucket, prefix: '' })

const NONE: RunRequests = {
  ...{ begin: {}, lists: {}, looks: {}, writes: {}, beforeDeletions: {}, afterDeletions: {}, checksAtMost: {} },
}

/** A copy of 10,000 objects of 1,000 bytes, in 2 s listed, with answers in 20 ms. */
const COPY: TimedRun = {
  job: { kind: 'copy', source: place('a'), destination: place('b') },
  pace: { concurrency: 100, lanes: 16 },
  settings: { streamed: false },
  totals: { copied: 10_000, bytes: 10_000_000, skipped: {}, failed: {} },
  requests: { ...NONE, lists: { ListObjectsV2: 10 }, writes: { CopyObject: 10_000 } },
  elapsed: 500,
  answers: { ListObjectsV2: 20 },
  heldTo: undefined,
}

describe('the time of a run', () => {
  test('is that of its requests, over those in flight', () => {
    expect(timeOfRun(COPY)).toEqual({ ms: (10_000 * 20) / 100, by: 'requests', inFlight: 100, requestMs: 20 })
  })

  test('takes each operation as long as its answers took, and others as long as the slowest', () => {
    const looked = { ...COPY, answers: { ListObjectsV2: 40, HeadObject: 10 } }
    const requests = { ...COPY.requests, looks: { HeadObject: 10_000 } }
    expect(timeOfRun({ ...looked, requests })).toMatchObject({ ms: (10_000 * (40 + 10)) / 100, requestMs: 25 })
  })

  test('has no more in flight than there are objects', () => {
    const few = { ...COPY, totals: { ...COPY.totals, copied: 10 } }
    const requests = { ...NONE, writes: { CopyObject: 40 } }
    expect(timeOfRun({ ...few, requests, elapsed: 0 })).toMatchObject({ ms: (40 * 20) / 10, inFlight: 10 })
  })

  test('is no less than the listing takes', () => {
    expect(timeOfRun({ ...COPY, elapsed: 5_000 })).toMatchObject({ ms: 5_000, by: 'listing' })
  })

  test('is that of the rate to which the store held the rehearsal', () => {
    expect(timeOfRun({ ...COPY, heldTo: 1_000 })).toMatchObject({ ms: 10_000, by: 'throttle', rate: 1_000 })
  })

  test('of content that passes through this machine is told by --bandwidth alone', () => {
    const streamed = { ...COPY, settings: { streamed: true } }
    expect(timeOfRun(streamed)).toBeUndefined()
    const pace = { ...COPY.pace, bandwidth: 1_000_000 }
    expect(timeOfRun({ ...streamed, pace })).toMatchObject({ ms: 10_000, by: 'bandwidth', rate: 1_000_000 })
  })

  test('of deletions goes by requests of a thousand, ten at once', () => {
    const job = { kind: 'delete' as const, source: place('a') }
    const totals = { copied: 0, bytes: 0, deleted: 100_000, freed: 1, skipped: {}, failed: {} }
    const requests = { ...NONE, writes: { DeleteObjects: 100 }, afterDeletions: { ListObjectsV2: 100 } }
    const time = timeOfRun({ ...COPY, job, totals, requests, elapsed: 0, pace: { concurrency: 10_000, lanes: 8 } })
    expect(time).toMatchObject({ ms: (200 * 20) / 10, by: 'requests' })
  })

  test('is not told of nothing to do, nor where no answer was timed', () => {
    expect(timeOfRun({ ...COPY, totals: { copied: 0, bytes: 0, skipped: {}, failed: {} } })).toBeUndefined()
    expect(timeOfRun({ ...COPY, answers: {} })).toBeUndefined()
  })
})

test('answers that waited for others do not make what is usual slower', () => {
  const times = new AnswerTimes()
  for (let i = 0; i < 20; i++) times.add('ListObjectsV2', 30)
  for (let i = 0; i < 80; i++) times.add('ListObjectsV2', 900)
  times.add('HeadObject', 7)
  expect(times.usual()).toEqual({ ListObjectsV2: 30, HeadObject: 7 })
})
