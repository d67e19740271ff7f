import type { Job } from './kinds.js'
import type { Failure, SkipReason } from './outcome.js'
import type { Pace } from './pace.js'
import type { PassedOver } from './passed-over.js'
import type { Totals } from './totals.js'

/** Lanes that are held back at one moment, because the store refuses more. */
export interface Throttle {
  readonly lanes: number
  /** Objects a second that these may begin, together. */
  readonly rate: number
  /** What the keys have in common that they are at. */
  readonly prefix: string
}

/** Objects that failed while others succeeded, and are tried again. */
export interface Waiting {
  readonly objects: number
  /** By status and code of their first failure, such as `500 InternalError`. */
  readonly errors: Readonly<Record<string, number>>
}

/** What goes on below one prefix, of full keys. */
export interface PrefixActivity {
  readonly prefix: string
  /** Objects settled a second, of late. */
  readonly perSecond: number
  /** Answers of this session that asked for fewer requests, as far as they belong to one range of keys. */
  readonly throttled: number
  /** Objects of this session that failed. */
  readonly failed: number
}

/** A host that lends threads to a run. */
export interface HostActivity {
  /** As people know it, and unlike any other. */
  readonly host: string
  readonly threads: number
  /** Objects settled by it since it joined, and a second of late. */
  readonly settled: number
  readonly perSecond: number
}

/** A number of objects that is not certain. */
export interface Expected {
  readonly objects: number
  /** Whether somebody has told it (`--expect`, or an earlier run that counted), else it is estimated, and can be wrong by any factor. */
  readonly told: boolean
}

/** What is expected of a place in which `listed` keys were found so far: what was told is no more of use once there are more. */
export function expectedOf(
  listed: number,
  told: number | undefined,
  estimated: number | undefined,
): Expected | undefined {
  if (told !== undefined && told >= listed) return { objects: told, told: true }
  return estimated === undefined ? undefined : { objects: estimated, told: false }
}

/** Numbers of a run at one moment, for progress. Times in milliseconds. */
export interface Snapshot {
  readonly totals: Readonly<Totals>
  /** Keys seen in listings so far, those of earlier sessions included. */
  readonly listed: number
  /** How many keys there seem to be in all, until that is known; absent when there is nothing to tell it by. */
  readonly expected?: Expected | undefined
  /** Whether all of the keyspace has been listed, so that `listed` is the total. */
  readonly listingEnded: boolean
  /** Objects being worked on now. */
  readonly inFlight: number
  /** Large objects: how many of these are being copied in parts, and how many wait for that; absent when there are none. */
  readonly large?: { readonly underWay: number; readonly waiting: number } | undefined
  /** Objects that were set aside to be tried again; absent when there are none. */
  readonly waiting?: Waiting | undefined
  /** Rows of the job's list, or of its inventory, that are of no object of it; absent where there are none. */
  readonly passedOver?: PassedOver | undefined
  /** Answers of this session that asked for fewer requests (503 SlowDown and the like). */
  readonly throttled: number
  /** What is held back for it now; absent when nothing is. */
  readonly held?: Throttle | undefined
  /** The busiest prefixes, the busiest first, where somebody asked for them. */
  readonly busiest?: readonly PrefixActivity[]
  /** The code that nearly every object failed of, while nothing more is begun for that. */
  readonly paused?: string
  /** Requests sent again in this session, throttled ones included. */
  readonly retried: number
  /** Requests sent in this session, by S3 operation. */
  readonly requests: Readonly<Record<string, number>>
  /** What the run has cost so far over all sessions, in US$; absent where the prices are not known. */
  readonly spent?: number | undefined
  /** Objects settled in this session, for rates. */
  readonly settledHere: number
  /** How long this session has run. */
  readonly elapsed: number
}

/** What an object is called that a job has done. */
export type DoneWord = 'copied' | 'rewritten' | 'tagged' | 'encrypted' | 'deleted' | 'moved'

/** What happened in a run, told as it happens. The engine emits events, commands draw them. */
export type RunEvent =
  | {
      readonly type: 'start'
      readonly job: Job
      readonly checkpoint: string
      readonly resumed: boolean
      readonly pace: Pace
    }
  /** What an object is going to be called: full keys, and in a folder relative ones. */
  | { readonly type: 'example'; readonly key: string; readonly to: string }
  | { readonly type: 'note'; readonly level: 'info' | 'warning'; readonly message: string }
  | { readonly type: 'progress'; readonly snapshot: Snapshot }
  | { readonly type: 'failed'; readonly failure: Failure }
  /** It failed while others succeeded, and is tried again. */
  | { readonly type: 'waiting'; readonly failure: Failure }
  /** Only such objects are left, which are tried again until then (ISO 8601) at the latest. */
  | { readonly type: 'only-waiting'; readonly waiting: Waiting; readonly until: string }
  | { readonly type: 'skipped'; readonly key: string; readonly reason: SkipReason }
  | { readonly type: DoneWord; readonly key: string; readonly bytes: number }
  | { readonly type: 'stopping'; readonly reason: string }
  | {
      readonly type: 'summary'
      readonly end: 'finished' | 'interrupted' | 'stopped'
      /** Of the process. */
      readonly exitCode: number
      readonly snapshot: Snapshot
      readonly checkpoint: string
      readonly ledger: string
      /** Why it stopped, when it did not finish by itself; why `sync --delete` has deleted nothing, when it finished. */
      readonly reason?: string
      readonly hint?: string
    }
