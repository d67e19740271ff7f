import type { DeleteJob, Outcome } from '../job.js'
import { able, type Removal, type Removing, type Storage } from '../storage/storage.js'
import { outcomeOf } from './act.js'
import type { Act } from './lane.js'

/** What one DeleteObjects request may name. */
const MOST = 1_000
/** How long nothing more must have come before a batch that is not full is sent, in milliseconds. */
const QUIET = 5

/** Removes one object. Rejects with what the store says against it. */
export type Remove = (object: Removal) => Promise<void>

/**
 * Removals of single objects, sent together: when there are as many as one request takes, or when nothing more has come for some
 * milliseconds. As long as a request is under way what is not full waits for its answer, so that batches are as full as there are objects in
 * flight.
 */
export function removingTogether({ remove }: Pick<Removing, 'remove'>): Remove {
  let waiting: Waiting[] = []
  let underWay = 0
  let quiet: NodeJS.Timeout | undefined

  const send = async (batch: readonly Waiting[]): Promise<void> => {
    underWay++
    try {
      const errors = await remove(batch.map(({ object }) => object))
      for (const [index, { resolve, reject }] of batch.entries()) {
        const error = errors[index]
        if (error === undefined) resolve()
        else reject(error)
      }
    } catch (error) {
      for (const { reject } of batch) reject(error as Error)
    } finally {
      underWay--
      expectMore()
    }
  }
  const flush = (): void => {
    clearTimeout(quiet)
    const batch = waiting
    waiting = []
    if (batch.length > 0) void send(batch)
  }
  const expectMore = (): void => {
    if (waiting.length === 0 || underWay > 0) return
    clearTimeout(quiet)
    quiet = setTimeout(flush, QUIET)
  }
  return (object) =>
    new Promise<void>((resolve, reject) => {
      waiting.push({ object, resolve, reject })
      if (waiting.length >= MOST) flush()
      else expectMore()
    })
}

interface Waiting {
  readonly object: Removal
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

const DELETED: Outcome = { kind: 'deleted' }

/** The action of `delete` on one object. */
export function deleting(job: DeleteJob, store: Storage): Act {
  const remove = removingTogether(able(store.removing, 'remove objects'))
  return async (object) => {
    try {
      await remove({ key: object.key })
      return DELETED
    } catch (error) {
      return outcomeOf(error, job.source.prefix, object)
    }
  }
}
