import { aborted } from '../../abort.js'
import type { ScanCheckpoint, ScanState } from '../../checkpoint/checkpoint.js'
import { addSample, sampleOf } from '../../checkpoint/rate-samples.js'
import { expectedOf, type Expected } from '../../job/events.js'
import { RunFolder } from '../../checkpoint/run-folder.js'
import { listOf } from '../../job/kinds.js'
import { passedOverInAll, type PassedOver } from '../../job/passed-over.js'
import type { OpenStores } from '../../storage/open.js'
import { Keyspace } from '../../sources/ranges/keyspace.js'
import type { RangeClaim } from '../../sources/work-source.js'
import type { WorkerPool, Task } from '../workers/worker-pool.js'
import { Checkpointer } from './checkpointer.js'
import { Ending } from './ending.js'
import { ScanList } from './scan-list.js'
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

/** One session of a job that only reads. */
export interface ScanOptions {
  readonly checkpoint: ScanCheckpoint
  /** The run's folder, locked; absent when nothing is kept. */
  readonly folder: string | undefined
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

async function scanIn(run: RunFolder | undefined, options: ScanOptions): Promise<ScanEnd> {
  const { checkpoint, ends, crew, drain } = options
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
  const list = scanList(options, fail)
  // What was accepted and not settled is listed again by the next session.
  const listed = (): number => checkpoint.listed + keyspace.settled + (list?.settled ?? 0)
  const remains = (): boolean => keyspace.remaining().length > 0 || list?.remaining() !== undefined
  const { list: _list, stopped: _stopped, ...lasting } = checkpoint
  const expected = (): Expected | undefined => {
    const inAll = keyspace.expected()
    const estimated = inAll === undefined ? undefined : checkpoint.listed + inAll
    return expectedOf(checkpoint.listed + keyspace.listed, checkpoint.pace.expect, estimated)
  }
  let { history } = checkpoint
  const sampled = (activeMs: number): ScanCheckpoint['history'] =>
    addSample(history, {
      ...{ activeMs, settled: listed(), bytes: 0, throttled: ends.meter.throttled },
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
    return {
      ...lasting,
      ...(left === undefined ? {} : { list: left }),
      ...(passedOverInAll(passedOver) === 0 ? {} : { passedOver }),
      ...(stopped === undefined || !remains() ? {} : { stopped }),
      state: remains() ? 'unfinished' : 'finished',
      savedAt: new Date().toISOString(),
      ...{ activeMs, history },
      ranges,
      listed: listed(),
      scan: { ...sink.state(), ...unread },
    }
  }
  // Nothing fails by itself in a listing, so in place of a ledger it is the output that must be on the disk first.
  const output = { append: () => sink.sync(), position: { bytes: 0, entries: 0 } }
  const checkpointer =
    run === undefined
      ? undefined
      : new Checkpointer(run, output, () => ({ failures: [], checkpoint: state() }), {
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
  { checkpoint, ends, drain, warn }: ScanOptions,
  fail: (error: unknown) => void,
): ScanList | undefined {
  const { job, list: state, passedOver = {}, scan } = checkpoint
  const list = listOf(job)
  if (list === undefined || state === undefined) return undefined
  return new ScanList({
    job,
    list,
    state,
    passedOver,
    unread: scan?.unread ?? {},
    ends,
    warn,
    stop: drain.signal,
    fail,
  })
}
