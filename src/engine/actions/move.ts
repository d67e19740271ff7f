import { timeOf } from '../../times.js'
import { copyOf } from '../../job/copy.js'
import type { MoveJob } from '../../job/move.js'
import type { Outcome } from '../../job/outcome.js'
import { isFolder } from '../../job/place.js'
import { nameInCeph } from '../../rules/header-names.js'
import { renamer } from '../../rules/rename.js'
import { isSameHeader } from '../../rfc2047.js'
import { isAborted, sleep } from '../../abort.js'
import type { ObjectHead, ObjectSummary, Storage } from '../../storage/storage.js'
import type { WorkItem } from '../../sources/work-source.js'
import { failed, outcomeOf, TAKEN, unlessGone } from './outcome.js'
import { withArchiveHandling } from './archived.js'
import { allTogether, type ActionContext, type KindActions } from './context.js'
import { headersOf } from './copy-attributes.js'
import { lacksAnnotations } from './annotations.js'
import { areApart, isMd5 } from './compare-objects.js'
import { copyAction, requestsOfCopy } from './copy-object.js'
import { deferredDeleteOf, deletingDeferred, deletionFailed, requestsOfLooks } from './deferred-delete.js'
import { unlessTrulyGone } from './gone.js'
import type { Action } from '../lanes/lane.js'
import { guarded, requestsOfGuard, turnsNeeded, withNoClobber, type Guard } from './no-clobber.js'
import { LIMITS } from './multipart.js'
import { refusingOrDeferring } from './refuse-names.js'
import { renameAction, renamingWithin } from './rename-object.js'
import { requestsOfCopyCheck } from './spot-checks.js'

/** The action of `move` on one object: a copy, and the proof that it is one. It is deleted later, once that is on the ledger. */
export function moveAction(job: MoveJob, ways: ActionContext): Action {
  const { source, destination } = ways
  const { prefix } = job.source
  const nameOf = renamer(job.map)
  const copy = job.map === undefined ? copyAction(copyOf(job), ways) : unlessTaken(job, ways)
  const keepsTimes = isFolder(job.destination)
  const isRenamed = renamingWithin(job, ways)
  const rename = isRenamed === undefined ? undefined : renameAction(job, ways)
  return async (listed: WorkItem) => {
    try {
      // Of what has no ETag nobody could tell later whether it is still the same.
      const object = listed.failedIn === undefined && listed.etag !== '' ? listed : await asItIs(source, listed)
      if (object === undefined) return deletionFailed(listed) ? { kind: 'copied' } : { kind: 'skipped', reason: 'gone' }
      if (rename !== undefined && isRenamed?.(object) === true) return await rename(object)
      if (!keepsTimes && !(await untilOlder(object, ways))) return undefined
      const outcome = await copy(object)
      if (outcome?.kind !== 'copied') return outcome
      const { etag = '', manifest } = outcome
      const copied =
        manifest === undefined
          ? object
          : { ...object, size: manifest.size, etag: manifest.etag, lastModified: manifest.lastModified }
      if (!(await isProven(destination, { ...copied, key: nameOf(object.key) }, etag))) {
        const message =
          'the copy is not there as it was answered: it has another size or ETag; the source was left as it is'
        return failed(prefix, listed, { code: 'CopyNotProven', message, operation: 'HeadObject', attempts: 1 })
      }
      return { kind: 'delete-deferred', deferredDelete: deferredDeleteOf(prefix, copied, etag) } satisfies Outcome
    } catch (error) {
      return outcomeOf(error, prefix, listed)
    }
  }
}

// Two objects, far apart in the listing, may get one name: the second must not replace the first, whose source is deleted. What has the same
// content and headers is the copy of an earlier try, whose answer nobody heard.
function unlessTaken(job: MoveJob, ways: ActionContext): Action {
  const copy = withNoClobber(copyOf(job), ways)
  const turns = turnsNeeded(copyOf(job), ways)
  const nameOf = renamer(job.map)
  const [from, to] = [ways.source.reading, ways.destination.reading]
  const hasContentOf = async (object: WorkItem, name: string, there: ObjectHead): Promise<boolean> => {
    if (there.size !== object.size) return false
    if (object.size === 0 || (there.etag === object.etag && isMd5(there.etag))) return true
    return (await from.digest(object.key, object)) === (await to.digest(name, there))
  }
  const { attributes = {} } = job
  const hasHeadersOf = async (object: WorkItem, { headers }: ObjectHead): Promise<boolean> => {
    if (attributes.drop?.includes('metadata') === true) return true
    const wanted = headersOf(attributes, ways.source, object, await from.head(object.key))
    const there = (name: string): string | undefined => headers.get(name) ?? headers.get(nameInCeph(name))
    return [...wanted].every(([name, value]) => isSameHeader(name, there(name), value))
  }
  return async (object) => {
    const outcome = await copy(object)
    if (outcome?.kind !== 'skipped' || outcome.reason !== 'exists') return outcome
    const name = nameOf(object.key)
    const there = await to.head(name)
    const hasContent = await hasContentOf(object, name, there)
    if (hasContent && (await hasHeadersOf(object, there))) {
      const apart = isFolder(job.destination) || areApart(there.lastModified, object.lastModified) === true
      if (apart && !(await lacksAnnotations(job, object, ways, name))) return { kind: 'copied', etag: there.etag }
      // The date of another copy tells the two apart, or that they are one object with two names.
      return await copyAction(copyOf(job), { ...ways, destination: guarded(ways.destination, only(there), turns) })(
        object,
      )
    }
    const what = hasContent
      ? 'an object of the new name with the same content but other headers'
      : 'another object of the new name'
    const message = `with --map nothing is replaced, and the destination has ${what}; move or delete that, or move this one with another --map`
    return failed(job.source.prefix, object, { code: TAKEN, message, operation: 'CopyObject', attempts: 1 })
  }
}

// What replaces an object only while it is what it was.
function only({ etag, lastModified }: ObjectHead): Guard {
  return {
    condition: ['if-match', `"${etag}"`],
    isTaken: async ({ reading }, name) => {
      const now = await unlessGone(reading.head(name))
      return now?.etag !== etag || now.lastModified !== lastModified
    },
  }
}

/** How long an object that was just written may be waited for, in milliseconds: what is farther ahead is another clock. */
const LONGEST_WAIT = 3_000

// Waits until a copy of it has a later Last-Modified, which is told in seconds: that is how the two are told apart before one is deleted. False
// when the run ends before.
async function untilOlder({ lastModified }: ObjectSummary, { source, stop = NEVER }: ActionContext): Promise<boolean> {
  const next = Math.ceil(timeOf(lastModified) / 1_000) * 1_000 + 1_000
  const wait = next - (source.clock?.() ?? Date.now())
  if (!(wait > 0 && wait <= LONGEST_WAIT)) return true
  await sleep(wait, stop)
  return !isAborted(stop)
}

const NEVER = new AbortController().signal

// What failed before may have been written since.
async function asItIs(store: Storage, object: WorkItem): Promise<WorkItem | undefined> {
  const head = await unlessTrulyGone(store, object.key, store.reading.head(object.key))
  if (head === undefined) return undefined
  const { size, etag, lastModified, storageClass } = head
  return { key: object.key, size, etag, lastModified, storageClass }
}

// An ETag that is the MD5 of the content, and the same for the copy, says it all. Any other must be that of an object which is there, and has
// the size; that its source was the one that was listed is proven when that is deleted, which it only is while it has its ETag.
async function isProven({ reading }: Storage, object: WorkItem, etag: string): Promise<boolean> {
  if (etag === object.etag && isMd5(etag)) return true
  const head = await unlessGone(reading.head(object.key))
  return head !== undefined && head.size === object.size && head.etag === etag
}

export const MOVE_ACTIONS: KindActions<MoveJob> = {
  decide: refusingOrDeferring,
  act: (job, context) => withArchiveHandling(job, context, moveAction(job, context)),
  requests(job, object, context) {
    if (renamingWithin(job, context)?.(object) === true) return { RenameObject: 1 }
    const apart = job.map === undefined ? {} : requestsOfGuard(copyOf(job), object, context)
    // The proof of a copy whose ETag alone says nothing.
    const proven = isFolder(job.destination) || (isMd5(object.etag) && object.size <= LIMITS.copy)
    return allTogether([requestsOfCopy(job, object, context), apart, proven ? {} : { HeadObject: 1 }])
  },
  checkRequests: requestsOfCopyCheck,
  deleteDeferred: deletingDeferred,
  deferredLooks: requestsOfLooks,
}
