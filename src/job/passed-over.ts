import { checkCount, shape } from './schema.js'

/**
 * Why a row of a list is of no object of its job as it is now:
 * - `deleteMarkers`
 * - `oldVersions`: a version that is not the current one
 * - `outside`: of an inventory, which is of a whole bucket, a key that is not below the source
 */
export type PassedOverReason = 'deleteMarkers' | 'oldVersions' | 'outside'

/** Such rows, counted; absent where there is none of a kind. */
export type PassedOver = Readonly<Partial<Record<PassedOverReason, number>>>

export const passedOverShape = shape<PassedOver>(
  {},
  { deleteMarkers: checkCount, oldVersions: checkCount, outside: checkCount },
)

/** How many rows they are in all. */
export function passedOverInAll({ deleteMarkers = 0, oldVersions = 0, outside = 0 }: PassedOver): number {
  return deleteMarkers + oldVersions + outside
}

/** All that two counts have. */
export function addPassedOver(one: PassedOver, other: PassedOver): PassedOver {
  const sums: Partial<Record<PassedOverReason, number>> = { ...one }
  for (const why of REASONS) if (other[why] !== undefined) sums[why] = (sums[why] ?? 0) + other[why]
  return sums
}

const REASONS: readonly PassedOverReason[] = ['deleteMarkers', 'oldVersions', 'outside']

/** Counts rows that are passed over. */
export class PassedOverCounts {
  private readonly counts: Partial<Record<PassedOverReason, number>> = {}
  private taken: PassedOver | undefined

  readonly add = (why: PassedOverReason): void => {
    this.counts[why] = (this.counts[why] ?? 0) + 1
    this.taken = undefined
  }

  /** The counts of this moment: a value that stays as it is, and the same one until a row is added. */
  get now(): PassedOver {
    return (this.taken ??= { ...this.counts })
  }
}
