import type { Outcome } from '../job.js'
import type { ObjectSummary } from '../storage/storage.js'
import type { Named } from '../work/named.js'
import type { WorkSource } from '../work/work.js'
import { runLane, type Act } from './lane.js'
import type { Pacer } from './pacer.js'
import type { Slots } from './slots.js'

/** What lanes need to run. */
export interface LanesOptions<T extends Named = ObjectSummary> {
  readonly work: WorkSource<T>
  /** The action of one lane, which feels the pressure on it. */
  readonly actFor: (pacer: Pacer) => Act<T>
  readonly slots: Slots
  /** One for each lane, so that a lane keeps its pace from lease to lease. */
  readonly pacers: readonly Pacer[]
  /** Aborted when the run is to end: nothing further is begun, what is in flight ends. */
  readonly stop: AbortSignal
  /** Called, perhaps several times, with what makes it impossible to go on. The caller aborts `stop`. */
  readonly fail: (error: unknown) => void
  /** Called with each outcome as it comes, in no order. */
  readonly watch?: ((object: T, outcome: Outcome) => void) | undefined
}

/** Runs lanes over a work source until it has no more work or `stop` aborts. Never rejects. */
export async function runLanes<T extends Named>(options: LanesOptions<T>): Promise<void> {
  const { work, actFor, pacers, slots, stop, fail, watch } = options
  const close = (): void => work.close()
  if (stop.aborted) close()
  else stop.addEventListener('abort', close, { once: true })
  const lane = async (pacer: Pacer): Promise<void> => {
    const act = watch === undefined ? actFor(pacer) : watched(actFor(pacer), watch)
    try {
      for (let lease = await work.claim(); lease !== undefined; lease = await work.claim()) {
        await runLane(lease, { act, pacer, slots, stop, fail })
        pacer.leave()
      }
    } catch (error) {
      fail(error)
    }
  }
  await Promise.all(pacers.map(lane))
  stop.removeEventListener('abort', close)
}

function watched<T extends Named>(act: Act<T>, watch: (object: T, outcome: Outcome) => void): Act<T> {
  return async (object) => {
    const outcome = await act(object)
    if (outcome !== undefined) watch(object, outcome)
    return outcome
  }
}
