import type { SpentOf } from '../../engine/session/budget.js'
import { fateOfDone, replacesSource, writtenClass } from '../../engine/session/plan-counts.js'
import type { WriteJob } from '../../job/kinds.js'
import { isArchiveClass } from '../../job/storage-classes.js'
import type { Pace } from '../../job/pace.js'
import type { Totals } from '../../job/totals.js'
import type { PriceList } from '../../prices/price-list.js'
import { costOfRun, isBilledAsWrite, type BilledGroup, type BilledSide, type CostRow } from '../../prices/run-cost.js'
import type { OpenStores } from '../../storage/open.js'
import { billedSides, isOfAws, pricesFrom, pricesRequests, withoutPrices } from './plan-cost.js'

/**
 * What tells the cost of a run by its requests, with what they read, restore and transfer; undefined where no price is known. A `UserError` where `--max-cost` wants
 * that to be known, or a file of prices cannot be read.
 */
export async function spendingOf(
  job: WriteJob,
  ends: OpenStores,
  { maxCost, prices: files = [] }: Pace,
): Promise<SpentOf | undefined> {
  const anyStore = files.length > 0
  if (maxCost === undefined && !anyStore && !isOfAws(ends)) return undefined
  const prices = await pricesFrom(files)
  const { source, destination } = billedSides(job, ends, anyStore)
  const known = [source, destination].some((side) => pricesRequests(prices, side?.region))
  if (known) return spentBy({ job, source, destination, prices, streamed: ends.settings.streamed })
  if (maxCost === undefined) return undefined
  throw withoutPrices()
}

interface Billing {
  readonly job: WriteJob
  readonly source: BilledSide | undefined
  readonly destination: BilledSide | undefined
  readonly prices: PriceList
  readonly streamed: boolean
}

/** What is paid for as the run goes on. */
export const PAID_BY_RUN: ReadonlySet<CostRow['kind']> = new Set(['requests', 'retrieval', 'transfer', 'restore'])

/** What tells the cost by requests and totals. Which side was asked to read is not counted: the dearer one is taken. */
function spentBy({ job, source, destination, prices, streamed }: Billing): SpentOf {
  return (requests, totals) => {
    const all = Object.entries(requests)
    const writes = all.filter(([operation]) => isBilledAsWrite(operation))
    const reads = Object.fromEntries(all.filter(([operation]) => !isBilledAsWrite(operation)))
    const groups = [...groupsOf(job, totals, writes), ...restoredOf(totals)]
    const restore = 'restore' in job ? job.restore : undefined
    const run = { source, destination, deletesAt: 'source', replaces: replacesSource(job), streamed, groups } as const
    const costs = [
      { source: reads, destination: {} },
      { source: {}, destination: reads },
    ].map((each) =>
      costOfRun({ ...run, reads: each, kmsRequests: 0, restore }, prices)
        .filter(({ kind }) => PAID_BY_RUN.has(kind))
        .reduce((sum, { usd = 0 }) => sum + usd, 0),
    )
    return Math.max(...costs)
  }
}

// Writes are not counted by class: each class has its share of them.
function groupsOf(
  job: WriteJob,
  { copied, bytes, copiedByClass = {} }: Totals,
  writes: readonly (readonly [string, number])[],
): readonly BilledGroup[] {
  const others = Object.entries(copiedByClass)
  const sum = (of: 'objects' | 'bytes'): number => others.reduce((all, [, amount]) => all + amount[of], 0)
  const standard = { objects: copied - sum('objects'), bytes: bytes - sum('bytes') }
  return [['STANDARD', standard] as const, ...others].map(([storageClass, { objects, bytes: size }]) => {
    const share = copied === 0 ? Number(storageClass === 'STANDARD') : objects / copied
    return {
      ...{ fate: fateOfDone(job), storageClass, writtenClass: writtenClass(job, storageClass), objects, bytes: size },
      ...{ billedBytes: size, earlyByteDays: 0, replacedBytes: {} },
      writes: Object.fromEntries(writes.map(([operation, n]) => [operation, n * share])),
    }
  })
}

// The archive tiers of INTELLIGENT_TIERING give back what they hold, which is billed otherwise.
function restoredOf({ restoredByClass = {} }: Totals): readonly BilledGroup[] {
  return Object.entries(restoredByClass)
    .filter(([storageClass]) => isArchiveClass(storageClass))
    .map(([storageClass, { objects, bytes }]) => ({
      ...{ fate: 'archived', storageClass, writtenClass: storageClass, objects, bytes, billedBytes: bytes },
      ...{ earlyByteDays: 0, replacedBytes: {}, writes: {} },
    }))
}
