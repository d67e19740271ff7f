import type { MeasuredConnections, MeasuredRequests, Percentiles, Probed, Sweep, SweepLevel } from '../job/probed.js'
import { sum } from '../job/totals.js'
import { printable } from '../keys.js'
import { findingLines } from './check-report.js'
import { bytes, count, rate, usd } from './format.js'
import { PLAIN, type Paint } from './paint.js'

/** The lines that tell a person of the speed of a store. */
export function probeLines(probed: Probed, paint: Paint = PLAIN): string[] {
  const { source, host, region, connections, rows, sweeps, traits, advice, interrupted } = probed
  return [
    `${printable(source)} at ${host}${region === undefined ? '' : `, ${region}`}`,
    ...connectionLines(connections, paint),
    ...requestLines(rows, paint),
    ...sweeps.flatMap((one) => sweepLines(one, paint)),
    ...traitLines(traits, paint),
    ...(advice.reasons.length === 0 ? [] : ['', 'for copies', ...advice.reasons.map((reason) => `  ${reason}`)]),
    ...(settingsOf(probed) === '' ? [] : [`  ${paint('good', settingsOf(probed))}`]),
    '',
    spentLine(probed),
    ...(interrupted === true ? [paint('warning', 'interrupted: this is a part')] : []),
  ]
}

/** The flags of a copy that follow from what was measured; '' where none does. */
function settingsOf({ advice: { concurrency, lanes, partSize } }: Probed): string {
  return [
    ...(concurrency === undefined ? [] : [`--concurrency ${concurrency}`]),
    ...(lanes === undefined ? [] : [`--lanes ${lanes}`]),
    ...(partSize === undefined ? [] : [`--part-size ${partSize / 1024 ** 2}M`]),
  ].join(' ')
}

function connectionLines(connections: MeasuredConnections, paint: Paint): string[] {
  const { addresses, protocol, samples, problem, failed } = connections
  const named = addresses.length === 0 ? '' : `${addresses.length} ${addresses.length === 1 ? 'address' : 'addresses'}`
  const rows = [
    ['DNS', connections.dns, named],
    ['TCP', connections.tcp, 'a round trip: how far the store is'],
    ['TLS', connections.tls, protocol ?? ''],
    ['set-up', connections.whole, ''],
  ] as const
  return [
    '',
    heading('connections'),
    ...rows.flatMap(([name, times, note]) =>
      times === undefined ? [] : [`${tableRow(name, samples, times)}${note === '' ? '' : `  ${note}`}`],
    ),
    ...problemLines(failed, problem, paint),
  ]
}

function traitLines(traits: Probed['traits'], paint: Paint): string[] {
  if (traits.length === 0) return []
  const width = Math.max(...traits.map(({ what }) => what.length))
  return ['', 'what the store honours', ...traits.flatMap((trait) => findingLines(trait, width, paint))]
}

function requestLines(rows: readonly MeasuredRequests[], paint: Paint): string[] {
  return [
    '',
    heading('requests'),
    ...rows.flatMap((row) => [...rowLines(row), ...problemLines(row.failed, row.problem, paint)]),
  ]
}

function rowLines(row: MeasuredRequests): string[] {
  const { operation, samples, firstByte, whole, bytes: size, bytesPerSecond } = row
  const name = requestName(row)
  if (samples === 0) return [tableRow(name, 0, {})]
  const isRead = operation === 'GetObject' && firstByte !== undefined
  const speed = bytesPerSecond === undefined ? '' : `, ${bytes(bytesPerSecond)}/s`
  return isRead
    ? [
        `${tableRow(name, samples, firstByte)}  first byte`,
        `${tableRow('', samples, whole)}  all, ${bytes(Math.round(size))} on average${speed}`,
      ]
    : [`${tableRow(name, samples, whole)}${row.sizes === undefined ? '' : `  ${short(Math.round(size))}${speed}`}`]
}

/** What was asked, in short: `GET, to 64 KiB`. */
export function requestName({ operation, sizes }: Pick<MeasuredRequests, 'operation' | 'sizes'>): string {
  return `${NAMES[operation] ?? operation}${sizes === undefined ? '' : `, ${sizesText(sizes)}`}`
}

const NAMES: Readonly<Record<string, string>> = {
  ListObjectsV2: 'LIST',
  HeadObject: 'HEAD',
  GetObject: 'GET',
  PutObject: 'PUT',
  CopyObject: 'COPY',
  DeleteObject: 'DELETE',
  CreateMultipartUpload: 'multipart: create',
  UploadPart: 'multipart: part',
  CompleteMultipartUpload: 'multipart: complete',
  AbortMultipartUpload: 'multipart: abort',
}

/** Sizes, for a person: `over 4.0 KiB to 64.0 KiB`. */
function sizesText({ from, upTo }: NonNullable<MeasuredRequests['sizes']>): string {
  if (upTo === undefined) return `over ${short(from)}`
  return `to ${short(upTo)}`
}

function short(size: number): string {
  return bytes(size).replace('.0 ', ' ')
}

const NAME = 19

function heading(name: string): string {
  return `${name.padEnd(NAME + 2)}${['samples', 'p50', 'p90', 'p99', 'p99.9'].map((word) => word.padStart(9)).join('')}`
}

function tableRow(name: string, samples: number, { p50, p90, p99, p999 }: Percentiles): string {
  const cells = [count(samples), ...[p50, p90, p99, p999].map(msText)]
  return `  ${name.padEnd(NAME)}${cells.map((cell) => cell.padStart(9)).join('')}`
}

/** Milliseconds in at most seven characters; `-` where they are not known. */
export function msText(ms: number | undefined): string {
  if (ms === undefined) return '-'
  if (ms >= 9_995) return `${count(ms / 1000)} s`
  return ms < 9.95 ? `${ms.toFixed(1)} ms` : `${ms.toFixed(0)} ms`
}

function problemLines(failed: Readonly<Record<string, number>>, problem: string | undefined, paint: Paint): string[] {
  const told = problemText(failed, problem)
  return told === '' ? [] : [`    ${paint('warning', told)}`]
}

/** How many requests failed, by code, and why the first of them did; empty where none did. */
export function problemText(failed: Readonly<Record<string, number>>, problem: string | undefined): string {
  const codes = Object.entries(failed).map(([code, n]) => `${count(n)} × ${code}`)
  return [...codes, ...(problem === undefined ? [] : [problem])].join('; ')
}

const BAR = 30

function sweepLines(sweep: Sweep, paint: Paint): string[] {
  const { levels, ended } = sweep
  const most = Math.max(1, ...levels.map(({ perSecond }) => perSecond))
  const heads = ['at once', 'a second', 'p50', 'refused'].map((word) => word.padStart(9)).join('')
  return [
    '',
    `${`${requestName(sweep)}, ever more`.padEnd(NAME + 2)}${heads}`,
    ...levels.map((level) => levelLine(level, most)),
    `  ${paint(ended === 'refusals' || ended === 'failures' ? 'warning' : 'good', sweepEnd(sweep))}`,
  ]
}

/** Why a sweep went no further, and what it found. */
export function sweepEnd({ ended, limit, ownLimit }: Sweep): string {
  const found = limit === undefined ? '' : rate(limit)
  switch (ended) {
    case 'refusals':
      return `the store ${limit === undefined ? '' : `bears ${found}, and `}refuses more (SlowDown)`
    case 'knee':
      return ownLimit === true
        ? `${found} at most: this machine is at its own limit`
        : `${found} at most: more at once only waits`
    case 'failures':
      return 'too many requests failed'
    case 'requests':
      return 'no limit was found with so many requests (--max-requests)'
    case 'concurrency':
      return 'no limit was found with so many at once (--concurrency)'
    case 'stopped':
      return 'interrupted'
  }
}

function levelLine({ concurrency, perSecond, whole, refused }: SweepLevel, most: number): string {
  const bar = '█'.repeat(Math.max(perSecond > 0 ? 1 : 0, Math.round((BAR * perSecond) / most)))
  const cells = [count(concurrency), count(perSecond), msText(whole.p50), count(refused)]
  return `  ${''.padEnd(NAME)}${cells.map((cell) => cell.padStart(9)).join('')}  ${bar}`.trimEnd()
}

function spentLine({ requests, bytesRead, written, spentUsd, elapsedMs }: Probed): string {
  const cost = spentUsd === undefined ? '' : `, ${usd(spentUsd)}`
  const sent = written === undefined ? '' : `, ${bytes(written.bytes)} written and deleted again`
  return `${count(sum(requests))} requests, ${bytes(bytesRead)} read${sent}${cost}, ${(elapsedMs / 1000).toFixed(1)} s`
}

/** The same for programs. */
export function probeJson({ rows, sweeps, connections, advice, ...rest }: Probed): object {
  const times = (p: Percentiles | undefined): object | undefined =>
    p && Object.fromEntries(Object.entries(p).map(([name, ms]) => [name, rounded(ms as number)]))
  const per = (n: number | undefined): number | undefined => n && Math.round(n)
  const { dns, tcp, tls, whole, ...where } = connections
  return {
    ...rest,
    elapsedMs: Math.round(rest.elapsedMs),
    connections: { ...where, dnsMs: times(dns), tcpMs: times(tcp), tlsMs: times(tls), setUpMs: times(whole) },
    rows: rows.map(({ firstByte, whole: all, bytes: size, bytesPerSecond, bytesPerSecondAfterFirst, ...row }) => ({
      ...row,
      ...{ firstByteMs: times(firstByte), wholeMs: times(all), meanBytes: Math.round(size) },
      ...{ bytesPerSecond: per(bytesPerSecond), bytesPerSecondAfterFirst: per(bytesPerSecondAfterFirst) },
    })),
    sweeps: sweeps.map(({ levels, limit, ...one }) => ({
      ...one,
      limitPerSecond: limit && rounded(limit),
      levels: levels.map(({ perSecond, whole: all, busy, ...level }) => ({
        ...{ ...level, perSecond: rounded(perSecond), wholeMs: times(all), busy: rounded(busy) },
      })),
    })),
    advice,
  }
}

function rounded(n: number): number {
  return Math.round(n * 1000) / 1000
}
