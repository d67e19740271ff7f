import { deferredDeletesOf, deletionPlace, onlyDeletes, updatesOf, type WriteJob } from '../../job/kinds.js'
import type { Pace } from '../../job/pace.js'
import { isFolder } from '../../job/place.js'
import type { Totals } from '../../job/totals.js'
import { requestsBeforeDeletion, requestsOfCheck } from '../actions/actions.js'
import { allTogether, type ActionContext, type Requests } from '../actions/context.js'
import { mostChecks } from '../actions/spot-checks.js'

/** What a run sends, by operation, as far as its rehearsal tells. */
export interface RunRequests {
  /** Before the first object, as the rehearsal did. */
  readonly begin: Requests
  /** To list the objects, as the rehearsal did. */
  readonly lists: Requests
  /** To look at objects, as the rehearsal did. */
  readonly looks: Requests
  /** To write and delete, with what each write needs. */
  readonly writes: Requests
  /** To look at what is to be deleted. */
  readonly beforeDeletions: Requests
  /** To look for what was deleted. */
  readonly afterDeletions: Requests
  /** At most, to look at what was written. */
  readonly checksAtMost: Requests
}

/** What a rehearsal has counted. */
interface Counted {
  readonly job: WriteJob
  readonly pace: Pace
  /** How many threads the run would have. */
  readonly threads: number
  readonly context: ActionContext
  readonly totals: Totals
  /** That it would delete, where it deletes all versions. */
  readonly versions: number
  /** Nothing of what is extra would be deleted. */
  readonly kept: boolean
  /** What the rehearsal has sent from the first object on, and what before it. */
  readonly sent: Requests
  readonly begin: Requests
  readonly writes: Requests
}

/** The requests of a run of which a rehearsal has counted that. */
export function requestsOfRun(counted: Counted): RunRequests {
  const { job, pace, threads, context, totals, versions, sent, begin, writes } = counted
  const gone = goneIn(counted)
  const batches = isFolder(deletionPlace(job)) ? 0 : Math.ceil(gone / DELETE_BATCH)
  const ofVersions = versions > 0
  const checks = mostChecks(totals.copied, { lanes: pace.lanes, threads: Math.max(1, threads) })
  return {
    begin: chosen(begin, (operation) => !LISTS.has(operation)),
    lists: chosen(allTogether([begin, sent]), (operation) => LISTS.has(operation)),
    looks: chosen(sent, (operation) => !LISTS.has(operation)),
    writes: {
      ...emptyWrites(job, context),
      ...writes,
      ...times({ DeleteObjects: 1 }, batches + (writes.DeleteObjects ?? 0)),
    },
    beforeDeletions: times(requestsBeforeDeletion(job, context), gone),
    afterDeletions: times({ [ofVersions ? 'ListObjectVersions' : 'ListObjectsV2']: 1 }, batches),
    checksAtMost: times(requestsOfCheck(job, context), checks),
  }
}

/** All of a run's requests but the looks at what was written. */
export function allRequests({ checksAtMost: _, ...requests }: RunRequests): Requests {
  return allTogether(Object.values(requests))
}

/** What one DeleteObjects request may name. */
export const DELETE_BATCH = 1_000

const LISTS: ReadonlySet<string> = new Set(['ListObjectsV2', 'ListObjectVersions'])

// How many are deleted, by requests of their own.
function goneIn({ job, totals, versions, kept, writes }: Counted): number {
  // What is renamed is not deleted.
  if (deferredDeletesOf(job)?.side === 'source') return totals.copied - (writes.RenameObject ?? 0)
  return kept ? 0 : versions > 0 ? versions : (totals.deleted ?? 0)
}

// That a run which writes would send none is worth a word.
function emptyWrites(job: WriteJob, { settings }: ActionContext): Requests {
  const { destination } = 'destination' in job ? job : { destination: job.source }
  if (onlyDeletes(job) || isFolder(destination)) return {}
  return { [updatesOf(job) ?? (settings.streamed ? 'PutObject' : 'CopyObject')]: 0 }
}

function times(requests: Requests, n: number): Requests {
  return n === 0 ? {} : Object.fromEntries(Object.entries(requests).map(([operation, each]) => [operation, each * n]))
}

function chosen(requests: Requests, which: (operation: string) => boolean): Requests {
  return Object.fromEntries(Object.entries(requests).filter(([operation, n]) => n > 0 && which(operation)))
}
