import type { DoneWord, Outcome, WriteJob } from '../job.js'
import type { Storage } from '../storage/storage.js'
import { copying, refusal } from './copy.js'
import type { Act, Decide } from './lane.js'
import { moving } from './move.js'
import { unlessExisting } from './no-clobber.js'
import { deleting } from './remove.js'
import { settingHeaders } from './set-headers.js'
import { copyOf, decidingSync, syncing } from './sync.js'

/** Between which stores objects are moved, and how. */
export interface Ways {
  readonly source: Storage
  readonly destination: Storage
  /** The bytes pass through this machine. */
  readonly through: boolean
}

/** The action of a job on one object. */
export function actOf(job: WriteJob, ways: Ways): Act {
  switch (job.kind) {
    case 'copy':
      if (job.noClobber !== true) return copying(job, ways)
      return unlessExisting((within) => copying(job, within), job.source.prefix, ways)
    case 'set-headers':
      return settingHeaders(job, ways.destination)
    case 'delete':
      return deleting(job, ways.source)
    case 'sync':
      return syncing(job, ways)
    case 'move':
      return moving(job, ways)
  }
}

/** What a job decides without a request, if anything. */
export function decisionOf(job: WriteJob): Decide | undefined {
  switch (job.kind) {
    case 'copy':
      return (object) => refusal(job, object)
    case 'move':
      return (object) => refusal(copyOf(job), object)
    case 'sync':
      return decidingSync(job)
    case 'set-headers':
    case 'delete':
      return undefined
  }
}

/** What an object is called of which that became; undefined when nothing was done to it. */
export function doneTo(job: WriteJob, { kind }: Outcome): DoneWord | undefined {
  if (kind === 'deleted') return kind
  if (kind !== 'copied') return undefined
  return job.kind === 'set-headers' ? 'rewritten' : job.kind === 'move' ? 'moved' : 'copied'
}
