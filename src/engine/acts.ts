import type { UploadState } from '../checkpoint/checkpoint.js'
import type { WriteJob } from '../job.js'
import type { Storage } from '../storage/storage.js'
import { copying, deferral, refusal } from './copy.js'
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
  return job.kind === 'copy' ? copying(job, ways) : settingHeaders(job, ways.destination)
}

/** What a job decides without a request, if anything. Unless told otherwise it puts off objects that are too large for one. */
export function decisionOf(job: WriteJob, large: 'defer' | 'act'): Decide | undefined {
  if (job.kind !== 'copy') return undefined
  return (object) => refusal(job, object) ?? (large === 'defer' ? deferral(job, object) : undefined)
}

/** What an object that a job has written is called. */
export function doneBy(job: WriteJob): 'copied' | 'rewritten' {
  return job.kind === 'copy' ? 'copied' : 'rewritten'
}
