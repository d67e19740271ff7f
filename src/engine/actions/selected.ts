import { selectionOf, type Job } from '../../job/kinds.js'
import { selector } from '../../rules/selection.js'
import type { ObjectSummary } from '../../storage/storage.js'

/** Those of the objects that a job is for; undefined where it is for all of them, so that none has to be looked at. */
export function selecting(job: Job): ((objects: readonly ObjectSummary[]) => readonly ObjectSummary[]) | undefined {
  const select = selectionOf(job)
  if (select === undefined) return undefined
  const isSelected = selector(select, job.source.prefix)
  return (objects) => objects.filter(isSelected)
}
