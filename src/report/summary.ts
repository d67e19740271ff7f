import { bytes, count, duration, objects, passedOverText, rate, row, shellWord, usd, waitingRow } from './format.js'
import { nothingFound, nothingFoundHint } from './filter-words.js'
import { PLAIN, type Paint } from './paint.js'
import { NAMES_COLLIDE, RESTORE_REQUESTED } from '../job/outcome.js'
import { settled, sum } from '../job/totals.js'
import type { DoneWord, RunEvent, Snapshot } from '../job/events.js'
import { isScanJob, writeKindOf, type Job } from '../job/kinds.js'
import type { SkipReason } from '../job/outcome.js'
import type { Totals } from '../job/totals.js'
import { printable } from '../keys.js'

/** The event that ends a run. */
export type SummaryEvent = Extract<RunEvent, { readonly type: 'summary' }>

/** What is known of the run besides its last event. */
export interface SummaryContext {
  /** Absent when the run ended before it began. */
  readonly job: Job | undefined
  /** Whether the totals include objects of earlier sessions. */
  readonly resumed: boolean
  readonly verbose: boolean
}

/** What became of a run, and what to run next: lines for a person, fit for a terminal. */
export function summaryLines(event: SummaryEvent, context: SummaryContext, paint: Paint = PLAIN): string[] {
  const { totals, throttled, retried, requests, spent } = event.snapshot
  const skipped = sum(totals.skipped)
  const failed = sum(totals.failed)
  const lines = [headline(event, context, paint)]
  lines.push(...doneRows(totals, context.job))
  if (skipped > 0) lines.push(row('skipped', `${objects(skipped)}: ${skippedByReason(totals.skipped)}`))
  const passedOver = passedOverText(event.snapshot.passedOver ?? {})
  if (passedOver !== '') lines.push(row('left out', passedOver))
  if (failed > 0) lines.push(paint('bad', row('failed', `${objects(failed)}: ${failedByCode(totals.failed)}`)))
  if (event.end === 'finished' && event.reason !== undefined)
    lines.push(row('kept', `what only the destination has, as ${printable(event.reason)}`))
  const { waiting } = event.snapshot
  if (waiting !== undefined) lines.push(waitingRow(waiting))
  lines.push(row('time', timeSpent(event.snapshot, context)))
  if (spent !== undefined) lines.push(row('cost', spentInWords(spent)))
  if (throttled > 0)
    lines.push(row('throttled', `asked to slow down ${throttled === 1 ? 'once' : `${count(throttled)} times`}`))
  if (context.verbose) {
    lines.push(row('requests', `${namedCounts(requests) || 'none'}; ${count(retried)} of them sent again`))
  }
  const restoring = totals.failed[RESTORE_REQUESTED] ?? 0
  if (restoring > 0) lines.push(row('restoring', `${objects(restoring)}: ${whenRestored(context.job)}`))
  if (failed > 0) lines.push(row('failures', `see s3move failures ${shellWord(event.checkpoint)}`))
  if (event.hint !== undefined) lines.push(row('hint', printable(event.hint)))
  const next = nextCommand(event.end === 'finished', totals.failed, event.checkpoint)
  if (next !== undefined) lines.push(row('next', next))
  return lines
}

/** What a run has cost so far. */
export function spentInWords(spent: number): string {
  return `about ${usd(spent)}: requests, and what they read and transferred`
}

// https://docs.aws.amazon.com/AmazonS3/latest/userguide/restoring-objects-retrieval-options.html
const RESTORED_IN = {
  standard: '3 to 5 hours, from Deep Archive 12',
  bulk: '5 to 12 hours, from Deep Archive 48',
  expedited: '1 to 5 minutes',
} as const

function whenRestored(job: Job | undefined): string {
  const tier = job !== undefined && 'restore' in job ? job.restore.tier : undefined
  return `S3 brings them back within ${RESTORED_IN[tier ?? 'standard']}; then s3move resume --only-failed copies them`
}

/** What becomes of one name, in a line. */
export function exampleLine({ key, to }: { readonly key: string; readonly to: string }): string {
  return `example  ${printable(key)} → ${printable(to)}`
}

/** The outcome in one line. Never says that all is done when something was skipped or failed. */
export function headline(event: SummaryEvent, context: Pick<SummaryContext, 'job'>, paint: Paint = PLAIN): string {
  const { totals, listed } = event.snapshot
  const skipped = sum(totals.skipped)
  const failed = sum(totals.failed)
  const because = event.reason === undefined ? '' : ` (${printable(event.reason)})`
  const counts = `${doneCounts(totals, context.job)}, ${orNone(skipped)} skipped, ${orNone(failed)} failed`
  if (event.end !== 'finished') {
    return paint(event.end === 'stopped' ? 'bad' : 'warning', `${event.end} before it finished${because}: ${counts}`)
  }
  const { filtered = 0 } = totals.skipped
  if (Math.max(listed, settled(totals)) === filtered) {
    const { job } = context
    const [nothing, hint] =
      job === undefined
        ? ['the source has no objects', 'are bucket and prefix right?']
        : [nothingFound(job, filtered), nothingFoundHint(job)]
    return paint('warning', `finished: ${nothing}, so nothing was ${doneWord(job)}; ${hint}`)
  }
  return failed === 0 ? paint('good', `finished: ${counts}`) : paint('bad', `finished with failures: ${counts}`)
}

/** What an object is called that a job has done. */
export function doneWord(job: Job | undefined): DoneWord {
  return job === undefined || isScanJob(job) ? 'copied' : writeKindOf(job).done
}

/** Rows of a summary about the objects that were done. */
export function doneRows({ copied, bytes: size, deleted = 0, freed = 0 }: Totals, job?: Job): string[] {
  const rows = copied > 0 ? [row(doneWord(job), `${objects(copied)}, ${bytes(size)}`)] : []
  return deleted > 0 ? [...rows, row('deleted', `${objects(deleted)}, ${bytes(freed)}`)] : rows
}

function doneCounts({ copied, deleted = 0 }: Totals, job: Job | undefined): string {
  const word = doneWord(job)
  if (word === 'deleted') return `${objects(deleted)} deleted`
  return `${objects(copied)} ${word}${deleted > 0 ? `, ${count(deleted)} deleted` : ''}`
}

/** The counts of a run in a few words: `299,997 copied, 3 failed`. */
export function countsInWords(totals: Totals, job: Job): string {
  const { copied, deleted = 0, skipped, failed } = totals
  const counts: readonly (readonly [number, string])[] = [
    ...(doneWord(job) === 'deleted' ? [] : [[copied, doneWord(job)] as const]),
    ...(
      [
        [deleted, 'deleted'],
        [sum(skipped), 'skipped'],
        [sum(failed), 'failed'],
      ] as const
    ).filter(([n]) => n > 0),
  ]
  return counts.length === 0 ? 'none deleted' : counts.map(([n, word]) => `${count(n)} ${word}`).join(', ')
}

/** The command to run next, to be pasted into a shell; undefined when nothing is left to do. */
export function nextCommand(finished: boolean, failed: Totals['failed'], folder: string): string | undefined {
  if (!finished) return `s3move resume ${shellWord(folder)}`
  return sum(failed) > (failed[NAMES_COLLIDE] ?? 0) ? `s3move resume --only-failed ${shellWord(folder)}` : undefined
}

const SKIP_REASONS: Readonly<Record<SkipReason, string>> = {
  gone: 'deleted after being listed',
  'prefix-marker': 'folder marker named like the source prefix',
  unchanged: 'unchanged',
  'no-rule': 'no rule for it',
  archived: 'archived, to be restored first',
  'sse-c': 'encrypted with a customer’s key',
  locked: 'locked in compliance mode',
  'object-lock': 'locked by Object Lock',
  unencrypted: 'not encrypted (--rewrite-others)',
  'dsse-kms': 'encrypted twice, DSSE-KMS (--rewrite-others)',
  'needs-rewrite': 'to be rewritten for that (--rewrite-others)',
  'folder-marker': 'folder marker',
  NotAKey: 'no objects, as they can be no keys (NotAKey)',
  filtered: 'not selected',
  'outside-folder': 'beside the folder of the prefix',
  extra: 'only at the destination',
  appeared: 'at the source by now',
  exists: 'exists at the destination',
  newer: 'newer at the destination, written by others',
}

/** Why an object was skipped, in words. */
export function skipReason(reason: SkipReason): string {
  return SKIP_REASONS[reason]
}

/** Counts of skipped objects with the reasons in words, most frequent first. */
export function skippedByReason(counts: Readonly<Partial<Record<SkipReason, number>>>): string {
  const words = Object.entries(counts).map(([reason, n]): [string, number] => {
    const known: Readonly<Record<string, string | undefined>> = SKIP_REASONS
    return [known[reason] ?? reason, n]
  })
  return namedCounts(Object.fromEntries(words))
}

/** Counts of failed objects by error code, most frequent first. */
export function failedByCode(counts: Readonly<Record<string, number>>): string {
  return namedCounts(counts)
}

function orNone(n: number): string {
  return n === 0 ? 'none' : count(n)
}

function namedCounts(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .filter(([, n]) => n > 0)
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .map(([name, n]) => `${count(n)} ${printable(name)}`)
    .join(', ')
}

/** What moves no bytes. */
const NO_BYTES: ReadonlySet<DoneWord> = new Set(['deleted', 'tagged', 'encrypted'])

function timeSpent({ elapsed, settledHere, totals }: Snapshot, { job, resumed }: SummaryContext): string {
  const seconds = elapsed / 1000
  if (seconds <= 0) return duration(elapsed)
  // Of totals that hold what was done before, no rate can be told.
  const speed = resumed || NO_BYTES.has(doneWord(job)) ? '' : `, ${bytes(totals.bytes / seconds)}/s`
  return `${duration(elapsed)}${resumed ? ' in this session' : ''}, on average ${rate(settledHere / seconds)}${speed}`
}
