import { join } from 'node:path'
import { isScan, largeRemaining, waitingIn, type Checkpoint, type StopRecord } from '../checkpoint/checkpoint.js'
import type { SavedRun } from '../checkpoint/checkpoint-file.js'
import { LEDGER } from '../checkpoint/ledger-file.js'
import type { Rounds } from '../checkpoint/rounds.js'
import type { lockHolder } from '../checkpoint/lock.js'
import type { Expected, HostActivity, Waiting } from '../job/events.js'
import type { Job } from '../job/kinds.js'
import type { SkipReason } from '../job/outcome.js'
import type { PassedOver } from '../job/passed-over.js'
import { settled, sum } from '../job/totals.js'
import type { Verdicts } from '../job/verdicts.js'
import { printable } from '../keys.js'
import { timeOf } from '../times.js'
import { batchJobStatus, type BatchJobStatus } from './batch-status.js'
import { count, duration, objects, shellWord } from './format.js'
import { spentFields } from './json-records.js'
import { outlookOf, shareInWords, totalOf, type RunOutlook } from './run-outlook.js'
import { nextCommand } from './summary.js'

/**
 * How far a run has come, as `s3move status --json` tells it. The names are stable. Times are ISO 8601, what is not
 * known is null, and all counts are over all sessions.
 */
export interface RunStatus {
  /** Relative to the working directory when it lies in it. */
  readonly folder: string
  readonly job: Job
  readonly state: Checkpoint['state']
  /** The process that drives the run now; null when none does. */
  readonly heldBy: { readonly pid: number; readonly host: string; readonly startedAt: string } | null
  readonly startedAt: string
  readonly savedAt: string
  readonly sessions: number
  /** Time at work, in milliseconds. */
  readonly activeMs: number
  /** Objects settled: copied, skipped or failed. */
  readonly done: number
  /** What `verify` found; null for other jobs. */
  readonly verdicts: Verdicts | null
  /** Objects copied or, when headers are set, rewritten. */
  readonly copied: number
  /** Bytes of the objects copied. */
  readonly bytes: number
  /** Objects deleted, and their bytes. */
  readonly deleted: number
  readonly freed: number
  readonly skipped: Readonly<Partial<Record<SkipReason, number>>>
  /** By error code. */
  readonly failed: Readonly<Record<string, number>>
  /** Keys seen in listings so far. */
  readonly listed: number
  /** Objects in all; null as long as ranges remain, for they may not be listed to their end. */
  readonly total: number | null
  readonly rangesRemaining: number
  /** Objects over 5 GiB that are still to be copied, in parts. */
  readonly large: number
  /** Objects that failed while others succeeded, and are to be tried again, and how they failed at first, by status and code. */
  readonly waiting: Waiting
  /** The error code that nearly every object failed of, so that only a few are tried now and then; null when the run is not paused for such. */
  readonly paused: string | null
  /** Why the last session ended before the run was done; null when one is at work, when it is done, and when it was killed. */
  readonly stopped: StopRecord | null
  /** The jobs of S3 Batch Operations that do it, as they were when they were last looked at; null where none do. */
  readonly jobs: readonly BatchJobStatus[] | null
  /** Requests sent so far, by operation. */
  readonly requests: Readonly<Record<string, number>>
  /** Answers that asked for fewer requests; and how many of them over the last `recentMs`. */
  readonly throttled: number
  readonly recentThrottled: number | null
  /** Rows of an inventory that are of no object of the job; null where there is none. */
  readonly passedOver: PassedOver | null
  /** What it has cost so far in US$, by its requests; null where that is not known. And what it may cost at most; null where nobody has said. */
  readonly spentUsd: number | null
  readonly maxCostUsd: number | null
  /** How many failed objects were tried again, and of how many; null when that is not under way. */
  readonly retry: { readonly done: number; readonly of: number } | null
  /** Objects settled a second of time at work. */
  readonly averagePerSecond: number | null
  /** Objects settled a second over the last `recentMs` milliseconds at work. */
  readonly recentPerSecond: number | null
  readonly recentMs: number | null
  /** How many objects are expected; null when that is not known, and when their number is. */
  readonly expected: Expected | null
  /** How much of all is done, between 0 and 1; an estimate where `expected` is not null. */
  readonly share: number | null
  /** Milliseconds at work until it is done. */
  readonly leftMs: number | null
  /** Hosts that lend threads to the process that drives it; null where none may, or none drives it. */
  readonly hosts: readonly HostActivity[] | null
  /** Where it follows its source: how many rounds have ended, and since when nothing is undone (null for never); null for any other. */
  readonly rounds: { readonly ended: number; readonly settledAt: string | null } | null
  /** The failure ledger; it exists once an object has failed. */
  readonly failures: string
  /** The command to run next; null when nothing is left to do, or a process is at it. */
  readonly next: string | null
}

/** A run, or why it cannot be told of. */
export type Found = RunStatus | { readonly folder: string; readonly problem: string }

/** Sums up a checkpoint; `folder` is used as it is given. */
export function runStatus(
  { folder, checkpoint }: SavedRun,
  holder: Awaited<ReturnType<typeof lockHolder>>,
  rounds?: Rounds,
): RunStatus {
  const { job, state, startedAt, savedAt, sessions, activeMs, totals, listed, ranges, retry } = checkpoint
  const { copied, skipped, failed } = totals
  // What only reads has done what it has listed.
  const done = isScan(checkpoint) ? listed : settled(totals)
  const recent = recently(checkpoint, done)
  const averagePerSecond = activeMs > 0 ? (done * 1000) / activeMs : null
  const outlook = outlookOf(checkpoint, { done, perSecond: recent?.perSecond ?? averagePerSecond ?? undefined })
  return {
    folder,
    job,
    state,
    heldBy: holder === undefined ? null : { pid: holder.pid, host: holder.host, startedAt: holder.startedAt },
    startedAt,
    savedAt,
    sessions,
    activeMs,
    done,
    verdicts: checkpoint.scan?.likenesses ?? null,
    copied,
    bytes: totals.bytes,
    deleted: totals.deleted ?? 0,
    freed: totals.freed ?? 0,
    skipped,
    failed,
    listed,
    total: totalOf(checkpoint) ?? null,
    rangesRemaining: ranges.length,
    large: checkpoint.large === undefined ? 0 : largeRemaining(checkpoint.large),
    waiting: waitingIn(checkpoint),
    // Of a run that nobody drives it says only why nothing was done last.
    paused: (holder === undefined ? undefined : checkpoint.paused) ?? null,
    jobs: checkpoint.batch?.jobs.map(batchJobStatus) ?? null,
    stopped: (holder === undefined && state !== 'finished' ? checkpoint.stopped : undefined) ?? null,
    requests: checkpoint.requests ?? {},
    throttled: checkpoint.throttled ?? 0,
    recentThrottled: recent?.throttled ?? null,
    passedOver: checkpoint.passedOver ?? null,
    ...{ spentUsd: null, ...spentFields(checkpoint.spent), maxCostUsd: checkpoint.pace.maxCost ?? null },
    retry: retry === undefined ? null : { done: retry.entries, of: retry.of },
    averagePerSecond,
    recentPerSecond: recent?.perSecond ?? null,
    recentMs: recent?.ms ?? null,
    expected: outlook?.expected ?? null,
    share: outlook?.share ?? null,
    leftMs: outlook?.leftMs ?? null,
    hosts: (holder === undefined ? undefined : checkpoint.activity?.hosts) ?? null,
    rounds: rounds === undefined ? null : { ended: rounds.count, settledAt: rounds.settled?.here ?? null },
    failures: join(folder, LEDGER),
    next: holder === undefined ? (nextCommand(state === 'finished', failed, folder) ?? null) : null,
  }
}

const RECENT = 10_000

interface Recent {
  readonly perSecond: number
  readonly ms: number
  readonly throttled: number
}

function recently({ history, activeMs, throttled = 0 }: Checkpoint, done: number): Recent | undefined {
  const before = history.findLast((sample) => activeMs - sample.activeMs >= RECENT) ?? history[0]
  if (before === undefined) return undefined
  const ms = activeMs - before.activeMs
  const gained = done - before.settled
  // A loss means that failed objects are tried again.
  if (ms <= 0 || gained < 0) return undefined
  return { perSecond: (gained * 1000) / ms, ms, throttled: throttled - before.throttled }
}

/** What a run is at. */
export type Activity = 'at work' | 'paused' | 'killed' | 'stopped' | 'finished'

/** What a run is at, in a word. */
export function stateWord({ heldBy, paused, state, stopped }: RunStatus): Activity {
  if (heldBy !== null) return paused === null ? 'at work' : 'paused'
  if (state === 'finished') return 'finished'
  return stopped === null ? 'killed' : 'stopped'
}

/** The same, and whether objects of one that has ended failed. */
export function stateInWords(run: RunStatus): string {
  const state = stateWord(run)
  return state === 'finished' && sum(run.failed) > 0 ? 'finished with failures' : state
}

/** A run in a line, with nothing in it that changes by itself. */
export function oneLine(run: Found): string {
  if ('problem' in run) return `${shellWord(run.folder)}: ${run.problem}`
  const failed = sum(run.failed)
  const failures = failed === 0 ? '' : `, ${count(failed)} failed`
  const outlook = outlookOfStatus(run)
  const share = outlook === undefined ? '' : ` (${shareInWords(outlook)})`
  return `${shellWord(run.folder)}: ${stateWord(run)}, ${doneOfTotal(run)}${share}${failures}`
}

/** How far it has come of all. Undefined where nothing tells. */
export function outlookOfStatus({ share, leftMs, expected }: RunStatus): RunOutlook | undefined {
  if (share === null) return undefined
  return { share, ...(leftMs === null ? {} : { leftMs }), ...(expected === null ? {} : { expected }) }
}

/** `5 of 12 objects`. */
export function doneOfTotal(run: RunStatus): string {
  return run.total === null
    ? `${objects(run.done)} of ${count(run.listed)} listed so far`
    : `${count(run.done)} of ${objects(run.total)}`
}

/** A moment, and how long ago that is. */
export function momentInWords(time: string, now: number | undefined): string {
  return now === undefined ? printable(time) : `${printable(time)} (${agoInWords(time, now)})`
}

/** How long ago a moment is. */
export function agoInWords(time: string, now: number): string {
  return `${duration(now - timeOf(time))} ago`
}
