import type { RunEvent, Throttle } from '../../job/events.js'
import { listOf, type ScanJob } from '../../job/kinds.js'
import type { Deferral, Outcome } from '../../job/outcome.js'
import type { RunSettings } from '../../job/pace.js'
import { noTotals } from '../../job/totals.js'
import type { Notice } from '../../storage/notice.js'
import type { StoreFor } from '../../storage/retry.js'
import { TRIED_LATER, UnlikeOthers } from '../../storage/set-aside.js'
import type { ObjectSummary } from '../../storage/storage.js'
import { leasesOnNamed, leasesOver } from '../../sources/listing-source.js'
import type { Keyed } from '../../sources/page-facts.js'
import { createTally, type TallyGain } from '../../sources/tally.js'
import type { ClaimableRanges } from '../../sources/work-source.js'
import { actOf, decisionOf, listingOf } from '../actions/actions.js'
import { aheadOf } from '../actions/follow.js'
import { actingOnNamed, lookingUp, unlessKnown } from '../actions/look-up-listed.js'
import { eventOf } from '../actions/object-event.js'
import type { Task } from './worker-pool.js'
import { rowsWorkshop } from './inventory-rows.js'
import { comparingReader, countingReader, lineReader, objectRowReader, type Reader } from './readers.js'
import type { Gate } from '../lanes/gate.js'
import { unclearBetween } from '../actions/manifests.js'
import type { Action } from '../lanes/lane.js'
import { heldBack, pacersFor, refusalsOf, type Pacer, type Refusals } from '../lanes/pacer.js'
import { runPages } from '../lanes/page-lanes.js'
import { runLanes } from '../lanes/run-lanes.js'
import { ConcurrencyLimit } from '../lanes/concurrency-limit.js'
import { SpotChecks } from '../actions/spot-checks.js'
import { streamMemory } from '../actions/copy-streamed.js'
import { NameLocks } from '../actions/name-locks.js'

/** What a job that writes yields: what became of objects, and, when it is watched, what to tell of each. */
export interface WriteProduct {
  readonly gain: TallyGain
  readonly seen: readonly RunEvent[]
}

/** What a workshop needs of the thread that it is in. */
export interface WorkerTaskOptions {
  readonly task: Task
  readonly ranges: ClaimableRanges
  readonly source: StoreFor
  readonly destination: StoreFor | undefined
  /** Where the inventory is that names the objects, if that is in a store. */
  readonly inventory?: StoreFor | undefined
  readonly settings: RunSettings
  /** Holds back the objects of a job that writes. */
  readonly gate?: Gate | undefined
  readonly stop: AbortSignal
  readonly fail: (error: unknown) => void
  /** Waits until what was yielded has been taken in well enough to go on. */
  readonly room: () => Promise<void> | undefined
  /** Told of what a person should know of a folder. */
  readonly notice?: ((notice: Notice) => void) | undefined
  /** Sends what there is. */
  readonly flush: () => void
}

/** One thread's share of a task. */
export interface WorkerTask {
  /** Resolves when there is no more work, or, after `stop`, when nothing is in flight. Never rejects. */
  run(): Promise<void>
  /** What was got out of the objects that were settled since the last call. */
  collect(): { readonly product: unknown; readonly transfer: readonly ArrayBuffer[] }
  /** Objects being worked on now. */
  readonly inFlight: number
  /** What is held back now. */
  readonly held: Throttle | undefined
  /** Where requests were refused since the last call. */
  takeRefused(): Refusals | undefined
}

/** The workshop for a task. */
export function openWorkshop(options: WorkerTaskOptions): WorkerTask {
  switch (options.task.kind) {
    case 'write':
      return writeWorkshop(options, options.task)
    case 'usage':
      return objectsWorkshop(options, options.task.job, countingReader(options.task, options))
    case 'lines':
      return objectsWorkshop(options, options.task.job, lineReader(options.task, options))
    case 'rows':
      return objectsWorkshop(options, options.task.job, objectRowReader(options.task, options))
    case 'comparison':
      return readWorkshop(options, comparingReader(options.task, options))
  }
}

function writeWorkshop(options: WorkerTaskOptions, { job, watched }: Task & { kind: 'write' }): WorkerTask {
  const { ranges, source, destination, settings, stop, fail } = options
  if (destination === undefined) throw new Error('there is no destination to write to')
  const turns = new NameLocks(settings.nameLocks, stop)
  const isUnclear = unclearBetween(source(), destination())
  const ahead = aheadOf(source(), destination())
  const named = listOf(job) !== undefined
  const decided = decisionOf(job, { settings, notice: options.notice, isUnclear, ahead }, 'defer')
  const setAside = new UnlikeOthers(TRIED_LATER)
  const memory = streamMemory(settings)
  const notice = options.notice ?? (() => undefined)
  const checks = new SpotChecks({ strict: settings.onLoss === 'fail', notice, fail })
  let tally = createTally(noTotals(), () => undefined)
  let seen: RunEvent[] = []
  const slots = new ConcurrencyLimit(settings.concurrency, settings)
  options.gate?.attach(slots)
  const pacers = pacersFor(settings.lanes)
  const add = (object: ObjectSummary, outcome: Outcome | Deferral): void => {
    tally.add(object, outcome)
    const event = watched ? eventOf(job, object, outcome) : undefined
    if (event !== undefined) seen.push(event)
  }
  const work = named
    ? leasesOnNamed(ranges, lookingUp({ job, storeFor: (pacer) => source(pacer, setAside), slots, stop }), { add })
    : leasesOver(ranges, listingOf(job, { source: source(), destination: destination(), settings }), { add })
  const actFor = (pacer: Pacer): Action => {
    const act = actOf(job, {
      ...{ source: source(pacer, setAside), destination: destination(pacer, setAside) },
      ...{ settings, memory, stop, turns, checks: checks.lane() },
    })
    return named ? actingOnNamed(act, job.source.prefix) : act
  }
  return {
    run: () =>
      runLanes({
        ...{ work, pacers, slots, stop, fail, actFor },
        decide: named ? unlessKnown(decided) : decided,
      }),
    collect() {
      const gain = {
        ...{ totals: tally.totals, added: tally.added },
        ...{ deferred: tally.takeDeferred(), waiting: tally.takeWaiting() },
        ...{ failures: tally.takeFailures(), deferredDeletes: tally.takeDeferredDeletes() },
      }
      const product: WriteProduct = { gain, seen }
      tally = createTally(noTotals(), () => undefined)
      seen = []
      return { product, transfer: [] }
    },
    get inFlight() {
      return slots.busy
    },
    get held() {
      return heldBack(pacers)
    },
    takeRefused: () => refusalsOf(pacers),
  }
}

function objectsWorkshop(options: WorkerTaskOptions, job: ScanJob, reader: Reader<ObjectSummary>): WorkerTask {
  return listOf(job) === undefined ? readWorkshop(options, reader) : rowsWorkshop(options, job, reader)
}

function readWorkshop<T extends Keyed>(options: WorkerTaskOptions, reader: Reader<T>): WorkerTask {
  const { listing, take } = reader
  const taken = (): void => {
    if (reader.isFull()) options.flush()
  }
  return {
    run: () => runPages({ ...options, lanes: options.settings.lanes, listing, take, taken }),
    collect() {
      const product = reader.collect()
      return { product, transfer: 'bytes' in product ? [product.bytes.buffer] : [] }
    },
    get inFlight() {
      return reader.inFlight
    },
    held: undefined,
    takeRefused: () => undefined,
  }
}
