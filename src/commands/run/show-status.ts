import { lagInWords } from '../../report/rounds.js'
import type { Checkpoint } from '../../checkpoint/checkpoint.js'
import type { HostActivity } from '../../job/events.js'
import { isScanJob, type Job } from '../../job/kinds.js'
import { sum } from '../../job/totals.js'
import { printable } from '../../keys.js'
import { batchJobsInWords } from '../../report/batch-status.js'
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
import { jsonRecord, placesOf, totalsFields, verdictFields } from '../../report/json-records.js'
import { PLAIN, type Paint, type Paints } from '../../report/paint.js'
import { outlookInWords, shortLeft, shortShare } from '../../report/run-outlook.js'
import {
  agoInWords,
  doneOfTotal,
  momentInWords,
  oneLine,
  outlookOfStatus,
  stateWord,
  type Found,
  type RunStatus,
} from '../../report/run-status.js'
import { doneRows, doneWord, failedByCode, skippedByReason, spentInWords } from '../../report/summary.js'
import { likenessRows } from '../../report/verify-summary.js'
import { EXIT } from '../options/exit.js'
import { lookAt } from './look-at-runs.js'
import { watchRuns, type Sighting } from './watch-status.js'

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

function jsonLine(run: Found): string {
  return jsonRecord('status', 'problem' in run ? run : statusFields(run))
}

function textLines(runs: readonly Found[], now: number, { stdout: { columns }, paint }: StatusIo): string {
  const [only] = runs
  const painted = paint?.stdout ?? PLAIN
  const lines =
    runs.length === 1 && only !== undefined && 'state' in only
      ? statusPage(only, now, painted)
      : table(runs, now, painted, columns)
  return lines.map((line) => `${line}\n`).join('')
}

/** A run as fields of a record. */
export function statusFields(run: RunStatus): object {
  const { folder, job, copied, bytes, deleted, freed, skipped, failed, verdicts, hosts, ...rest } = run
  return {
    ...{ folder, ...placesOf(job), job },
    ...totalsFields({ copied, bytes, deleted, freed, skipped, failed }),
    ...(verdicts === null ? { verdicts } : verdictFields(verdicts)),
    ...rest,
    hosts: hosts?.map(({ perSecond, ...host }) => ({ ...host, objectsPerSecond: perSecond })) ?? null,
  }
}

/** A run as a person is told of it, in lines; `now` is in milliseconds since 1970. */
export function statusPage(run: RunStatus, now: number, paint: Paint = PLAIN): string[] {
  const skipped = sum(run.skipped)
  const failed = sum(run.failed)
  const lines = [title(run), row('folder', shellWord(run.folder)), paint(toneOf(run), row('state', run.state))]
  if (run.state === 'unfinished' && run.heldBy === null) lines.push(...whyStopped(run))
  if (run.heldBy !== null) {
    lines.push(row('held by', `process ${run.heldBy.pid} on ${printable(run.heldBy.host)}, which is working on it`))
  }
  const work = `${duration(run.activeMs)} at work in ${count(run.sessions)} ${run.sessions === 1 ? 'session' : 'sessions'}`
  lines.push(row('started', `${momentInWords(run.startedAt, now)}; ${work}`))
  lines.push(row('saved', momentInWords(run.savedAt, now)))
  if (run.rounds !== null) lines.push(row('rounds', roundsInWords(run.rounds, now)))
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
  lines.push(...hostRows(run.hosts ?? []))
  if (run.spentUsd !== null) lines.push(row('cost', `${spentInWords(run.spentUsd)}${atMost(run)}`))
  if (run.throttled > 0) lines.push(row('throttled', throttledWords(run)))
  if (failed > 0)
    lines.push(row('failures', `see s3move failures ${shellWord(run.folder)}, or ${shellWord(run.failures)}`))
  lines.push(row('next', run.next ?? waitingFor(run)))
  return lines
}

function hostRows(hosts: readonly HostActivity[]): string[] {
  return hosts.map(({ host, threads, settled, perSecond }) => {
    const lent = `${count(threads)} ${threads === 1 ? 'thread' : 'threads'}`
    return row('host', `${printable(host)}: ${lent}, ${rate(perSecond)} of late, ${objects(settled)} since it joined`)
  })
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
  const times = `asked to slow down ${throttled === 1 ? 'once' : `${count(throttled)} times`}`
  if (recentThrottled === null || recentMs === null) return times
  return `${times}, ${count(recentThrottled)} of them in the ${duration(recentMs)} before it was saved`
}

function waitingFor({ heldBy, paused }: RunStatus): string {
  if (heldBy === null) return 'nothing is left to do'
  if (paused === null) return 'wait until it ends'
  return `mend what ${printable(paused)} means (docs/error-codes.md): it goes on by itself then, or stops after --retry-for`
}

// What its jobs are at.
function jobsLine(run: Found): string {
  if ('problem' in run || run.jobs === null) return oneLine(run)
  return `${shellWord(run.folder)}: ${batchJobsInWords(run.jobs, jobsDone(run.job))}`
}

function jobsDone(job: Job): string {
  return isScanJob(job) ? 'read' : doneWord(job)
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
    return [stateWord(run), done, share, left, failed === 0 ? '-' : compactCount(failed), agoInWords(run.savedAt, now)]
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

function roundsInWords({ ended, settledAt }: NonNullable<RunStatus['rounds']>, now: number): string {
  return `${count(ended)} ended; ${lagInWords(settledAt ?? undefined, new Date(now))}`
}
