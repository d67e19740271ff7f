import { join, relative, resolve } from 'node:path'
import { isScan, largeRemaining, waitingIn, type Checkpoint } from '../../checkpoint/checkpoint.js'
import { LEDGER } from '../../checkpoint/ledger-file.js'
import { findRuns, readCheckpoint, RUNS } from '../../checkpoint/checkpoint-file.js'
import type { SavedRun } from '../../checkpoint/checkpoint-file.js'
import { lockHolder } from '../../checkpoint/lock.js'
import { UserError } from '../../errors.js'
import { jsonRecord, placesOf, totalsFields, verdictFields } from '../../report/json-records.js'
import { count, duration, jobTitle, objects, rate, row, shellWord, waitingRow } from '../../report/format.js'
import { settled, sum } from '../../job/totals.js'
import type { Waiting } from '../../job/events.js'
import type { Job } from '../../job/kinds.js'
import type { SkipReason } from '../../job/outcome.js'
import type { Verdicts } from '../../job/verdicts.js'
import { printable } from '../../keys.js'
import { timeOf } from '../../times.js'
import { likenessRows } from '../../report/verify-summary.js'
import { doneRows, failedByCode, nextCommand, skippedByReason } from '../../report/summary.js'

/** What `s3move status` was asked. */
export interface StatusArguments {
  /** The folder of a run, or the `checkpoint.json` in it. Without it, the runs below `.s3move/` in the working directory. */
  readonly dir?: string | undefined
  /** One JSON object a run, each on a line: a RunStatus, or `{ folder, problem }` for a checkpoint that cannot be read. */
  readonly json?: boolean | undefined
}

/**
 * How far a run has come, as `s3move status --json` tells it. The names are stable. Times are ISO 8601, what is not
 * known is null, and all counts are over all sessions.
 */
interface RunStatus {
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
  /** How many failed objects were tried again, and of how many; null when that is not under way. */
  readonly retry: { readonly done: number; readonly of: number } | null
  /** Objects settled a second of time at work. */
  readonly averagePerSecond: number | null
  /** Objects settled a second over the last `recentMs` milliseconds at work. */
  readonly recentPerSecond: number | null
  readonly recentMs: number | null
  /** The failure ledger; it exists once an object has failed. */
  readonly failures: string
  /** The command to run next; null when nothing is left to do, or a process is at it. */
  readonly next: string | null
}

/**
 * Tells on stdout how far a run has come, from its checkpoint alone: it neither locks nor changes the run, so it may be
 * asked while the run goes on. Without a folder, and with several runs to choose from, each is told in a line, the most
 * recently saved first. Answers the exit code. Throws a UserError when there is no run, or its checkpoint cannot be read.
 */
export async function status(
  argv: StatusArguments,
  io: { readonly stdout: NodeJS.WritableStream; readonly cwd: string },
): Promise<number> {
  const runs = argv.dir === undefined ? await findRuns(io.cwd) : [await readCheckpoint(resolve(io.cwd, argv.dir))]
  const [only] = runs
  if (only === undefined) {
    throw new UserError(
      `there is no run below ${printable(join(io.cwd, RUNS))}`,
      'Name the folder of the run, the one that was given to --checkpoint: s3move status DIR',
    )
  }
  if (runs.length === 1 && 'problem' in only) throw only.problem
  const now = Date.now()
  for (const run of runs) {
    const folder = shownPath(io.cwd, run.folder)
    if ('problem' in run) {
      const problem = run.problem.message
      io.stdout.write(
        argv.json === true ? `${jsonRecord('status', { folder, problem })}\n` : `${shellWord(folder)}: ${problem}\n`,
      )
      continue
    }
    const holder = await lockHolder(run.folder)
    const told = runStatus({ folder, checkpoint: run.checkpoint }, holder)
    if (argv.json === true) io.stdout.write(`${jsonRecord('status', fieldsOf(told))}\n`)
    else if (runs.length === 1)
      io.stdout.write(
        page(told, now)
          .map((line) => `${line}\n`)
          .join(''),
      )
    else io.stdout.write(`${oneLine(told, now)}\n`)
  }
  return 0
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
  const recent = recently(checkpoint)
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
    total: ranges.length === 0 ? listed : null,
    rangesRemaining: ranges.length,
    large: checkpoint.large === undefined ? 0 : largeRemaining(checkpoint.large),
    waiting: waitingIn(checkpoint),
    // Of a run that nobody drives it says only why nothing was done last.
    paused: (holder === undefined ? undefined : checkpoint.paused) ?? null,
    retry: retry === undefined ? null : { done: retry.entries, of: retry.of },
    averagePerSecond: activeMs > 0 ? (done * 1000) / activeMs : null,
    recentPerSecond: recent?.perSecond ?? null,
    recentMs: recent?.ms ?? null,
    failures: join(folder, LEDGER),
    next: holder === undefined ? (nextCommand(state === 'finished', failed, folder) ?? null) : null,
  }
}

const RECENT = 10_000

function recently({ history, activeMs, totals }: Checkpoint): { perSecond: number; ms: number } | undefined {
  const before = history.findLast((sample) => activeMs - sample.activeMs >= RECENT) ?? history[0]
  if (before === undefined) return undefined
  const ms = activeMs - before.activeMs
  const gained = settled(totals) - before.settled
  // A loss means that failed objects are tried again.
  if (ms <= 0 || gained < 0) return undefined
  return { perSecond: (gained * 1000) / ms, ms }
}

function shownPath(cwd: string, folder: string): string {
  const path = relative(cwd, folder)
  if (path === '') return '.'
  return path === '..' || path.startsWith('../') ? folder : path
}

function page(run: RunStatus, now: number): string[] {
  const skipped = sum(run.skipped)
  const failed = sum(run.failed)
  const lines = [title(run), row('folder', shellWord(run.folder)), row('state', run.state)]
  if (run.heldBy !== null) {
    lines.push(row('held by', `process ${run.heldBy.pid} on ${printable(run.heldBy.host)}, which is working on it`))
  }
  const work = `${duration(run.activeMs)} at work in ${count(run.sessions)} ${run.sessions === 1 ? 'session' : 'sessions'}`
  lines.push(row('started', `${moment(run.startedAt, now)}; ${work}`))
  lines.push(row('saved', moment(run.savedAt, now)))
  lines.push(row('done', doneOfTotal(run)))
  lines.push(...doneRows(run, run.job))
  if (run.verdicts !== null) lines.push(...likenessRows(run.verdicts))
  if (skipped > 0) lines.push(row('skipped', `${objects(skipped)}: ${skippedByReason(run.skipped)}`))
  if (failed > 0) lines.push(row('failed', `${objects(failed)}: ${failedByCode(run.failed)}`))
  if (run.retry !== null)
    lines.push(row('retrying', `${count(run.retry.done)} of ${objects(run.retry.of)} tried again`))
  if (run.large > 0) lines.push(row('large', `${objects(run.large)} over 5 GiB to be copied in parts`))
  if (run.waiting.objects > 0) lines.push(waitingRow(run.waiting))
  if (run.paused !== null)
    lines.push(
      row('paused', `nearly every object failed alike (${printable(run.paused)}); a few are tried now and then`),
    )
  if (run.total === null) lines.push(row('remains', rangesThatRemain(run.rangesRemaining)))
  const rates = rateWords(run)
  if (rates !== '') lines.push(row('rate', rates))
  if (failed > 0) lines.push(row('failures', `see ${shellWord(run.failures)}`))
  lines.push(row('next', run.next ?? waitingFor(run)))
  return lines
}

function waitingFor({ heldBy, paused }: RunStatus): string {
  if (heldBy === null) return 'nothing is left to do'
  if (paused === null) return 'wait until it ends'
  return `mend what ${printable(paused)} means (docs/error-codes.md): it goes on by itself then, or stops after --retry-for`
}

function oneLine(run: RunStatus, now: number): string {
  const failed = sum(run.failed)
  const failures = failed === 0 ? '' : `, ${count(failed)} failed`
  const paused = run.paused === null ? '' : `, paused (${printable(run.paused)})`
  return `${shellWord(run.folder)}: ${run.state}, ${doneOfTotal(run)}${failures}${paused}, saved ${ago(run.savedAt, now)}; ${title(run)}`
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
