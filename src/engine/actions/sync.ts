import { StorageError } from '../../errors.js'
import { copyOf } from '../../job/copy.js'
import type { Outcome } from '../../job/outcome.js'
import type { SyncJob } from '../../job/sync.js'
import { isOthersAlone, mayBeReplaced } from '../../rules/written-by-others.js'
import { timeOf } from '../../times.js'
import type { ObjectSummary } from '../../storage/storage.js'
import { listedBy } from '../../sources/local-listing.js'
import { itemsAfter } from '../../sources/pair-listing.js'
import type { WorkItem } from '../../sources/work-source.js'
import { annotationsFailed } from './annotations.js'
import { outcomeOf, unlessGone } from './outcome.js'
import { withArchiveHandling } from './archived.js'
import type { ActionContext, DecideContext, KindActions } from './context.js'
import { contentByHead, contentByListing } from './compare-objects.js'
import { copyAction, deferral, refusal, requestsOfCopy } from './copy-object.js'
import { deferredDeleteOf, DELETION, deletingDeferred, deletionFailed, requestsOfLooks } from './deferred-delete.js'
import { aheadOf, copyUnlessNewer, isNewerThere, NEWER } from './follow.js'
import { unlessTrulyGone } from './gone.js'
import type { Action, Decide } from '../lanes/lane.js'
import { headOf, unclearBetween, type Unclear } from './manifests.js'
import { stayingFor } from './not-a-key.js'
import { requestsOfCopyCheck } from './spot-checks.js'

const UNCHANGED: Outcome = { kind: 'skipped', reason: 'unchanged' }
const EXTRA: Outcome = { kind: 'skipped', reason: 'extra' }

/** What becomes of an object that either side has, where the listings tell. */
export function decideSync(job: SyncJob, { distinctBuckets, isUnclear, ahead }: Deciding = {}): Decide {
  return (object: WorkItem) => {
    if (object.extra === true) {
      const outcome = outcomeOfExtra(job, object)
      return outcome.kind === 'delete-deferred' && looksBeforeCounting(job) ? undefined : outcome
    }
    if (deletionFailed(object)) return undefined
    const needed = need(job, object, isUnclear)
    if (needed === 'none') return UNCHANGED
    if (needed === 'copy' && isLeft(job, object, ahead)) return NEWER
    return refusal(job, object, { distinctBuckets })
  }
}

/** What decides beside the job. Where nobody says whether the buckets are distinct, their names tell. */
interface Deciding extends Pick<DecideContext, 'isUnclear' | 'ahead'> {
  readonly distinctBuckets?: boolean | undefined
}

function isLeft(job: SyncJob, object: WorkItem, ahead = () => 0): boolean {
  return object.there !== undefined && isNewerThere(job, object, object.there, ahead)
}

// An inventory does not know what the source got since: that counts for nothing where too many deletions are none.
function looksBeforeCounting({ inventory, delete: deletes }: SyncJob): boolean {
  return inventory !== undefined && deletes?.most !== undefined
}

/** Whether an object is to be copied whatever a closer look would show. */
function isCopied(job: SyncJob, object: WorkItem, isUnclear?: Unclear): boolean {
  return object.extra !== true && !deletionFailed(object) && need(job, object, isUnclear) === 'copy'
}

/** The action of `sync` on an object about which the listings do not say enough, or that is to be copied, which `copy` does. */
export function syncAction(job: SyncJob, ways: ActionContext, copy = copying(job, ways)): Action {
  const isUnclear = unclearBetween(ways.source, ways.destination)
  const ahead = aheadOf(ways.source, ways.destination)
  const stays = stayingFor(job, ways.source)
  return async (object: WorkItem) => {
    try {
      if (object.extra === true) {
        const reason = await stays?.(object.key)
        return reason === undefined ? outcomeOfExtra(job, object) : { kind: 'skipped', reason }
      }
      if (deletionFailed(object)) return await stillExtra(job, ways, object)
      if (need(job, object, isUnclear) === 'look' && !(await differs(job, ways, object))) return UNCHANGED
      if (isLeft(job, object, ahead)) return NEWER
    } catch (error) {
      const outcome = outcomeOf(error, job.source.prefix, object)
      // Whichever request it was, it is the deletion that is still to be done: the next try must not take it for a copy.
      return outcome?.kind === 'failed' && (object.extra === true || deletionFailed(object))
        ? { ...outcome, failure: { ...outcome.failure, operation: DELETION } }
        : outcome
    }
    return await copy(object)
  }
}

function copying(job: SyncJob, ways: ActionContext): Action {
  return job.follow === undefined ? copyAction(copyOf(job), ways) : copyUnlessNewer(job, ways)
}

/** Whether a copy is needed: for certain, or not at all, or a closer look must tell. */
function need({ by, follow }: SyncJob, object: WorkItem, isUnclear: Unclear | undefined): 'copy' | 'none' | 'look' {
  const { there } = object
  if (there === undefined || annotationsFailed(object)) return 'copy'
  const byTime = isNewer(object, there) ? 'copy' : 'none'
  if (by === 'time') return byTime
  if (isUnclear?.(object, there) === true) return 'look'
  if (by === 'size') return object.size === there.size ? 'none' : 'copy'
  switch (contentByListing(object, there)) {
    case 'same':
      return 'none'
    case 'different':
      return 'copy'
    case 'same-size':
      return follow !== undefined && mayBeReplaced(follow, object) ? 'copy' : byTime
    case 'unclear':
      return 'look'
  }
}

type Dated = Pick<ObjectSummary, 'lastModified'>

function isNewer(source: Dated, destination: Dated): boolean {
  // One that nobody knows is never older: the worst is a copy too many.
  return !(timeOf(source.lastModified) <= timeOf(destination.lastModified))
}

// Two MD5s that differ: what one of them is of may be encrypted, and then it is no MD5. What is listed as empty may be a manifest.
async function differs({ by }: SyncJob, { source, destination }: ActionContext, listed: WorkItem): Promise<boolean> {
  const { key, there } = listed
  const [from, to] = await Promise.allSettled([
    headOf(source, listed),
    unlessGone(there === undefined ? destination.reading.head(key) : headOf(destination, there)),
  ])
  for (const look of [from, to]) {
    if (look.status === 'fulfilled') continue
    // What may not be looked at may not be copied either: what the listings say of it stands.
    const refused = look.reason instanceof StorageError && look.reason.status === 403
    if (refused && there !== undefined && contentByListing(listed, there) === 'same') return false
    const encrypted = look.reason instanceof StorageError && look.reason.code === 'SSE-C'
    if (!encrypted) throw look.reason
    return there === undefined || isNewer(listed, there)
  }
  const [one, other] = [from, to].map((look) => (look.status === 'fulfilled' ? look.value : undefined))
  // What points to other objects is no copy.
  if (one === undefined || other === undefined || other.manifest === true) return true
  if (by === 'size') return one.size !== other.size
  const content = contentByHead(one, other)
  return content === 'different' || (content === 'same-size' && isNewer(one, other))
}

function outcomeOfExtra({ source, destination, delete: deletes, follow }: SyncJob, object: WorkItem): Outcome {
  // A marker of the folder that the prefix names: the source can have none.
  if (object.key === '' && source.prefix === '') return { kind: 'skipped', reason: 'prefix-marker' }
  if (deletes === undefined) return EXTRA
  return follow !== undefined && isOthersAlone(follow, object)
    ? NEWER
    : { kind: 'delete-deferred', deferredDelete: deferredDeleteOf(destination.prefix, object) }
}

async function stillExtra(job: SyncJob, { source, destination }: ActionContext, object: WorkItem): Promise<Outcome> {
  if ((await unlessTrulyGone(source, object.key, source.reading.head(object.key))) !== undefined)
    return { kind: 'skipped', reason: 'appeared' }
  const { size, etag, lastModified, storageClass } = await destination.reading.head(object.key)
  return outcomeOfExtra(job, { key: object.key, size, etag, lastModified, storageClass })
}

const WRITTEN: Outcome = { kind: 'copied' }
const DELETED: Outcome = { kind: 'deleted' }

export const SYNC_ACTIONS: KindActions<SyncJob> = {
  listing({ inventory }, { source, destination, settings: { sourceListing, destinationListing } }) {
    if (inventory !== undefined && sourceListing === undefined) throw new Error('nobody has sorted the inventory')
    const [from, to] = [listedBy(source, sourceListing), listedBy(destination, destinationListing)]
    return (after) => itemsAfter(from, to, after)
  },
  decide(job, { settings: { distinctBuckets, streamed }, isUnclear, ahead }, large) {
    const decide = decideSync(job, { distinctBuckets, isUnclear, ahead })
    if (large === 'act') return decide
    return (object, page) => {
      const outcome = decide(object, page)
      if (outcome !== undefined) return outcome
      const deferred = deferral(job, object, streamed)
      return deferred !== undefined && isCopied(job, object, isUnclear) ? deferred : undefined
    }
  },
  look(job, context) {
    const look = syncAction(job, context, () => Promise.resolve(WRITTEN))
    return async (object) => {
      const outcome = await look(object)
      return outcome?.kind === 'delete-deferred' ? DELETED : outcome
    }
  },
  act: (job, context) => withArchiveHandling(job, context, syncAction(job, context)),
  requests: requestsOfCopy,
  checkRequests: requestsOfCopyCheck,
  deleteDeferred: deletingDeferred,
  deferredLooks: requestsOfLooks,
}
