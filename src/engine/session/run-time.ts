import { deferredDeletesOf, onlyDeletes, type WriteJob } from '../../job/kinds.js'
import type { Pace, RunSettings } from '../../job/pace.js'
import { sum, type Totals } from '../../job/totals.js'
import { DEFERRED_DELETE_FLIGHTS } from '../actions/deferred-delete.js'
import { DELETE_BATCH, type RunRequests } from './rehearsal-requests.js'

/** How long a run would take, as far as its rehearsal tells. */
export interface RunTime {
  /** Milliseconds. */
  readonly ms: number
  /** What it takes so long for: to send the requests, to list, for what the store held the rehearsal to, or for `--bandwidth`. */
  readonly by: 'requests' | 'listing' | 'throttle' | 'bandwidth'
  /** Objects in flight at once. */
  readonly inFlight: number
  /** What a request takes on average, in milliseconds. */
  readonly requestMs: number
  /** Objects a second that the store held the rehearsal to, or bytes a second of `--bandwidth`. */
  readonly rate?: number
}

/** What is known of a run. */
export interface TimedRun {
  readonly job: WriteJob
  readonly pace: Pace
  readonly settings: Pick<RunSettings, 'streamed'>
  readonly totals: Totals
  readonly requests: RunRequests
  /** What the rehearsal took, in milliseconds. */
  readonly elapsed: number
  /** How long its answers took, by operation, in milliseconds. */
  readonly answers: Readonly<Record<string, number>>
  /** Objects a second that it was held to. */
  readonly heldTo: number | undefined
}

/** The time of a run; undefined where it would change nothing, and where nothing tells it: on the disk, and for content that passes through this machine without `--bandwidth`. */
export function timeOfRun(run: TimedRun): RunTime | undefined {
  const { job, pace, settings, totals, requests, elapsed, answers, heldTo } = run
  const done = totals.copied + (totals.deleted ?? 0)
  const slowest = Math.max(0, ...Object.values(answers))
  if (done === 0 || slowest === 0) return undefined
  if (settings.streamed && pace.bandwidth === undefined && totals.copied > 0) return undefined
  const lasts = (some: Readonly<Record<string, number>>): number =>
    // What nothing has shown is taken for as slow as the slowest: rather too much than too little.
    Object.entries(some).reduce((ms, [operation, n]) => ms + n * (answers[operation] ?? slowest), 0)
  const { looks, writes, beforeDeletions, afterDeletions } = requests
  const { DeleteObjects = 0, ...ofOne } = writes
  const inFlight = Math.max(1, Math.min(pace.concurrency, done))
  const deleting = onlyDeletes(job) ? pace.concurrency : DEFERRED_DELETE_FLIGHTS
  const batches = Math.max(1, Math.floor(deleting / DELETE_BATCH))
  const looking = deferredDeletesOf(job) === undefined ? inFlight : Math.min(deleting, done)
  const sending =
    (lasts(ofOne) + lasts(looks)) / inFlight +
    lasts(beforeDeletions) / looking +
    (lasts({ DeleteObjects }) + lasts(afterDeletions)) / batches
  const counted = sum(looks) + sum(writes) + sum(beforeDeletions) + sum(afterDeletions)
  const told = {
    inFlight,
    requestMs: (lasts(looks) + lasts(writes) + lasts(beforeDeletions) + lasts(afterDeletions)) / Math.max(1, counted),
  }
  const candidates: RunTime[] = [
    { ...told, ms: sending, by: 'requests' },
    { ...told, ms: elapsed, by: 'listing' },
    ...(heldTo === undefined ? [] : [{ ...told, ms: (done * 1000) / heldTo, by: 'throttle', rate: heldTo } as const]),
    ...(pace.bandwidth === undefined || !settings.streamed
      ? []
      : [{ ...told, ms: (totals.bytes * 1000) / pace.bandwidth, by: 'bandwidth', rate: pace.bandwidth } as const]),
  ]
  return candidates.reduce((longest, one) => (one.ms > longest.ms ? one : longest))
}
