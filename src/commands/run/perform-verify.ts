import { packingOf, type Compression } from '../../engine/output/compression.js'
import type { OutputWriter } from '../../engine/output/output-writer.js'
import { verifySink } from '../../engine/session/scan-results.js'
import type { ScanEnd, Sink } from '../../engine/session/scan-session.js'
import { passedOverInAll } from '../../job/passed-over.js'
import { sum } from '../../job/totals.js'
import { differing, NO_VERDICTS, type Verdicts } from '../../job/verdicts.js'
import type { DifferenceFormat, VerifyJob } from '../../job/verify.js'
import { bytes, passedOverText, row, shellWord } from '../../report/format.js'
import { nothingFound, nothingFoundHint } from '../../report/filter-words.js'
import { jsonRecord, placesOf, verdictFields } from '../../report/json-records.js'
import type { Paint } from '../../report/paint.js'
import { scanned } from '../../report/scan-progress.js'
import { likenessHeadline, likenessRows, likenessTone, paintedVerdicts } from '../../report/verify-summary.js'
import { EXIT } from '../options/exit.js'
import { conclude, readInto, unfinished, type Scan, type ScanTelling } from './run-scan.js'

/** Writes the differences, and a summary on stderr, or behind them as `json`. */
export async function performVerify(job: VerifyJob, scan: Scan, json: boolean): Promise<number> {
  const { packing, format, painted } = differencesOutput(job, scan, json)
  const before = scan.checkpoint.scan?.likenesses ?? NO_VERDICTS
  let sink: Sink | undefined
  const ended = await readInto(
    job.to,
    scan,
    (outlet) => (sink = verifySink(job, { packing, format }, painted(outlet), before)),
  )
  if (ended.readerGone) return EXIT.failures
  return concludeComparison(job, scan, { ended, found: sink?.state().likenesses ?? before, json })
}

/** How differences are written. */
export interface DifferencesOutput {
  readonly packing: Compression
  readonly format: DifferenceFormat
  readonly painted: (outlet: OutputWriter) => OutputWriter
}

/** How those of a job are. */
export function differencesOutput(job: VerifyJob, { io }: Pick<ScanTelling, 'io'>, json: boolean): DifferencesOutput {
  const forPeople = job.to === undefined && !json && io.stdout.isTTY === true
  const format = job.format ?? (forPeople ? 'text' : 'json')
  // What is in a file, or for a program, is never painted.
  const paint = format === 'text' && job.to === undefined ? io.paint?.stdout : undefined
  return {
    packing: job.to === undefined ? 'plain' : packingOf(job.to),
    format,
    painted: (outlet) => (paint === undefined ? outlet : paintedOutlet(outlet, paint)),
  }
}

/** What a comparison came to. */
interface FoundLikenesses {
  readonly ended: ScanEnd & { readonly bytes: number }
  readonly found: Verdicts
  readonly json: boolean
}

/** Tells what was found. Answers the exit code. */
export function concludeComparison(job: VerifyJob, scan: ScanTelling, { ended, found, json }: FoundLikenesses): number {
  const { progress, quiet } = scan
  const complete = ended.end === 'finished'
  const { passedOver } = ended
  if (json) {
    const exitCode = complete ? codeOf(found) : ended.stop === undefined ? EXIT.interrupted : EXIT.stopped
    const oneWay = job.oneWay === true
    const fields = {
      ...placesOf(job),
      complete,
      exitCode,
      oneWay,
      objects: compared(found),
      ...verdictFields(found),
      passedOver,
    }
    scan.io.stdout.write(`${jsonRecord('comparison', fields)}\n`)
  } else if (!quiet) {
    if (complete) progress.say(`finished: ${likenessHeadline(found)}`, likenessTone(found))
    else progress.say('found so far:')
    for (const line of likenessRows(found)) progress.say(line)
    if (job.oneWay === true) progress.say(row('extra', `not looked for: ${whyOneWay(job)}`))
    if (passedOver !== undefined && passedOverInAll(passedOver) > 0)
      progress.say(row('left out', passedOverText(passedOver)))
    progress.say(row('time', scanned(compared(found), ended.elapsed)))
    if (complete && job.to !== undefined) progress.say(row('written', `${shellWord(job.to)}, ${bytes(ended.bytes)}`))
    if (found['same-size'] > 0) progress.say(row('hint', hintFor(job)))
    if (complete && compared(found) === 0) {
      const nothing = job.select !== undefined || job.list !== undefined || job.oneWay === true
      const told = nothing ? `${nothingFound(job, ended.listed)}; ${nothingFoundHint(job)}` : BOTH_EMPTY
      progress.say(row('hint', told))
    }
  }
  if (complete) return codeOf(found)
  return conclude(scan, ended, job.to === undefined ? 'only a part was compared' : unfinished(job.to))
}

// Lines come whole, many at once.
function paintedOutlet(outlet: OutputWriter, paint: Paint): OutputWriter {
  return {
    get bytes() {
      return outlet.bytes
    },
    get kept() {
      return outlet.kept
    },
    write: (piece, written) =>
      outlet.write(Buffer.from(paintedVerdicts(Buffer.from(piece).toString(), paint)), written),
    sync: () => outlet.sync(),
    finish: () => outlet.finish(),
    close: () => outlet.close(),
  }
}

function codeOf(found: Verdicts): number {
  return differing(found) > 0 ? EXIT.failures : EXIT.done
}

const BOTH_EMPTY = 'both sides are empty; are buckets and prefixes right?'

function compared({ fixed: _fixed, ...found }: Verdicts): number {
  return sum(found)
}

function whyOneWay({ map, list }: VerifyJob): string {
  if (list !== undefined) return 'only what the list names was compared'
  return map === undefined
    ? 'only what the run was to copy was compared'
    : 'with --map nothing tells whether a name at the destination is that of a copy'
}

function hintFor({ deep }: VerifyJob): string {
  return deep ? '--bytes reads the content of both sides' : '--deep looks for checksums, --bytes reads the content'
}
