import type { Outcome } from '../../job/outcome.js'
import type { SetHeadersJob } from '../../job/set-headers.js'
import type { SetTagsJob } from '../../job/set-tags.js'
import type { ObjectSummary, Storage } from '../../storage/storage.js'
import { ConcurrencyLimit } from '../lanes/concurrency-limit.js'
import type { Pacer } from '../lanes/pacer.js'
import { unlessListed } from './gone.js'
import { lookAtEach, pacerOfLooks } from './looks-in-flight.js'
import { outcomeOf } from './outcome.js'
import { outcomeOfHead, planned, type Plan } from './set-headers.js'
import { plannedTags, type TagPlan } from './set-tags.js'

/** Where listed objects are looked at, and how many at once. */
interface Looks {
  /** The store, whose requests the pacer feels. */
  readonly storeFor: (pacer: Pacer) => Storage
  readonly concurrency: number
  /** Aborted when no further object is to be looked at. */
  readonly stop: AbortSignal
}

/** Where objects of a job are looked at. */
export interface HeaderLooks extends Looks {
  readonly job: SetHeadersJob
}

/** The same of a job that changes tags. */
interface TagLooks extends Looks {
  readonly job: SetTagsJob
}

/** Looks at listed objects. Undefined once it is to stop. Rejects with what ends the run. */
export type LookAt<P> = (objects: readonly ObjectSummary[]) => Promise<readonly (P | Settled)[] | undefined>

interface Settled {
  readonly outcome: Outcome
}

/** Finds out what `set-headers` would do with listed objects, with a HEAD each, many at a time; nothing is changed. */
export function lookingAtHeaders({ job, ...looks }: HeaderLooks): LookAt<Plan> {
  const plan = (store: Storage, object: ObjectSummary): Promise<Plan> => planned(job, store, object)
  return lookingAt({ ...looks, prefix: job.source.prefix, plan, outcomeOf: outcomeOfHead })
}

/** Finds out what `set-tags` would do with listed objects, with a GetObjectTagging each; nothing is changed. */
export function lookingAtTags({ job, ...looks }: TagLooks): LookAt<TagPlan> {
  const plan = (store: Storage, object: ObjectSummary): Promise<TagPlan> => plannedTags(job, store, object)
  return lookingAt({ ...looks, prefix: job.source.prefix, plan, outcomeOf })
}

interface PlannedLooks<P> extends Looks {
  readonly prefix: string
  readonly plan: (store: Storage, object: ObjectSummary) => Promise<P>
  readonly outcomeOf: typeof outcomeOf
}

function lookingAt<P extends { readonly outcome: Outcome | undefined }>({
  storeFor,
  concurrency,
  stop,
  prefix,
  plan,
  outcomeOf,
}: PlannedLooks<P>): LookAt<P> {
  const pacer = pacerOfLooks()
  const store = storeFor(pacer)
  const slots = new ConcurrencyLimit(concurrency)
  const look = async (object: ObjectSummary): Promise<P | Settled | undefined> => {
    try {
      return await plan(store, object)
    } catch (error) {
      let second: P | undefined
      const again = async (listed: ObjectSummary): Promise<Outcome | undefined> => {
        try {
          second = await plan(store, listed)
          return second.outcome ?? WRITTEN
        } catch (error) {
          return outcomeOf(error, prefix, listed)
        }
      }
      const outcome = await unlessListed(store, prefix, object, outcomeOf(error, prefix, object), again)
      if (outcome === WRITTEN) return second
      return outcome && { outcome }
    }
  }
  return (objects) => lookAtEach(objects, look, { pacer, slots, stop })
}

const WRITTEN: Outcome = { kind: 'copied' }
