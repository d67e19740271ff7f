import type { UploadState } from '../checkpoint/checkpoint.js'
import type { WriteJob } from '../job.js'
import type { ObjectSummary, Storage } from '../storage/storage.js'
import { historiesAfter } from '../work/histories.js'
import { listingAfter, type Listing } from '../work/listing.js'
import { copying, deferral, refusal } from './copy.js'
import { copyingHistories } from './histories.js'
import type { Act, Decide } from './lane.js'
import { settingHeaders } from './set-headers.js'

/** Between which stores objects are moved, and how. */
export interface Ways {
  readonly source: Storage
  readonly destination: Storage
  /** The bytes pass through this machine. */
  readonly through: boolean
  /** When aborted, no further part of an object is begun. */
  readonly stop?: AbortSignal | undefined
  /** Where somebody keeps account of what is uploaded in parts. */
  readonly uploads?: UploadLog | undefined
}

/** The account of the upload of one object. */
export interface UploadLog {
  /** That of before, to go on with. */
  readonly before: UploadState | undefined
  /** Told of a new one; nothing is in it before the answer. */
  readonly begun: (upload: UploadState) => Promise<void>
}

/** The action of a job on one object. */
export function actOf(job: WriteJob, ways: Ways): Act {
  if (job.kind === 'set-headers') return settingHeaders(job, ways.destination)
  const copyOne = copying(job, ways)
  return job.versions === true ? copyingHistories(job, ways, copyOne) : copyOne
}

/** How the objects of a job are listed, from behind a key. */
export function listingOf(job: WriteJob, source: Storage): (after: string | undefined) => Listing<ObjectSummary> {
  return job.kind === 'copy' && job.versions === true
    ? (after) => historiesAfter(source, after)
    : (after) => listingAfter(source, after)
}

/** What a job decides without a request, if anything. Unless told otherwise it puts off objects that are too large for one. */
export function decisionOf(job: WriteJob, large: 'defer' | 'act'): Decide | undefined {
  if (job.kind !== 'copy') return undefined
  // The versions of an object are copied in their order, however large they are.
  const defers = large === 'defer' && job.versions !== true
  return (object) => refusal(job, object) ?? (defers ? deferral(job, object) : undefined)
}

/** What an object that a job has written is called. */
export function doneBy(job: WriteJob): 'copied' | 'rewritten' {
  return job.kind === 'copy' ? 'copied' : 'rewritten'
}
