import { Gauge, Registry } from 'prom-client'
import type { MeasuredRequests, Percentiles, Probed } from '../job/probed.js'
import { sum } from '../job/totals.js'
import { printable } from '../keys.js'
import { timeOf } from '../times.js'
import { graphName } from './munin.js'
import { isAlert, type PerformanceValue, type ServiceFinding, type Threshold } from './nagios.js'
import { msText, requestName } from './probe-report.js'

/** One figure of a probe that is watched. */
interface Watched {
  /** Letters and underscores. */
  readonly name: string
  readonly label: string
  /** Milliseconds. */
  readonly times: Percentiles
}

// The smallest content tells the first byte best: what is larger waits for nothing else.
function watchedOf({ rows, connections }: Probed): Watched[] {
  const of = (operation: string): MeasuredRequests | undefined => rows.find((row) => row.operation === operation)
  const get = rows.find(({ operation, samples }) => operation === 'GetObject' && samples > 0)
  const found: readonly (readonly [name: string, label: string, times: Percentiles | undefined])[] = [
    ['first_byte', 'GET, first byte', get?.firstByte],
    ['head', 'HEAD', of('HeadObject')?.whole],
    ['list', 'LIST of 1,000 keys', of('ListObjectsV2')?.whole],
    ['connect', 'connection set-up', connections.whole],
  ]
  return found.map(([name, label, times]) => ({ name, label, times: times ?? {} }))
}

/** A probe in one line, for a person who has them one after the other. */
export function probeLine(probed: Probed): string {
  const failed = probed.rows.reduce((all, row) => all + sum(row.failed), 0)
  return `${probed.began.slice(0, 19)}Z  ${toldOf(probed)}${failed === 0 ? '' : `, ${failed} failed`}`
}

function toldOf(probed: Probed): string {
  return watchedOf(probed)
    .map(({ label, times }) => `${label} ${msText(times.p50)}`)
    .join(', ')
}

/** What a plugin tells Munin of a store: how its graph looks, and its values, `U` where nobody knows. */
export function probeGraph(probed: Probed): string {
  const lines = [
    `multigraph s3move_probe_${graphName(`${probed.source} ${probed.host}`)}`,
    `graph_title s3move ${printable(probed.source)}: latency`,
    'graph_args --base 1000 --lower-limit 0',
    'graph_vlabel seconds, the median',
    'graph_category s3move',
    ...watchedOf(probed).flatMap(({ name, label, times: { p50 } }) => [
      `${name}.label ${label}`,
      `${name}.type GAUGE`,
      `${name}.value ${p50 === undefined ? 'U' : seconds(p50)}`,
    ]),
  ]
  return lines.map((line) => `${line}\n`).join('')
}

/** The metrics of a probe in the text format of Prometheus. Labels are the place, and words of small sets, never a key. */
export async function probeMetrics(probed: Probed): Promise<string> {
  const registry = new Registry()
  const registers = [registry]
  const gauge = (name: string, help: string, ...labels: readonly string[]): Gauge =>
    new Gauge({ name, help, labelNames: ['place', ...labels], registers })
  const place = printable(probed.source)
  const latency = gauge('s3move_probe_latency_seconds', 'Time of answers.', 'request', 'quantile')
  const samples = gauge('s3move_probe_samples', 'Answers that the times are of.', 'request')
  const failed = gauge('s3move_probe_failed_requests', 'Requests that failed.', 'request')
  const throughput = gauge('s3move_probe_bytes_per_second', 'Of one GET, the median.', 'request')
  const limit = gauge('s3move_probe_limit_requests_per_second', 'What the store bears, where it was found.', 'request')
  const time = gauge('s3move_probe_time_seconds', 'When it was measured, in seconds since 1970.')
  for (const { name, times } of watchedOf(probed)) {
    for (const [quantile, ms] of [
      ['0.5', times.p50],
      ['0.9', times.p90],
      ['0.99', times.p99],
      ['0.999', times.p999],
    ] as const)
      if (ms !== undefined) latency.set({ place, request: name, quantile }, seconds(ms))
  }
  for (const row of probed.rows) {
    const request = requestName(row)
    samples.set({ place, request }, row.samples)
    failed.set({ place, request }, sum(row.failed))
    if (row.bytesPerSecond !== undefined) throughput.set({ place, request }, row.bytesPerSecond)
  }
  for (const one of probed.sweeps) {
    if (one.limit !== undefined) limit.set({ place, request: requestName(one) }, one.limit)
  }
  time.set({ place }, timeOf(probed.began) / 1000)
  return await registry.metrics()
}

/** What a check says of a store. The ranges are of the median time to the first byte, or where no content was read of HEAD, in milliseconds. */
export function probeService(
  probed: Probed,
  limits: { readonly warning: Threshold | undefined; readonly critical: Threshold | undefined },
): { readonly findings: readonly ServiceFinding[]; readonly values: readonly PerformanceValue[] } {
  const watched = watchedOf(probed)
  const known = watched.find(({ name, times }) => name !== 'connect' && times.p50 !== undefined)
  const { p50 } = known?.times ?? {}
  const named = printable(probed.source)
  const state =
    p50 === undefined || (limits.critical !== undefined && isAlert(limits.critical, p50))
      ? 'CRITICAL'
      : limits.warning !== undefined && isAlert(limits.warning, p50)
        ? 'WARNING'
        : 'OK'
  const refused = probed.rows
    .filter((row) => row.problem !== undefined && sum(row.failed) > 0)
    .map((row): ServiceFinding => ({
      state: 'WARNING',
      text: `${named}: ${requestName(row)}: ${row.problem ?? ''}`,
    }))
  const values = watched.flatMap(({ name, times }): PerformanceValue[] =>
    times.p50 === undefined
      ? []
      : [{ label: name, value: seconds(times.p50), unit: 's', ...(name === known?.name ? inSeconds(limits) : {}) }],
  )
  return { findings: [{ state, text: `${named}: ${toldOf(probed)}` }, ...refused], values }
}

// Ranges stand behind a value in its unit.
function inSeconds({ warning, critical }: Parameters<typeof probeService>[1]): Partial<PerformanceValue> {
  const scaled = (range: Threshold | undefined): Threshold | undefined =>
    range && { ...range, text: range.text.replace(/\d+(?:\.\d+)?/g, (ms) => String(Number(ms) / 1000)) }
  return { warning: scaled(warning), critical: scaled(critical) }
}

function seconds(ms: number): number {
  return Math.round(ms * 1000) / 1e6
}
