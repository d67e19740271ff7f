import type { Deferral, Outcome } from '../job.js'
import type { ObjectSummary } from '../storage/storage.js'
import type { WorkSource } from '../work/work.js'
import { runLane, type Act, type Decide } from './lane.js'
import type { Pacer } from './pacer.js'
import type { Slots } from './slots.js'

/** What lanes need to run. */
export interface LanesOptions {
  readonly work: WorkSource
  /** The action of one lane, which feels the pressure on it. */
  readonly actFor: (pacer: Pacer) => Act
  /** As `decide` of a lane. */
  readonly decide?: Decide | undefined
  readonly slots: Slots
  /** One for each lane, so that a lane keeps its pace from lease to lease. */
  readonly pacers: readonly Pacer[]
  /** Aborted when the run is to end: nothing further is begun, what is in flight ends. */
  readonly stop: AbortSignal
  /** Called, perhaps several times, with what makes it impossible to go on. The caller aborts `stop`. */
  readonly fail: (error: unknown) => void
  /** Called with each outcome as it comes, in no order. */
  readonly watch?: ((object: ObjectSummary, outcome: Outcome | Deferral) => void) | undefined
}

/** Runs lanes over a work source until it has no more work or `stop` aborts. Never rejects. */
export async function runLanes(options: LanesOptions): Promise<void> {
  const { work, actFor, pacers, slots, stop, fail, watch } = options
  const decide = watch === undefined || options.decide === undefined ? options.decide : seen(options.decide, watch)
  const close = (): void => work.close()
  if (stop.aborted) close()
  else stop.addEventListener('abort', close, { once: true })
  const lane = async (pacer: Pacer): Promise<void> => {
    const act = watch === undefined ? actFor(pacer) : watched(actFor(pacer), watch)
    try {
      for (let lease = await work.claim(); lease !== undefined; lease = await work.claim()) {
        await runLane(lease, { act, decide, pacer, slots, stop, fail })
        pacer.leave()
      }
    } catch (error) {
      fail(error)
    }
  }
  await Promise.all(pacers.map(lane))
  stop.removeEventListener('abort', close)
}

type Watch = NonNullable<LanesOptions['watch']>

function seen(decide: Decide, watch: Watch): Decide {
  return (object, page) => {
    const outcome = decide(object, page)
    if (outcome !== undefined) watch(object, outcome)
    return outcome
  }
}

function watched(act: Act, watch: Watch): Act {
  return async (object) => {
    const outcome = await act(object)
    if (outcome !== undefined) watch(object, outcome)
    return outcome
  }
}
