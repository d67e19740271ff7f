import type { Deferral, Outcome } from '../../job/outcome.js'
import type { ObjectSummary } from '../../storage/storage.js'
import type { WorkSource } from '../../sources/work-source.js'
import { runLane, type Action, type Decide } from './lane.js'
import type { Pacer } from './pacer.js'
import type { ConcurrencyLimit } from './concurrency-limit.js'

/** What lanes need to run. */
export interface LanesOptions {
  readonly work: WorkSource
  /** The action of one lane, which feels the pressure on it. */
  readonly actFor: (pacer: Pacer) => Action
  /** As `decide` of a lane. */
  readonly decide?: Decide | undefined
  readonly slots: ConcurrencyLimit
  /** One for each lane, so that a lane keeps its pace from lease to lease. Those of lanes that join are added. */
  readonly pacers: Pacer[]
  /** Aborted when the run is to end: nothing further is begun, what is in flight ends. */
  readonly stop: AbortSignal
  /** Called, perhaps several times, with what makes it impossible to go on. The caller aborts `stop`. */
  readonly fail: (error: unknown) => void
  /** Called with each outcome as it comes, in no order. */
  readonly watch?: ((object: ObjectSummary, outcome: Outcome | Deferral) => void) | undefined
}

/** While every lane is held back and slots are idle, so many lanes join each second for each that is there. */
const JOINING = 0.25
const JOIN_INTERVAL = 1_000
/** None joins where lanes do fewer objects a second already: so few tell too little of what is borne. */
const JOIN_RATE = 25
/** So many times as many lanes as there were there are at most. */
const MOST_LANES = 4

/**
 * Runs lanes over a work source until it has no more work or `stop` aborts. Never rejects. A store limits ranges of keys, so while every
 * lane is held back and slots are idle, lanes join: they begin where nobody is yet.
 */
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
  const lanes = pacers.map(lane)
  const most = MOST_LANES * lanes.length
  const join = setInterval(() => {
    if (!slots.idle || pacers.some(({ limit }) => limit === undefined)) return
    if (pacers.reduce((sum, { limit = 0 }) => sum + limit, 0) < JOIN_RATE * pacers.length) return
    const [first] = pacers
    const joining = Math.min(most - lanes.length, Math.ceil(JOINING * lanes.length))
    for (let i = 0; i < joining && first !== undefined; i++) {
      const pacer = first.another()
      pacers.push(pacer)
      lanes.push(lane(pacer))
    }
  }, JOIN_INTERVAL)
  // Lanes may join while others are waited for.
  for (const running of lanes) await running
  clearInterval(join)
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

function watched(act: Action, watch: Watch): Action {
  return async (object) => {
    const outcome = await act(object)
    if (outcome !== undefined) watch(object, outcome)
    return outcome
  }
}
