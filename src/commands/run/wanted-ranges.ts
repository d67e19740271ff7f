import { listOf, selectionOf, type Job } from '../../job/kinds.js'
import type { KeyRange } from '../../keys.js'
import { rangesOf } from '../../rules/selection.js'

/** What a job must list. */
export function wantedRanges(job: Job): readonly KeyRange[] {
  if (listOf(job) !== undefined) return []
  const select = selectionOf(job)
  return select === undefined ? [{}] : rangesOf(select, job.source.prefix)
}
