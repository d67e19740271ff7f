import type { Fate, PlannedGroup } from '../../job/planned-group.js'
import type { SampledFigures } from '../../engine/session/object-sampling.js'
import { SIZE_CLASS_NAMES } from '../../engine/output/usage-counts.js'
import { printable } from '../../keys.js'
import { sumsOf, type CostRow } from '../../prices/run-cost.js'
import { dollars, objects, bytes, count, usd } from '../../report/format.js'
import { skipReason } from '../../report/summary.js'
import type { SkipReason } from '../../job/outcome.js'
import type { PlannedCost } from './plan-cost.js'
import { timesInWords } from './sampled-figures.js'
import type { SampledLoss, SampledLosses } from './plan-sample.js'

/** What a plan tells beside a dry run. */
export interface Planned {
  readonly groups: readonly PlannedGroup[]
  /** Absent where no copies are made. */
  readonly losses: SampledLosses | undefined
  readonly cost: PlannedCost
}

/** As fields of the record of a plan, beside its cost. */
export function plannedFields({ groups, losses }: Planned): object {
  return {
    groups: groups.map(({ fate, storageClass, writtenClass, objects, bytes, sizes }) => ({
      ...{ fate: fate.kind, ...reasonOf(fate), storageClass, writtenClass, objects, bytes },
      sizes: sizes.map(([upTo, objects, bytes]) => ({ upTo, objects, bytes })),
    })),
    losses,
  }
}

/** A cost as fields. */
export function costFields({ rows, prices, batch }: PlannedCost): object {
  const jobs = batch && { jobs: batch.jobs, objects: batch.objects, once: batch.usd }
  return { currency: 'USD', ...sumsOf(rows), unknown: unknownIn(rows), rows, prices, batch: jobs }
}

function reasonOf(fate: Fate): object {
  if (fate.kind === 'skipped') return { reason: fate.reason }
  return fate.kind === 'failed' ? { code: fate.code } : {}
}

/** How many rows have no price. */
function unknownIn(rows: readonly CostRow[]): number {
  return rows.filter(({ usd }) => usd === undefined).length
}

/** What becomes of objects, in words. */
export function fateInWords(fate: Fate): string {
  switch (fate.kind) {
    case 'written':
    case 'updated':
    case 'deleted':
      return fate.kind
    case 'archived':
      return 'archived: not written, unless restored by now'
    case 'skipped':
      return `skipped: ${skipReason(fate.reason as SkipReason)}`
    case 'failed':
      return `failed: ${printable(fate.code)}`
  }
}

/** For people; `root` is the URL of the source's bucket. */
export function plannedLines({ groups, losses, cost }: Planned, root: string, figures?: SampledFigures): string[] {
  const about = figures === undefined ? '' : ', about'
  return [
    ...section(`objects by storage class${about}`, classTable(groups)),
    ...section(`objects by size${about}`, sizeTable(groups)),
    ...(losses === undefined ? [] : lossLines(losses, root)),
    ...costLines(cost, figures),
  ]
}

/** Rows of text: a header, and for each class and fate objects, bytes. */
export function classTable(groups: readonly PlannedGroup[]): string[][] {
  if (groups.length === 0) return []
  const rows = groups
    .toSorted((a, b) => b.bytes - a.bytes)
    .map(({ fate, storageClass, writtenClass, objects, bytes: size }) => [
      ...[count(objects), bytes(size), printable(storageClass)],
      fate.kind === 'written' && writtenClass !== storageClass
        ? `${fateInWords(fate)}, to ${printable(writtenClass)}`
        : fateInWords(fate),
    ])
  return [['objects', 'bytes', 'class', 'what becomes of them'], ...rows]
}

/** The same by size class. */
export function sizeTable(groups: readonly PlannedGroup[]): string[][] {
  const sums = new Map<string, { objects: number; size: number; upTo: string; fate: string }>()
  for (const upTo of SIZE_CLASS_NAMES) {
    for (const { fate, sizes } of groups) {
      for (const [name, objects, size] of sizes) {
        if (name !== upTo) continue
        const key = `${upTo} ${fateInWords(fate)}`
        const sum = sums.get(key) ?? { objects: 0, size: 0, upTo, fate: fateInWords(fate) }
        sum.objects += objects
        sum.size += size
        sums.set(key, sum)
      }
    }
  }
  if (sums.size === 0) return []
  const rows = [...sums.values()].map(({ objects, size, upTo, fate }) => [count(objects), bytes(size), upTo, fate])
  return [['objects', 'bytes', 'up to', 'what becomes of them'], ...rows]
}

function lossLines({ looked, unknown, losses, notes }: SampledLosses, root: string): string[] {
  if (looked + unknown === 0) return []
  const unseen = unknown === 0 ? '' : `; ${count(unknown)} more could not be looked at`
  const of = looked === 1 ? '1 object' : `${count(looked)} objects, spread over all`
  const line = ({ what, objects, example }: SampledLoss): string =>
    `  ${count(objects)} of them (${root}${printable(example)}): ${what}`
  return [
    '',
    losses.length === 0 ? `losses: none seen at a look at ${of}${unseen}` : `losses, by a look at ${of}${unseen}`,
    ...losses.map(line),
    ...(notes.length === 0 ? [] : ['otherwise than now', ...notes.map(line)]),
  ]
}

/** The sums of a cost in a line. */
export function costInWords({ rows }: PlannedCost): string {
  const { once, monthly, already } = sumsOf(rows)
  const unknown = new Set(rows.flatMap(({ usd: price, what }) => (price === undefined ? [printable(what)] : [])))
  if (rows.every(({ usd: price }) => price === undefined))
    return 'unknown: there are no prices of this store and Region (--prices FILE)'
  return [
    `${usd(once)} for the run`,
    ...(monthly > 0 ? [`${usd(monthly)} more each month after it`] : []),
    ...(already > 0 ? [`beside the ${usd(already)} a month for what is copied, while both are kept`] : []),
    ...(unknown.size > 0 ? [`not counting what is unknown (${[...unknown].join('; ')})`] : []),
  ].join(', ')
}

/** Rows of text: a header, and for each row of a cost what it is. */
export function costTable({ rows }: PlannedCost): string[][] {
  const shown = rows.map(({ usd: price, atMost, amount, unit, region = '-', what, paid }) => [
    price === undefined ? 'unknown' : `${atMost === true ? 'at most ' : ''}${dollars(price)}`,
    WHEN[paid],
    `${amount === undefined ? '?' : quantity(amount)} ${unit}`,
    ...[region, printable(what)],
  ])
  return shown.length === 0 ? [] : [['US$', 'paid', 'of', 'region', 'for'], ...shown]
}

const WHEN: Readonly<Record<CostRow['paid'], string>> = { once: 'once', monthly: 'a month', already: 'a month already' }

function quantity(amount: number): string {
  return amount >= 100 ? count(amount) : String(Number(amount.toPrecision(3)))
}

/** Where prices are from, and what they leave out. */
export function pricesInWords({ prices }: PlannedCost): string {
  const sources = prices.map(({ source, date }) => `${printable(source)}, of ${date}`).join('; ')
  return `prices: ${sources}; without discounts, taxes and the free tier, as if nothing else were billed`
}

/** What jobs of S3 Batch Operations would cost, where they can do it. */
export function batchInWords({ batch }: PlannedCost): string[] {
  if (batch === undefined) return []
  const { jobs, objects: n, usd: fees } = batch
  const which = `${jobs === 1 ? 'a job' : `${count(jobs)} jobs`} at least, for ${objects(n)}`
  return [
    `by S3 Batch Operations (s3move batch): about ${usd(fees)} more, ${which}, at US$ 0.25 a job and 1.00 a million objects`,
  ]
}

/** The sums of a cost that a sample tells, with what they may be. */
export function aboutMoney(cost: PlannedCost, figures: SampledFigures): string {
  return `about ${costInWords(cost)}; by the sample${timesInWords(figures)}`
}

function costLines(cost: PlannedCost, figures?: SampledFigures): string[] {
  if (cost.rows.length === 0) return ['', 'money: none, as nothing of it is billed']
  const known = unknownIn(cost.rows) < cost.rows.length
  const title = known && figures !== undefined ? `money: ${aboutMoney(cost, figures)}` : `money: ${costInWords(cost)}`
  return known ? [...section(title, costTable(cost)), pricesInWords(cost), ...batchInWords(cost)] : ['', title]
}

function section(title: string, rows: readonly (readonly string[])[]): string[] {
  const [head] = rows
  if (head === undefined) return []
  const widths = head.slice(0, -1).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const lines = rows.map((row) => {
    const cells = row.map((cell, column) =>
      column < 2 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
    )
    return `  ${cells.join('  ')}`.trimEnd()
  })
  return ['', title, ...lines]
}
