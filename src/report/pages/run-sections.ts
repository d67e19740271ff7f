import type { Checkpoint } from '../../checkpoint/checkpoint.js'
import type { HostActivity, PrefixActivity } from '../../job/events.js'
import { sum } from '../../job/totals.js'
import { printable } from '../../keys.js'
import type { FailureGroup } from '../failure-groups.js'
import { bytes, count, duration, objects, passedOverText, rate, usd, waitingText } from '../format.js'
import { outlookInWords } from '../run-outlook.js'
import {
  doneOfTotal,
  momentInWords,
  outlookOfStatus,
  stateInWords,
  stateWord,
  type Activity,
  type RunStatus,
} from '../run-status.js'
import { doneWord, skippedByReason, spentInWords } from '../summary.js'
import { likenessHeadline } from '../verify-summary.js'
import { barChart } from './charts.js'
import { escaped, htmlTable, type Cell } from './html.js'

/** What a code means and what is to be done, where that is known. */
export type ExplainCode = (code: string) => {
  readonly meaning: string | undefined
  readonly todo: string | undefined
}

/** What the run is at, and how far it has come. */
export function stateSection(run: RunStatus): string {
  const state = stateWord(run)
  const outlook = outlookOfStatus(run)
  const share = state === 'finished' ? 1 : outlook?.share
  const bar =
    share === undefined
      ? ''
      : `<progress max="100" value="${(share * 100).toFixed(1)}" aria-label="share that is done"></progress> `
  const told = outlook === undefined ? doneOfTotal(run) : outlookInWords(outlook, run.heldBy !== null)
  const words = stateInWords(run)
  const tone = words === state ? CLASSES[state] : 'bad'
  const lines = [`<p><strong class="${tone}">${words}</strong> ${bar}${escaped(told)}</p>`]
  if (run.stopped !== null) {
    const { reason, hint } = run.stopped
    lines.push(`<p>${escaped(printable(hint === undefined ? reason : `${reason}. ${hint}`))}</p>`)
  }
  if (run.paused !== null)
    lines.push(`<p>${escaped(`Nearly every object failed alike: ${printable(run.paused)}.`)}</p>`)
  if (run.next !== null) lines.push(`<p>Next: <code>${escaped(run.next)}</code></p>`)
  return lines.join('')
}

const CLASSES: Readonly<Record<Activity, string>> = {
  'at work': 'well',
  finished: 'well',
  paused: 'wait',
  stopped: 'bad',
  killed: 'bad',
}

/** Its counts, times and cost, as names and texts; with `now`, how long ago times were. */
export function runFacts(run: RunStatus, { pace, activity }: Checkpoint, now?: number): (readonly [string, string])[] {
  const { copied, deleted, freed, heldBy, verdicts, averagePerSecond, recentPerSecond, recentMs } = run
  const size = ['tagged', 'encrypted'].includes(doneWord(run.job)) ? '' : `, ${bytes(run.bytes)}`
  const sessions = `${count(run.sessions)} ${run.sessions === 1 ? 'session' : 'sessions'}`
  const passedOver = passedOverText(run.passedOver ?? {})
  return [
    ...some('by', heldBy !== null && `process ${heldBy.pid} on ${printable(heldBy.host)}`),
    ['started', momentInWords(run.startedAt, now)],
    ['saved', momentInWords(run.savedAt, now)],
    ['at work', `${duration(run.activeMs)} in ${sessions}`],
    ['done', doneOfTotal(run)],
    ...some(doneWord(run.job), copied > 0 && `${objects(copied)}${size}`),
    ...some('deleted', deleted > 0 && `${objects(deleted)}, ${bytes(freed)}`),
    ...some('compared', verdicts !== null && likenessHeadline(verdicts)),
    ...some('skipped', sum(run.skipped) > 0 && `${objects(sum(run.skipped))}: ${skippedByReason(run.skipped)}`),
    ['failed', sum(run.failed) === 0 ? 'none' : objects(sum(run.failed))],
    ...some('waiting', run.waiting.objects > 0 && waitingText(run.waiting)),
    ...some('left out', passedOver !== '' && passedOver),
    ...some('large', run.large > 0 && `${objects(run.large)} over 5 GiB to be copied in parts`),
    ...some('ranges', run.rangesRemaining > 0 && `${count(run.rangesRemaining)} not listed to the end`),
    ...some('on average', averagePerSecond !== null && rate(averagePerSecond)),
    ...some(
      'of late',
      heldBy !== null &&
        recentPerSecond !== null &&
        recentMs !== null &&
        `${rate(recentPerSecond)} over ${duration(recentMs)}`,
    ),
    ...some(
      'in flight',
      activity !== undefined &&
        heldBy !== null &&
        `${objects(activity.inFlight)} of at most ${count(pace.concurrency)}`,
    ),
    ...some(
      'bandwidth',
      pace.bandwidth !== undefined && heldBy !== null && `at most ${bytes(pace.bandwidth)}/s each way`,
    ),
    ...some('threads', activity !== undefined && activity.threads > 0 && heldBy !== null && count(activity.threads)),
    ...some('throttled', run.throttled > 0 && `asked to slow down ${count(run.throttled)} times`),
    ...some(
      'held back',
      heldBy !== null &&
        activity?.held !== undefined &&
        `${count(activity.held.lanes)} lanes below ${printable(activity.held.prefix)}, to ${rate(activity.held.rate)}`,
    ),
    ...some('cost', run.spentUsd !== null && spentInWords(run.spentUsd)),
    ...some('at most', run.maxCostUsd !== null && `${usd(run.maxCostUsd)} (--max-cost)`),
  ]
}

function some(name: string, text: string | false): (readonly [string, string])[] {
  return text === false ? [] : [[name, text]]
}

/** Hosts that lend threads. */
export function hostSection(hosts: readonly HostActivity[]): string {
  const head: Cell[] = ['host', { number: 'threads' }, { number: 'rate' }, { number: 'since it joined' }]
  const rows = hosts.map(({ host, threads, settled, perSecond }): Cell[] => [
    printable(host),
    ...[count(threads), rate(perSecond), count(settled)].map((number) => ({ number })),
  ])
  return hosts.length === 0 ? '' : htmlTable([head, ...rows], 'Hosts')
}

/** The busiest prefixes, and the slowest. */
export function prefixSection({ busiest = [], slowest = [] }: NonNullable<Checkpoint['activity']>): string {
  const head: Cell[] = ['prefix', { number: 'rate' }, { number: 'throttled' }, { number: 'failed' }]
  const rows = (prefixes: readonly PrefixActivity[]): Cell[][] =>
    prefixes.map(({ prefix, perSecond, throttled, failed }) => [
      printable(prefix),
      ...[rate(perSecond), count(throttled), count(failed)].map((number) => ({ number })),
    ])
  return [
    ...(busiest.length === 0 ? [] : [htmlTable([head, ...rows(busiest)], 'Busiest prefixes')]),
    ...(slowest.length === 0 ? [] : [htmlTable([head, ...rows(slowest)], 'Slowest prefixes at work')]),
  ].join('')
}

/** Failures by code, what each means and what is to be done, and a sample of each. */
export function failureSection(
  failed: RunStatus['failed'],
  groups: readonly FailureGroup[],
  explain: ExplainCode,
): string {
  const codes = Object.entries(failed).sort(([, one], [, other]) => other - one)
  if (codes.length === 0) return '<p>None.</p>'
  const rows = codes.map(([code, number]): Cell[] => {
    const { meaning, todo } = explain(code)
    const example = groups.find((group) => group.code === code)?.example
    const sample = example === undefined ? '' : printable(`${example.key}: ${example.operation} ${example.message}`)
    return [
      printable(code),
      { number: count(number) },
      [meaning, todo].filter((text) => text !== undefined).join('; next: '),
      sample,
    ]
  })
  return htmlTable([['code', { number: 'objects' }, 'meaning, and what to do', 'for example'], ...rows])
}

/** Requests by operation. */
export function requestSection(requests: RunStatus['requests']): string {
  const sorted = Object.entries(requests).sort(([, one], [, other]) => other - one)
  return barChart(sorted.map(([label, value]) => ({ label, value, text: count(value) })))
}
