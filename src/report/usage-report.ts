import type { Amount, CensusData, Group } from '../job/usage.js'
import { passedOverInAll, type PassedOver } from '../job/passed-over.js'
import { bytes, count, passedOverText } from './format.js'
import { jsonRecord } from './json-records.js'
import type { DuReport } from '../job/du.js'
import { compareKeys, printable } from '../keys.js'

/** What a report is to say, and of what. */
export interface ReportOptions extends DuReport {
  readonly depth: number
  /** The place that was counted, exactly. */
  readonly url: string
  /** Whether all of it was counted. */
  readonly complete: boolean
  /** What was passed over in the list that names the objects, if there is one. */
  readonly passedOver?: PassedOver | undefined
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
export function censusReport(data: CensusData, options: ReportOptions): string {
  const report = {
    source: options.url,
    complete: options.complete,
    ...data.total,
    ...(options.passedOver === undefined ? {} : { passedOver: options.passedOver }),
    storageClasses: data.storageClasses.map(named),
    sizes: data.sizes.map(named),
    dates: byDate(data.days, options.dates).map(named),
    ...(options.depth > 0 ? { folders: foldersOf(data.folders, options.depth) } : {}),
    other: data.other,
  }
  switch (options.format) {
    case 'json':
      return `${jsonRecord('usage', report)}\n`
    case 'csv':
      return csv(report)
    case 'text':
      return text(report, options)
  }
}

interface Named extends Amount {
  readonly name: string
}

interface Report extends Amount {
  readonly complete: boolean
  readonly storageClasses: readonly Named[]
  readonly sizes: readonly Named[]
  readonly dates: readonly Named[]
  readonly folders?: readonly Folder[]
  readonly other: CensusData['other']
}

function named([name, objects, size]: Group): Named {
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

function csv({ storageClasses, sizes, dates, folders = [], other, ...total }: Report): string {
  const rows: [string, Named][] = [['total', { name: '', ...total }]]
  const add = (trait: string, groups: readonly Named[], rest?: Amount): void => {
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

function text(report: Report, { url, complete, dates, depth, passedOver = {} }: ReportOptions): string {
  const { storageClasses, sizes, folders = [], other } = report
  const lines = [
    ...(complete ? [] : ['a part only: not everything was counted']),
    `${printable(url)}: ${count(report.objects)} ${report.objects === 1 ? 'object' : 'objects'}, ${bytes(report.bytes)}`,
    ...(passedOverInAll(passedOver) === 0 ? [] : [`passed over: ${passedOverText(passedOver)}`]),
  ]
  const section = (title: string, groups: readonly Named[], rest?: Amount, note?: string): void => {
    if (groups.length === 0) return
    lines.push('', ...table(title, groups, report, rest))
    if (note !== undefined) lines.push(note)
  }
  const mostFirst = (a: Named, b: Named): number => b.bytes - a.bytes || compareKeys(a.name, b.name)
  section('storage class', [...storageClasses].sort(mostFirst), other.storageClasses)
  section('size up to', sizes)
  section(`last modified, by ${dates}`, report.dates, other.days, dates === 'day' ? daily(report.dates) : undefined)
  section(depth === 1 ? 'folder' : 'folder (with all below it)', [...folders].sort(mostFirst), other.folders)
  return `${lines.join('\n')}\n`
}

function table(title: string, groups: readonly Named[], total: Amount, rest?: Amount): string[] {
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
  return [head, ...rows].map((row) => `  ${row.map((cell, i) => cell.padStart(widths[i] ?? 0)).join('  ')}`)
}

function share({ bytes: part }: Amount, { bytes: whole }: Amount): string {
  return whole === 0 ? '-' : `${((part / whole) * 100).toFixed(1)} %`
}

function daily(days: readonly Named[]): string {
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
