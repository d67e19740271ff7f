import type { CopyJob, WriteJob } from '../job.js'
import { able, type Storage } from '../storage/storage.js'
import type { Budget } from './budget.js'
import { copying, refusal } from './copy.js'
import type { Act, Decide } from './lane.js'
import { settingHeaders } from './set-headers.js'
import { streaming } from './stream.js'

/** Between which stores objects are moved, and how. */
export interface Ways {
  readonly source: Storage
  readonly destination: Storage
  /** The bytes pass through this machine. */
  readonly through: boolean
  /** The two are different stores: equal names mean nothing. */
  readonly apart?: boolean
  /** For these bytes: of the thread, shared by all of its lanes. */
  readonly memory?: Budget | undefined
}

/** The action of a job on one object. */
export function actOf(job: WriteJob, ways: Ways): Act {
  return job.kind === 'copy' ? transferring(job, ways) : settingHeaders(job, ways.destination)
}

/** The action of `copy`, inside a store or through this machine. */
export function transferring(job: CopyJob, ways: Ways): Act {
  const { source, destination, through, memory } = ways
  return through ? streaming(job, { source, destination, memory: able(memory, 'stream') }) : copying(job, ways)
}

/** What a job decides without a request, if anything. */
export function decisionOf(job: WriteJob, ways: Partial<Ways>): Decide | undefined {
  return job.kind === 'copy' ? (object) => refusal(job, object, ways) : undefined
}

/** What an object that a job has written is called. */
export function doneBy(job: WriteJob): 'copied' | 'rewritten' {
  return job.kind === 'copy' ? 'copied' : 'rewritten'
}
