import { expect, test } from 'vitest'
import type { BatchPlanning, BatchState } from '../../../src/checkpoint/batch-state.js'
import { FORMAT, parseCheckpoint, serializeCheckpoint, type Checkpoint } from '../../../src/checkpoint/checkpoint.js'
import { NOT_FOR_BATCH } from '../../../src/job/outcome.js'
import { noTotals } from '../../../src/job/totals.js'

const planning: BatchPlanning = {
  ...{ bytes: 900, entries: 5, sha256: 'ab', own: { 'too large': 1 }, requests: { HeadObject: 9 } },
  groups: [
    {
      ...{ fate: { kind: 'written' }, storageClass: 'STANDARD', writtenClass: 'STANDARD', objects: 6, bytes: 60 },
      ...{ billedBytes: 60, earlyByteDays: 0.5, replacedBytes: {}, writes: { CopyObject: 6 } },
      sizes: [['1 KiB', 6, 60]],
    },
  ],
}
const batch: BatchState = {
  ...{ id: 'i', account: '123456789012', role: 'r', manifests: { bucket: 'own', prefix: '' } },
  ...{ rowsAJob: 1000, planned: false, confirmed: false, jobs: [], planning },
}
const checkpoint: Checkpoint = {
  ...{ format: FORMAT, program: 's3move 0.1.0', connection: {}, pace: { concurrency: 64, lanes: 8 } },
  job: {
    ...{ kind: 'set-headers', source: { bucket: 'a', prefix: '' }, folderMarkers: false },
    rules: [{ set: [['cache-control', 'x']], remove: [] }],
  },
  ...{ state: 'unfinished', startedAt: '2026-01-02T03:04:05.678Z', savedAt: '2026-01-02T04:04:05.678Z' },
  ...{ activeMs: 1, sessions: 2, ranges: [{ after: 'm' }], listed: 10, history: [] },
  totals: { ...noTotals(), skipped: { unchanged: 2, filtered: 1 }, failed: { AccessDenied: 1, [NOT_FOR_BATCH]: 1 } },
  ledger: { bytes: 321, entries: 2 },
  batch,
}

test('how far a planning has come is read back as it was saved', () => {
  expect(parseCheckpoint(serializeCheckpoint(checkpoint), 'x')).toEqual(checkpoint)
  const allListed: Checkpoint = { ...checkpoint, ranges: [] }
  expect(parseCheckpoint(serializeCheckpoint(allListed), 'x')).toEqual(allListed)
})

test.each<[string, Partial<Checkpoint>, string]>([
  ['objects that nobody has decided about', { listed: 11 }, 'listed is 11, but 10 objects are decided about'],
  [
    'more objects left to s3move than its ledger has',
    { batch: { ...batch, planning: { ...planning, own: { rare: 2 } } } },
    'batch.planning.own adds up to 2, but 1 are left over',
  ],
  [
    'a ledger of bytes and no lines',
    { batch: { ...batch, planning: { ...planning, entries: 0 } } },
    'planning has bytes',
  ],
  ['a planning that is done', { batch: { ...batch, planned: true } }, 'batch.planning is there, and all is planned'],
])('a checkpoint with %s is refused', (_, changed, problem) => {
  expect(() => serializeCheckpoint({ ...checkpoint, ...changed })).toThrow(problem)
})
