import { checkCount, checkDuration, list, oneOf, positive, shape, text } from './schema.js'

/** The most objects in flight, and the most ranges listed at once, that can be asked for. */
export const MOST_CONCURRENCY = 10_000
export const MOST_LANES = 1_000

/** How fast it is to be done, and how much failure is borne. Free to change on resume. */
export interface Pace {
  /** Objects in flight at once. */
  readonly concurrency: number
  /** Ranges listed at once. */
  readonly lanes: number
  /** Worker threads; absent for as many as the machine and the rest of the pace can use, 0 where only other hosts work. */
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
    threads: checkCount,
    maxErrors: checkCount,
    retryFor: checkCount,
    bandwidth: positive,
    onLoss: oneOf('fail'),
    expect: positive,
    maxCost: checkDuration,
    prices: list(text),
  },
)

/** What of a pace may change while a run goes on. */
export interface PaceChange {
  readonly concurrency?: number | undefined
  /** Bytes a second each way; null for no limit. */
  readonly bandwidth?: number | null | undefined
}

/** How many bytes of content a second may be moved each way, over all threads. */
export interface Bandwidth {
  /** Bytes a second as a double; infinite where there is no limit. */
  readonly rate: SharedArrayBuffer
  /** For each direction, the microsecond of the machine's clock at which what was moved so far would be through at that rate. */
  readonly through: SharedArrayBuffer
}

/** The slots of a run, one for each object in flight, where threads share them. */
export interface SharedSlots {
  readonly shared: SharedArrayBuffer
  /** How many there are. */
  readonly ceiling: SharedArrayBuffer
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
  /** Objects in flight at once, as it was at the start; in a thread, its share of them. */
  readonly concurrency: number
  /** Objects in flight at once over all threads, as it is now: one 32-bit integer. */
  readonly ceiling: SharedArrayBuffer
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
  /** What the source is taken to have, where it is not listed while the run goes on. */
  readonly sourceListing?: LocalListing | undefined
  /** The same of the destination, of jobs that list both. */
  readonly destinationListing?: LocalListing | undefined
}

/** What of the settings is known before the stores are. */
export type AskedSettings = Omit<RunSettings, 'streamed' | 'distinctBuckets'>

/** How long what may pass is tried again when nobody says otherwise, in milliseconds. */
export const DEFAULT_RETRY_FOR = 2 * 3_600_000

/** The settings of a run at this pace. `adjustable` is one whose bandwidth may be limited later. */
export function settingsAt(
  { retryFor = DEFAULT_RETRY_FOR, bandwidth, ...rest }: Pace,
  {
    threads,
    nameLocks,
    adjustable = false,
  }: Pick<RunSettings, 'threads' | 'nameLocks'> & { readonly adjustable?: boolean },
): AskedSettings {
  return {
    ...rest,
    ...{ threads, retryFor, nameLocks, ceiling: openCeiling(rest.concurrency) },
    bandwidth: bandwidth === undefined && !adjustable ? undefined : openBandwidth(bandwidth ?? Infinity),
  }
}

/** Objects in flight at once, to be changed by any thread. */
export function openCeiling(concurrency: number): SharedArrayBuffer {
  const ceiling = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)
  new Int32Array(ceiling)[0] = concurrency
  return ceiling
}

/** A limit of `rate` bytes a second. */
export function openBandwidth(rate: number): Bandwidth {
  const cell = new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT)
  new Float64Array(cell)[0] = rate
  return { rate: cell, through: new SharedArrayBuffer(2 * BigInt64Array.BYTES_PER_ELEMENT) }
}

/** Bytes a second. */
export function rateOf({ rate }: Bandwidth): number {
  return new Float64Array(rate)[0] ?? Infinity
}

/** Changes the pace of a run, in all its threads. Its bandwidth changes where its settings are adjustable, or have a limit. */
export function changePace(
  { ceiling, bandwidth }: Pick<RunSettings, 'ceiling' | 'bandwidth'>,
  { concurrency, bandwidth: rate }: PaceChange,
): void {
  if (concurrency !== undefined) Atomics.store(new Int32Array(ceiling), 0, concurrency)
  if (rate !== undefined && bandwidth !== undefined) new Float64Array(bandwidth.rate)[0] = rate ?? Infinity
}

/** The pace of a run as it is now, which began with `pace`. */
export function paceNow(
  { bandwidth: _atStart, ...pace }: Pace,
  { ceiling, bandwidth }: Pick<RunSettings, 'ceiling' | 'bandwidth'>,
): Pace {
  const rate = bandwidth === undefined ? Infinity : rateOf(bandwidth)
  const concurrency = Atomics.load(new Int32Array(ceiling), 0)
  return { ...pace, concurrency, ...(rate === Infinity ? {} : { bandwidth: rate }) }
}
