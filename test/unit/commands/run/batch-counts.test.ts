import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { BatchState } from '../../../../src/checkpoint/batch-state.js'
import { BatchCounts } from '../../../../src/commands/run/batch-counts.js'
import { NOT_FOR_BATCH, type Failure } from '../../../../src/job/outcome.js'
import { noTotals } from '../../../../src/job/totals.js'
import type { SetHeadersJob } from '../../../../src/job/set-headers.js'

const job: SetHeadersJob = {
  ...{ kind: 'set-headers', source: { bucket: 'a', prefix: '' } },
  ...{ rules: [{ set: [['cache-control', 'x']], remove: [] }], folderMarkers: false },
}
const batch: BatchState = {
  ...{ id: 'i', account: '123456789012', role: 'r', manifests: { bucket: 'own', prefix: '' } },
  ...{ rowsAJob: 1000, planned: false, confirmed: false, jobs: [] },
}
const object = { key: 'k', size: 5, etag: 'e', lastModified: '2026-01-01T00:00:00.000Z' }
const failure: Failure = {
  ...{ key: 'k', operation: 'HeadObject', message: 'no', attempts: 1, time: '2026-01-02T00:00:00.000Z' },
  code: '',
}

const event = fc.oneof(
  fc.record({ kind: fc.constant('planned' as const), storageClass: fc.constantFrom('STANDARD', 'STANDARD_IA') }),
  fc.record({ kind: fc.constant('left' as const), reason: fc.constantFrom('too large', '__proto__') }),
  fc.record({ kind: fc.constant('skipped' as const), reason: fc.constantFrom('unchanged' as const, 'gone' as const) }),
  fc.record({ kind: fc.constant('failed' as const), code: fc.constantFrom('AccessDenied', 'constructor') }),
  fc.constant({ kind: 'filtered' as const }),
)
type Event = typeof event extends fc.Arbitrary<infer E> ? E : never

function count(counts: BatchCounts, events: readonly Event[]): void {
  for (const one of events) {
    if (one.kind !== 'filtered') counts.see(1)
    if (one.kind === 'planned') counts.plans({ ...object, storageClass: one.storageClass }, { CopyObject: 1 })
    if (one.kind === 'left') counts.leave(one.reason)
    if (one.kind === 'skipped') counts.settle({ kind: 'skipped', reason: one.reason })
    if (one.kind === 'failed') counts.settle({ kind: 'failed', failure: { ...failure, code: one.code } })
  }
}

const fresh = (): BatchCounts => new BatchCounts(job, { totals: noTotals(), listed: 0 })

test('what is counted by several sessions, each from what the one before has saved, is what one counts', () => {
  fc.assert(
    fc.property(fc.array(fc.array(event, { maxLength: 20 }), { minLength: 1, maxLength: 4 }), (sessions) => {
      const whole = fresh()
      count(whole, sessions.flat())
      let counts = fresh()
      let listed = 0
      for (const events of sessions) {
        count(counts, events)
        listed += events.length
        const now = counts.now()
        // What comes after the save, and is lost with the session, is in none of it.
        count(counts, [{ kind: 'left', reason: 'too large' }])
        const { totals, own, groups } = now(listed)
        const planning = { bytes: 0, entries: 0, own, groups, requests: {} }
        const saved = { totals: { ...noTotals(), ...totals }, listed, batch: { ...batch, planning } }
        counts = new BatchCounts(job, saved)
      }
      expect(counts.now()(listed)).toEqual(whole.now()(listed))
    }),
  )
})

test('what is left to s3move is counted among the failures, and what no one has seen as left out by a filter', () => {
  const counts = fresh()
  count(counts, [
    { kind: 'left', reason: 'too large' },
    { kind: 'skipped', reason: 'gone' },
    { kind: 'failed', code: 'AccessDenied' },
  ])
  counts.leave('rare', 2)
  expect(counts.now()(10)).toMatchObject({
    ...{ own: { 'too large': 1, rare: 2 } },
    totals: { skipped: { gone: 1, filtered: 7 }, failed: { AccessDenied: 1, [NOT_FOR_BATCH]: 3 } },
  })
})
