import type { Timeout } from './adaptive-timeout.js'

/** The least bytes a second at which content must come, unless somebody says otherwise: less is no transfer. */
export const MIN_RATE = 1024

/** How content that is read is bounded. */
export interface ReadLimits {
  /** Bytes a second that must come, on average over `window`; 0 for as few as may be. */
  readonly minRate: number
  /** In milliseconds. */
  readonly window: number
  /** When aborted, what has not come some seconds later is no longer waited for. */
  readonly stop?: AbortSignal | undefined
}

/** How much content came in the latest window of time. A reader that pauses by itself is not what is measured. */
export class ReadRate {
  private since = 0
  private bytes = 0

  /** Time is that of `PoolClock`, in milliseconds. */
  begin(now: number): void {
    this.since = now
    this.bytes = 0
  }

  add(bytes: number): void {
    this.bytes += bytes
  }

  /** So many milliseconds nothing is asked for. */
  pause(ms: number): void {
    this.since += ms
  }

  /** Whether a window is over in which less came than must. A new one begins when it is over. */
  tooSlow(now: number, { minRate, window }: ReadLimits): boolean {
    const took = now - this.since
    if (minRate === 0 || took < window) return false
    const slow = this.bytes < (minRate * took) / 1000
    this.begin(now)
    return slow
  }
}

/** How often connections are looked at, in milliseconds. */
export const SWEEP = 250
/** When a sweep is so late, this process was stopped: the event loop, or all of it. */
const STOOD_STILL = 1_000

/** Monotonic time in which this process was at work, in milliseconds: neither a clock that is set nor a process that stood still counts. */
export class PoolClock {
  private swept = performance.now()
  private stood = 0

  now(): number {
    // Until the next sweep finds out how long it stood still, no more of it may count.
    return Math.min(performance.now(), this.swept + STOOD_STILL) - this.stood
  }

  /** To be called every `SWEEP` milliseconds. False when it is late: answers that came meanwhile have not been read yet. */
  sweep(): boolean {
    const now = performance.now()
    const late = now - this.swept - SWEEP
    this.swept = now
    if (late < STOOD_STILL) return true
    this.stood += late
    return false
  }
}

/** How long a read is waited for that was under way when the run was told to end, in milliseconds. */
const GRACE = 5_000

/** Why an answer is no longer waited for, if it is not. */
export type RateVerdict = 'waiting' | 'silent' | 'slow' | 'ending'

/** What is known of an answer that is waited for; times are those of `PoolClock`. */
export interface Awaited {
  readonly silence: Timeout
  /** Whether nothing has come over its connection yet. */
  readonly fresh: boolean
  /** When the request was sent, and when the server was last heard of. */
  readonly sent: number
  readonly heard: number
  /** Measured where content comes. */
  readonly rate: ReadRate | undefined
  /** When the run was told to end, where content is read. */
  readonly stopped: number | undefined
}

/** Judges whether an answer is waited for any longer. */
export function judge(
  now: number,
  { silence, fresh, sent, heard, rate, stopped }: Awaited,
  limits: ReadLimits,
): RateVerdict {
  if (stopped !== undefined && now - stopped >= GRACE) return 'ending'
  const { ms, whole, first = ms } = silence
  if (now - heard >= (fresh ? first : ms)) return 'silent'
  if (rate === undefined) return now - sent >= (fresh ? Math.max(first, whole) : whole) ? 'silent' : 'waiting'
  return rate.tooSlow(now, limits) ? 'slow' : 'waiting'
}
