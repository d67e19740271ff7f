import stringWidth from 'string-width'
import type { Amount, CensusData, Group } from '../job/usage.js'
import { passedOverInAll, type PassedOver } from '../job/passed-over.js'
import { bytes, count, passedOverText } from './format.js'
import { FEWEST, growthOf, type Growth } from './growth.js'
import { jsonRecord } from './json-records.js'
import type { DuReport } from '../job/du.js'
import { compareKeys, printable } from '../keys.js'

/** What a report is to say, and of what. */
export interface ReportOptions extends Pick<DuReport, 'dates'> {
  readonly depth: number
  /** The place that was counted, exactly. */
  readonly url: string
  /** Whether all of it was counted. */
  readonly complete: boolean
  /** What was passed over in the list that names the objects, if there is one. */
  readonly passedOver?: PassedOver | undefined
  /** The first day (`YYYY-MM-DD`, UTC) that is not whole, where what was counted tells of growth. */
  readonly today?: string | undefined
  /** The width of the terminal that text goes to: there it has bars. */
  readonly columns?: number | undefined
}

/** A folder with all that lies below it. */
interface Folder extends Amount {
  readonly name: string
  readonly level: number
}

/**
 * The result of `du`, ending in a newline. `text` is for people: rounded, names fit for a terminal. `json` is one object on a line
 * with exact numbers. `csv` has a row for each group, names as in `text`. Folders hold what lies below them, at every level.
 */
export function censusReport(
  data: CensusData,
  options: ReportOptions & { readonly format: 'text' | 'json' | 'csv' },
): string {
  const { growth, ...usage } = usageOf(data, options)
  // By years a report is of what there is, and no more.
  const report = growth === undefined || options.dates === 'year' ? usage : { ...usage, growth }
  switch (options.format) {
    case 'json':
      return `${jsonRecord('usage', { source: options.url, ...report, ...growthFields(report) })}\n`
    case 'csv':
      return csv(report)
    case 'text':
      return text(report, options)
  }
}

/** A group of objects, by its name. */
export interface UsageGroup extends Amount {
  readonly name: string
}

/** What was counted, by name. */
export interface Usage extends Amount {
  readonly complete: boolean
  readonly passedOver?: PassedOver
  readonly storageClasses: readonly UsageGroup[]
  readonly sizes: readonly UsageGroup[]
  readonly dates: readonly UsageGroup[]
  readonly folders?: readonly Folder[]
  readonly other: CensusData['other']
  readonly growth?: Growth
}

/** What was counted, with the growth where all was. */
export function usageOf(data: CensusData, options: ReportOptions): Usage {
  const { complete, passedOver, dates, depth, today } = options
  const growth = complete && today !== undefined ? growthOf(data.days, data.total, today) : undefined
  return {
    complete,
    ...data.total,
    ...(passedOver === undefined ? {} : { passedOver }),
    storageClasses: data.storageClasses.map(named),
    sizes: data.sizes.map(named),
    dates: byDate(data.days, dates).map(named),
    ...(depth > 0 ? { folders: foldersOf(data.folders, depth) } : {}),
    other: data.other,
    ...(growth === undefined ? {} : { growth }),
  }
}

function growthFields({ growth }: Usage): object {
  if (growth === undefined) return {}
  const { from, until, perDay, late, forecasts } = growth
  return {
    growth: {
      from,
      until,
      ...perDayFields(perDay),
      late: { days: late.days, ...perDayFields(late.perDay) },
      forecasts,
    },
  }
}

function perDayFields({ objects, bytes: size }: Amount): object {
  return { objectsPerDay: objects, bytesPerDay: size }
}

/** The growth in sentences, and what they rest on. */
export function growthLines({ from, until, perDay, late, forecasts }: Growth): string[] {
  const lines = [
    `growth: ${perDayText(perDay)} a day from ${from} to ${until}`,
    `of late: ${perDayText(late.perDay)} a day in the last ${count(late.days)} days`,
  ]
  for (const { days, objects: n, bytes: size } of forecasts) {
    lines.push(
      `in ${days} days: about ${count(n.estimate)} objects (${count(n.low)} to ${count(n.high)}), ${bytes(size.estimate)} (${bytes(size.low)} to ${bytes(size.high)})`,
    )
  }
  lines.push(
    forecasts.length === 0
      ? `There is no forecast: it needs ${FEWEST} whole days.`
      : `These ranges are right 19 times of 20 if it goes on as in the last ${count(late.days)} days, and days differ by chance alone.`,
    'What was deleted is not seen, and what was overwritten counts on the day of that.',
  )
  return lines
}

function perDayText({ objects: n, bytes: size }: Amount): string {
  return `${n > 0 && n < 10 ? n.toFixed(1) : count(n)} objects and ${bytes(size)}`
}

function named([name, objects, size]: Group): UsageGroup {
  return { name, objects, bytes: size }
}

function byDate(days: readonly Group[], dates: DuReport['dates']): Group[] {
  const length = { year: 4, month: 7, day: 10 }[dates]
  const sums = new Map<string, [number, number]>()
  for (const [day, objects, size] of days) {
    const name = day === 'unknown' ? day : day.slice(0, length)
    const sum = sums.get(name) ?? [0, 0]
    sums.set(name, [sum[0] + objects, sum[1] + size])
  }
  return [...sums].map(([name, [objects, size]]): Group => [name, objects, size])
}

// The groups are the innermost folders; each counts for those around it as well.
function foldersOf(groups: readonly Group[], depth: number): Folder[] {
  const sums = new Map<string, { level: number; objects: number; bytes: number }>()
  for (const [name, objects, size] of groups) {
    let level = 0
    for (let slash = name.indexOf('/'); slash >= 0 && level < depth; slash = name.indexOf('/', slash + 1)) {
      level++
      const folder = name.slice(0, slash + 1)
      const sum = sums.get(folder) ?? { level, objects: 0, bytes: 0 }
      sums.set(folder, { level, objects: sum.objects + objects, bytes: sum.bytes + size })
    }
  }
  return [...sums].map(([name, sum]) => ({ name, ...sum })).sort((a, b) => compareKeys(a.name, b.name))
}

function csv({ storageClasses, sizes, dates, folders = [], other, objects: n, bytes: size }: Usage): string {
  const rows: [string, UsageGroup][] = [['total', { name: '', objects: n, bytes: size }]]
  const add = (trait: string, groups: readonly UsageGroup[], rest?: Amount): void => {
    for (const group of groups) rows.push([trait, group])
    if (rest !== undefined && rest.objects > 0) rows.push([`${trait}_other`, { name: '', ...rest }])
  }
  add('storage_class', storageClasses, other.storageClasses)
  add('size', sizes)
  add('date', dates, other.days)
  add('folder', folders, other.folders)
  const lines = rows.map(
    ([trait, group]) => `${trait},${field(printable(group.name))},${group.objects},${group.bytes}\n`,
  )
  return `trait,name,objects,bytes\n${lines.join('')}`
}

function field(name: string): string {
  return /[",]|^\s|\s$/.test(name) ? `"${name.replaceAll('"', '""')}"` : name
}

function text(report: Usage, { url, complete, dates, depth, passedOver = {}, columns }: ReportOptions): string {
  const { storageClasses, sizes, folders = [], other } = report
  const lines = [
    ...(complete ? [] : ['a part only: not everything was counted']),
    `${printable(url)}: ${count(report.objects)} ${report.objects === 1 ? 'object' : 'objects'}, ${bytes(report.bytes)}`,
    ...(passedOverInAll(passedOver) === 0 ? [] : [`passed over: ${passedOverText(passedOver)}`]),
  ]
  const section = (title: string, groups: readonly UsageGroup[], rest?: Amount, note?: string): void => {
    if (groups.length === 0) return
    lines.push('', ...table(title, groups, { total: report, rest, columns }))
    if (note !== undefined) lines.push(note)
  }
  const mostFirst = (a: UsageGroup, b: UsageGroup): number => b.bytes - a.bytes || compareKeys(a.name, b.name)
  section('storage class', [...storageClasses].sort(mostFirst), other.storageClasses)
  section('size up to', sizes)
  section(`last modified, by ${dates}`, report.dates, other.days, dates === 'day' ? daily(report.dates) : undefined)
  section(depth === 1 ? 'folder' : 'folder (with all below it)', [...folders].sort(mostFirst), other.folders)
  if (report.growth !== undefined) lines.push('', ...growthLines(report.growth))
  return `${lines.join('\n')}\n`
}

interface TableOptions {
  readonly total: Amount
  readonly rest: Amount | undefined
  readonly columns: number | undefined
}

function table(title: string, groups: readonly UsageGroup[], { total, rest, columns }: TableOptions): string[] {
  const rows = groups.map((group) => [
    count(group.objects),
    bytes(group.bytes),
    share(group, total),
    printable(group.name),
  ])
  if (rest !== undefined && rest.objects > 0) {
    rows.push([count(rest.objects), bytes(rest.bytes), share(rest, total), '(other: more groups than are kept apart)'])
  }
  const head = ['objects', 'bytes', 'of bytes', title]
  const widths = head.slice(0, -1).map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]?.length ?? 0)))
  const all = [head, ...rows]
  const names = Math.max(...all.map((row) => stringWidth(row.at(-1) ?? '')))
  const room = (columns ?? 0) - widths.reduce((sum, width) => sum + width + 2, 2) - names - 2
  const sizes = [...groups, ...(rows.length > groups.length && rest !== undefined ? [rest] : [])].map(
    (one) => one.bytes,
  )
  const bars = room < LEAST_BAR ? undefined : barsOf(sizes, Math.min(room, MOST_BAR))
  return all.map((row, at) => {
    const cells = row.map((cell, i) => cell.padStart(widths[i] ?? 0))
    if (bars !== undefined) cells.splice(-1, 0, at === 0 ? ' '.repeat(bars.width) : (bars.bars[at - 1] ?? ''))
    return `  ${cells.join('  ')}`
  })
}

/** Columns of a bar of a terminal. */
const LEAST_BAR = 8
const MOST_BAR = 24
const EIGHTHS = ' ▏▎▍▌▋▊▉'

// Each as long as its value is, to an eighth of a column, and padded. What is not zero can be seen.
function barsOf(
  values: readonly number[],
  width: number,
): { readonly width: number; readonly bars: readonly string[] } {
  const most = Math.max(...values)
  const bars = values.map((value) => {
    const eighths = most === 0 ? 0 : Math.max(value > 0 ? 1 : 0, Math.round((value / most) * width * 8))
    return `${'█'.repeat(Math.floor(eighths / 8))}${EIGHTHS[eighths % 8]?.trim() ?? ''}`.padEnd(width)
  })
  return { width, bars }
}

function share({ bytes: part }: Amount, { bytes: whole }: Amount): string {
  return whole === 0 ? '-' : `${((part / whole) * 100).toFixed(1)} %`
}

function daily(days: readonly UsageGroup[]): string {
  const known = days.filter(({ name }) => name !== 'unknown')
  const objects = known.reduce((sum, day) => sum + day.objects, 0)
  const most = known.reduce((best, day) => (day.objects > best.objects ? day : best), {
    name: '',
    objects: 0,
    bytes: 0,
  })
  if (known.length === 0) return ''
  return `  ${count(objects / known.length)} objects a day on the ${count(known.length)} days that have any; most on ${most.name}: ${count(most.objects)}`
}
