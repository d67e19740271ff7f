import type { ListState } from '../../checkpoint/checkpoint.js'
import type { Prospect, Requests } from '../../engine/actions/context.js'
import { ofTheSource, reasonToKeep } from '../../engine/session/deferred-deletes.js'
import { rehearse, type Rehearsal } from '../../engine/session/rehearsal.js'
import { deferredDeletesOf, deletionPlace, mapOf, onlyDeletes, writeKindOf, type WriteJob } from '../../job/kinds.js'
import type { SkipReason } from '../../job/outcome.js'
import type { Snapshot } from '../../job/events.js'
import type { Pace } from '../../job/pace.js'
import { placeUrl } from '../../job/place.js'
import { sum, type Totals } from '../../job/totals.js'
import { printable, type KeyRange } from '../../keys.js'
import { bytes, count, objects } from '../../report/format.js'
import { heldLines, type Progress, type ProgressOptions } from '../../report/progress.js'
import { jsonRecord, placesOf, totalsFields } from '../../report/json-records.js'
import { exampleLine, failedByCode, skippedByReason, skipReason } from '../../report/summary.js'
import type { Change } from '../../rules/decide.js'
import { renamer } from '../../rules/rename.js'
import { addTo } from '../../sources/tally.js'
import type { ObjectSummary } from '../../storage/storage.js'
import { sayTo } from './attended.js'
import type { Example } from './example.js'
import { endsOf, threadsFor, type Opened } from './open-and-run.js'
import { EXIT } from '../options/exit.js'
import { isPipe, unless, type CommandIo } from '../options/io.js'
import type { OutputOptions } from '../options/output-options.js'

/** What a dry run needs. */
export interface DryRunOptions {
  readonly job: WriteJob
  readonly pace: Pace
  readonly ranges: readonly KeyRange[]
  /** What remains of the list of the job. */
  readonly list: ListState | undefined
  /** What is told of names. */
  readonly example?: Example | undefined
  readonly opened: Opened
  readonly progress: Progress
  readonly telling: OutputOptions
  readonly io: CommandIo
}

/** How a rehearsal tells of its progress: lines for standard output may come at any moment, or be written to the terminal by the reader of a pipe. */
export function rehearsing(
  io: CommandIo,
  { verbose, json }: OutputOptions,
): Pick<ProgressOptions, 'rehearsal' | 'redraws'> {
  const redraws = io.stderr.isTTY === true && !(verbose && !json && isPipe(io.stdout))
  return { rehearsal: true, redraws }
}

/** Lists, decides about each object, and says what a run would do and which requests it would send. Writes nothing, here or there. */
export async function dryRun(options: DryRunOptions): Promise<number> {
  const { job, pace, ranges, list, example, opened, progress, telling, io } = options
  const { ends, drain } = opened
  if (ends.destination?.unwritable !== undefined) throw ends.destination.unwritable
  if (example !== undefined && !telling.json) sayTo(io, exampleLine(example))
  const nameOf = renamer(mapOf(job))
  const lines = heldLines((text) => {
    progress.giveWay()
    io.stdout.write(text)
  })
  const tell = (object: ObjectSummary, prospect: Prospect): void => {
    const line = lineOf(job, nameOf, object, prospect)
    const wanted = telling.verbose || (line.type === 'would-set' && !telling.quiet)
    if (wanted) lines.add(telling.json ? recordOf(line) : textOf(job, line))
  }
  const told = (snapshot: Snapshot): void => {
    lines.flush()
    progress.event({ type: 'progress', snapshot })
  }
  const threads = threadsFor(job, pace)
  const work = rehearse({ job, pace, threads, ranges, list, ends, drain, tell, progress: told })
  const found = await unless(io.abandon, work)
  const complete = !drain.signal.aborted
  lines.flush()
  progress.close()
  if (telling.json) io.stdout.write(`${jsonRecord('plan', planOf(job, example, found, complete))}\n`)
  else io.stdout.write(`${planLines(job, found, complete).join('\n')}\n`)
  io.log?.write(`${planLines(job, found, complete).join('\n')}\n`)
  return complete ? EXIT.done : EXIT.interrupted
}

// What would be done, for programs.
function planOf(job: WriteJob, example: Example | undefined, found: Rehearsal, complete: boolean): object {
  const { totals, archived, versions, listing, lists, heads, sent, before, deeper, checks } = found
  const allHeads = heads + before + (sent['HeadObject'] ?? 0)
  const requests: Record<string, number> = {}
  if (lists > 0) addTo(requests, listing, lists)
  for (const [operation, n] of Object.entries({ ...sent, ...(allHeads === 0 ? {} : { HeadObject: allHeads }) }))
    addTo(requests, operation, n)
  for (const [operation, n] of Object.entries(deeper)) addTo(requests, operation, n)
  return {
    ...{ ...placesOf(job), job, complete, exitCode: complete ? EXIT.done : EXIT.interrupted, example },
    ...totalsFields(totals),
    ...{ archived, versions, requests, checkRequestsAtMost: checks },
  }
}

// The same for people.
function planLines(job: WriteJob, found: Rehearsal, complete: boolean): string[] {
  const { totals, archived, versions } = found
  const lines = [
    complete
      ? 'dry run: nothing was changed'
      : 'dry run, interrupted: nothing was changed, and this is a part only; the same command begins anew',
    ...tasksInWords(job, totals),
  ]
  if (versions > 0) lines.push(`versions     ${count(versions)} in all, delete markers included`)
  if (archived > 0) {
    const then = 'restore' in job ? 'to be restored first (--restore)' : 'skipped'
    lines.push(`archived     ${count(archived)} of them by their storage class: ${then}, unless restored by now`)
  }
  if (sum(totals.skipped) > 0) lines.push(`would skip   ${skippedByReason(totals.skipped)}`)
  if (sum(totals.failed) > 0) lines.push(`would fail   ${failedByCode(totals.failed)}`)
  const requests = requestsInWords(found)
  const shown = requests && `${requests} (copies and lists are in the price class of PUT; see README on cost)`
  return [...lines, `requests     ${shown || 'none'}`]
}

function requestsInWords({ listing, lists, heads, sent, before, deeper, checks }: Rehearsal): string {
  const words = (requests: Requests): string[] =>
    Object.entries(requests).map(([operation, n]) => `${count(n)} ${operation}`)
  const looks = words({ ...(before === 0 ? {} : { HeadObject: before }), ...deeper })
  // Folders are listed without.
  const listed = lists === 0 ? [] : [`about ${count(lists)} ${listing}`]
  const again = [...(heads === 0 ? [] : words({ HeadObject: heads })), ...listed].join(', ')
  const sample = words(checks).join(', ')
  const parts = [
    [...words(sent), ...looks.map((text) => `${text} before deletions`)].join(', '),
    sample === '' ? '' : `to look at what was written, up to ${sample}`,
    again === '' ? '' : `as in this dry run, ${again}`,
  ]
  return parts.filter((text) => text !== '').join('; ')
}

function tasksInWords(job: WriteJob, totals: Totals): string[] {
  const source = placeUrl(job.source)
  const { deleted = 0, freed = 0 } = totals
  if (onlyDeletes(job)) return [`would delete ${objects(deleted)}, ${bytes(freed)}, in ${source}`]
  const copies = `${objects(totals.copied)}, ${bytes(totals.bytes)}`
  if (!('destination' in job)) return [`would set    headers of ${copies}, in ${source}`]
  const lines = [`would ${writeKindOf(job).task}   ${copies}, from ${source} to ${placeUrl(job.destination)}`]
  const deletes = deferredDeletesOf(job)
  if (deletes?.when !== 'at-the-end') return lines
  const reason = reasonToKeep(deleted, ofTheSource(job.source, totals), deletes.most ?? Infinity)
  return reason === undefined
    ? [...lines, `would delete ${objects(deleted)}, ${bytes(freed)}, in ${placeUrl(deletionPlace(job))}`]
    : [...lines, `would keep   what is extra: ${reason}`]
}

type Task = ReturnType<typeof writeKindOf>['task']

type Line =
  | { readonly type: `would-${Task}`; readonly key: string; readonly to: string; readonly bytes: number }
  | { readonly type: 'would-delete'; readonly key: string; readonly bytes: number }
  | { readonly type: 'would-set'; readonly key: string; readonly changes: readonly Change[] }
  | { readonly type: 'would-skip'; readonly key: string; readonly reason: SkipReason }
  | { readonly type: 'would-fail'; readonly key: string; readonly code: string }

function lineOf(job: WriteJob, nameOf: (key: string) => string, object: ObjectSummary, outcome: Prospect): Line {
  const key = job.source.prefix + object.key
  switch (outcome.kind) {
    case 'copied': {
      if (!('destination' in job)) return { type: 'would-set', key, changes: outcome.changes ?? [] }
      const to = job.destination.prefix + nameOf(object.key)
      return { type: `would-${writeKindOf(job).task}`, key, to, bytes: object.size }
    }
    case 'deleted':
    case 'delete-deferred':
      return { type: 'would-delete', key: deletionPlace(job).prefix + object.key, bytes: object.size }
    case 'skipped':
      return { type: 'would-skip', key, reason: outcome.reason }
    case 'failed':
      return { type: 'would-fail', key, code: outcome.failure.code }
  }
}

function recordOf({ type, ...fields }: Line): string {
  return jsonRecord(type, fields)
}

function textOf(job: WriteJob, line: Line): string {
  const { bucket } = line.type === 'would-delete' ? deletionPlace(job) : job.source
  const from = placeUrl({ bucket, prefix: line.key })
  if ('to' in line)
    return `${line.type.slice('would-'.length)} ${from} ${placeUrl({ ...endsOf(job).destination, prefix: line.to })}`
  switch (line.type) {
    case 'would-delete':
      return `delete ${from}`
    case 'would-set':
      return [
        `set ${from}`,
        ...line.changes.map(({ name, from, to }) => `  ${printable(name)}: ${value(from)} -> ${value(to)}`),
      ].join('\n')
    case 'would-skip':
      return `skip ${from} (${skipReason(line.reason)})`
    case 'would-fail':
      return `fail ${from} (${line.code})`
  }
}

function value(text: string | undefined): string {
  return text === undefined ? '(none)' : `"${printable(text)}"`
}
