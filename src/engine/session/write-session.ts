import { join } from 'node:path'
import { aborted, isAborted } from '../../abort.js'
import type { WriteCheckpoint } from '../../checkpoint/checkpoint.js'
import { openFailures, type FailureLedger } from '../../checkpoint/failure-ledger.js'
import type { Ledger } from '../../checkpoint/ledger.js'
import { LEDGER } from '../../checkpoint/ledger-file.js'
import { shownFolder, shownLedger } from '../../checkpoint/mounts.js'
import { endRetry, setFailuresAside } from '../../checkpoint/retry-steps.js'
import { RunFolder } from '../../checkpoint/run-folder.js'
import type { RunEvent } from '../../job/events.js'
import { deferredDeletesOf, type WriteJob } from '../../job/kinds.js'
import type { DeferredDelete, Outcome } from '../../job/outcome.js'
import type { OpenStores } from '../../storage/open.js'
import { FAILED_BEFORE, TRIED_LATER, UnlikeOthers } from '../../storage/set-aside.js'
import type { ObjectSummary } from '../../storage/storage.js'
import type { RetrySource } from '../../sources/retry-source.js'
import { Keyspace } from '../../sources/ranges/keyspace.js'
import { createTally } from '../../sources/tally.js'
import { eventOf } from '../actions/object-event.js'
import { ConcurrencyLimit } from '../lanes/concurrency-limit.js'
import { Gate, Turnstile } from '../lanes/gate.js'
import { unlessLater } from '../lanes/lane.js'
import { pacersFor } from '../lanes/pacer.js'
import { runLanes, type LanesOptions } from '../lanes/run-lanes.js'
import { LARGE_AT_ONCE, type LargeHand } from '../workers/large-hand.js'
import type { WriteProduct } from '../workers/tasks.js'
import type { WorkerPool, Task } from '../workers/worker-pool.js'
import { Budget, type SpentOf } from './budget.js'
import { BusyPrefixes } from './busy-prefixes.js'
import { Checkpointer } from './checkpointer.js'
import { createDeferredDeletes, openDeleteLedger } from './deferred-deletes.js'
import { Ending } from './ending.js'
import { Futility } from './futility.js'
import { LargeObjects } from './large-objects.js'
import { answers } from './retry-one.js'
import { SessionActions } from './session-actions.js'
import { SessionState, type SessionParts } from './session-state.js'
import { WaitingObjects } from './waiting.js'

/** One session of a run: from a checkpoint, new or old, to its end or an interruption. The run's lock must be held. */
export interface SessionOptions {
  readonly folder: string
  /** As last saved. Its `pace` and `connection` may have been changed since. */
  readonly checkpoint: WriteCheckpoint
  readonly ends: OpenStores
  readonly crew: WorkerPool
  /** Try the failed objects again, and nothing else. */
  readonly onlyFailed: boolean
  /** Of the failed objects, those with these codes; absent for all. */
  readonly codes?: readonly string[] | undefined
  /** Aborted (from outside, or here) when nothing further is to be begun. */
  readonly drain: AbortController
  /** Aborted when what is in flight is not to be waited for either. */
  readonly abandon: AbortSignal
  readonly emit: (event: RunEvent) => void
  /** What the process is going to end with, for the summary. */
  readonly exitCodeOf: (ended: SessionEnd) => number
  /** Tell of each object, not only of failures. */
  readonly verbose: boolean
  /** Tell of the busiest prefixes. */
  readonly busiest: boolean
  /** Save them, for who watches. */
  readonly watched: boolean
  /** Where prices are known. */
  readonly spentOf?: SpentOf | undefined
}

/** How a session ended. */
export interface SessionEnd {
  readonly end: 'finished' | 'interrupted' | 'stopped'
  /** Objects in the failure ledger. */
  readonly failed: number
  /** Not everything was deleted that was to be, for a reason that was told. */
  readonly kept: boolean
}

const PROGRESS_INTERVAL = 250

/**
 * Runs a session and saves it, however it ends; its last event is the summary. Rejects only for a defect of s3move itself, or when
 * the folder cannot be used at all.
 */
export async function runSession(options: SessionOptions): Promise<SessionEnd> {
  const run = await RunFolder.open(options.folder)
  try {
    // From here on a process whose lock was taken finds out, before it can write to a ledger.
    if (options.checkpoint.sessions > 1) await run.save(options.checkpoint)
    const checkpoint = options.onlyFailed
      ? await setFailuresAside(run, options.checkpoint, options.codes)
      : options.checkpoint
    const ledger = await openFailures(options.folder, checkpoint.ledger)
    const deletes = await openDeleteLedger(options.folder, checkpoint)
    return await new WriteSession(run, { ...options, checkpoint }, ledger, deletes).run()
  } finally {
    await run.close()
  }
}

class WriteSession {
  private readonly job: WriteJob
  private readonly stop: AbortSignal
  private readonly gate = new Gate()
  private readonly ending: Ending
  private readonly actions: SessionActions
  private readonly parts: SessionParts
  private readonly state: SessionState
  private readonly checkpointer: Checkpointer
  // What failed is tried again in the order of the ledger, by one lane.
  private readonly pacers = pacersFor(1)
  private readonly warn = (message: string): void => this.options.emit({ type: 'note', level: 'warning', message })
  private readonly watch: LanesOptions['watch']
  private readonly watchHere: LanesOptions['watch']
  private kept: string | undefined

  constructor(
    run: RunFolder,
    private readonly options: SessionOptions,
    private readonly ledger: FailureLedger,
    deletes: Ledger<DeferredDelete> | undefined,
  ) {
    const { folder, checkpoint, ends, crew, drain, emit } = options
    const { job } = checkpoint
    const { gate } = this
    const { retryFor, concurrency, maxErrors } = ends.settings
    this.job = job
    this.stop = drain.signal
    this.ending = new Ending(drain, ({ reason }) => emit({ type: 'stopping', reason }))
    const common = { stop: this.stop, fail: this.ending.fail, warn: this.warn }
    // What waits to be begun is passed over then.
    this.stop.addEventListener('abort', () => gate.resume(), { once: true })
    const futility = new Futility({ ...common, gate, retryFor, maxErrors, stillAllowed: ends.stillAllowed })
    const busy = options.busiest || options.watched ? new BusyPrefixes() : undefined
    const tally = createTally(checkpoint.totals, (failure) => {
      futility.failed(failure)
      busy?.failed(failure.key)
    })
    futility.look(tally)
    const slots = new ConcurrencyLimit(concurrency, ends.settings)
    gate.attach(slots)
    const turnstile = new Turnstile()
    gate.attach(turnstile)
    const unlikeOthers = new UnlikeOthers(options.onlyFailed ? FAILED_BEFORE : TRIED_LATER)
    this.actions = new SessionActions({ ...common, job, ends, slots, unlikeOthers })
    const watch: LanesOptions['watch'] = (object, outcome) => {
      const event = eventOf(job, object, outcome)
      if (event !== undefined) emit(event)
    }
    this.watch = options.verbose ? watch : undefined
    // Of what threads do they tell by themselves.
    this.watchHere =
      busy === undefined
        ? this.watch
        : (object, outcome) => {
            busy.settled(object.key, 1)
            this.watch?.(object, outcome)
          }
    this.parts = {
      ...{
        checkpoint,
        ends,
        crew,
        emit,
        slots,
        tally,
        futility,
        pacers: this.pacers,
        stop: this.stop,
        ending: this.ending,
        busy,
        busiest: options.busiest,
        spentOf: options.spentOf,
      },
      ...this.actions.sources(folder, checkpoint, tally),
      // S3 limits ranges of keys: all of them are to be made use of.
      ranges: new Keyspace(checkpoint.ranges, { spread: true, first: ends.source.first }),
      large: this.largeObjects(turnstile),
      waiting: this.waitingObjects(),
      deferredDeletes:
        deletes && createDeferredDeletes({ ...common, folder, checkpoint, tally, gate, ledger: deletes }),
    }
    this.state = new SessionState(this.parts)
    this.checkpointer = new Checkpointer(run, ledger, () => this.state.take(), { ...common, ...this.parts, retryFor })
  }

  /** Works until all is done, or the run stops, and saves how far it came. */
  async run(): Promise<SessionEnd> {
    const { checkpointer, stop, ending, parts, state } = this
    const { abandon, emit } = this.options
    checkpointer.start()
    const budget = this.budget()
    budget?.look()
    const progress = setInterval(() => {
      budget?.look()
      parts.futility.look(parts.tally)
      emit({ type: 'progress', snapshot: state.snapshot() })
    }, PROGRESS_INTERVAL)
    let saved = false
    try {
      // A checkpoint before the first object: from here on a killed run can be resumed.
      await checkpointer.save().catch(ending.fail)
      await Promise.race([this.work(), aborted(abandon)])
      await checkpointer.end(stop).then(() => (saved = true), ending.fail)
      const { again } = parts
      if (again !== undefined && again.remaining() === undefined && ending.stop === undefined)
        await endRetry(this.options.folder).catch(ending.fail)
    } finally {
      clearInterval(progress)
      await parts.large.end(saved)
      await parts.waiting.end(saved)
      await this.ledger.close()
      await parts.deferredDeletes?.ledger.close()
    }
    ending.throwDefect()
    return this.summary()
  }

  private budget(): Budget | undefined {
    const { checkpoint, spentOf } = this.options
    const { maxCost: most } = checkpoint.pace
    if (most === undefined || spentOf === undefined) return undefined
    return new Budget({ most, spent: () => this.state.spent ?? 0, fail: this.ending.fail })
  }

  private summary(): SessionEnd {
    const { folder, emit, exitCodeOf } = this.options
    const { ending, stop, state, parts } = this
    if (ending.stop === undefined && !stop.aborted && state.remains) {
      ending.stop = { reason: 'only the failed objects were tried again; the rest of the run is still to be done' }
    }
    const end = ending.stop !== undefined ? 'stopped' : stop.aborted ? 'interrupted' : 'finished'
    const snapshot = state.snapshot()
    const why = ending.stop ?? (this.kept === undefined ? {} : { reason: this.kept })
    const failed = this.ledger.position.entries + (parts.again?.untried() ?? 0)
    const ended: SessionEnd = { end, failed, kept: this.kept !== undefined }
    const exitCode = exitCodeOf(ended)
    const ledger = shownLedger(join(folder, LEDGER))
    emit({ type: 'summary', end, exitCode, snapshot, checkpoint: shownFolder(folder), ledger, ...why })
    return ended
  }

  private async work(): Promise<void> {
    const { job, stop } = this
    const { waiting, again, deferredDeletes } = this.parts
    // What was moved is deleted as it comes; what is extra, when all is known. Where an object may be what another has its content in, all must be
    // copied before. Asked once: what software it is may be found out later.
    const when = deferredDeletesOf(job)?.when
    const late = when === 'as-they-come' && this.options.ends.source.software !== undefined
    const tryingAgain = waiting.run()
    const moved =
      when === 'as-they-come' && !late
        ? deferredDeletes?.deleteDeferred(this.actions.contextFor, this.watch)
        : undefined
    if (again !== undefined) await this.tryAgain(again)
    if (!this.options.onlyFailed && !stop.aborted) await this.list()
    // What is moved after all is deleted after all.
    if (when === 'as-they-come') await this.awaitWaiting()
    if (!stop.aborted) await this.deleteDeferred(late)
    await moved
    await this.awaitWaiting()
    waiting.close()
    await tryingAgain
  }

  /** Works on what is listed, or named by a list; large objects meanwhile. */
  private async list(): Promise<void> {
    const { job, stop, gate, parts } = this
    const { list, ranges, large } = parts
    const task: Task = { kind: 'write', job, watched: this.options.verbose }
    const copied = large.run()
    await this.options.crew.run({
      ...{ task, ranges: list ?? ranges, gate, stop, fail: this.ending.fail, watch: parts.busy },
      deliver: (product, settle) => this.deliver(product as WriteProduct, settle),
      large,
      after: async () => {
        // What was put off last may be held still, until it is saved. A save that fails is the checkpointer's affair.
        this.state.listingDone = true
        await this.checkpointer.save().catch(() => undefined)
        await copied
      },
    })
  }

  private deliver({ gain, seen }: WriteProduct, settle: () => void): void {
    const { tally, futility, emit } = this.parts
    tally.merge(gain)
    settle()
    futility.look(tally)
    for (const event of seen) emit(event)
  }

  private async tryAgain(work: RetrySource): Promise<void> {
    const { actions, pacers, stop, watchHere: watch } = this
    await runLanes({
      ...{ work, pacers, slots: this.parts.slots, stop, fail: this.ending.fail, watch },
      actFor: (pacer) => actions.onNamed(pacer),
      decide: actions.decideNamed(),
    })
  }

  /** Deletes what is still to be deleted when all is known. */
  private async deleteDeferred(late: boolean): Promise<void> {
    const { job, stop, watch, watchHere } = this
    const { contextFor } = this.actions
    const { deferredDeletes, ranges, again, large, waiting } = this.parts
    if (deferredDeletes === undefined) return
    // From then on the ledger is whole, and a checkpoint counts on it.
    await this.checkpointer.save().catch(this.ending.fail)
    if (isAborted(stop)) return
    const listed = ranges.remaining().length === 0 && again?.remaining() === undefined && large.remaining === 0
    if (deferredDeletesOf(job)?.when === 'at-the-end' && listed) {
      this.kept = deferredDeletes.whyKept(waiting.remaining)
      if (this.kept === undefined) await deferredDeletes.deleteDeferred(contextFor, watchHere)
      else this.warn(`${this.kept}: nothing was deleted`)
    } else {
      deferredDeletes.work.end()
      if (late) await deferredDeletes.deleteDeferred(contextFor, watch)
    }
  }

  /** Waits for what is tried again. All of it is on the disk then, or the run is ending. */
  private async awaitWaiting(): Promise<void> {
    await this.checkpointer.save().catch(() => undefined)
    const { waiting, emit } = this.parts
    const { counts, until } = waiting
    if (counts === undefined || this.stop.aborted) return
    emit({ type: 'only-waiting', waiting: counts, until: until.toISOString() })
    await waiting.drained()
  }

  private largeObjects(turnstile: Turnstile): LargeObjects {
    const { job, stop, actions } = this
    const { folder, checkpoint, ends } = this.options
    const own: LargeHand = {
      atOnce: LARGE_AT_ONCE,
      copy: ({ object, uploads }) => actions.onLarge(uploads)(object),
    }
    return new LargeObjects({
      ...{ folder, start: checkpoint.large, prefix: job.source.prefix, stop, fail: this.ending.fail },
      // Without threads this process only keeps the run.
      own: ends.settings.threads > 0 ? own : undefined,
      pass: () => turnstile.pass(),
      settle: this.settleApart,
      save: () => this.checkpointer.save(),
    })
  }

  private waitingObjects(): WaitingObjects {
    const { job, stop, actions } = this
    const { folder, checkpoint, ends } = this.options
    const stores = [ends.source, ends.destination ?? ends.source].map(({ store }) => store)
    return new WaitingObjects({
      ...{ folder, bucket: job.source.bucket, start: checkpoint.waiting, retryFor: ends.settings.retryFor },
      ...{ stop, fail: this.ending.fail, attempt: actions.attempt() },
      settle: this.settleApart,
      alive: () => answers(stores, stop),
    })
  }

  // Of an object that is done apart from the lanes.
  private readonly settleApart = (object: ObjectSummary, outcome: Outcome): void => {
    this.watch?.(object, outcome)
    this.parts.tally.add(object, unlessLater(object, outcome))
  }
}
