import type { RunActivity, WriteCheckpoint } from '../../checkpoint/checkpoint.js'
import { addSample, sampleOf } from '../../checkpoint/rate-samples.js'
import { expectedOf, type Expected, type RunEvent, type Snapshot, type Throttle } from '../../job/events.js'
import { listOf } from '../../job/kinds.js'
import { paceNow } from '../../job/pace.js'
import { settled, sum } from '../../job/totals.js'
import type { OpenStores } from '../../storage/open.js'
import type { ListRanges } from '../../sources/files-from/list-ranges.js'
import type { Keyspace } from '../../sources/ranges/keyspace.js'
import type { RetrySource } from '../../sources/retry-source.js'
import type { Tally } from '../../sources/tally.js'
import type { ConcurrencyLimit } from '../lanes/concurrency-limit.js'
import { allTogether, type Requests } from '../actions/context.js'
import { heldBack, refusalsOf, together, type Pacer } from '../lanes/pacer.js'
import type { WorkerPool } from '../workers/worker-pool.js'
import type { BusyPrefixes } from './busy-prefixes.js'
import type { SpentOf } from './budget.js'
import type { RunState } from './checkpointer.js'
import { owedBefore, type DeferredDeletes } from './deferred-deletes.js'
import type { Ending } from './ending.js'
import type { Futility } from './futility.js'
import type { LargeObjects } from './large-objects.js'
import type { WaitingObjects } from './waiting.js'

/** What a session knows of its work. */
export interface SessionParts {
  /** As the session found it. */
  readonly checkpoint: WriteCheckpoint
  readonly ends: OpenStores
  readonly crew: WorkerPool
  readonly stop: AbortSignal
  readonly emit: (event: RunEvent) => void
  readonly slots: ConcurrencyLimit
  readonly pacers: readonly Pacer[]
  readonly tally: Tally
  readonly futility: Futility
  readonly ranges: Keyspace
  /** What failed before and is tried again. */
  readonly again: RetrySource | undefined
  /** Of `--files-from`. */
  readonly list: ListRanges | undefined
  readonly large: LargeObjects
  readonly waiting: WaitingObjects
  readonly deferredDeletes: DeferredDeletes | undefined
  readonly ending: Pick<Ending, 'stop'>
  /** Where somebody wants to know. */
  readonly busy: BusyPrefixes | undefined
  /** The snapshot is to tell of them. */
  readonly busiest: boolean
  /** Where prices are known. */
  readonly spentOf: SpentOf | undefined
}

/** How far a session has come. */
export class SessionState {
  /** No further large object will be found. */
  listingDone = false
  private readonly began = performance.now()
  private readonly listedBefore: number
  private history: WriteCheckpoint['history']

  constructor(private readonly parts: SessionParts) {
    const { checkpoint, large, waiting } = parts
    const settledBefore = settled(checkpoint.totals) + owedBefore(checkpoint)
    // Of a list all is known before the start.
    this.listedBefore =
      listOf(checkpoint.job) === undefined ? settledBefore + large.remaining + waiting.remaining : checkpoint.listed
    this.history = checkpoint.history
  }

  /** Something was not begun that belongs to the run. */
  get remains(): boolean {
    const { ranges, list, large, waiting } = this.parts
    return ranges.remaining().length > 0 || list?.remaining() !== undefined || large.remaining + waiting.remaining > 0
  }

  /** What the run has cost so far, in US$, where that is known. */
  get spent(): number | undefined {
    const { spentOf, tally } = this.parts
    return spentOf?.(this.requests(), tally.totals)
  }

  // Over all sessions.
  private requests(): Requests {
    const { checkpoint, ends } = this.parts
    return allTogether([checkpoint.requests ?? {}, ends.meter.requests])
  }

  /** What is told of it now. */
  snapshot(): Snapshot {
    const { tally, ranges, pacers, large, waiting, ends, futility, busy } = this.parts
    const { spent } = this
    for (const [key, times] of refusalsOf(pacers) ?? []) busy?.refused(key, times)
    return {
      totals: tally.totals,
      listed: this.listedBefore + ranges.listed,
      ...(ranges.listingEnded ? {} : { expected: this.expected() }),
      listingEnded: ranges.listingEnded,
      inFlight: this.inFlight,
      large: large.counts,
      waiting: waiting.counts,
      passedOver: this.parts.checkpoint.passedOver,
      throttled: ends.meter.throttled,
      held: this.held,
      ...(busy === undefined || !this.parts.busiest ? {} : { busiest: busy.busiest(BUSIEST) }),
      ...(futility.cause === undefined ? {} : { paused: futility.cause }),
      retried: ends.meter.retried,
      requests: ends.meter.requests,
      ...(spent === undefined ? {} : { spent }),
      settledHere: tally.added,
      elapsed: performance.now() - this.began,
    }
  }

  private get inFlight(): number {
    const { slots, deferredDeletes, crew, large, waiting } = this.parts
    const apart = (deferredDeletes?.inFlight ?? 0) + (large.counts?.underWay ?? 0) + waiting.inFlight
    return slots.busy + crew.inFlight + apart
  }

  private get held(): Throttle | undefined {
    const { pacers, deferredDeletes, crew } = this.parts
    return together(heldBack(pacers), together(deferredDeletes?.held, crew.held))
  }

  // For who watches the run.
  private activity(): RunActivity {
    const { crew, ends, busy } = this.parts
    const { inFlight, held } = this
    const { hosts } = crew
    return {
      ...{ inFlight, threads: crew.threads, retried: ends.meter.retried },
      ...(held === undefined ? {} : { held }),
      ...(hosts === undefined ? {} : { hosts }),
      ...(busy === undefined ? {} : { busiest: busy.busiest(BUSIEST), slowest: busy.slowest(BUSIEST, BUSIEST) }),
    }
  }

  private expected(): Expected | undefined {
    const { checkpoint, ranges } = this.parts
    const inAll = ranges.expected()
    const estimated = inAll === undefined ? undefined : this.listedBefore + inAll
    return expectedOf(this.listedBefore + ranges.listed, checkpoint.pace.expect, estimated)
  }

  /**
   * Takes what is to be saved, in one synchronous step: an object that is settled between two lines of it would be in the ranges and
   * not in the totals, or the other way round.
   */
  take(): RunState {
    const {
      checkpoint,
      tally,
      ranges,
      again,
      list,
      large,
      waiting,
      deferredDeletes,
      ends,
      futility,
      stop,
      emit,
      ending,
    } = this.parts
    const { spent } = this
    futility.look(tally)
    const failures = tally.takeFailures()
    for (const failure of failures) if (!tally.isKept(failure)) emit({ type: 'failed', failure })
    // A copy: objects go on being settled while this state is being written.
    const totals = structuredClone(tally.totals)
    const activeMs = checkpoint.activeMs + (performance.now() - this.began)
    const throttled = (checkpoint.throttled ?? 0) + ends.meter.throttled
    const activity = this.activity()
    this.history = addSample(this.history, {
      ...{ activeMs, settled: settled(totals), bytes: totals.bytes, throttled },
      ...{ inFlight: activity.inFlight, retried: activity.retried, failed: sum(totals.failed) },
      ...sampleOf(ranges.listingEnded ? { objects: this.listedBefore + ranges.listed, told: false } : this.expected()),
    })
    const taken = deferredDeletes?.take()
    const remaining = ranges.remaining()
    large.hold(tally.takeDeferred(), this.listingDone)
    const setAside = tally.takeWaiting()
    for (const failure of setAside) emit({ type: 'waiting', failure })
    waiting.hold(setAside)
    const { retry: before, list: listBefore, large: begun, waiting: awaited, ...others } = checkpoint
    const { removals, paused, stopped: then, activity: of, ...rest } = others
    const retry = again?.remaining()
    const unlisted = list?.remaining()
    const owed = deferredDeletes?.owed ?? 0
    const listDone = remaining.length === 0 && unlisted === undefined
    const unfinished = waiting.state()
    const done = listDone && retry === undefined && large.remaining === 0 && unfinished === undefined && owed === 0
    const stopped = done ? undefined : (ending.stop ?? (stop.aborted ? INTERRUPTED : undefined))
    return {
      failures,
      ...(deferredDeletes === undefined || taken === undefined
        ? {}
        : { deferredDeletes: taken, deletesDone: deferredDeletes.work.done }),
      checkpoint: {
        ...rest,
        pace: paceNow(checkpoint.pace, ends.settings),
        state: done ? 'finished' : 'unfinished',
        savedAt: new Date().toISOString(),
        activeMs,
        ranges: remaining,
        listed: this.listedBefore + ranges.listed,
        totals,
        requests: this.requests(),
        throttled,
        ...(spent === undefined ? {} : { spent }),
        ...(retry === undefined ? {} : { retry }),
        ...(unlisted === undefined ? {} : { list: unlisted }),
        ...(large.remaining === 0 ? {} : { large: large.state() }),
        ...(unfinished === undefined ? {} : { waiting: unfinished }),
        ...(futility.cause === undefined || stop.aborted ? {} : { paused: futility.cause }),
        ...(stopped === undefined ? {} : { stopped }),
        ...(done || stopped !== undefined ? {} : { activity }),
        history: this.history,
      },
    }
  }
}

/** Prefixes that are told of. */
const BUSIEST = 5

const INTERRUPTED = { reason: 'it was interrupted' }
