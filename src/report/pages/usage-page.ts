import type { CensusData } from '../../job/usage.js'
import { printable } from '../../keys.js'
import { timeOf } from '../../times.js'
import { bytes, count, objects } from '../format.js'
import { growthLines, usageOf, type UsageGroup, type ReportOptions } from '../usage-report.js'
import { barChart, lineChart } from './charts.js'
import { escaped, htmlDocument, htmlTable } from './html.js'

/** Days of a line. */
const MOST_DAYS = 366
const DAY = 86_400_000

/** The result of `du` as one page. */
export function usagePage(data: CensusData, options: ReportOptions): string {
  const { url, dates } = options
  const usage = usageOf(data, options)
  const title = `s3move du ${printable(url)}`
  const byDay = dates === 'day'
  const body = [
    `<h1>${escaped(title)}</h1>`,
    `<p>${escaped(`${objects(usage.objects)}, ${bytes(usage.bytes)}, at ${new Date().toISOString().slice(0, 19)}Z`)}</p>`,
    ...(usage.complete ? [] : ['<p class="bad">A part only: not everything was counted.</p>']),
    ...section('By storage class', usage.storageClasses, usage.other.storageClasses),
    ...section('By size, up to', usage.sizes),
    ...section(`By ${dates} of last modification`, usage.dates, usage.other.days, byDay),
    ...(byDay ? daily(data) : []),
    ...(usage.growth === undefined ? [] : ['<h2>Growth</h2>', ...growthLines(usage.growth).map(paragraph)]),
    ...section('By folder, with all below it', usage.folders ?? [], usage.other.folders),
  ]
  return htmlDocument({ title, body })
}

// Where a line shows more than bars, there are none.
function section(
  title: string,
  groups: readonly UsageGroup[],
  rest = { objects: 0, bytes: 0 },
  plain = false,
): string[] {
  if (groups.length === 0) return []
  const all = rest.objects === 0 ? groups : [...groups, { name: '(other: more groups than are kept apart)', ...rest }]
  const told = all.map((group) => ({ ...group, name: printable(group.name) }))
  const bars = told.map(({ name, bytes: value, objects: n }) => ({
    label: name,
    value,
    text: `${bytes(value)}, ${objects(n)}`,
  }))
  const head = [{ number: 'objects' }, { number: 'bytes' }, '']
  const rows = told.map(({ name, bytes: size, objects: n }) => [{ number: count(n) }, { number: bytes(size) }, name])
  return [`<h2>${escaped(title)}</h2>`, ...(plain ? [] : [barChart(bars)]), htmlTable([head, ...rows])]
}

function daily({ days }: CensusData): string[] {
  const found = new Map(days.map(([name, , size]) => [timeOf(name) / DAY, size]))
  const known = [...found.keys()].filter((day) => !Number.isNaN(day))
  if (known.length < 2) return []
  const [first, last] = [Math.min(...known), Math.max(...known)]
  const from = Math.max(first, last - MOST_DAYS + 1)
  const points = Array.from({ length: last - from + 1 }, (_, at) => ({
    at: at * DAY,
    value: found.get(from + at) ?? 0,
  }))
  const timeInWords = (ms: number): string => new Date(from * DAY + ms).toISOString().slice(0, 10)
  return [lineChart({ title: 'Bytes by day', points, inWords: bytes, timeInWords })]
}

function paragraph(text: string): string {
  return `<p>${escaped(text)}</p>`
}
