import { checkCount, checkDuration, list, oneOf, positive, shape, text } from './schema.js'

/** How fast it is to be done, and how much failure is borne. Free to change on resume. */
export interface Pace {
  /** Objects in flight at once. */
  readonly concurrency: number
  /** Ranges listed at once. */
  readonly lanes: number
  /** Worker threads; absent for as many as the machine and the rest of the pace can use. */
  readonly threads?: number
  /** Stop the run when more objects than this have failed. */
  readonly maxErrors?: number
  /** How long what may pass is tried again before it counts as failed, in milliseconds. */
  readonly retryFor?: number
  /** Most bytes of content that may pass through this machine each way, a second. */
  readonly bandwidth?: number
  /** An object that a look shows to lack what it was to have is a failure, and the end of the session; else it is only told. */
  readonly onLoss?: 'fail'
  /** How many objects there are, as far as anybody knows: for the time that is left. */
  readonly expect?: number
  /** Stop the run before it has cost more than this, in US$. */
  readonly maxCost?: number
  /** Files of the AWS price list, absolute, that count before the prices that come along. */
  readonly prices?: readonly string[]
}

/** As a checkpoint holds it. */
export const paceShape = shape<Pace>(
  { concurrency: positive, lanes: positive },
  {
    threads: positive,
    maxErrors: checkCount,
    retryFor: checkCount,
    bandwidth: positive,
    onLoss: oneOf('fail'),
    expect: positive,
    maxCost: checkDuration,
    prices: list(text),
  },
)

/** How many bytes of content a second may be moved each way, over all threads. */
export interface Bandwidth {
  /** Bytes a second. */
  readonly rate: number
  /** For each direction, the microsecond of the machine's clock at which what was moved so far would be through at that rate. */
  readonly through: SharedArrayBuffer
}

/** The slots of a run, one for each object in flight, where threads share them. */
export interface SharedSlots {
  readonly shared: SharedArrayBuffer
  readonly total: number
  readonly threads: number
  /** Which of the threads this is, from 0. */
  readonly index: number
}

/** A listing in a file of this machine, in the order of the keys. */
export interface LocalListing {
  /** An absolute path. */
  readonly file: string
  /** How much of the file it is. */
  readonly bytes: number
}

/** The settings of a run, wherever something is done for it. Plain data, to be sent between threads; whoever needs one takes it from here. */
export interface RunSettings extends Pick<Pace, 'maxErrors' | 'onLoss'> {
  /** Objects in flight at once; in a thread, its share of them. */
  readonly concurrency: number
  /** In a thread, what it shares with others of what is in flight. */
  readonly slots?: SharedSlots
  /** Ranges listed at once; in a thread, its share of them. */
  readonly lanes: number
  /** How many threads there are, beside the main one. */
  readonly threads: number
  /** How long an operation is tried again before it counts as failed, in milliseconds. */
  readonly retryFor: number
  /** What content that passes through this machine keeps to. */
  readonly bandwidth: Bandwidth | undefined
  /** By `sharedTurns`. */
  readonly nameLocks: SharedArrayBuffer
  /** The bytes of what is copied pass through this machine: no one credential can copy inside a store, or a side is a folder. */
  readonly streamed: boolean
  /** No object of the one side can be one of the other: they are different buckets, whatever their names, or no bucket at all. */
  readonly distinctBuckets: boolean
  /** What the source is taken to have, where it is not listed. */
  readonly sourceListing?: LocalListing | undefined
}

/** What of the settings is known before the stores are. */
export type AskedSettings = Omit<RunSettings, 'streamed' | 'distinctBuckets'>

/** How long what may pass is tried again when nobody says otherwise, in milliseconds. */
export const DEFAULT_RETRY_FOR = 2 * 3_600_000

/** The settings of a run at this pace. */
export function settingsAt(
  { retryFor = DEFAULT_RETRY_FOR, bandwidth, ...rest }: Pace,
  { threads, nameLocks }: Pick<RunSettings, 'threads' | 'nameLocks'>,
): AskedSettings {
  return {
    ...rest,
    ...{ threads, retryFor, nameLocks },
    bandwidth: bandwidth === undefined ? undefined : openBandwidth(bandwidth),
  }
}

/** A limit of `rate` bytes a second. */
export function openBandwidth(rate: number): Bandwidth {
  return { rate, through: new SharedArrayBuffer(16) }
}
