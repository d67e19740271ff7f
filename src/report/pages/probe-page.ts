import type { MeasuredRequests, Probed, Sweep } from '../../job/probed.js'
import { count } from '../format.js'
import { barChart, lineChart } from './charts.js'
import { escaped, htmlDocument, htmlTable, type Cell } from './html.js'
import { msText, probeLines, problemText, requestName, sweepEnd } from '../probe-report.js'

/** The time to the first byte of the smallest objects, as one probe of a history had it. */
export interface PastProbe {
  /** Milliseconds since 1970. */
  readonly at: number
  /** Milliseconds. */
  readonly firstByte: number
}

/** The speed of a store as one page that needs nothing beside itself, runs no script and loads nothing; `history` is that of the same store, in the order of time. */
export function probePage(probed: Probed, history: readonly PastProbe[] = []): string {
  const { source, host, began, rows, sweeps, traits, advice } = probed
  const title = `probe: ${source}`
  const body = [
    `<h1>${escaped(title)}</h1>`,
    `<p>${escaped(`${host}, ${began}`)}</p>`,
    '<h2>Time of half of all requests</h2>',
    barChart(rows.map((row) => ({ label: requestName(row), value: row.whole.p50 ?? 0, text: msText(row.whole.p50) }))),
    htmlTable([TIMES, ...rows.flatMap(timeCells)]),
    ...historyParts(history),
    ...sweeps.flatMap(sweepParts),
    ...(traits.length === 0
      ? []
      : [
          '<h2>What the store honours</h2>',
          htmlTable([['', 'what', ''], ...traits.map(({ state, what, told }) => [state, what, told])]),
        ]),
    ...(advice.reasons.length === 0
      ? []
      : ['<h2>For copies</h2>', `<ul>${advice.reasons.map((reason) => `<li>${escaped(reason)}</li>`).join('')}</ul>`]),
    '<h2>All as text</h2>',
    `<pre>${escaped(probeLines(probed).join('\n'))}</pre>`,
  ]
  return htmlDocument({ title, body })
}

/** A chart has no more points: each is the median of those next to each other. */
const MOST_POINTS = 500

function historyParts(history: readonly PastProbe[]): string[] {
  const [first] = history
  if (first === undefined || history.length < 2) return []
  const each = Math.ceil(history.length / MOST_POINTS)
  const points = Array.from({ length: Math.ceil(history.length / each) }, (_, at) => {
    const some = history.slice(at * each, (at + 1) * each).sort((one, other) => one.firstByte - other.firstByte)
    return { at: history[at * each]?.at ?? 0, value: some[some.length >>> 1]?.firstByte ?? 0 }
  })
  return [
    '<h2>Over time</h2>',
    lineChart({
      title: `time to the first byte, half of ${count(history.length)} probes each`,
      points: points.map(({ at, value }) => ({ at: at - first.at, value })),
      inWords: msText,
      timeInWords: (ms) => new Date(first.at + ms).toISOString().slice(0, 16).replace('T', ' '),
    }),
  ]
}

const TIMES: readonly Cell[] = ['request', 'until', ...['samples', 'p50', 'p90', 'p99', 'p99.9'].map(numeric), 'failed']

function numeric(number: string): Cell {
  return { number }
}

function timeCells(row: MeasuredRequests): Cell[][] {
  const { samples, firstByte, whole, failed, problem } = row
  const cells = (until: string, { p50, p90, p99, p999 } = whole): Cell[] => [
    ...[requestName(row), until],
    ...[count(samples), ...[p50, p90, p99, p999].map(msText)].map(numeric),
    problemText(failed, problem),
  ]
  return row.operation === 'GetObject' && firstByte !== undefined
    ? [cells('first byte', firstByte), cells('all')]
    : [cells('all')]
}

function sweepParts(sweep: Sweep): string[] {
  const bars = sweep.levels.map(({ concurrency, perSecond, refused }) => ({
    label: `${count(concurrency)} at once`,
    value: perSecond,
    text: `${count(perSecond)} a second${refused === 0 ? '' : `, ${count(refused)} refused`}`,
  }))
  return [
    `<h2>${escaped(requestName(sweep))}, ever more at once</h2>`,
    barChart(bars),
    `<p>${escaped(sweepEnd(sweep))}</p>`,
  ]
}
