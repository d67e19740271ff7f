import type { RunEvent } from '../../job/events.js'
import { deletionPlace, type WriteJob } from '../../job/kinds.js'
import type { Deferral, Outcome } from '../../job/outcome.js'
import type { ObjectSummary } from '../../storage/storage.js'
import { doneTo } from './actions.js'

/** What is told of an object of which that became, where somebody wants to hear of each; undefined when there is nothing to tell yet. */
export function eventOf(
  job: WriteJob,
  { key, size }: ObjectSummary,
  outcome: Outcome | Deferral,
): RunEvent | undefined {
  const done = doneTo(job, outcome)
  if (done !== undefined) {
    const place = outcome.kind === 'deleted' ? deletionPlace(job) : job.source
    return { type: done, key: place.prefix + key, bytes: size }
  }
  // What is no object was told of; what stays as it is may be nearly all.
  if (outcome.kind !== 'skipped' || outcome.reason === 'NotAKey' || outcome.reason === 'unchanged') return undefined
  return { type: 'skipped', key: job.source.prefix + key, reason: outcome.reason }
}
