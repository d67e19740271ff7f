import type { UploadState } from '../../checkpoint/checkpoint.js'
import type { DoneWord } from '../../job/events.js'
import type { WriteJob } from '../../job/kinds.js'
import type { Deferral, Outcome } from '../../job/outcome.js'
import type { RunSettings } from '../../job/pace.js'
import { isFolder } from '../../job/place.js'
import { isBeside } from '../../keys.js'
import { selector } from '../../rules/selection.js'
import type { Notice } from '../../storage/notice.js'
import type { ObjectSummary, Storage } from '../../storage/storage.js'
import { versionsAfter } from '../../sources/version-listing.js'
import { listingAfter, type Listing } from '../../sources/page-listing.js'
import { itemsAfter } from '../../sources/pair-listing.js'
import type { WorkItem } from '../../sources/work-source.js'
import { withArchiveHandling } from './archived.js'
import type { MemoryBudget } from './memory-budget.js'
import { copyAction, deferral } from './copy.js'
import { copyVersionsAction, deleteVersionsAction } from './versions.js'
import type { Action, Decide } from '../lanes/lane.js'
import type { Unclear } from './manifests.js'
import { moveAction } from './move.js'
import { withNoClobber } from './no-clobber.js'
import { leavingOut, NOT_A_KEY, noticeOf } from './not-a-key.js'
import { deleteAction } from './delete.js'
import { refusing } from './refuse-names.js'
import { setHeadersAction } from './set-headers.js'
import type { LaneChecks } from './spot-checks.js'
import { decideSync, isCopied, syncAction } from './sync.js'
import type { NameLocks } from './name-locks.js'

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
}

/** The account of the upload of one object. */
export interface UploadLog {
  /** That of before, to go on with. */
  readonly before: UploadState | undefined
  /** Told of a new one; nothing is in it before the answer. */
  readonly begun: (upload: UploadState) => Promise<void>
}

/** The action of a job on one object. */
export function actOf(job: WriteJob, ways: ActionContext): Action {
  switch (job.kind) {
    case 'copy': {
      if (job.noClobber === true) return withArchiveHandling(job, ways, withNoClobber(job, ways))
      const copyOne = copyAction(job, ways)
      // Of the versions of an object none may be passed over.
      return job.versions === true ? copyVersionsAction(job, ways, copyOne) : withArchiveHandling(job, ways, copyOne)
    }
    case 'set-headers':
      return setHeadersAction(job, ways.destination, undefined, ways.checks)
    case 'delete':
      return job.versions === true
        ? deleteVersionsAction(job, ways.source, ways.stop)
        : deleteAction(job, ways.source, ways.stop)
    case 'sync':
      return withArchiveHandling(job, ways, syncAction(job, ways))
    case 'move':
      return withArchiveHandling(job, ways, moveAction(job, ways))
  }
}

/** How the objects of a job are listed, from behind a key. */
export function listingOf(
  job: WriteJob,
  { source, destination }: Pick<ActionContext, 'source' | 'destination'>,
): (after: string | undefined) => Listing<WorkItem> {
  if (job.kind === 'sync') return (after) => itemsAfter(source, destination, after)
  if ((job.kind === 'copy' || job.kind === 'delete') && job.versions === true) {
    return (after) => versionsAfter(source, after)
  }
  return (after) => listingAfter(source, after)
}

/** The outcome of what was not asked for. */
export const FILTERED: Outcome = { kind: 'skipped', reason: 'filtered' }

/** What a job decides without a request, if anything. Unless told otherwise it puts off objects that are too large for one. */
export function decisionOf(job: WriteJob, ways: DecideContext, large: 'defer' | 'act'): Decide | undefined {
  const decide = selected(job, withinFolder(job, decisionOn(job, ways, large)))
  if (!isFolder(job.source)) return decide
  const isLeftOut = leavingOut(job)
  let latest: { readonly page: readonly ObjectSummary[]; readonly keys: readonly ObjectSummary[] }
  latest = { page: [], keys: [] }
  return (object: WorkItem, page) => {
    if (object.notAKey === undefined) {
      if (latest.page !== page) latest = { page, keys: page.filter(({ notAKey }) => notAKey === undefined) }
      return decide?.(object, latest.keys)
    }
    if (isLeftOut(object)) return FILTERED
    ways.notice?.({ kind: 'not-a-key', message: noticeOf(job, object) })
    return NOT_A_KEY
  }
}

function selected(job: WriteJob, decide: Decide | undefined): Decide | undefined {
  const select = job.kind === 'set-headers' ? undefined : job.select
  if (select === undefined) return decide
  const isSelected = selector(select, job.source.prefix)
  const renames = (job.kind === 'copy' || job.kind === 'move') && job.map !== undefined
  let latest: { readonly page: readonly ObjectSummary[]; readonly chosen: readonly ObjectSummary[] }
  latest = { page: [], chosen: [] }
  return (object, page) => {
    if (!isSelected(object)) return FILTERED
    // What is not copied takes no name from others.
    if (renames && latest.page !== page) latest = { page, chosen: page.filter(isSelected) }
    return decide?.(object, renames ? latest.chosen : page)
  }
}

const OUTSIDE: Outcome = { kind: 'skipped', reason: 'outside-folder' }

// The start found no such key, or the list of the job none: what was written since is not to be deleted.
function withinFolder(job: WriteJob, decide: Decide | undefined): Decide | undefined {
  if (!('prefixAs' in job)) return decide
  return (object, page) => (isBeside(object.key) ? OUTSIDE : decide?.(object, page))
}

function decisionOn(job: WriteJob, ways: DecideContext, large: 'defer' | 'act'): Decide | undefined {
  switch (job.kind) {
    case 'copy':
    case 'move': {
      const refuse = refusing(job, ways.settings.distinctBuckets)
      // The versions of an object are copied in their order, however large they are.
      if (large === 'act' || (job.kind === 'copy' && job.versions === true)) return refuse
      return (object, page) => refuse(object, page) ?? deferral(job, object, ways.settings.streamed)
    }
    case 'sync': {
      const decide = decideSync(job, ways.settings.distinctBuckets, ways.isUnclear)
      if (large === 'act') return decide
      return (object, page) => {
        const outcome = decide(object, page)
        if (outcome !== undefined) return outcome
        const deferred = deferral(job, object, ways.settings.streamed)
        return deferred !== undefined && isCopied(job, object, ways.isUnclear) ? deferred : undefined
      }
    }
    case 'set-headers':
    case 'delete':
      return undefined
  }
}

/** What an object is called of which that became; undefined when nothing was done to it. */
export function doneTo(job: WriteJob, { kind }: Outcome | Deferral): DoneWord | undefined {
  if (kind === 'deleted') return kind
  if (kind !== 'copied') return undefined
  return job.kind === 'set-headers' ? 'rewritten' : job.kind === 'move' ? 'moved' : 'copied'
}
