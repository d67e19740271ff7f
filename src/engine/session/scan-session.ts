import { aborted } from '../../abort.js'
import type { ScanCheckpoint, ScanState } from '../../checkpoint/checkpoint.js'
import { addSample, sampleOf } from '../../checkpoint/rate-samples.js'
import { expectedOf, type Expected } from '../../job/events.js'
import { RunFolder } from '../../checkpoint/run-folder.js'
import { listOf } from '../../job/kinds.js'
import { paceNow } from '../../job/pace.js'
import { passedOverInAll, type PassedOver } from '../../job/passed-over.js'
import type { OpenStores } from '../../storage/open.js'
import { Keyspace } from '../../sources/ranges/keyspace.js'
import type { RangeClaim } from '../../sources/work-source.js'
import type { WorkerPool, Task } from '../workers/worker-pool.js'
import { Checkpointer, type RunState } from './checkpointer.js'
import { isReadByThreads } from '../actions/look-up-listed.js'
import { Ending } from './ending.js'
import { ScanInventory } from './scan-inventory.js'
import { ScanList, type ScanNamed } from './scan-list.js'
import { ReaderGone } from '../output/output-writer.js'
import type { Stop } from './stop-reason.js'

/** Where the result of a job that only reads goes. */
export interface Sink {
  /** The task that yields what `deliver` takes in. */
  readonly task: Task
  /** As `deliver` of `CrewWork`. */
  readonly deliver: (product: unknown, settle: () => void, grant: RangeClaim | undefined) => void
  /** What is held back may have become free to go: ranges have moved. */
  readonly moved: () => void
  /** What the ranges have passed: taken in the same step as they. */
  readonly state: () => ScanState
  /** Brings what `state` has told to the disk. */
  readonly sync: () => Promise<void>
}

/** Who keeps, in place of a scan, how far it has come: what it is done for. */
export interface ScanKeeper {
  readonly folder: Pick<RunFolder, 'look' | 'save'>
  /** What is saved of it: taken in the step in which this is how far it has come. */
  readonly state: (scan: Omit<ScanCheckpoint, 'ledger'>) => Pick<RunState, 'checkpoint' | 'ledger'>
}

/** One session of a job that only reads. */
export interface ScanOptions {
  readonly checkpoint: ScanCheckpoint
  /** The run's folder, locked; absent when nothing is kept. */
  readonly folder: string | undefined
  /** Where what is kept is not of the scan. */
  readonly keeper?: ScanKeeper
  readonly ends: OpenStores
  readonly crew: WorkerPool
  readonly openSink: (keyspace: Keyspace, fail: (error: unknown) => void) => Sink
  /** Aborted (from outside, or here) when nothing further is to be begun. */
  readonly drain: AbortController
  /** Aborted when what is under way is not to be waited for either. */
  readonly abandon: AbortSignal
  /** Told what a person should know while it goes on. */
  readonly warn: (message: string) => void
  /** Told several times a second. */
  readonly progress: (listed: number, elapsed: number, expected: Expected | undefined) => void
}

/** How it ended. */
export interface ScanEnd {
  readonly end: 'finished' | 'interrupted' | 'stopped'
  /** Whoever reads the output wanted no more. */
  readonly readerGone: boolean
  readonly stop: Stop | undefined
  readonly listed: number
  /** What could not be looked at of what a list names, by error code. */
  readonly unread: Readonly<Record<string, number>>
  /** What was passed over in the list, if there is one. */
  readonly passedOver: PassedOver | undefined
  /** In milliseconds. */
  readonly elapsed: number
}

const PROGRESS_INTERVAL = 250

/** Reads what remains, and saves how far it came, however it ends. Rejects only for a defect of s3move itself. */
export async function runScan(options: ScanOptions): Promise<ScanEnd> {
  const { checkpoint, folder } = options
  const run = folder === undefined ? undefined : await RunFolder.open(folder)
  try {
    // From here on a process whose lock was taken finds out.
    if (checkpoint.sessions > 1) await run?.save(checkpoint)
    return await scanIn(run, options)
  } finally {
    await run?.close()
  }
}

async function scanIn(opened: RunFolder | undefined, options: ScanOptions): Promise<ScanEnd> {
  const { checkpoint, keeper, ends, crew, drain } = options
  const run = keeper?.folder ?? opened
  const { lanes, retryFor } = ends.settings
  const began = performance.now()
  const elapsed = (): number => performance.now() - began

  let readerGone = false
  const ending = new Ending(drain)
  const fail = (error: unknown): void => {
    if (error instanceof ReaderGone) {
      readerGone = true
      drain.abort()
    } else ending.fail(error)
  }

  const ordered = 'sorted' in checkpoint.job && checkpoint.job.sorted
  const inOrder = { lanes, moved: () => sink.moved() }
  const keyspace = new Keyspace(checkpoint.ranges, { ...(ordered ? { inOrder } : {}), first: ends.source.first })
  // What cannot be written will never be settled, so nobody may wait for that.
  const broken = new AbortController()
  const sink = options.openSink(keyspace, (error) => {
    fail(error)
    broken.abort()
  })
  const list = scanList(options, sink.task, fail)
  // What was accepted and not settled is listed again by the next session.
  const listed = (): number => checkpoint.listed + keyspace.settled + (list?.settled ?? 0)
  const remains = (): boolean => keyspace.remaining().length > 0 || list?.remaining() !== undefined
  const { list: _list, stopped: _stopped, activity: _activity, ...lasting } = checkpoint
  const expected = (): Expected | undefined => {
    const inAll = keyspace.expected()
    const estimated = inAll === undefined ? undefined : checkpoint.listed + inAll
    return expectedOf(checkpoint.listed + keyspace.listed, checkpoint.pace.expect, estimated)
  }
  let { history } = checkpoint
  const throttled = (): number => (checkpoint.throttled ?? 0) + ends.meter.throttled
  const sampled = (activeMs: number): ScanCheckpoint['history'] =>
    addSample(history, {
      ...{ activeMs, settled: listed(), bytes: 0, throttled: throttled() },
      ...sampleOf(keyspace.listingEnded ? { objects: checkpoint.listed + keyspace.listed, told: false } : expected()),
    })
  const state = (): Omit<ScanCheckpoint, 'ledger'> => {
    const ranges = keyspace.remaining()
    const left = list?.remaining()
    const unread = list === undefined ? {} : { unread: { ...list.unread } }
    const passedOver = list?.passedOver ?? {}
    const stopped = ending.stop ?? (drain.signal.aborted ? { reason: 'it was interrupted' } : undefined)
    const activeMs = checkpoint.activeMs + elapsed()
    history = sampled(activeMs)
    const { threads, inFlight, hosts } = crew
    const atWork = hosts !== undefined && stopped === undefined && remains()
    return {
      ...lasting,
      pace: paceNow(checkpoint.pace, ends.settings),
      ...(left === undefined ? {} : { list: left }),
      ...(passedOverInAll(passedOver) === 0 ? {} : { passedOver }),
      ...(stopped === undefined || !remains() ? {} : { stopped }),
      ...(atWork ? { activity: { threads, inFlight, retried: ends.meter.retried, hosts } } : {}),
      state: remains() ? 'unfinished' : 'finished',
      savedAt: new Date().toISOString(),
      ...{ activeMs, history, throttled: throttled() },
      ranges,
      listed: listed(),
      scan: { ...sink.state(), ...unread },
    }
  }
  // Nothing fails by itself in a listing, so in place of a ledger it is the output that must be on the disk first.
  const kept = keeper?.state ?? ((checkpoint) => ({ checkpoint }))
  const output = { append: () => sink.sync(), position: { bytes: 0, entries: 0 } }
  const checkpointer =
    run === undefined
      ? undefined
      : new Checkpointer(run, output, () => ({ failures: [], ...kept(state()) }), {
          fail,
          warn: options.warn,
          retryFor,
        })
  checkpointer?.start()
  const progress = setInterval(() => options.progress(listed(), elapsed(), expected()), PROGRESS_INTERVAL)
  try {
    await checkpointer?.save().catch(fail)
    const { task, deliver } = sink
    const work =
      list === undefined
        ? crew.run({ task, ranges: keyspace, deliver, stop: drain.signal, fail })
        : list.run(task, (product, settle) => deliver(product, settle, undefined))
    await Promise.race([work, aborted(options.abandon), aborted(broken.signal)])
    await checkpointer?.end(drain.signal).catch(fail)
  } finally {
    clearInterval(progress)
  }
  ending.throwDefect()
  const { stop } = ending
  const end = stop !== undefined ? 'stopped' : remains() ? 'interrupted' : 'finished'
  const told = listOf(checkpoint.job) === undefined ? undefined : (list?.passedOver ?? checkpoint.passedOver ?? {})
  const counts = { listed: listed(), unread: list?.unread ?? {}, passedOver: told }
  return { end, readerGone, stop, ...counts, elapsed: elapsed() }
}

function scanList(
  { checkpoint, ends, crew, drain, warn }: ScanOptions,
  task: Task,
  fail: (error: unknown) => void,
): ScanNamed | undefined {
  const { job, list: state, passedOver = {}, scan } = checkpoint
  const list = listOf(job)
  if (list === undefined || state === undefined) return undefined
  const options = { job, list, state, passedOver, unread: scan?.unread ?? {}, ends, warn, stop: drain.signal, fail }
  return isReadByThreads(job, state) ? new ScanInventory(options, crew, task) : new ScanList(options)
}
