import type { DoneWord } from '../../job/events.js'
import { mapOf, ofAllVersions, selectionOf, writeKindOf, type WriteJob } from '../../job/kinds.js'
import type { Deferral, Outcome } from '../../job/outcome.js'
import { isFolder } from '../../job/place.js'
import { isBeside } from '../../keys.js'
import { selector } from '../../rules/selection.js'
import type { ListRange } from '../../sources/listing-source.js'
import { listedBy } from '../../sources/local-listing.js'
import { listingAfter } from '../../sources/page-listing.js'
import { versionsAfter } from '../../sources/version-listing.js'
import type { WorkItem } from '../../sources/work-source.js'
import type { ObjectSummary } from '../../storage/storage.js'
import type { Action, Decide } from '../lanes/lane.js'
import type { ActionContext, DecideContext, KindActions, Look, Requests, Stores } from './context.js'
import { COPY_ACTIONS } from './copy.js'
import { DELETE_ACTIONS } from './delete.js'
import { MOVE_ACTIONS } from './move.js'
import { leavingOut, NOT_A_KEY, noticeOf } from './not-a-key.js'
import { FILTERED } from './outcome.js'
import { SET_ENCRYPTION_ACTIONS } from './set-encryption.js'
import { SET_HEADERS_ACTIONS } from './set-headers.js'
import { SET_STORAGE_CLASS_ACTIONS } from './set-storage-class.js'
import { SET_TAGS_ACTIONS } from './set-tags.js'
import { SYNC_ACTIONS } from './sync.js'

const ACTIONS = {
  copy: COPY_ACTIONS,
  sync: SYNC_ACTIONS,
  move: MOVE_ACTIONS,
  'set-headers': SET_HEADERS_ACTIONS,
  'set-tags': SET_TAGS_ACTIONS,
  'set-storage-class': SET_STORAGE_CLASS_ACTIONS,
  'set-encryption': SET_ENCRYPTION_ACTIONS,
  delete: DELETE_ACTIONS,
} satisfies { readonly [J in WriteJob as J['kind']]: KindActions<J> }

// Only to be asked about that job: which kind it is, the type does not say.
function actionsOf({ kind }: WriteJob): KindActions<WriteJob> {
  return ACTIONS[kind] as KindActions<WriteJob>
}

/** The action of a job on one object. */
export function actOf(job: WriteJob, context: ActionContext): Action {
  return actionsOf(job).act(job, context)
}

/** What the action of a job would make of one object about which nothing is decided; undefined where each is written, without a look. */
export function lookOf(job: WriteJob, context: ActionContext): Look | undefined {
  return actionsOf(job).look?.(job, context)
}

/** What a job sends for an object that it writes; without what only a look at it can tell. */
export function requestsOf(job: WriteJob, object: ObjectSummary, context: ActionContext): Requests {
  return actionsOf(job).requests(job, object, context)
}

/** What one look at an object that a job has written sends; without what only the look can tell. */
export function requestsOfCheck(job: WriteJob, context: ActionContext): Requests {
  return actionsOf(job).checkRequests(job, context)
}

/** The deletion of an object on the ledger for that, by a job that may delete behind its checkpoint. */
export function deletionOf(job: WriteJob, context: ActionContext, looksAtOnce?: number): Action {
  const act = actionsOf(job).deleteDeferred?.(job, context, looksAtOnce)
  if (act === undefined) throw new Error(`${job.kind} deletes nothing behind its checkpoint`)
  return act
}

/** What such a job sends before each such deletion. */
export function requestsBeforeDeletion(job: WriteJob, context: ActionContext): Requests {
  return actionsOf(job).deferredLooks?.(job, context) ?? {}
}

/** How the objects of a job are listed, from behind a key. */
export function listingOf(job: WriteJob, stores: Stores): ListRange<WorkItem> {
  const listing = actionsOf(job).listing?.(job, stores)
  if (listing !== undefined) return listing
  const { source, settings } = stores
  if (ofAllVersions(job)) return (after) => versionsAfter(source, after)
  const listed = listedBy(source, settings.sourceListing)
  return (after, first) => listingAfter(listed, after, first)
}

/** What a job decides without a request, if anything. Unless told otherwise it puts off objects that are too large for one. */
export function decisionOf(job: WriteJob, ways: DecideContext, large: 'defer' | 'act'): Decide | undefined {
  const decide = selected(job, withinFolder(job, actionsOf(job).decide?.(job, ways, large)))
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
  const select = selectionOf(job)
  if (select === undefined) return decide
  const isSelected = selector(select, job.source.prefix)
  const renames = mapOf(job) !== undefined
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

/** What an object is called of which that became; undefined when nothing was done to it. */
export function doneTo(job: WriteJob, { kind }: Outcome | Deferral): DoneWord | undefined {
  if (kind === 'deleted') return kind
  return kind === 'copied' ? writeKindOf(job).done : undefined
}
