import { createHash } from 'node:crypto'
import { UserError } from '../errors.js'
import { connectionShape, type Connection } from '../job/connection.js'
import type { HostActivity, PrefixActivity, Throttle, Waiting } from '../job/events.js'
import { jobShape, isScanJob, type Job, type ScanJob, type WriteJob } from '../job/kinds.js'
import { paceShape, type Pace } from '../job/pace.js'
import { passedOverShape, type PassedOver } from '../job/passed-over.js'
import { folderIdentityShape, type FolderIdentity } from '../job/place.js'
import { checkCount, counts, checkDuration, list, Mismatch, oneOf, positive, shape, text, time } from '../job/schema.js'
import { totalsShape, type Totals } from '../job/totals.js'
import { censusShape, type CensusData } from '../job/usage.js'
import { verdictsShape, type Verdicts } from '../job/verdicts.js'
import { byStart, printable, type KeyRange } from '../keys.js'
import { batchShape, type BatchState } from './batch-state.js'
import { checkConsistency } from './consistency.js'
import { jsonText, parseJson } from './json.js'

/** The version of the checkpoint's format that this program writes. */
export const FORMAT = 2

/** The oldest that it reads: a run that an older program began can be gone on with. */
const OLDEST_FORMAT = 1

/** Totals of the run at one moment, from which rates are told. */
export interface RateSample {
  /** Time at work until then, over all sessions, in milliseconds: a clock that is set changes nothing of it. */
  readonly activeMs: number
  /** Objects settled by then, over all sessions. */
  readonly settled: number
  /** Bytes copied by then, over all sessions. */
  readonly bytes: number
  /** Answers that asked for fewer requests by then, over all sessions. */
  readonly throttled: number
  /** How many objects there were in all, or seemed to be; absent where that was told, or nothing told it. */
  readonly expected?: number
  /** Objects that were worked on then. */
  readonly inFlight?: number
  /** Requests of the session that were sent again, by then. */
  readonly retried?: number
  /** Objects that had failed by then, over all sessions. */
  readonly failed?: number
}

/** What a run was doing when it was saved, for who watches it: nothing that a later session needs. */
export interface RunActivity {
  /** Objects being worked on. */
  readonly inFlight: number
  readonly threads: number
  /** Requests of the session that were sent again. */
  readonly retried: number
  /** What was held back, because the store refused more. */
  readonly held?: Throttle
  /** The busiest prefixes, the busiest first, and the slowest of those at which something was done, the slowest first; where somebody asked for them. */
  readonly busiest?: readonly PrefixActivity[]
  readonly slowest?: readonly PrefixActivity[]
  /** Those that lend threads; absent where none may. */
  readonly hosts?: readonly HostActivity[]
}

/**
 * The failed objects are being tried again: the ledger was renamed to `failures.retrying.ndjson`, of whose `of` entries the
 * first `entries` (`bytes` bytes) are settled anew.
 */
export interface RetryState {
  readonly bytes: number
  readonly entries: number
  readonly of: number
  /** The codes of the failures that are tried again; absent for all. The others stand as they are. */
  readonly codes?: readonly string[]
  /** The whole of the renamed ledger. */
  readonly ledger?: LedgerPosition
}

/** How much of a ledger belongs to what the checkpoint counts as settled. */
export interface LedgerPosition {
  readonly bytes: number
  readonly entries: number
  /** SHA-256 of these bytes, in hexadecimal digits, where they were to be proven. */
  readonly sha256?: string
}

/** An upload in parts that was begun, of the source as it was then. */
export interface UploadState {
  readonly id: string
  readonly partSize: number
  readonly etag: string
  readonly lastModified: string
}

/** The large objects that remain: they are settled in the ranges, and copied in parts apart from these. */
export interface LargeState {
  /** How much of their ledger belongs to what the checkpoint counts as settled. */
  readonly ledger: LedgerPosition
  /** Up to here, they were begun. */
  readonly begun: LedgerPosition
  /** Those that were begun and are not done: where their line begins, and what is uploaded of them. */
  readonly open: readonly { readonly at: number; readonly upload?: UploadState }[]
}

/** Large objects that remain. */
export function largeRemaining({ ledger, begun, open }: LargeState): number {
  return ledger.entries - begun.entries + open.length
}

/** How much of the ledger of what is to be deleted belongs to what the checkpoint counts as settled, and how much of that is done. */
interface RemovalState extends LedgerPosition {
  readonly done: LedgerPosition
}

/**
 * The objects that were set aside to be tried again: how much of their ledger belongs to what the checkpoint counts as settled, and how much of that
 * has an outcome.
 */
export interface WaitingState extends LedgerPosition {
  readonly done: LedgerPosition
  /** How many of those without an outcome failed how at first, by status and code, such as `500 InternalError`. */
  readonly errors: Readonly<Record<string, number>>
}

/** Objects that were set aside and have no outcome. */
export function waitingIn({ waiting }: Pick<Checkpoint, 'waiting'>): Waiting {
  if (waiting === undefined) return { objects: 0, errors: {} }
  return { objects: waiting.entries - waiting.done.entries, errors: waiting.errors }
}

/** How far a list of objects is settled, and what identifies its file. */
export interface ListState {
  /** Objects that are settled, from its beginning; where there are rows that are `open`, wherever they stand. */
  readonly entries: number
  /** What is settled behind them, by numbers from 0: the first of it, and the first that is not. In order. */
  readonly ahead?: readonly { readonly from: number; readonly to: number }[]
  /** Objects that it names; absent where they were not counted beforehand. */
  readonly of?: number
  /** Where the rest of an inventory or a Parquet file begins: the number of the file, and of the row in it, from 0. */
  readonly next?: { readonly file: number; readonly row: number }
  /** Rows before that which are not settled, where threads read an inventory: of each file from `row` on and before `until`, or to its end. In order. */
  readonly open?: readonly { readonly file: number; readonly row: number; readonly until?: number }[]
  /** Of the file, in bytes. */
  readonly size: number
  /** When the file was last modified, in whole milliseconds since 1970. */
  readonly modified: number
  /** SHA-256 of the first 64 KiB of the file, in hexadecimal digits. */
  readonly sha256: string
  /** The same of all of it. */
  readonly whole?: string
}

/** How far the result of a job that only reads has come. */
export interface ScanState {
  /** Bytes of the output file that hold what the ranges have passed. */
  readonly bytes?: number
  /** SHA-256 of these bytes, in hexadecimal digits. */
  readonly sha256?: string
  /** Lines that were written, one for each object; absent where an older program has listed, which wrote one for each key. */
  readonly lines?: number
  /** What could not be looked at of what a list names, by error code. */
  readonly unread?: Readonly<Record<string, number>>
  readonly census?: CensusData
  readonly likenesses?: Verdicts
}

/** The checkpoint of a job that changes objects. */
export type WriteCheckpoint = Checkpoint & { readonly job: WriteJob }

/** The checkpoint of a job that only reads. */
export type ScanCheckpoint = Checkpoint & { readonly job: ScanJob }

/** Whether a checkpoint is that of a job that changes objects. */
export function isWrite(checkpoint: Checkpoint): checkpoint is WriteCheckpoint {
  return !isScan(checkpoint)
}

/** Whether a checkpoint is that of a job that only reads. */
export function isScan(checkpoint: Checkpoint): checkpoint is ScanCheckpoint {
  return isScanJob(checkpoint.job)
}

/** Why a session ended, and what may be done about it, for a person. */
export interface StopRecord {
  readonly reason: string
  readonly hint?: string
}

/** All that a later session needs to go on with a run, as kept in `checkpoint.json`. No secrets. */
export interface Checkpoint {
  readonly format: typeof FORMAT
  /** What wrote it, such as `s3move 0.1.0`. */
  readonly program: string
  readonly job: Job
  readonly connection: Connection
  /** Which folder the source is, where it is one: another one in its place must not be taken for it. */
  readonly sourceFolder?: FolderIdentity
  readonly pace: Pace
  readonly state: 'unfinished' | 'finished'
  /** When the run began, ISO 8601. */
  readonly startedAt: string
  /** When this was saved, ISO 8601. */
  readonly savedAt: string
  /** Time at work over all sessions, in milliseconds. */
  readonly activeMs: number
  /** How often the run was started or resumed. */
  readonly sessions: number
  /** What remains: every key that is not settled is in at least one of them. */
  readonly ranges: readonly KeyRange[]
  /** Keys seen in listings so far. */
  readonly listed: number
  readonly totals: Totals
  /** Sent over all sessions, by operation; absent of runs of before it was counted. */
  readonly requests?: Readonly<Record<string, number>>
  /** Answers that asked for fewer requests, over all sessions; absent of runs of before it was counted. */
  readonly throttled?: number
  /** What they have cost, in US$, with what was read and transferred for them; absent where the prices are not known. */
  readonly spent?: number
  readonly ledger: LedgerPosition
  readonly retry?: RetryState
  /** Absent when nothing of the job's list remains, or there is none. */
  readonly list?: ListState
  /** What was passed over in the job's list: in all of it where that was read beforehand, else before what remains of it. */
  readonly passedOver?: PassedOver
  /** Absent when none remains. */
  readonly large?: LargeState
  /** Absent when none remains. */
  readonly waiting?: WaitingState
  /** Of a job that deletes behind its checkpoint. */
  readonly removals?: RemovalState
  /** What a job that only reads has got so far. */
  readonly scan?: ScanState
  /** Of a run that S3 Batch Operations does. */
  readonly batch?: BatchState
  /** The error code that nearly every object failed of, where nothing more was begun for that. */
  readonly paused?: string
  /** Why the last session ended before the run was done; absent while one is at work, and when it was killed. */
  readonly stopped?: StopRecord
  /** Of the session at work; absent once it has ended. */
  readonly activity?: RunActivity
  /** Oldest first, bounded by `addSample`. */
  readonly history: readonly RateSample[]
}

const ledgerPosition = shape<LedgerPosition>({ bytes: checkCount, entries: checkCount }, { sha256: text })
/** Of an upload. */
export const uploadShape = shape<UploadState>({ id: text, partSize: positive, etag: text, lastModified: text }, {})
const large = shape<LargeState>(
  {
    ...{ ledger: ledgerPosition, begun: ledgerPosition },
    open: list(shape<LargeState['open'][number]>({ at: checkCount }, { upload: uploadShape })),
  },
  {},
)

const prefixes = list(
  shape<PrefixActivity>({ prefix: text, perSecond: checkDuration, throttled: checkCount, failed: checkCount }, {}),
)

const hosts = list(
  shape<HostActivity>({ host: text, threads: checkCount, settled: checkCount, perSecond: checkDuration }, {}),
)

const activity = shape<RunActivity>(
  { inFlight: checkCount, threads: checkCount, retried: checkCount },
  {
    held: shape<Throttle>({ lanes: checkCount, rate: checkDuration, prefix: text }, {}),
    ...{ busiest: prefixes, slowest: prefixes, hosts },
  },
)

export const rangesShape = list(shape<KeyRange>({}, { after: text, until: text }))

export const listStateShape = shape<ListState>(
  { entries: checkCount, size: checkCount, modified: checkCount, sha256: text },
  {
    of: checkCount,
    ahead: list(shape({ from: checkCount, to: checkCount }, {})),
    next: shape({ file: checkCount, row: checkCount }, {}),
    open: list(shape({ file: checkCount, row: checkCount }, { until: checkCount })),
    whole: text,
  },
)

const document = shape<Checkpoint>(
  {
    format: oneOf(FORMAT),
    program: text,
    job: jobShape,
    connection: connectionShape,
    pace: paceShape,
    state: oneOf('unfinished', 'finished'),
    startedAt: time,
    savedAt: time,
    activeMs: checkDuration,
    sessions: positive,
    ranges: rangesShape,
    listed: checkCount,
    totals: totalsShape,
    ledger: ledgerPosition,
    history: list(
      shape<RateSample>(
        { activeMs: checkDuration, settled: checkCount, bytes: checkCount, throttled: checkCount },
        { expected: checkCount, inFlight: checkCount, retried: checkCount, failed: checkCount },
      ),
    ),
  },
  {
    sourceFolder: folderIdentityShape,
    requests: counts,
    throttled: checkCount,
    spent: checkDuration,
    retry: shape<RetryState>(
      { bytes: checkCount, entries: checkCount, of: checkCount },
      { codes: list(text), ledger: ledgerPosition },
    ),
    list: listStateShape,
    passedOver: passedOverShape,
    large,
    waiting: shape<WaitingState>(
      { bytes: checkCount, entries: checkCount, done: ledgerPosition, errors: counts },
      { sha256: text },
    ),
    removals: shape<RemovalState>({ bytes: checkCount, entries: checkCount, done: ledgerPosition }, { sha256: text }),
    scan: shape<ScanState>(
      {},
      {
        bytes: checkCount,
        sha256: text,
        lines: checkCount,
        unread: counts,
        census: censusShape,
        likenesses: verdictsShape,
      },
    ),
    batch: batchShape,
    paused: text,
    stopped: shape<StopRecord>({ reason: text }, { hint: text }),
    activity,
  },
)

/**
 * Reads a checkpoint from its text or bytes; `path` is only for messages. Throws a UserError for anything that is not whole and
 * wholly understood: cut, damaged (the field is named), or written in another format.
 */
export function parseCheckpoint(source: string | Uint8Array, path: string): Checkpoint {
  const name = printable(path)
  if (source.length === 0) throw new UserError(`checkpoint ${name} is empty`, DAMAGED)
  let value: unknown
  try {
    value = parseJson(source)
  } catch (error) {
    const reason = error instanceof Error ? printable(error.message) : 'not JSON'
    throw new UserError(`checkpoint ${name} is cut short or damaged: ${reason}`, DAMAGED)
  }
  const format = formatOf(value)
  if (format !== undefined && format > FORMAT) {
    throw new UserError(
      `checkpoint ${name} was written by a newer s3move (format ${format}; this one reads formats up to ${FORMAT})`,
      'Resume the run with the s3move that wrote it, or a newer one.',
    )
  }
  try {
    return proven(value, format)
  } catch (error) {
    if (error instanceof Mismatch) throw new UserError(`checkpoint ${name} is damaged: ${error.message}`, DAMAGED)
    throw error
  }
}

const DAMAGED =
  'Restore the file from a copy, or start the job anew with another checkpoint folder: objects that were copied are then copied again.'

function formatOf(value: unknown): number | undefined {
  if (typeof value !== 'object' || value === null || !('format' in value)) return undefined
  return typeof value.format === 'number' ? value.format : undefined
}

// What is no object is told of by `document`.
function proven(value: unknown, format: number | undefined): Checkpoint {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return document(value, '')
  if (format === OLDEST_FORMAT) return upgraded(value)
  const { checksum, ...rest } = value as { readonly checksum?: unknown }
  const checkpoint = document(rest, '')
  if (checksum === undefined) throw new Mismatch('checksum is missing')
  if (checksum !== checksumOf(checkpoint)) throw new Mismatch('it is not what was saved, as its checksum tells')
  checkConsistency(checkpoint)
  return checkpoint
}

// It had no checksum, told rates by the clock, and its ranges were in no order.
function upgraded(old: object): Checkpoint {
  const checkpoint = document({ ...old, format: FORMAT, history: [] }, '')
  const sorted = { ...checkpoint, ranges: checkpoint.ranges.toSorted(byStart) }
  checkConsistency(sorted)
  return sorted
}

function checksumOf(checkpoint: Checkpoint): string {
  return createHash('sha256').update(JSON.stringify(checkpoint)).digest('hex')
}

/**
 * The text of a checkpoint, which `parseCheckpoint` reads back as the same. Throws a plain Error for a value that could not
 * be read back (a NaN, say): saving it would cost the run.
 */
export function serializeCheckpoint(checkpoint: Checkpoint): string {
  // In the order of `document`, which the checksum is of.
  const checked = document(checkpoint, '')
  checkConsistency(checked)
  return `${jsonText({ ...checked, checksum: checksumOf(checked) }, 2)}\n`
}
