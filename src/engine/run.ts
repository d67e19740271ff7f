import type { Outcome, Pace } from '../job.js'
import type { ObjectSummary } from '../storage/storage.js'
import type { WorkSource } from '../work/work.js'
import { runLane, type Act } from './lane.js'
import type { Slots } from './slots.js'

/** What lanes need to run. */
export interface LanesOptions {
  readonly work: WorkSource
  readonly act: Act
  readonly slots: Slots
  readonly pace: Pace
  /** Aborted when the run is to end: nothing further is begun, what is in flight ends. */
  readonly stop: AbortSignal
  /** Called, perhaps several times, with what makes it impossible to go on. The caller aborts `stop`. */
  readonly fail: (error: unknown) => void
  /** Called with each outcome as it comes, in no order. */
  readonly watch?: ((object: ObjectSummary, outcome: Outcome) => void) | undefined
}

/** Runs lanes over a work source until it has no more work or `stop` aborts. Never rejects. */
export async function runLanes(options: LanesOptions): Promise<void> {
  const { work, slots, stop, fail, watch } = options
  const act = watch === undefined ? options.act : watched(options.act, watch)
  const close = (): void => work.close()
  if (stop.aborted) close()
  else stop.addEventListener('abort', close, { once: true })
  const lane = async (): Promise<void> => {
    try {
      for (let lease = await work.claim(); lease !== undefined; lease = await work.claim()) {
        await runLane(lease, { act, slots, stop, fail })
      }
    } catch (error) {
      fail(error)
    }
  }
  await Promise.all(Array.from({ length: options.pace.lanes }, lane))
  stop.removeEventListener('abort', close)
}

function watched(act: Act, watch: (object: ObjectSummary, outcome: Outcome) => void): Act {
  return async (object) => {
    const outcome = await act(object)
    if (outcome !== undefined) watch(object, outcome)
    return outcome
  }
}
