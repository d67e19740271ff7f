import PQueue from 'p-queue'
import { StorageError } from '../../errors.js'
import { inventoryOf } from '../../job/kinds.js'
import type { MoveJob } from '../../job/move.js'
import type { DeferredDelete, Outcome } from '../../job/outcome.js'
import { isFolder } from '../../job/place.js'
import type { SyncJob } from '../../job/sync.js'
import { renamer } from '../../rules/rename.js'
import { able, type ObjectHead, type ObjectSummary, type Storage } from '../../storage/storage.js'
import type { WorkItem } from '../../sources/work-source.js'
import { exists, failed, outcomeOf, unlessGone } from './outcome.js'
import type { ActionContext, Requests } from './context.js'
import { onceOf } from './as-one.js'
import { areApart, isMd5 } from './compare-objects.js'
import { listedAs, unlessTrulyGone } from './gone.js'
import type { Action } from '../lanes/lane.js'
import { stayingFor } from './not-a-key.js'
import { removingTogether } from './delete-batches.js'
import { NOT_KEPT, requestsOfCopyCheck, whyCopyLacks } from './spot-checks.js'
import { checkingRemovals } from './still-listed.js'

/** The entry of an object that is to be deleted. */
export function deferredDeleteOf(prefix: string, object: ObjectSummary, copy?: string): DeferredDelete {
  const { key, size, etag, lastModified, storageClass } = object
  return {
    ...{ key: prefix + key, size, etag, lastModified },
    ...(storageClass === 'STANDARD' ? {} : { storageClass }),
    ...(copy === undefined ? {} : { copy }),
  }
}

/** The operation of a failure to delete an object. */
export const DELETION = 'DeleteObjects'

/** Whether an object is tried again because it could not be deleted. */
export function deletionFailed({ failedIn }: WorkItem): boolean {
  return failedIn?.startsWith('DeleteObject') === true
}

/** Objects on the ledger that are in flight at once, so that full requests to delete them are sent. Few of them are looked at at once. */
export const DEFERRED_DELETE_FLIGHTS = 4_000
const LOOKS_AT_ONCE = 64

/** Why an object is not to be deleted, or what else became of it; undefined when it is to be. */
type Verdict = Outcome | undefined

/**
 * The deletion of an object that is on the ledger, if it is still what the ledger says and, where it was moved, its copy is another object than
 * itself; failures bear the full key of the source. All of that is looked at right before each request to delete it, also before one that is sent again.
 */
export function deletingDeferred(job: SyncJob | MoveJob, ways: ActionContext, looksAtOnce = LOOKS_AT_ONCE): Action {
  const [store, done]: [Storage, Outcome] =
    job.kind === 'move' ? [ways.source, { kind: 'copied' }] : [ways.destination, { kind: 'deleted' }]
  const { prefix } = job.source
  const remove = removingTogether(able(store.removing, 'remove objects'), checkingRemovals(store, ways.stop))
  const judge = job.kind === 'move' ? judgingMoved(job, ways) : judgingExtra(job, ways)
  const looks = new PQueue({ concurrency: looksAtOnce })
  return async (object: WorkItem) => {
    let verdict: Verdict
    const look = async (): Promise<boolean> => {
      verdict = await looks.add(() => judge(object))
      return verdict === undefined
    }
    try {
      await remove({ key: object.key, etag: object.etag === '' ? undefined : object.etag, look }, object)
      return verdict ?? done
    } catch (error) {
      try {
        return await refused(error, object, async () => {
          await remove({ key: object.key, look }, object)
          return verdict ?? done
        })
      } catch (cause) {
        const outcome = outcomeOf(cause, prefix, object)
        // Whichever request it was, it is the deletion that is still to be done.
        return outcome?.kind === 'failed'
          ? { ...outcome, failure: { ...outcome.failure, operation: DELETION } }
          : outcome
      }
    }
  }

  // What is gone was deleted, by an earlier try for one.
  async function refused(error: unknown, object: WorkItem, unconditionally: () => Promise<Outcome>): Promise<Outcome> {
    if (!(error instanceof StorageError)) throw error
    if (error.code === 'NoSuchKey') return done
    if (error.code !== 'PreconditionFailed') throw error
    // It may compare with another ETag than it tells, as Ceph and Swift do of objects of parts. Whether it was written shows the look.
    if (store.conditional !== true) return await unconditionally()
    const now = await unlessTrulyGone(store, object.key, store.reading.head(object.key))
    if (now === undefined) return done
    if (now.etag === object.etag) throw error
    return changed(job, object)
  }
}

/** What is sent before each request to delete such an object; a folder costs nothing. */
export function requestsOfLooks(job: SyncJob | MoveJob, context: ActionContext): Requests {
  const { destination, settings } = context
  const { source: from, destination: to } = job
  // At the source the rehearsal has looked itself.
  if (inventoryOf(job) !== undefined) return { HeadObject: destination.conditional === true || isFolder(to) ? 0 : 1 }
  const looked = job.kind === 'sync' && destination.conditional === true ? [from] : [from, to]
  // The list of each copy is looked at as well.
  const deeper = job.kind === 'move' && settings.onLoss === 'fail' ? requestsOfCopyCheck(job, context) : {}
  // A HEAD that finds nothing is asked again by GET, which says why.
  const absent = job.kind === 'sync' && !isFolder(from) ? { GetObject: 1 } : {}
  return { ...deeper, HeadObject: looked.filter((place) => !isFolder(place)).length, ...absent }
}

function judgingMoved(job: MoveJob, context: ActionContext): (object: WorkItem) => Promise<Verdict> {
  const { source, destination, checks } = context
  const [from, to] = [onceOf(source), onceOf(destination)]
  const nameOf = renamer(job.map)
  // A folder keeps the time that an object had. That it is no bucket was told before the start.
  const keepsTimes = isFolder(job.destination)
  return async (object) => {
    // In this order: were the two one object, and written in between, then it is the source that shows it.
    const name = nameOf(object.key)
    const copy = await unlessGone(to.reading.head(name))
    const now = await unlessTrulyGone(from, object.key, from.reading.head(object.key))
    if (now === undefined) return { kind: 'copied' }
    if (copy === undefined || copy.etag !== object.copy) {
      return kept(job, object, 'CopyNotProven', 'its copy is no longer there as it was proven')
    }
    if (!(await isAsListed(from, now, object)) && !hasLostParts(source, now, object)) return changed(job, object)
    if (!keepsTimes && !areTwo(now, copy)) {
      return kept(
        job,
        object,
        'CopyNotToldApart',
        'its copy has the Last-Modified of the object itself, so they may be one object with two names',
      )
    }
    if (keepsTimes || checks?.strict !== true) return undefined
    const why = await whyCopyLacks(job, { ...context, source: from }, object, now, { store: to, name, copy })
    return why === undefined ? undefined : kept(job, object, NOT_KEPT, why)
  }
}

function judgingExtra(job: SyncJob, { source, destination }: ActionContext): (object: WorkItem) => Promise<Verdict> {
  const [from, to] = [onceOf(source), onceOf(destination)]
  // That the source has it is asked below.
  const stays = inventoryOf(job) === undefined ? stayingFor(job, source) : undefined
  return async (object) => {
    const reason = await stays?.(object.key)
    if (reason !== undefined) return { kind: 'skipped', reason }
    // What the source has is never deleted at the destination, whatever the listings said.
    if (await exists(from, object.key)) return { kind: 'skipped', reason: 'appeared' }
    // Other stores than AWS may not know the condition.
    if (destination.conditional === true && object.etag !== '') return undefined
    const now = await unlessTrulyGone(to, object.key, to.reading.head(object.key))
    if (now === undefined) return { kind: 'deleted' }
    return (await isAsListed(to, now, object)) ? undefined : changed(job, object)
  }
}

function changed(job: SyncJob | MoveJob, object: WorkItem): Outcome {
  const code = job.kind === 'move' ? 'SourceChanged' : 'DestinationChanged'
  const message = 'it was written since it was listed, so it was not deleted'
  return failed(job.source.prefix, object, { code, message, operation: 'DeleteObjects', attempts: 1 })
}

function kept(job: MoveJob, object: WorkItem, code: string, why: string): Outcome {
  const message = `${why}; the source was left as it is`
  return failed(job.source.prefix, object, { code, message, operation: 'HeadObject', attempts: 1 })
}

// One that was written again with the same content shows it in its date alone.
async function isAsListed(store: Storage, now: ObjectHead, object: WorkItem): Promise<boolean> {
  const { etag, size, lastModified } = object
  const apart = areApart(now.lastModified, lastModified)
  if (now.etag === etag && etag !== '') return apart !== true
  // By anything but its ETag it must be what it was.
  if (now.size !== size || apart !== false) return false
  return etag === '' || (await isListedOtherwise(store, now, object))
}

/**
 * Whether an object has two ETags: Swift lists the MD5 of a copy of an object of parts, and HEAD tells the ETag of parts. Then the listing still says
 * what it said. It may be late to say what was written since, so that is asked between two looks.
 */
async function isListedOtherwise(store: Storage, now: ObjectHead, { key, etag, size, lastModified }: WorkItem) {
  // Two MD5s are of two contents.
  if (now.etag === '' || (isMd5(now.etag) && isMd5(etag))) return false
  const listed = await listedAs(store, { key })
  if (listed?.etag !== etag || listed.size !== size || listed.lastModified !== lastModified) return false
  const again = await unlessGone(store.reading.head(key))
  return (
    again?.etag === now.etag &&
    again.size === now.size &&
    again.lastModified === now.lastModified &&
    again.versionId === now.versionId
  )
}

// A dynamic large object of Swift's API has the content of other objects, which this run may have moved before it. It was not written since, or its date
// would show that: a copy is never made in the second in which its source was written.
function hasLostParts({ manifests }: Storage, now: ObjectHead, { size, lastModified }: WorkItem): boolean {
  return manifests === true && now.size < size && areApart(now.lastModified, lastModified) === false
}

// Two names of one object show one date, and one version. Of an object that was copied onto itself the date is new under both.
function areTwo(source: ObjectHead, copy: ObjectHead): boolean {
  const versions = source.versionId !== undefined && copy.versionId !== undefined
  return (versions && source.versionId !== copy.versionId) || areApart(source.lastModified, copy.lastModified) === true
}
