import type { WriteJob } from '../job.js'
import type { ObjectSummary, Storage } from '../storage/storage.js'
import { historiesAfter } from '../work/histories.js'
import { listingAfter, type Listing } from '../work/listing.js'
import { copying, refusal } from './copy.js'
import { copyingHistories } from './histories.js'
import type { Act, Decide } from './lane.js'
import { settingHeaders } from './set-headers.js'

/** Between which stores objects are moved, and how. */
export interface Ways {
  readonly source: Storage
  readonly destination: Storage
  /** The bytes pass through this machine. */
  readonly through: boolean
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

/** What a job decides without a request, if anything. */
export function decisionOf(job: WriteJob): Decide | undefined {
  return job.kind === 'copy' ? (object) => refusal(job, object) : undefined
}

/** What an object that a job has written is called. */
export function doneBy(job: WriteJob): 'copied' | 'rewritten' {
  return job.kind === 'copy' ? 'copied' : 'rewritten'
}
