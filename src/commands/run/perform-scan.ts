import { stat } from 'node:fs/promises'
import { CheckpointError } from '../../checkpoint/checkpoint-error.js'
import type { ScanCheckpoint } from '../../checkpoint/checkpoint.js'
import { packer, packingOf } from '../../engine/output/compression.js'
import { headerLine } from '../../engine/output/ls-lines.js'
import { UsageCounts } from '../../engine/output/usage-counts.js'
import { duSink, lsSink } from '../../engine/session/scan-results.js'
import type { ScanEnd, Sink } from '../../engine/session/scan-session.js'
import { stopReason } from '../../engine/session/stop-reason.js'
import { unlessMissing } from '../../file-system.js'
import type { DuJob } from '../../job/du.js'
import { listOf, type ScanJob } from '../../job/kinds.js'
import type { LsJob } from '../../job/ls.js'
import { exactUrl, isObjectUrl } from '../../job/place.js'
import { sum } from '../../job/totals.js'
import { passedOverInAll, type PassedOver } from '../../job/passed-over.js'
import type { CensusData } from '../../job/usage.js'
import { printable } from '../../keys.js'
import { bytes, count, passedOverText, shellWord } from '../../report/format.js'
import { nothingFound, nothingFoundHint } from '../../report/filter-words.js'
import { usagePage } from '../../report/pages/usage-page.js'
import { scanned } from '../../report/scan-progress.js'
import { censusReport } from '../../report/usage-report.js'
import { Interrupted } from '../options/io.js'
import { performLevel } from './perform-level.js'
import { performVerify } from './perform-verify.js'
import { writeResult } from './output-file.js'
import { keptResult, resultObject, type ResultOptions } from './result-object.js'
import { conclude, deliver, finishFile, read, readInto, unfinished, type Scan } from './run-scan.js'

/** Carries out what is particular to a job: opens its sink, reads into it, tells its result, as `json` if there is such a form. Answers the exit code. */
export function performScan(job: ScanJob, scan: Scan, json: boolean): Promise<number> {
  switch (job.kind) {
    case 'ls':
      return job.folders === true ? performLevel(job, scan) : performLs(job, scan)
    case 'du':
      return performDu(job, scan)
    case 'verify':
      return performVerify(job, scan, json)
  }
}

/** Whether the result goes to standard output line by line, while the job goes on. */
export function writesLines(job: ScanJob): boolean {
  return job.kind !== 'du' && job.to === undefined
}

/** Writes every key. */
async function performLs(job: LsJob, scan: Scan): Promise<number> {
  const { format } = job
  if (format === 'parquet') {
    const { readIntoParquet } = await import('./perform-parquet.js')
    const { lines, ...ended } = await readIntoParquet(job, scan)
    return concludeLs(job, scan, ended, lines)
  }
  const { io, resumed } = scan
  const packing = job.to === undefined ? 'plain' : packingOf(job.to)
  const terminal = job.to === undefined && io.stdout.isTTY === true
  const before = scan.checkpoint.scan?.lines ?? scan.checkpoint.listed
  let sink: Sink | undefined
  const ended = await readInto(job.to, scan, (outlet, keyspace) => {
    const header = headerLine(format)
    if (header !== '' && outlet.bytes === 0 && !(resumed && job.to === undefined)) {
      outlet.write(packer(packing)(header), () => undefined)
    }
    return (sink = lsSink(job, { format, packing, terminal, before }, outlet, keyspace))
  })
  return concludeLs(job, scan, ended, sink?.state().lines ?? before)
}

function concludeLs(job: LsJob, scan: Scan, ended: ScanEnd & { readonly bytes: number }, lines: number): number {
  const { progress, quiet } = scan
  sayPassedOver(scan, ended)
  if (ended.end === 'finished' && !quiet) {
    if (job.to !== undefined) {
      const part = lines === ended.listed ? '' : `${count(lines)} of `
      progress.say(
        `wrote ${part}${scanned(ended.listed, ended.elapsed)} to ${shellWord(job.to)}, ${bytes(ended.bytes)}`,
        'good',
      )
    }
    if (lines === 0) sayNothingFound(job, scan, ended)
  }
  return conclude(scan, ended, job.to === undefined ? 'keys are missing' : unfinished(job.to))
}

// Where the result itself has no place for it.
function sayPassedOver({ progress, quiet }: Scan, { passedOver = {} }: ScanEnd): void {
  if (passedOverInAll(passedOver) > 0 && !quiet) progress.say(`passed over: ${passedOverText(passedOver)}`)
}

/** Counts, and tells the result on stdout or in a file, which is never of a part only. */
async function performDu(job: DuJob, scan: Scan): Promise<number> {
  const { checkpoint, io, progress, quiet, result } = scan
  const census = new UsageCounts({ depth: job.depth })
  if (checkpoint.scan?.census !== undefined) census.merge(checkpoint.scan.census)
  const counted = await read(scan, () => duSink(job, census))
  progress.close()
  const found = census.data()
  const columns = job.to === undefined && io.stdout.isTTY === true ? io.stdout.columns : undefined
  const report = duReport(job, found, counted.end === 'finished', counted.passedOver, columns)
  const ended =
    result === undefined || counted.end !== 'finished'
      ? { ...counted, bytes: 0 }
      : await deliver(counted, () => result.send(packed(job, report)))
  const complete = ended.end === 'finished'
  if (job.report.format === 'csv') sayPassedOver(scan, ended)
  if (job.to === undefined) io.stdout.write(report)
  else if (complete) {
    const size = result === undefined ? await writeResult(job.to, report) : ended.bytes
    if (!quiet) {
      const counted = scanned(found.total.objects, ended.elapsed)
      progress.say(`wrote the counts of ${counted} to ${shellWord(job.to)}, ${bytes(size)}`, 'good')
    }
  }
  if (complete && !quiet && found.total.objects === 0) sayNothingFound(job, scan, ended)
  return conclude(
    scan,
    ended,
    job.to === undefined ? 'the figures are of a part only' : `${printable(job.to)} was not written`,
  )
}

/** The result of `du`. */
function duReport(
  job: DuJob,
  census: CensusData,
  complete: boolean,
  passedOver: PassedOver | undefined,
  columns?: number,
): string {
  const { source, depth } = job
  const { format, dates } = job.report
  const options = { dates, depth, url: exactUrl(source), complete, passedOver, today: todayOf(job, census), columns }
  return format === 'html' ? usagePage(census, options) : censusReport(census, { ...options, format })
}

// A filter by dates leaves no growth to see. A list, or an inventory, ends on a day of its own.
function todayOf({ select = {}, list }: DuJob, { days }: CensusData): string | undefined {
  if (select.modifiedSince !== undefined || select.modifiedBefore !== undefined) return undefined
  return list === undefined ? new Date().toISOString().slice(0, 10) : days.findLast(([name]) => name !== 'unknown')?.[0]
}

function packed({ to = '' }: DuJob, report: string): Buffer {
  return packer(packingOf(to))(report)
}

/** What a finished job was to write gets its place, in case that a crash came before, or it could not be sent. Answers what was sent, in words. */
export async function finishResult(
  { job, scan, passedOver }: ScanCheckpoint,
  options: ResultOptions,
): Promise<string | undefined> {
  const { to } = job
  if (to === undefined) return undefined
  const counted = passedOver ?? (listOf(job) === undefined ? undefined : {})
  const report = job.kind === 'du' && scan?.census !== undefined ? duReport(job, scan.census, true, counted) : undefined
  if (!isObjectUrl(to)) {
    if (job.kind !== 'du') await finishFile(to, scan)
    else if (report !== undefined) await writeResult(to, report)
    return undefined
  }
  const kept = keptResult(options.folder)
  if (kept !== undefined) await finishFile(kept, scan)
  if (report === undefined && (kept === undefined || (await unlessMissing(stat(kept))) === undefined)) return undefined
  const result = await resultObject(to, options)
  try {
    const sent = result?.send(job.kind === 'du' && report !== undefined ? packed(job, report) : undefined)
    return `wrote ${shellWord(to)}, ${bytes((await sent) ?? 0)}`
  } catch (error) {
    if (error instanceof Interrupted) throw error
    const { reason, hint = 'mend the cause, then resume the run' } = stopReason(error)
    throw new CheckpointError(`${reason}: ${printable(to)} was not written`, hint)
  } finally {
    result?.close()
  }
}

// What could not be looked at was told by itself.
function sayNothingFound(job: ScanJob, { progress }: Scan, { listed, unread }: ScanEnd): void {
  if (sum(unread) === 0) progress.say(`${nothingFound(job, listed)}; ${nothingFoundHint(job)}`, 'warning')
}
