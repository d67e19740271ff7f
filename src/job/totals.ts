import { checkCount, counts, record, shape } from './schema.js'
import type { SkipReason } from './outcome.js'
import { amountShape, type Amount } from './usage.js'

/** Objects settled so far, each counted once however often a run was resumed. */
export interface Totals {
  /** Copied, moved, or changed in place: headers or tags set. */
  copied: number
  /** Bytes of the objects copied. */
  bytes: number
  /** Of the objects copied, those that were in another storage class than STANDARD: how many, and their bytes. */
  copiedByClass?: Record<string, Amount>
  /** Objects that S3 has begun to restore, and their bytes, by storage class. They may be restored again later. */
  restoredByClass?: Record<string, Amount>
  /** Absent when none was deleted. */
  deleted?: number
  /** Bytes of the objects deleted. */
  freed?: number
  skipped: Partial<Record<SkipReason, number>>
  /** By error code. */
  failed: Record<string, number>
}

/** Totals of a run that has done nothing yet. */
export function noTotals(): Totals {
  return { copied: 0, bytes: 0, skipped: {}, failed: {} }
}

/** Objects that the totals count: copied, deleted, skipped or failed. */
export function settled(totals: Readonly<Totals>): number {
  return totals.copied + (totals.deleted ?? 0) + sum(totals.skipped) + sum(totals.failed)
}

/** The sum of counts by name, such as `totals.skipped`. */
export function sum(counts: Readonly<Record<string, number | undefined>>): number {
  let total = 0
  for (const count of Object.values(counts)) total += count ?? 0
  return total
}

export const totalsShape = shape<Totals>(
  {
    copied: checkCount,
    bytes: checkCount,
    skipped: shape<Partial<Record<SkipReason, number>>>(
      {},
      {
        ...{
          gone: checkCount,
          'prefix-marker': checkCount,
          unchanged: checkCount,
          'no-rule': checkCount,
          archived: checkCount,
        },
        ...{
          'sse-c': checkCount,
          locked: checkCount,
          'folder-marker': checkCount,
          extra: checkCount,
          appeared: checkCount,
        },
        ...{ 'object-lock': checkCount, unencrypted: checkCount, 'dsse-kms': checkCount, 'needs-rewrite': checkCount },
        filtered: checkCount,
        'outside-folder': checkCount,
        NotAKey: checkCount,
        exists: checkCount,
        newer: checkCount,
      },
    ),
    failed: counts,
  },
  { deleted: checkCount, freed: checkCount, copiedByClass: record(amountShape), restoredByClass: record(amountShape) },
)
