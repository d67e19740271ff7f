import { aborted } from '../../abort.js'
import { join } from 'node:path'
import type { WriteCheckpoint } from '../../checkpoint/checkpoint.js'
import { openFailures } from '../../checkpoint/failure-ledger.js'
import { addSample } from '../../checkpoint/rate-samples.js'
import { LEDGER } from '../../checkpoint/ledger-file.js'
import { beginRetry, endRetry } from '../../checkpoint/retry-steps.js'
import { RunFolder } from '../../checkpoint/run-folder.js'
import type { RunEvent, Snapshot } from '../../job/events.js'
import { deferredDeletesOf, deletionPlace, listOf, type WriteJob } from '../../job/kinds.js'
import { RESTORE_REQUESTED, type Deferral, type Outcome } from '../../job/outcome.js'
import { settled } from '../../job/totals.js'
import type { OpenStores } from '../../storage/open.js'
import {
  exceptParts,
  FAILED_BEFORE,
  FEW_ATTEMPTS,
  TRIED_LATER,
  UnlikeOthers,
  type SetAside,
} from '../../storage/set-aside.js'
import type { ObjectSummary } from '../../storage/storage.js'
import { RetrySource } from '../../sources/retry-source.js'
import { ListWork, entryNeedsOf } from '../../sources/files-from/files-from-source.js'
import { Keyspace } from '../../sources/ranges/keyspace.js'
import type { Complete } from '../../sources/named-object.js'
import { createTally } from '../../sources/tally.js'
import { actOf, decisionOf, doneTo } from '../actions/actions.js'
import type { ActionContext } from '../actions/context.js'
import type { WorkerPool, Task } from '../workers/worker-pool.js'
import { openDeferredDeletes, owedBefore } from './deferred-deletes.js'
import { Gate, Turnstile } from '../lanes/gate.js'
import { createKeeper, type RunState } from './checkpointer.js'
import { answers, attempting } from './retry-one.js'
import { unlessLater, type Action } from '../lanes/lane.js'
import { LargeObjects } from './large-objects.js'
import { actingOnNamed, lookingUp, unlessKnown } from '../actions/look-up-listed.js'
import { unclearBetween } from '../actions/manifests.js'
import { heldBack, pacersFor, together, type Pacer } from '../lanes/pacer.js'
import { runLanes } from '../lanes/run-lanes.js'
import { ConcurrencyLimit } from '../lanes/concurrency-limit.js'
import { SpotChecks } from '../actions/spot-checks.js'
import { stopReason, TooManyFailures, type Stop } from './stop-reason.js'
import { streamMemory } from '../actions/copy-streamed.js'
import { WaitingObjects } from './waiting.js'
import { NameLocks } from '../actions/name-locks.js'
import { watchFailures } from './watch-failures.js'
import type { WriteProduct } from '../workers/tasks.js'

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
  /** Tell of each object, not only of failures. */
  readonly verbose: boolean
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
    return await sessionIn(run, options)
  } finally {
    await run.close()
  }
}

async function sessionIn(run: RunFolder, options: SessionOptions): Promise<SessionEnd> {
  const { folder, ends, crew, drain, emit } = options
  const checkpoint = options.onlyFailed ? await withRetry(run, options.checkpoint, options.codes) : options.checkpoint
  const { job } = checkpoint
  const began = performance.now()
  const settledBefore = settled(checkpoint.totals) + owedBefore(checkpoint)

  let stop: Stop | undefined
  let defect: { readonly error: unknown } | undefined
  const fail = (error: unknown): void => {
    if (stop === undefined && defect === undefined) {
      try {
        stop = stopReason(error)
        emit({ type: 'stopping', reason: stop.reason })
      } catch {
        defect = { error }
      }
    }
    drain.abort()
  }

  const warn = (message: string): void => emit({ type: 'note', level: 'warning', message })
  const gate = new Gate()
  // What waits to be begun is passed over then.
  drain.signal.addEventListener('abort', () => gate.resume(), { once: true })
  const { settings, stillAllowed } = ends
  const { retryFor, maxErrors } = settings
  // Whoever says how many may fail wants no other end.
  const watched = maxErrors === undefined ? watchFailures({ gate, retryFor, stillAllowed, warn, fail }) : undefined
  let failedHere = 0
  const tally = createTally(checkpoint.totals, (failure) => {
    watched?.failed(failure)
    // Nothing is wrong, and nothing is to be mended.
    if (failure.code === RESTORE_REQUESTED) return
    failedHere++
    if (maxErrors !== undefined && failedHere > maxErrors) fail(new TooManyFailures(maxErrors))
  })
  const lookAtFailures = (): void => {
    if (!drain.signal.aborted) watched?.look(tally)
  }
  lookAtFailures()
  const slots = new ConcurrencyLimit(settings.concurrency)
  gate.attach(slots)
  const turnstile = new Turnstile()
  gate.attach(turnstile)
  const unlikeOthers = new UnlikeOthers(options.onlyFailed ? FAILED_BEFORE : TRIED_LATER)
  const completing = (setAside: SetAside): Complete =>
    lookingUp({ job, storeFor: (pacer) => ends.source.storeFor(pacer, setAside), slots, stop: drain.signal })
  const complete = completing(unlikeOthers)
  const again =
    checkpoint.retry === undefined
      ? undefined
      : new RetrySource(folder, checkpoint.retry, job.source.prefix, tally, complete)
  const keyList = listOf(job)
  const list =
    keyList === undefined || checkpoint.list === undefined
      ? undefined
      : new ListWork(keyList, entryNeedsOf(job), checkpoint.list, tally, complete)
  // S3 limits ranges of keys: all of them are to be made use of.
  const ranges = new Keyspace(checkpoint.ranges, { spread: true })
  const { destination } = ends
  if (destination === undefined) throw new Error('there is no destination to write to')
  const isUnclear = unclearBetween(ends.source.store, destination.store)
  const memory = streamMemory(settings)
  const turns = new NameLocks(settings.nameLocks, drain.signal)
  const spotChecks = new SpotChecks({ strict: settings.onLoss === 'fail', notice: ends.notice, fail })
  const waysTo = (setAside: SetAside, pacer?: Pacer, checks = spotChecks.lane()): ActionContext => ({
    ...{ source: ends.source.storeFor(pacer, setAside), destination: destination.storeFor(pacer, setAside) },
    ...{ settings, memory, stop: drain.signal, turns, checks },
  })
  const watch = options.verbose
    ? (object: ObjectSummary, outcome: Outcome | Deferral) => tell(emit, job, object, outcome)
    : undefined
  // Of an object that is done apart from the lanes.
  const settleApart = (object: ObjectSummary, outcome: Outcome): void => {
    watch?.(object, outcome)
    tally.add(object, unlessLater(object, outcome))
  }
  const checksOfLarge = spotChecks.lane()
  const large = new LargeObjects({
    ...{ folder, start: checkpoint.large, prefix: job.source.prefix, stop: drain.signal, fail },
    actFor(uploads) {
      const act = actOf(job, { ...waysTo(exceptParts(unlikeOthers), undefined, checksOfLarge), uploads })
      return async (object) => {
        await turnstile.pass()
        return drain.signal.aborted ? undefined : await act(object)
      }
    },
    settle: settleApart,
    save: () => keeper.save(),
  })
  const waiting = new WaitingObjects({
    ...{ folder, bucket: job.source.bucket, start: checkpoint.waiting, retryFor },
    attempt: attempting({ job, ways: waysTo(FEW_ATTEMPTS), ends, complete: completing(FEW_ATTEMPTS) }),
    settle: settleApart,
    alive: () => answers([ends.source.store, destination.store], drain.signal),
    ...{ stop: drain.signal, fail },
  })
  // Of a list all is known before the start.
  const listedBefore = keyList === undefined ? settledBefore + large.remaining + waiting.remaining : checkpoint.listed
  let listingDone = false
  // What failed is tried again in the order of the ledger, by one lane; a list is worked on in its order, by one too.
  const pacers = pacersFor(1)
  const ledger = await openFailures(folder, checkpoint.ledger)
  const deferredDeletes = await openDeferredDeletes({ folder, checkpoint, tally, gate, stop: drain.signal, fail })
  let kept: string | undefined
  let history = checkpoint.history

  const snapshot = (): Snapshot => ({
    totals: tally.totals,
    listed: listedBefore + ranges.listed,
    listingEnded: ranges.listingEnded,
    inFlight:
      slots.busy + (deferredDeletes?.inFlight ?? 0) + crew.inFlight + (large.counts?.underWay ?? 0) + waiting.inFlight,
    large: large.counts,
    waiting: waiting.counts,
    throttled: ends.meter.throttled,
    held: together(heldBack(pacers), together(deferredDeletes?.held, crew.held)),
    ...(watched?.cause === undefined ? {} : { paused: watched.cause }),
    retried: ends.meter.retried,
    requests: ends.meter.requests,
    settledHere: tally.added,
    elapsed: performance.now() - began,
  })

  const state = (): RunState => {
    lookAtFailures()
    const failures = tally.takeFailures()
    for (const failure of failures) if (!tally.isKept(failure)) emit({ type: 'failed', failure })
    // A copy: objects go on being settled while this state is being written.
    const totals = structuredClone(tally.totals)
    const activeMs = checkpoint.activeMs + (performance.now() - began)
    history = addSample(history, {
      activeMs,
      settled: settled(totals),
      bytes: totals.bytes,
      throttled: ends.meter.throttled,
    })
    const taken = deferredDeletes?.take()
    const remaining = ranges.remaining()
    large.hold(tally.takeDeferred(), listingDone)
    const setAside = tally.takeWaiting()
    for (const failure of setAside) emit({ type: 'waiting', failure })
    waiting.hold(setAside)
    const { retry: before, list: listBefore, large: begun, waiting: awaited, removals, paused, ...rest } = checkpoint
    const retry = again?.remaining()
    const unlisted = list?.remaining()
    const owed = deferredDeletes?.owed ?? 0
    const listDone = remaining.length === 0 && unlisted === undefined
    const unfinished = waiting.state()
    const done = listDone && retry === undefined && large.remaining === 0 && unfinished === undefined && owed === 0
    return {
      failures,
      ...(deferredDeletes === undefined || taken === undefined
        ? {}
        : { deferredDeletes: taken, deletesDone: deferredDeletes.work.done }),
      checkpoint: {
        ...rest,
        state: done ? 'finished' : 'unfinished',
        savedAt: new Date().toISOString(),
        activeMs,
        ranges: remaining,
        listed: listedBefore + ranges.listed,
        totals,
        ...(retry === undefined ? {} : { retry }),
        ...(unlisted === undefined ? {} : { list: unlisted }),
        ...(large.remaining === 0 ? {} : { large: large.state() }),
        ...(unfinished === undefined ? {} : { waiting: unfinished }),
        ...(watched?.cause === undefined || drain.signal.aborted ? {} : { paused: watched.cause }),
        history,
      },
    }
  }

  const keeper = createKeeper(run, ledger, state, {
    ...{ fail, warn, retryFor, large, waiting, deferredDeletes },
  })
  const progress = setInterval(() => {
    lookAtFailures()
    emit({ type: 'progress', snapshot: snapshot() })
  }, PROGRESS_INTERVAL)
  const waysFor = (pacer: Pacer): ActionContext => waysTo(unlikeOthers, pacer)
  const workOn = async (work: RetrySource | ListWork, largeOnes: 'act' | 'defer'): Promise<void> => {
    const actFor = (pacer: Pacer): Action => {
      const act = actOf(job, waysFor(pacer))
      return keyList === undefined ? act : actingOnNamed(act, job.source.prefix)
    }
    const decide = unlessKnown(decisionOf(job, { ...ends, isUnclear }, largeOnes))
    await runLanes({ work, actFor, decide, pacers, slots, stop: drain.signal, fail, watch })
  }
  const deliver = (product: unknown, settle: () => void): void => {
    const { gain, seen } = product as WriteProduct
    tally.merge(gain)
    settle()
    lookAtFailures()
    for (const event of seen) emit(event)
  }
  const work = async (): Promise<void> => {
    // What was moved is deleted as it comes; what is extra, when all is known. Where an object may be what another has its content in, all must be
    // copied before.
    const when = deferredDeletesOf(job)?.when
    const late = when === 'as-they-come' && ends.source.software !== undefined
    const tryingAgain = waiting.run()
    const moved = when === 'as-they-come' && !late ? deferredDeletes?.deleteDeferred(waysFor, watch) : undefined
    if (again !== undefined) await workOn(again, 'act')
    if (!options.onlyFailed && !drain.signal.aborted) await runCrew()
    // What is moved after all is deleted after all.
    if (when === 'as-they-come') await awaitWaiting()
    if (deferredDeletes !== undefined && !drain.signal.aborted) {
      // From then on the ledger is whole, and a checkpoint counts on it.
      await keeper.save().catch(fail)
    }
    if (deferredDeletes !== undefined && !drain.signal.aborted) {
      const listed = ranges.remaining().length === 0 && again?.remaining() === undefined && large.remaining === 0
      if (when === 'at-the-end' && listed) {
        kept = deferredDeletes.whyKept(waiting.remaining)
        if (kept === undefined) await deferredDeletes.deleteDeferred(waysFor, watch)
        else warn(`${kept}: nothing was deleted`)
      } else {
        deferredDeletes.work.end()
        if (late) await deferredDeletes.deleteDeferred(waysFor, watch)
      }
    }
    await moved
    await awaitWaiting()
    waiting.close()
    await tryingAgain
  }
  // All of them are on the disk then, or the run is ending.
  const awaitWaiting = async (): Promise<void> => {
    await keeper.save().catch(() => undefined)
    const { counts, until } = waiting
    if (counts === undefined || drain.signal.aborted) return
    emit({ type: 'only-waiting', waiting: counts, until: until.toISOString() })
    await waiting.drained()
  }
  const runCrew = async (): Promise<void> => {
    const task: Task = { kind: 'write', job, watched: options.verbose }
    const stop = drain.signal
    const apart = large.run()
    if (list !== undefined) await workOn(list, 'defer')
    await crew.run({ task, keyspace: ranges, gate, deliver, stop, fail })
    // What was put off last may be held still, until it is saved. A save that fails is the keeper's affair.
    listingDone = true
    await keeper.save().catch(() => undefined)
    await apart
  }
  let saved = false
  try {
    // A checkpoint before the first object: from here on a killed run can be resumed.
    await keeper.save().catch(fail)
    await Promise.race([work(), aborted(options.abandon)])
    await keeper.end(drain.signal).then(() => (saved = true), fail)
    if (again !== undefined && again.remaining() === undefined && stop === undefined) await endRetry(folder).catch(fail)
  } finally {
    clearInterval(progress)
    await large.end(saved)
    await waiting.end(saved)
    await ledger.close()
    await deferredDeletes?.ledger.close()
  }
  if (defect !== undefined) throw defect.error
  const remains =
    ranges.remaining().length > 0 || list?.remaining() !== undefined || large.remaining + waiting.remaining > 0
  if (stop === undefined && !drain.signal.aborted && remains) {
    stop = { reason: 'only the failed objects were tried again; the rest of the run is still to be done' }
  }

  const end = stop !== undefined ? 'stopped' : drain.signal.aborted ? 'interrupted' : 'finished'
  emit({
    type: 'summary',
    end,
    snapshot: snapshot(),
    checkpoint: folder,
    ledger: join(folder, LEDGER),
    ...stop,
  })
  return { end, failed: ledger.position.entries + (again?.untried() ?? 0), kept: kept !== undefined }
}

// Puts the ledger aside and says so in the checkpoint, before anything can be appended to a new one.
async function withRetry(
  run: RunFolder,
  checkpoint: WriteCheckpoint,
  codes: readonly string[] | undefined,
): Promise<WriteCheckpoint> {
  const { ledger, retry } = checkpoint
  if (retry !== undefined || ledger.entries === 0) return checkpoint
  await beginRetry(run.path, ledger)
  const begun: WriteCheckpoint = {
    ...checkpoint,
    state: 'unfinished',
    ledger: { bytes: 0, entries: 0 },
    retry: { bytes: 0, entries: 0, of: ledger.entries, ...(codes === undefined ? {} : { codes }), ledger },
  }
  await run.save(begun)
  return begun
}

function tell(
  emit: (event: RunEvent) => void,
  job: WriteJob,
  { key, size }: ObjectSummary,
  outcome: Outcome | Deferral,
): void {
  const place = outcome.kind === 'deleted' ? deletionPlace(job) : job.source
  const full = place.prefix + key
  const done = doneTo(job, outcome)
  if (done !== undefined) emit({ type: done, key: full, bytes: size })
  else if (outcome.kind === 'skipped') emit({ type: 'skipped', key: full, reason: outcome.reason })
}
