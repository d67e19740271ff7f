import { headerShape } from '../job/object-attributes.js'
import { placeShape, type Place, type Side } from '../job/place.js'
import { plannedGroupShape, type PlannedGroup } from '../job/planned-group.js'
import { checkCount, checkDuration, counts, flag, list, oneOf, positive, shape, text, time } from '../job/schema.js'
import type { LedgerPosition } from './checkpoint.js'

/** One job of S3 Batch Operations, and how far it is known to have come. */
export interface BatchJobState {
  /** The key of its manifest, and the ETag that proves it. */
  readonly manifest: string
  readonly etag: string
  /** Objects in it, and their bytes as they were listed. */
  readonly rows: number
  readonly bytes: number
  /** That of the copies, where it makes some. */
  readonly storageClass?: string
  /** Whose objects it reads, where it makes none. */
  readonly side?: Side
  /** Where objects are copied onto themselves: all that they are to have of headers and the like. */
  readonly fields?: readonly (readonly [name: string, value: string])[]
  /** ISO 8601: what was written later is not to be copied. */
  readonly unmodifiedSince?: string
  /** Absent until it was made. */
  readonly id?: string
  /** As S3 said last. */
  readonly status?: string
  readonly succeeded?: number
  readonly failed?: number
  /** It has ended, and what became of its objects is in the totals. */
  readonly counted?: boolean
}

/** Whose jobs they are. */
export interface BatchParty {
  /** 12 digits. */
  readonly account: string
  /** The ARN of the role of its jobs. */
  readonly role: string
  /** Where manifests and reports are. */
  readonly manifests: Place
}

/**
 * How far a listing has come whose objects are looked at one by one, and how much of the ledger of those that may be for jobs belongs to it. What remains to be
 * listed, the totals and the failure ledger are those of the checkpoint.
 */
export interface BatchPlanning extends LedgerPosition {
  /** Objects that are left to s3move itself, by the reason; they are among the failures. */
  readonly own: Readonly<Record<string, number>>
  /** All that is to be done, by jobs or not, with the requests for it. */
  readonly groups: readonly PlannedGroup[]
  /** Sent so far, by operation. */
  readonly requests: Readonly<Record<string, number>>
}

/** What S3 Batch Operations does of a run: its listing is in manifests, and what these name is settled when the jobs are counted. */
export interface BatchState extends BatchParty {
  /** Random: it begins the names of its manifests and jobs. */
  readonly id: string
  /** Whose the jobs are that read the source, where these are others'. */
  readonly source?: BatchParty
  /** Objects of a job, at most. */
  readonly rowsAJob: number
  /** Everything is listed, and each object is in a manifest or in the failure ledger. */
  readonly planned: boolean
  /** Absent before that, where nothing is kept of how far it has come. */
  readonly planning?: BatchPlanning
  /** What all of it costs, about, where that is known. */
  readonly estimatedUsd?: number
  /** Somebody has said that the jobs may start. */
  readonly confirmed: boolean
  readonly jobs: readonly BatchJobState[]
}

const PARTY = { account: text, role: text, manifests: placeShape }

export const batchShape = shape<BatchState>(
  {
    ...{ ...PARTY, id: text, rowsAJob: positive },
    ...{ planned: flag, confirmed: flag },
    jobs: list(
      shape<BatchJobState>(
        { manifest: text, etag: text, rows: positive, bytes: checkCount },
        {
          ...{ id: text, status: text, succeeded: checkCount, failed: checkCount, counted: flag },
          ...{ storageClass: text, side: oneOf('source', 'destination') },
          ...{ fields: list(headerShape), unmodifiedSince: time },
        },
      ),
    ),
  },
  {
    ...{ estimatedUsd: checkDuration, source: shape<BatchParty>(PARTY, {}) },
    planning: shape<BatchPlanning>(
      { bytes: checkCount, entries: checkCount, own: counts, groups: list(plannedGroupShape), requests: counts },
      { sha256: text },
    ),
  },
)

/** Objects in manifests whose outcome is not in the totals. */
export function uncounted(batch: BatchState | undefined): number {
  return batch?.jobs.reduce((sum, { rows, counted }) => sum + (counted === true ? 0 : rows), 0) ?? 0
}

/** Whether anything of it is still to be done. */
export function isBatchUnderWay(batch: BatchState | undefined): boolean {
  return batch !== undefined && (!batch.planned || uncounted(batch) > 0)
}

const ENDED: ReadonlySet<string | undefined> = new Set(['Complete', 'Failed', 'Cancelled'])

/** Whether a job of this status does nothing any more. */
export function hasEnded(status: string | undefined): boolean {
  return ENDED.has(status)
}
