import { listOf, writeKindOf, type WriteJob } from '../../job/kinds.js'
import type { WaitingObject } from '../../job/outcome.js'
import { sleep } from '../../abort.js'
import type { Storage } from '../../storage/storage.js'
import { named, type Complete } from '../../sources/named-object.js'
import type { WorkItem } from '../../sources/work-source.js'
import { actOf, decisionOf, deletionOf } from '../actions/actions.js'
import type { ActionContext, DecideContext } from '../actions/context.js'
import { deletionFailed } from '../actions/deferred-delete.js'
import { actingOnNamed, unlessKnown } from '../actions/look-up-listed.js'
import type { Attempt } from './waiting.js'

/** What one attempt at an object needs. */
export interface AttemptOptions {
  readonly job: WriteJob
  readonly ways: ActionContext
  readonly ends: DecideContext
  readonly complete: Complete
}

/** Tries an object again that was set aside: with what its failure tells of it, and a look at what that does not tell. */
export function attempting({ job, ways, ends, complete }: AttemptOptions) {
  const { prefix } = job.source
  const whole = actOf(job, ways)
  const act = listOf(job) === undefined ? whole : actingOnNamed(whole, prefix)
  // However large it is: its parts are tried again on the spot.
  const decide = unlessKnown(decisionOf(job, ends, 'act'))
  const leave = writeKindOf(job).deferredDeletes === undefined ? undefined : deletionOf(job, ways)
  return async (failure: WaitingObject): Promise<Attempt | undefined> => {
    const [object] = (await complete([named(failure, prefix)])) ?? []
    if (object === undefined) return undefined
    const { copy } = failure
    const item: WorkItem = copy === undefined ? object : { ...object, copy }
    // Its copy was proven before: only the deletion is to be done.
    const outcome =
      leave !== undefined && deletionFailed(item) ? await leave(item) : (decide(item, [item]) ?? (await act(item)))
    return outcome === undefined || outcome.kind === 'deferred' || outcome.kind === 'waiting'
      ? undefined
      : { object: item, outcome }
  }
}

/** How long a store may take to answer that is asked whether it is there, in milliseconds. */
const ANSWER = 20_000

/** Whether all of these stores answer. */
export async function answers(stores: readonly Storage[], stop: AbortSignal): Promise<boolean> {
  const all = Promise.all(stores.map((store) => store.list({ limit: 1 }))).then(
    () => true,
    () => false,
  )
  return await Promise.race([all, sleep(ANSWER, stop).then(() => false)])
}
