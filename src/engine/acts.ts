import type { WriteJob } from '../job.js'
import type { Storage } from '../storage/storage.js'
import { copying } from './act.js'
import type { Act } from './lane.js'
import { settingHeaders } from './set-headers.js'

/** The action of a job on one object. */
export function actOf(job: WriteJob, source: Storage, destination: Storage): Act {
  return job.kind === 'copy' ? copying(job, source, destination) : settingHeaders(job, destination)
}

/** What an object that a job has written is called. */
export function doneBy(job: WriteJob): 'copied' | 'rewritten' {
  return job.kind === 'copy' ? 'copied' : 'rewritten'
}
