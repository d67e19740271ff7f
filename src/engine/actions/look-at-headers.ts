import type { Outcome } from '../../job/outcome.js'
import type { SetHeadersJob } from '../../job/set-headers.js'
import type { ObjectSummary, Storage } from '../../storage/storage.js'
import { ConcurrencyLimit } from '../lanes/concurrency-limit.js'
import type { Pacer } from '../lanes/pacer.js'
import { unlessListed } from './gone.js'
import { lookAtEach, pacerOfLooks } from './looks-in-flight.js'
import { outcomeOfHead, planned, type Plan } from './set-headers.js'

/** Where listed objects are looked at, and how many at once. */
export interface HeaderLooks {
  readonly job: SetHeadersJob
  /** The store, whose requests the pacer feels. */
  readonly storeFor: (pacer: Pacer) => Storage
  readonly concurrency: number
  /** Aborted when no further object is to be looked at. */
  readonly stop: AbortSignal
}

/**
 * Finds out what `set-headers` would do with listed objects, with a HEAD each, many at a time; nothing is changed. Undefined once it is to stop. Rejects
 * with what ends the run.
 */
export function lookingAtHeaders({
  job,
  storeFor,
  concurrency,
  stop,
}: HeaderLooks): (objects: readonly ObjectSummary[]) => Promise<readonly Plan[] | undefined> {
  const pacer = pacerOfLooks()
  const store = storeFor(pacer)
  const slots = new ConcurrencyLimit(concurrency)
  const { prefix } = job.source
  const look = async (object: ObjectSummary): Promise<Plan | undefined> => {
    try {
      return await planned(job, store, object)
    } catch (error) {
      let second: Plan | undefined
      const again = async (listed: ObjectSummary): Promise<Outcome | undefined> => {
        try {
          second = await planned(job, store, listed)
          return second.outcome ?? WRITTEN
        } catch (error) {
          return outcomeOfHead(error, prefix, listed)
        }
      }
      const outcome = await unlessListed(store, prefix, object, outcomeOfHead(error, prefix, object), again)
      if (outcome === WRITTEN) return second
      return outcome && { outcome }
    }
  }
  return (objects) => lookAtEach(objects, look, { pacer, slots, stop })
}

const WRITTEN: Outcome = { kind: 'copied' }
