import type { Requests } from '../../engine/actions/context.js'
import type { Rehearsal } from '../../engine/session/rehearsal.js'
import type { SampledFigures } from '../../engine/session/object-sampling.js'
import { allRequests, type RunRequests } from '../../engine/session/rehearsal-requests.js'
import { deferredDeletesOf, deletionPlace, onlyDeletes, writeKindOf, type WriteJob } from '../../job/kinds.js'
import { placeUrl } from '../../job/place.js'
import { settled, sum, type Totals } from '../../job/totals.js'
import { nothingFound, nothingFoundHint } from '../../report/filter-words.js'
import { bytes, count, objects, rate, shellWord } from '../../report/format.js'
import { placesOf, totalsFields } from '../../report/json-records.js'
import { PLAIN, type Paint } from '../../report/paint.js'
import { failedByCode, skippedByReason } from '../../report/summary.js'
import { aboutTime } from '../../report/time-left.js'
import { EXIT } from '../options/exit.js'
import type { Example } from './example.js'
import type { PlannedCost } from './plan-cost.js'
import { costFields, costInWords, plannedFields, plannedLines, type Planned } from './plan-tables.js'
import { aboutInWords, sampledFields, sampleInWords, timesInWords } from './sampled-figures.js'
import { prospectText, type ProspectLine } from './prospect-lines.js'

/** What a rehearsal has found. */
export interface RehearsedPlan {
  readonly job: WriteJob
  readonly found: Rehearsal
  /** It was not interrupted. */
  readonly complete: boolean
  /** Where only a sample was looked at: what it tells. What is found is reckoned for all, then. */
  readonly figures?: SampledFigures | undefined
  readonly example: Example | undefined
  readonly examples: readonly ProspectLine[]
  /** The folder in which what was seen is kept, where it was interrupted and can be. */
  readonly checkpoint: string | undefined
  /** What a plan tells beside a dry run. */
  readonly planned?: Planned | undefined
  /** What the run would cost, where prices are known. */
  readonly cost?: PlannedCost | undefined
}

/** As a record. */
export function planFields({
  job,
  found,
  complete,
  figures,
  checkpoint,
  example,
  examples,
  planned,
  cost,
}: RehearsedPlan): object {
  const { totals, archived, versions, requests } = found
  return {
    ...{ ...placesOf(job), job, complete: complete && figures === undefined },
    exitCode: complete ? EXIT.done : EXIT.interrupted,
    ...(figures === undefined ? {} : { sampled: sampledFields(figures) }),
    ...(checkpoint === undefined ? {} : { checkpoint }),
    ...{ example, examples },
    ...totalsFields(totals),
    ...{ archived, versions, requests: allRequests(requests), checkRequestsAtMost: requests.checksAtMost },
    ...(found.time === undefined ? {} : { estimate: estimateFields(found.time) }),
    ...(planned === undefined ? {} : plannedFields(planned)),
    ...(cost === undefined ? {} : { cost: costFields(cost) }),
  }
}

/** For people. */
export function planLines(plan: RehearsedPlan, paint: Paint = PLAIN): string[] {
  const { job, planned, figures } = plan
  const root = placeUrl({ ...job.source, prefix: '' })
  return [...rehearsedLines(plan, paint), ...(planned === undefined ? [] : plannedLines(planned, root, figures))]
}

/** The same without what a plan tells beside a dry run. */
export function rehearsedLines(plan: RehearsedPlan, paint: Paint = PLAIN): string[] {
  const { job, found, complete, figures, checkpoint, examples, planned, cost } = plan
  const about = figures === undefined ? '' : 'about '
  const { totals, archived, versions } = found
  const failed = sum(totals.failed)
  const word = planned === undefined ? 'dry run' : 'plan'
  const lines = [
    figures !== undefined
      ? paint('warning', `${word} by a sample: nothing was changed, and all figures are estimates`)
      : complete
        ? paint(failed === 0 ? 'good' : 'warning', `${word}: nothing was changed`)
        : paint(
            'warning',
            `${word}, interrupted: nothing was changed, and this is a part only; ${checkpoint === undefined ? 'the same command begins anew' : goingOn(checkpoint)}`,
          ),
    ...nothingInWords(job, found, complete),
    ...tasksInWords(job, found, figures),
    ...(figures === undefined ? [] : sampleInWords(figures)),
  ]
  if (versions > 0) lines.push(`versions     ${count(versions)} in all, delete markers included`)
  if (archived > 0) {
    const then = 'restore' in job ? 'to be restored first (--restore)' : 'skipped'
    lines.push(
      `archived     ${about}${count(archived)} of them by their storage class: ${then}, unless restored by now`,
    )
  }
  if (sum(totals.skipped) > 0) lines.push(`would skip   ${about}${skippedByReason(totals.skipped)}`)
  if (failed > 0) lines.push(paint('bad', `would fail   ${about}${failedByCode(totals.failed)}`))
  lines.push(`requests     ${about}${requestsInWords(found.requests)}`)
  if (found.time !== undefined) lines.push(`time         ${timeInWords(found.time, totals, figures)}`)
  if (planned === undefined && cost !== undefined && cost.rows.length > 0)
    lines.push(`money        ${costInWords(cost)}; s3move plan has the rows`)
  return [...lines, ...exampleLines(job, found, examples)]
}

/** How one goes on with a rehearsal that is kept in a folder. */
export function goingOn(folder: string): string {
  return `to go on with that: s3move resume ${shellWord(folder)}`
}

function estimateFields({ ms, by, inFlight, requestMs, rate }: RunTime): object {
  return { ms: Math.round(ms), by, inFlight, requestMs: Math.round(requestMs * 10) / 10, perSecond: rate }
}

// What a run says then, so that nobody takes it for an empty bucket.
function nothingInWords(job: WriteJob, { totals }: Rehearsal, complete: boolean): string[] {
  const { filtered = 0 } = totals.skipped
  if (!complete || settled(totals) > filtered) return []
  return [`nothing      ${nothingFound(job, filtered)}; ${nothingFoundHint(job)}`]
}

/** From so many bytes on, on average, the size of objects tells in the time of a request. */
const LARGE = 8 * 1024 ** 2

function timeInWords(time: RunTime, { copied, bytes: size }: Totals, figures?: SampledFigures): string {
  const about = `${aboutTime(time.ms)}, an estimate${figures === undefined ? '' : timesInWords(figures)}`
  switch (time.by) {
    case 'requests': {
      const ms = time.requestMs < 10 ? time.requestMs.toFixed(1) : count(time.requestMs)
      const larger = copied > 0 && size / copied >= LARGE ? '; large objects take longer' : ''
      return `${about}: ${count(time.inFlight)} in flight, and ${ms} ms for a request, as in this dry run${larger}`
    }
    case 'listing':
      return figures === undefined ? `${about}: no less than this dry run took` : `${about}: to list`
    case 'throttle':
      return `${about}: the store held this dry run to ${rate(time.rate ?? 0)}`
    case 'bandwidth':
      return `${about}: ${bytes(size)} at ${bytes(time.rate ?? 0)}/s (--bandwidth)`
  }
}

type RunTime = NonNullable<Rehearsal['time']>

const INDENT = ' '.repeat('requests     '.length)

function exampleLines(job: WriteJob, { totals }: Rehearsal, examples: readonly ProspectLine[]): string[] {
  if (examples.length === 0) return []
  const lines = examples.flatMap((line) => prospectText(job, line).split('\n'))
  const told = totals.copied + (totals.deleted ?? 0) + sum(totals.failed)
  if (told > examples.length) lines.push('… (-v has a line for each object)')
  return lines.map((line, index) => (index === 0 ? 'examples'.padEnd(INDENT.length) : INDENT) + line)
}

function requestsInWords(requests: RunRequests): string {
  const words = (some: Requests, about = ''): string[] =>
    Object.entries(some).map(([operation, n]) => `${about}${count(n)} ${operation}`)
  const { begin, lists, looks, writes, beforeDeletions, afterDeletions, checksAtMost } = requests
  const sample = words(checksAtMost).join(', ')
  const again = [...words(looks), ...words(lists, 'about ')]
  if (sum(begin) > 0) again.push(`${count(sum(begin))} to begin with`)
  const parts = [
    [
      ...words(writes),
      ...words(beforeDeletions).map((text) => `${text} before deletions`),
      ...words(afterDeletions, 'about ').map((text) => `${text} after them`),
    ].join(', '),
    sample === '' ? '' : `to look at what was written, up to ${sample}`,
    again.length === 0 ? '' : `as in this dry run, ${again.join(', ')}`,
  ].filter((text) => text !== '')
  return parts.length === 0 ? 'none' : `${parts.join('; ')}${prices(Object.keys(allRequests(requests)))}`
}

// https://aws.amazon.com/s3/pricing/
function prices(operations: readonly string[]): string {
  const some = (pattern: RegExp): boolean => operations.some((operation) => pattern.test(operation))
  const asPut = [
    ...(some(/Copy/) ? ['copies'] : []),
    ...(some(/^(Put(?!ObjectTagging)|Create|Complete)|UploadPart$/) ? ['uploads'] : []),
    ...(some(/^PutObjectTagging/) ? ['changes of tags'] : []),
    ...(some(/^Update/) ? ['changes of encryption'] : []),
    ...(some(/^List/) ? ['lists'] : []),
  ]
  const last = asPut.pop()
  if (last === undefined) return ''
  const named = asPut.length === 0 ? last : `${asPut.join(', ')} and ${last}`
  const free = some(/^DeleteObject/) ? ', deletions cost nothing' : ''
  return ` (${named} are in the price class of PUT${free}; see docs/cost.md)`
}

function tasksInWords(job: WriteJob, { totals, kept }: Rehearsal, figures?: SampledFigures): string[] {
  const source = placeUrl(job.source)
  const { deleted = 0, freed = 0 } = totals
  const amount = (n: number, size: number): string =>
    figures === undefined ? `${objects(n)}, ${bytes(size)}` : aboutInWords(figures)
  if (onlyDeletes(job)) return [`would delete ${amount(deleted, freed)}, in ${source}`]
  const copies = amount(totals.copied, totals.bytes)
  if (!('destination' in job)) return [`would set    ${writeKindOf(job).sets ?? ''} of ${copies}, in ${source}`]
  const lines = [`would ${writeKindOf(job).task}   ${copies}, from ${source} to ${placeUrl(job.destination)}`]
  const deletes = deferredDeletesOf(job)
  if (deletes?.when !== 'at-the-end') return lines
  return kept === undefined
    ? [...lines, `would delete ${objects(deleted)}, ${bytes(freed)}, in ${placeUrl(deletionPlace(job))}`]
    : [...lines, `would keep   what is extra: ${kept}`]
}
