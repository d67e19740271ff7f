import { copyOf } from '../../job/copy.js'
import type { Outcome } from '../../job/outcome.js'
import { isFolder } from '../../job/place.js'
import type { SyncJob } from '../../job/sync.js'
import { isOthers } from '../../rules/written-by-others.js'
import type { WorkItem } from '../../sources/work-source.js'
import type { ObjectSummary, Storage } from '../../storage/storage.js'
import type { Action } from '../lanes/lane.js'
import { areApart, contentByListing, isMd5 } from './compare-objects.js'
import type { ActionContext } from './context.js'
import { copyAction } from './copy-object.js'
import { guarded, IF_ABSENT, type Guard } from './no-clobber.js'
import { outcomeOf, TAKEN, unlessGone } from './outcome.js'

/** What somebody else has written since, and which is left as it is. */
export const NEWER: Outcome = { kind: 'skipped', reason: 'newer' }
const UNCHANGED: Outcome = { kind: 'skipped', reason: 'unchanged' }

type Dated = Pick<ObjectSummary, 'lastModified'>
type Seen = Dated & Pick<ObjectSummary, 'etag'>

/** How often what is there may change between a look and the write that follows. */
const LOOKS = 3

/** By how much it is later by the destination's clock than by the source's, in milliseconds, as far as their answers tell. */
export function aheadOf(source: Pick<Storage, 'clock'>, destination: Pick<Storage, 'clock'>): () => number {
  const [from, to] = [source.clock ?? Date.now, destination.clock ?? Date.now]
  return () => to() - from()
}

/** Whether what the destination has in the place of an object is newer, in a job that follows its source, and was written by others. */
export function isNewerThere(
  { follow, source }: SyncJob,
  object: WorkItem,
  there: Dated,
  ahead: () => number,
): boolean {
  return follow !== undefined && isOthers(follow, object, there, { ahead: ahead(), ofFiles: isFolder(source) })
}

/**
 * The action of a copy that replaces nothing newer: each write is on the condition that the destination has what was seen there, and what it has instead is
 * looked at and decided about anew.
 */
export function copyUnlessNewer(job: SyncJob, ways: ActionContext): Action {
  const { source, destination } = ways
  const ahead = aheadOf(source, destination)
  const copyWith = (guard: Guard): Action =>
    copyAction(copyOf(job), { ...ways, destination: guarded(destination, guard, undefined) })
  const toFree = copyWith(IF_ABSENT)
  const plain = copyAction(copyOf(job), ways)
  const copyOver = (there: Seen): Action => (there.etag === '' ? plain : copyWith(whileIs(there)))
  return async (object: WorkItem) => {
    let there: Seen | undefined = object.there
    for (let look = 1; ; look++) {
      const outcome = await (there === undefined ? toFree : copyOver(there))(object)
      if (outcome?.kind !== 'failed' || outcome.failure.code !== TAKEN || look === LOOKS) return outcome
      try {
        const now = await unlessGone(destination.reading.head(object.key))
        if (now !== undefined && contentByListing(object, now) === 'same') return UNCHANGED
        if (now !== undefined && isNewerThere(job, object, now, ahead)) return NEWER
        there = now
      } catch (error) {
        return outcomeOf(error, job.source.prefix, object)
      }
    }
  }
}

// A listing may tell another ETag of an object in parts than HEAD does, and milliseconds where that tells seconds.
function whileIs({ etag, lastModified }: Seen): Guard {
  return {
    condition: ['if-match', `"${etag}"`],
    isTaken: async ({ reading }, name) => {
      const now = await unlessGone(reading.head(name))
      if (now === undefined) return false
      return areApart(now.lastModified, lastModified) === true || (isMd5(etag) && isMd5(now.etag) && now.etag !== etag)
    },
  }
}
