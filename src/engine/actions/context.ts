import type { UploadState } from '../../checkpoint/checkpoint.js'
import type { WriteJob } from '../../job/kinds.js'
import type { Outcome } from '../../job/outcome.js'
import type { RunSettings } from '../../job/pace.js'
import type { Change } from '../../rules/decide.js'
import type { Listing } from '../../sources/page-listing.js'
import { addTo } from '../../sources/tally.js'
import type { WorkItem } from '../../sources/work-source.js'
import type { Notice } from '../../storage/notice.js'
import type { ObjectSummary, Storage } from '../../storage/storage.js'
import type { Action, Decide } from '../lanes/lane.js'
import type { Unclear } from './manifests.js'
import type { MemoryBudget } from './memory-budget.js'
import type { NameLocks } from './name-locks.js'
import type { LaneChecks } from './spot-checks.js'

/** Between which stores objects are moved, and how. */
export interface ActionContext {
  readonly source: Storage
  readonly destination: Storage
  /** Where nobody says whether the buckets are distinct, their names tell. */
  readonly settings: Pick<RunSettings, 'streamed'> & Partial<RunSettings>
  /** For these bytes: of the thread, shared by all of its lanes. */
  readonly memory?: MemoryBudget | undefined
  /** When aborted, no further part of an object is begun. */
  readonly stop?: AbortSignal | undefined
  /** Where objects get other names: whose turn it is at one of the destination, over all threads. */
  readonly turns?: NameLocks | undefined
  /** Where some of what is written is to be looked at. */
  readonly checks?: LaneChecks | undefined
  /** Where somebody keeps account of what is uploaded in parts. */
  readonly uploads?: UploadLog | undefined
}

/** What of the ways decides about objects. */
export interface DecideContext extends Pick<ActionContext, 'settings'> {
  /** Told of what is no object, when that is decided. */
  readonly notice?: ((notice: Notice) => void) | undefined
  /** Where listings do not tell enough of objects. */
  readonly isUnclear?: Unclear | undefined
  /** How much later it is by the destination's clock than by the source's, in milliseconds. */
  readonly ahead?: (() => number) | undefined
}

/** The account of the upload of one object. */
export interface UploadLog {
  /** That of before, to go on with. */
  readonly before: UploadState | undefined
  /** Told of a new one; nothing is in it before the answer. */
  readonly begun: (upload: UploadState) => Promise<void>
  /** Where others go on with what is not completed here. */
  readonly shared?: SharedUpload | undefined
}

/** An upload that others go on with when the work ends here. */
export interface SharedUpload {
  /** Whether it is left to them as it is; else it is aborted. */
  readonly isKept: () => boolean
  /** Resolves when something further may be begun of it. */
  readonly pass: () => Promise<void>
}

/** The two stores of a job, and what one of them is taken to have. */
export interface Stores extends Pick<ActionContext, 'source' | 'destination'> {
  readonly settings: Pick<RunSettings, 'sourceListing' | 'destinationListing'>
}

/** What would become of an object, which of its headers would change, and what only a look at it could tell of the requests for that. */
export type Prospect = Outcome & { readonly changes?: readonly Change[]; readonly requests?: Requests }

/** Says that as far as a look tells. Undefined when the run is ending. */
export type Look = (object: WorkItem) => Promise<Prospect | undefined>

/** Requests by operation. */
export type Requests = Readonly<Record<string, number>>

/** The requests of all of them. */
export function allTogether(all: readonly Requests[]): Requests {
  const some = all.filter((requests) => !isEmpty(requests))
  // Nearly always, and of each object.
  if (some.length <= 1) return some[0] ?? {}
  const sums: Record<string, number> = {}
  for (const requests of some) for (const [operation, n] of Object.entries(requests)) addTo(sums, operation, n)
  return sums
}

/** What of some requests is not among others. */
export function less(requests: Requests, others: Requests): Requests {
  return Object.fromEntries(
    Object.entries(requests).map(([operation, n]) => [operation, Math.max(0, n - (others[operation] ?? 0))]),
  )
}

function isEmpty(requests: Requests): boolean {
  for (const _ in requests) return false
  return true
}

/** How jobs of one kind are done: all that lanes and a dry run ask. */
export interface KindActions<J extends WriteJob> {
  /** How the objects are listed, from behind a key, where that is not as the source lists them. */
  readonly listing?: (job: J, stores: Stores) => (after: string | undefined) => Listing<WorkItem>
  /** What is decided without a request. What is too large for one is put off, or not. */
  readonly decide?: (job: J, context: DecideContext, large: 'defer' | 'act') => Decide
  /** What `act` finds out before it changes anything; without it every object is written. */
  readonly look?: (job: J, context: ActionContext) => Look | undefined
  readonly act: (job: J, context: ActionContext) => Action
  /** What `act` sends for an object that it writes; without what only a look at it can tell, for tags and retries. */
  readonly requests: (job: J, object: ObjectSummary, context: ActionContext) => Requests
  /** What one spot check of an object that was written sends. */
  readonly checkRequests: (job: J, context: ActionContext) => Requests
  /** The deletion of what is on the ledger for that. */
  readonly deleteDeferred?: (job: J, context: ActionContext, looksAtOnce?: number) => Action
  /** What it sends before each request to delete. */
  readonly deferredLooks?: (job: J, context: ActionContext) => Requests
}
