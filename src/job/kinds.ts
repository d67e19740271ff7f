import type { CopyJob } from './copy.js'
import type { DeleteJob } from './delete.js'
import type { DuJob } from './du.js'
import type { KeyList } from './files-from.js'
import type { LsJob } from './ls.js'
import type { MoveJob } from './move.js'
import type { SetHeadersJob } from './set-headers.js'
import type { SyncJob } from './sync.js'
import type { VerifyJob } from './verify.js'

/** A job that changes objects. */
export type WriteJob = CopyJob | SetHeadersJob | DeleteJob | SyncJob | MoveJob

/** The list that names the objects of a job, if there is one. */
export function listOf(job: WriteJob): KeyList | undefined {
  return job.kind === 'sync' ? undefined : job.list
}

/** The job with its list read in another way. */
export function withList(job: WriteJob, list: KeyList): WriteJob {
  return job.kind === 'sync' ? job : { ...job, list }
}

/** A job whose result is what was read. */
export type ScanJob = LsJob | DuJob | VerifyJob

/** What is to be done. Fixed for a run: a checkpoint belongs to one job. */
export type Job = WriteJob | ScanJob
