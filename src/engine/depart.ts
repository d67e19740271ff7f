import { StorageError } from '../errors.js'
import type { Outcome, Pace, RelocateJob, SyncJob, WriteJob } from '../job.js'
import { renamer } from '../rules/rename.js'
import { able, type Storage } from '../storage/storage.js'
import type { WorkItem } from '../work/work.js'
import { exists, failed, outcomeOf, unlessGone } from './act.js'
import type { Ways } from './acts.js'
import type { Act } from './lane.js'
import { removingTogether, type Remove } from './remove.js'

/** Objects in flight when nothing but full requests to delete them is sent. */
const BATCHES = 4_000

/** How many objects that are on the ledger are in flight at once. */
export function departureFlights(job: WriteJob, { source }: Ways, { concurrency }: Pace): number {
  return job.kind === 'move' && job.map === undefined && source.conditional === true ? BATCHES : concurrency
}

/** The deletion of an object that is on the ledger, if it is still what the ledger says; failures bear the full key of the source. */
export function departing(job: SyncJob | RelocateJob, { source, destination }: Ways): Act {
  const [store, done, code]: [Storage, Outcome, string] =
    job.kind === 'move'
      ? [source, { kind: 'copied' }, 'SourceChanged']
      : [destination, { kind: 'deleted' }, 'DestinationChanged']
  const remove = removingTogether(able(store.removing, 'remove objects'))
  const isReplaced = replacing(job, destination)
  return async (object: WorkItem) => {
    try {
      // What the source has is never deleted at the destination, whatever the listings said.
      if (job.kind === 'sync' && (await exists(source, object.key))) return { kind: 'skipped', reason: 'appeared' }
      if (await isReplaced(object)) {
        const message = 'its copy is no longer there as it was proven; the source was left as it is'
        return failed(job.source.prefix, object, {
          code: 'CopyNotProven',
          message,
          operation: 'HeadObject',
          attempts: 1,
        })
      }
      if (await removeUnlessChanged(store, remove, object)) return done
      const message = 'it was written since it was listed, so it was not deleted'
      return failed(job.source.prefix, object, { code, message, operation: 'DeleteObjects', attempts: 1 })
    } catch (error) {
      const outcome = outcomeOf(error, job.source.prefix, object)
      // Whichever request it was, it is the deletion that is still to be done.
      return outcome?.kind === 'failed'
        ? { ...outcome, failure: { ...outcome.failure, operation: 'DeleteObjects' } }
        : outcome
    }
  }
}

// Whether another object has come to be in the place of a copy, under a new name which both got. Who writes only where nothing is needs no look.
function replacing(
  job: SyncJob | RelocateJob,
  { conditional, reading }: Storage,
): (object: WorkItem) => Promise<boolean> {
  if (job.kind === 'sync' || job.map === undefined || conditional === true) return () => Promise.resolve(false)
  const nameOf = renamer(job.map)
  return async ({ key, copy }) => copy === undefined || (await unlessGone(reading.head(nameOf(key))))?.etag !== copy
}

// False when it has another ETag by now. What is gone was deleted, by an earlier try for one.
async function removeUnlessChanged(store: Storage, remove: Remove, { key, etag }: WorkItem): Promise<boolean> {
  // Other stores than AWS may not know the condition.
  if (store.conditional !== true) {
    const now = await etagOf(store, key)
    if (now !== etag) return now === undefined
  }
  try {
    await remove({ key, etag })
    return true
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    if (error.code === 'NoSuchKey') return true
    if (error.code !== 'PreconditionFailed') throw error
    const now = await etagOf(store, key)
    if (now === etag) throw error
    return now === undefined
  }
}

async function etagOf({ reading }: Storage, key: string): Promise<string | undefined> {
  return (await unlessGone(reading.head(key)))?.etag
}
