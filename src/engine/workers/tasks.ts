import type { RunEvent, Throttle } from '../../job/events.js'
import type { Deferral, Outcome } from '../../job/outcome.js'
import type { RunSettings } from '../../job/pace.js'
import { noTotals } from '../../job/totals.js'
import type { Verdicts } from '../../job/verdicts.js'
import type { Notice } from '../../storage/notice.js'
import type { StoreFor } from '../../storage/retry.js'
import { GIVEN_UP, TRIED_LATER, UnlikeOthers } from '../../storage/set-aside.js'
import type { ObjectSummary } from '../../storage/storage.js'
import { leasesOver } from '../../sources/listing-source.js'
import { listingAfter } from '../../sources/page-listing.js'
import { pairsAfter } from '../../sources/pair-listing.js'
import { createTally, type TallyGain } from '../../sources/tally.js'
import type { ClaimableRanges } from '../../sources/work-source.js'
import { actOf, decisionOf, listingOf } from '../actions/actions.js'
import { eventOf } from '../actions/object-event.js'
import { UsageCounts } from '../output/usage-counts.js'
import type { Task } from './worker-pool.js'
import type { Gate } from '../lanes/gate.js'
import { objectLineWriter } from '../output/ls-lines.js'
import { differenceLine } from '../output/verify-lines.js'
import { unclearBetween } from '../actions/manifests.js'
import { heldBack, pacersFor } from '../lanes/pacer.js'
import { packer } from '../output/compression.js'
import { runPages, type PagesOptions } from '../lanes/page-lanes.js'
import { runLanes } from '../lanes/run-lanes.js'
import { ConcurrencyLimit } from '../lanes/concurrency-limit.js'
import { SpotChecks } from '../actions/spot-checks.js'
import { streamMemory } from '../actions/copy-streamed.js'
import { NameLocks } from '../actions/name-locks.js'
import { createReport, verifying } from '../actions/verify.js'

/** What a job that writes yields: what became of objects, and, when it is watched, what to tell of each. */
export interface WriteProduct {
  readonly gain: TallyGain
  readonly seen: readonly RunEvent[]
}

/** What `ls` yields: whole lines, packed; they may be joined in any order. */
export interface LinesProduct {
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** What `verify` yields: what compared how, and whole lines of the differences, packed. */
export interface VerifyProduct extends LinesProduct {
  readonly gain: Verdicts
}

/** What a workshop needs of the thread that it is in. */
export interface WorkerTaskOptions {
  readonly task: Task
  readonly ranges: ClaimableRanges
  readonly source: StoreFor
  readonly destination: StoreFor | undefined
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
}

/** The workshop for a task. */
export function openWorkshop(options: WorkerTaskOptions): WorkerTask {
  switch (options.task.kind) {
    case 'write':
      return writeWorkshop(options, options.task)
    case 'usage':
      return duWorkshop(options, options.task)
    case 'lines':
      return lsWorkshop(options, options.task)
    case 'comparison':
      return verifyWorkshop(options, options.task)
  }
}

function writeWorkshop(options: WorkerTaskOptions, { job, watched }: Task & { kind: 'write' }): WorkerTask {
  const { ranges, source, destination, settings, stop, fail } = options
  if (destination === undefined) throw new Error('there is no destination to write to')
  const turns = new NameLocks(settings.nameLocks, stop)
  const isUnclear = unclearBetween(source(), destination())
  const decide = decisionOf(job, { settings, notice: options.notice, isUnclear }, 'defer')
  const setAside = new UnlikeOthers(TRIED_LATER)
  const memory = streamMemory(settings)
  const notice = options.notice ?? (() => undefined)
  const checks = new SpotChecks({ strict: settings.onLoss === 'fail', notice, fail })
  let tally = createTally(noTotals(), () => undefined)
  let seen: RunEvent[] = []
  const slots = new ConcurrencyLimit(settings.concurrency, settings.slots)
  options.gate?.attach(slots)
  const pacers = pacersFor(settings.lanes)
  const listing = listingOf(job, { source: source(), destination: destination() })
  const add = (object: ObjectSummary, outcome: Outcome | Deferral): void => {
    tally.add(object, outcome)
    const event = watched ? eventOf(job, object, outcome) : undefined
    if (event !== undefined) seen.push(event)
  }
  return {
    run: () =>
      runLanes({
        ...{ work: leasesOver(ranges, listing, { add }), pacers, slots, stop, fail },
        decide,
        actFor: (pacer) =>
          actOf(job, {
            ...{ source: source(pacer, setAside), destination: destination(pacer, setAside) },
            ...{ settings, memory, stop, turns, checks: checks.lane() },
          }),
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
  }
}

function duWorkshop(options: WorkerTaskOptions, { depth }: Task & { kind: 'usage' }): WorkerTask {
  const census = new UsageCounts({ depth })
  const take: TakeObjects = (objects, settle) => {
    census.add(objects)
    settle(objects.length)
    return undefined
  }
  return {
    run: () =>
      runPages({
        ...options,
        lanes: options.settings.lanes,
        listing: objectsOf(options),
        take,
        taken: () => undefined,
      }),
    collect: () => ({ product: census.take(), transfer: [] }),
    inFlight: 0,
    held: undefined,
  }
}

type TakeObjects = PagesOptions<ObjectSummary>['take']

function objectsOf({ source }: WorkerTaskOptions): PagesOptions<ObjectSummary>['listing'] {
  return (after, first) => listingAfter(source(), after, first)
}

/** Text is packed and sent in pieces of about this many characters. */
const PIECE = 512 * 1024

function lsWorkshop(options: WorkerTaskOptions, task: Task & { kind: 'lines' }): WorkerTask {
  const write = objectLineWriter(task.format, task.prefix, task.terminal)
  const pack = packer(task.packing)
  let text = ''
  const take: TakeObjects = (objects, settle) => {
    text += write(objects)
    settle(objects.length)
    return undefined
  }
  const taken = (): void => {
    if (task.sorted || text.length >= PIECE) options.flush()
  }
  return {
    run: () => runPages({ ...options, lanes: options.settings.lanes, listing: objectsOf(options), take, taken }),
    collect() {
      const packed = pack(text)
      text = ''
      const bytes = new Uint8Array(packed)
      const product: LinesProduct = { bytes }
      return { product, transfer: [bytes.buffer] }
    },
    inFlight: 0,
    held: undefined,
  }
}

function verifyWorkshop(
  options: WorkerTaskOptions,
  { job, packing, format }: Task & { kind: 'comparison' },
): WorkerTask {
  const { source, destination, settings, stop, fail, flush } = options
  if (destination === undefined) throw new Error('there is no destination to compare with')
  const pack = packer(packing)
  const slots = new ConcurrencyLimit(settings.concurrency, settings.slots)
  const report = createReport(job, (difference) => differenceLine(format, difference))
  // A pair that goes on failing while others are compared must not hold these up: what it is stays unknown.
  const setAside = new UnlikeOthers(GIVEN_UP)
  const ways = {
    source: source(undefined, setAside),
    destination: destination(undefined, setAside),
    settings,
    memory: streamMemory(settings),
    stop,
  }
  const take = verifying(job, { ...ways, slots, report, fail })
  return {
    run: () =>
      runPages({
        ...options,
        lanes: settings.lanes,
        listing: (after) => pairsAfter(source(), destination(), after),
        take,
        taken: () => {
          if (report.length >= PIECE) flush()
        },
      }),
    collect() {
      const { text, gain } = report.collect()
      const bytes = new Uint8Array(text === '' ? [] : pack(text))
      const product: VerifyProduct = { bytes, gain }
      return { product, transfer: [bytes.buffer] }
    },
    get inFlight() {
      return slots.busy
    },
    held: undefined,
  }
}
