import { join, relative, resolve } from 'node:path'
import { isScan, largeRemaining, waitingIn, type Checkpoint, type StopRecord } from '../../checkpoint/checkpoint.js'
import { LEDGER } from '../../checkpoint/ledger-file.js'
import { findRuns, readCheckpoint, RUNS } from '../../checkpoint/checkpoint-file.js'
import type { SavedRun } from '../../checkpoint/checkpoint-file.js'
import { lockHolder } from '../../checkpoint/lock.js'
import { UserError } from '../../errors.js'
import { PLAIN, type Paint, type Paints } from '../../report/paint.js'
import { jsonRecord, placesOf, spentFields, totalsFields, verdictFields } from '../../report/json-records.js'
import {
  compactCount,
  count,
  duration,
  jobTitle,
  objects,
  passedOverText,
  rate,
  row,
  shellWord,
  waitingRow,
  usd,
} from '../../report/format.js'
import { settled, sum } from '../../job/totals.js'
import type { Expected, Waiting } from '../../job/events.js'
import { isScanJob, type Job } from '../../job/kinds.js'
import type { SkipReason } from '../../job/outcome.js'
import type { Verdicts } from '../../job/verdicts.js'
import type { PassedOver } from '../../job/passed-over.js'
import { printable } from '../../keys.js'
import { timeOf } from '../../times.js'
import { EXIT } from '../options/exit.js'
import {
  outlookInWords,
  outlookOf,
  shareInWords,
  shortLeft,
  shortShare,
  totalOf,
  type RunOutlook,
} from './status-outlook.js'
import { watchRuns, type Sighting } from './watch-status.js'
import { likenessRows } from '../../report/verify-summary.js'
import { batchJobsInWords, batchJobStatus, type BatchJobStatus } from '../../report/batch-status.js'
import { doneRows, doneWord, failedByCode, nextCommand, skippedByReason, spentInWords } from '../../report/summary.js'

/** What `s3move status` was asked. */
export interface StatusArguments {
  /** The folder of a run, or the `checkpoint.json` in it. Without it, the runs below `.s3move/` in the working directory. */
  readonly dir?: string | undefined
  /** One JSON object a run, each on a line: a RunStatus, or `{ folder, problem }` for a checkpoint that cannot be read. */
  readonly json?: boolean | undefined
  /** Tell it again each second, until no process works on any of them. */
  readonly watch?: boolean | undefined
  /** What is known of a run now, in place of what was saved of it; and whether it is to be watched further. */
  readonly renewed?:
    ((checkpoint: Checkpoint) => Promise<{ readonly checkpoint: Checkpoint; readonly live: boolean }>) | undefined
}

/** Where `status` tells it. */
export interface StatusIo {
  readonly stdout: NodeJS.WritableStream & { isTTY?: boolean; columns?: number; rows?: number }
  readonly cwd: string
  /** How text is painted; not at all where it is absent. */
  readonly paint?: Pick<Paints, 'stdout'>
  /** Aborted when nobody wants to watch any more. */
  readonly stop?: AbortSignal
}

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
  /** Answers that asked the latest session for fewer requests; and how many of them over the last `recentMs`. */
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
  /** The failure ledger; it exists once an object has failed. */
  readonly failures: string
  /** The command to run next; null when nothing is left to do, or a process is at it. */
  readonly next: string | null
}

/**
 * Tells on stdout how far a run has come, from its checkpoint alone: it neither locks nor changes the run, so it may be
 * asked while the run goes on. Without a folder, and with several runs to choose from, they are told in a table: those at work first, then the unfinished,
 * each the most recently saved first. Answers the exit code. Throws a UserError when there is no run, or its checkpoint cannot be read.
 */
export async function status(
  { dir, json = false, watch = false, renewed }: StatusArguments,
  io: StatusIo,
): Promise<number> {
  let renewedLive = false
  const renew = async (checkpoint: Checkpoint): Promise<Checkpoint> => {
    if (renewed === undefined) return checkpoint
    const now = await renewed(checkpoint)
    renewedLive ||= now.live
    return now.checkpoint
  }
  const look = async (): Promise<Sighting> => {
    renewedLive = false
    const runs = await lookAt(dir, io.cwd, renew)
    const live = renewed === undefined ? runs.some((run) => 'state' in run && run.heldBy !== null) : renewedLive
    return {
      live,
      runs,
      text: json ? runs.map((run) => `${jsonLine(run)}\n`).join('') : textLines(runs, Date.now(), io),
    }
  }
  if (watch)
    return await watchRuns(look, { ...io, json, line: json ? jsonLine : renewed === undefined ? oneLine : jobsLine })
  io.stdout.write((await look()).text)
  return EXIT.done
}

/** A run, or why it cannot be told of. */
export type Found = RunStatus | { readonly folder: string; readonly problem: string }

/** The runs that are asked about, as they are told of. Throws a UserError when there is none, or the only one cannot be read. */
export async function lookAt(
  dir: string | undefined,
  cwd: string,
  renew: (checkpoint: Checkpoint) => Promise<Checkpoint> = (checkpoint) => Promise.resolve(checkpoint),
): Promise<readonly Found[]> {
  const runs = dir === undefined ? await findRuns(cwd) : [await readCheckpoint(resolve(cwd, dir))]
  const [only] = runs
  if (only === undefined) {
    throw new UserError(
      `there is no run below ${printable(join(cwd, RUNS))}`,
      'Name the folder of the run, the one that was given to --checkpoint: s3move status DIR',
    )
  }
  if (runs.length === 1 && 'problem' in only) throw only.problem
  const found = await Promise.all(
    runs.map(async (run): Promise<Found> => {
      const folder = shownPath(cwd, run.folder)
      if ('problem' in run) return { folder, problem: run.problem.message }
      return runStatus({ folder, checkpoint: await renew(run.checkpoint) }, await lockHolder(run.folder))
    }),
  )
  return found.toSorted((a, b) => rank(a) - rank(b))
}

function rank(run: Found): number {
  if ('problem' in run) return 3
  return run.heldBy !== null ? 0 : run.state === 'unfinished' ? 1 : 2
}

function jsonLine(run: Found): string {
  return jsonRecord('status', 'problem' in run ? run : fieldsOf(run))
}

function textLines(runs: readonly Found[], now: number, { stdout: { columns }, paint }: StatusIo): string {
  const [only] = runs
  const painted = paint?.stdout ?? PLAIN
  const lines =
    runs.length === 1 && only !== undefined && 'state' in only
      ? page(only, now, painted)
      : table(runs, now, painted, columns)
  return lines.map((line) => `${line}\n`).join('')
}

function fieldsOf(run: RunStatus): object {
  const { folder, job, copied, bytes, deleted, freed, skipped, failed, verdicts, ...rest } = run
  return {
    ...{ folder, ...placesOf(job), job },
    ...totalsFields({ copied, bytes, deleted, freed, skipped, failed }),
    ...(verdicts === null ? { verdicts } : verdictFields(verdicts)),
    ...rest,
  }
}

/** Sums up a checkpoint; `folder` is used as it is given. */
function runStatus({ folder, checkpoint }: SavedRun, holder: Awaited<ReturnType<typeof lockHolder>>): RunStatus {
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
    throttled: checkpoint.history.at(-1)?.throttled ?? 0,
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
    failures: join(folder, LEDGER),
    next: holder === undefined ? (nextCommand(state === 'finished', failed, folder) ?? null) : null,
  }
}

const RECENT = 10_000

interface Recent {
  readonly perSecond: number
  readonly ms: number
  readonly throttled?: number
}

function recently({ history, activeMs }: Checkpoint, done: number): Recent | undefined {
  const before = history.findLast((sample) => activeMs - sample.activeMs >= RECENT) ?? history[0]
  if (before === undefined) return undefined
  const ms = activeMs - before.activeMs
  const gained = done - before.settled
  // A loss means that failed objects are tried again.
  if (ms <= 0 || gained < 0) return undefined
  // Each session counts from zero.
  const throttled = (history.at(-1)?.throttled ?? 0) - before.throttled
  return { perSecond: (gained * 1000) / ms, ms, ...(throttled < 0 ? {} : { throttled }) }
}

function shownPath(cwd: string, folder: string): string {
  const path = relative(cwd, folder)
  if (path === '') return '.'
  return path === '..' || path.startsWith('../') ? folder : path
}

function page(run: RunStatus, now: number, paint: Paint): string[] {
  const skipped = sum(run.skipped)
  const failed = sum(run.failed)
  const lines = [title(run), row('folder', shellWord(run.folder)), paint(toneOf(run), row('state', run.state))]
  if (run.state === 'unfinished' && run.heldBy === null) lines.push(...whyStopped(run))
  if (run.heldBy !== null) {
    lines.push(row('held by', `process ${run.heldBy.pid} on ${printable(run.heldBy.host)}, which is working on it`))
  }
  const work = `${duration(run.activeMs)} at work in ${count(run.sessions)} ${run.sessions === 1 ? 'session' : 'sessions'}`
  lines.push(row('started', `${moment(run.startedAt, now)}; ${work}`))
  lines.push(row('saved', moment(run.savedAt, now)))
  lines.push(row('done', doneOfTotal(run)))
  if (run.jobs !== null) lines.push(row('jobs', batchJobsInWords(run.jobs, jobsDone(run.job))))
  const outlook = outlookOfStatus(run)
  if (outlook !== undefined) lines.push(row('progress', outlookInWords(outlook, run.heldBy !== null)))
  lines.push(...doneRows(run, run.job))
  if (run.verdicts !== null) lines.push(...likenessRows(run.verdicts))
  if (skipped > 0) lines.push(row('skipped', `${objects(skipped)}: ${skippedByReason(run.skipped)}`))
  if (failed > 0) lines.push(paint('bad', row('failed', `${objects(failed)}: ${failedByCode(run.failed)}`)))
  const passedOver = passedOverText(run.passedOver ?? {})
  if (passedOver !== '') lines.push(row('left out', passedOver))
  if (run.retry !== null)
    lines.push(row('retrying', `${count(run.retry.done)} of ${objects(run.retry.of)} tried again`))
  if (run.large > 0) lines.push(row('large', `${objects(run.large)} over 5 GiB to be copied in parts`))
  if (run.waiting.objects > 0) lines.push(waitingRow(run.waiting))
  if (run.paused !== null)
    lines.push(
      paint(
        'warning',
        row('paused', `nearly every object failed alike (${printable(run.paused)}); a few are tried now and then`),
      ),
    )
  if (run.total === null) lines.push(row('remains', rangesThatRemain(run.rangesRemaining)))
  const rates = rateWords(run)
  if (rates !== '') lines.push(row('rate', rates))
  if (run.spentUsd !== null) lines.push(row('cost', `${spentInWords(run.spentUsd)}${atMost(run)}`))
  if (run.throttled > 0) lines.push(row('throttled', throttledWords(run)))
  if (failed > 0)
    lines.push(row('failures', `see s3move failures ${shellWord(run.folder)}, or ${shellWord(run.failures)}`))
  lines.push(row('next', run.next ?? waitingFor(run)))
  return lines
}

function whyStopped({ stopped }: RunStatus): string[] {
  if (stopped === null)
    return [row('stopped', 'no process works on it, and none has said why: it was killed, or the machine went down')]
  const { reason, hint } = stopped
  return [row('stopped', printable(reason)), ...(hint === undefined ? [] : [row('hint', printable(hint))])]
}

function atMost({ maxCostUsd }: RunStatus): string {
  return maxCostUsd === null ? '' : `; at most ${usd(maxCostUsd)} (--max-cost)`
}

function throttledWords({ throttled, recentThrottled, recentMs }: RunStatus): string {
  const times = `asked to slow down ${throttled === 1 ? 'once' : `${count(throttled)} times`} in the latest session`
  if (recentThrottled === null || recentMs === null) return times
  return `${times}, ${count(recentThrottled)} of them in the ${duration(recentMs)} before it was saved`
}

function waitingFor({ heldBy, paused }: RunStatus): string {
  if (heldBy === null) return 'nothing is left to do'
  if (paused === null) return 'wait until it ends'
  return `mend what ${printable(paused)} means (docs/error-codes.md): it goes on by itself then, or stops after --retry-for`
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

// What its jobs are at.
function jobsLine(run: Found): string {
  if ('problem' in run || run.jobs === null) return oneLine(run)
  return `${shellWord(run.folder)}: ${batchJobsInWords(run.jobs, jobsDone(run.job))}`
}

function jobsDone(job: Job): string {
  return isScanJob(job) ? 'read' : doneWord(job)
}

function outlookOfStatus({ share, leftMs, expected }: RunStatus): RunOutlook | undefined {
  if (share === null) return undefined
  return { share, ...(leftMs === null ? {} : { leftMs }), ...(expected === null ? {} : { expected }) }
}

/** What a run is at. */
export type Activity = 'at work' | 'paused' | 'killed' | 'stopped' | 'finished'

/** What a run is at, in a word. */
export function stateWord({ heldBy, paused, state, stopped }: RunStatus): Activity {
  if (heldBy !== null) return paused === null ? 'at work' : 'paused'
  if (state === 'finished') return 'finished'
  return stopped === null ? 'killed' : 'stopped'
}

function toneOf(run: Found): Parameters<Paint>[0] {
  if ('problem' in run) return 'bad'
  if (run.heldBy !== null) return run.paused === null ? 'good' : 'warning'
  return run.state === 'unfinished' ? 'warning' : 'dim'
}

// The name of a folder is never cut, as it is to be pasted: one that is too long for the line has one of its own.
function table(runs: readonly Found[], now: number, paint: Paint, columns = 80): string[] {
  const heads = ['state', 'done', 'share', 'left', 'failed', 'saved']
  const cells = runs.map((run) => {
    if ('problem' in run) return ['unreadable', '', '', '', '', '']
    const of = run.total === null ? `${compactCount(run.listed)}+` : compactCount(run.total)
    const failed = sum(run.failed)
    const done = `${compactCount(run.done)} of ${of}`
    const outlook = outlookOfStatus(run)
    const [share, left] = outlook === undefined ? ['', ''] : [shortShare(outlook), shortLeft(outlook)]
    return [stateWord(run), done, share, left, failed === 0 ? '-' : compactCount(failed), ago(run.savedAt, now)]
  })
  // Columns with nothing in them have no width to spare.
  for (const name of ['left', 'share']) {
    const index = heads.indexOf(name)
    if (cells.some((line) => line[index] !== '')) continue
    for (const line of [heads, ...cells]) line.splice(index, 1)
  }
  const widths = heads.map((head, index) => Math.max(head.length, ...cells.map((line) => line[index]?.length ?? 0)))
  const line = (parts: readonly string[]): string =>
    parts.map((part, index) => part.padEnd(widths[index] ?? 0)).join('  ')
  const lines = [`${line(heads)}  folder`]
  runs.forEach((run, index) => {
    const start = line(cells[index] ?? [])
    const folder = shellWord(run.folder)
    const [state = ''] = cells[index] ?? []
    const painted = `${paint(toneOf(run), state)}${start.slice(state.length)}`
    if (start.length + 2 + folder.length <= columns) lines.push(`${painted}  ${folder}`)
    else lines.push(painted.trimEnd(), `  ${folder}`)
    if ('problem' in run) lines.push(`  ${run.problem}`)
  })
  return lines
}

function title({ job }: RunStatus): string {
  return jobTitle(job)
}

function moment(time: string, now: number): string {
  return `${printable(time)} (${ago(time, now)})`
}

function ago(time: string, now: number): string {
  return `${duration(now - timeOf(time))} ago`
}

function doneOfTotal(run: RunStatus): string {
  return run.total === null
    ? `${objects(run.done)} of ${count(run.listed)} listed so far`
    : `${count(run.done)} of ${objects(run.total)}`
}

function rangesThatRemain(ranges: number): string {
  const some = ranges === 1 ? '1 range of keys' : `${count(ranges)} ranges of keys`
  return `${some}; how many objects is not known before the listing has ended`
}

function rateWords(run: RunStatus): string {
  const words: string[] = []
  if (run.averagePerSecond !== null) words.push(`${rate(run.averagePerSecond)} on average`)
  if (run.recentPerSecond !== null && run.recentMs !== null) {
    words.push(`${rate(run.recentPerSecond)} over the ${duration(run.recentMs)} before it was saved`)
  }
  return words.join(', ')
}
