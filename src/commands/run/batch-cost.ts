import type { BatchableJob } from '../../batch/batchable.js'
import type { BatchState } from '../../checkpoint/batch-state.js'
import { UserError } from '../../errors.js'
import { replacesSource } from '../../engine/session/plan-counts.js'
import type { Pace } from '../../job/pace.js'
import { batchFees } from '../../prices/batch-fees.js'
import { costOfRun } from '../../prices/run-cost.js'
import { shellWord, usd } from '../../report/format.js'
import type { BatchPlan } from './batch-plan.js'
import type { Opened } from './open-and-run.js'
import { billedGroup, billedSides, isOfAws, pricesFrom } from './plan-cost.js'
import { PAID_BY_RUN } from './spending.js'

/** What a run by jobs costs, in US$: their fees, all requests, and what these read and transfer. Or why nobody knows. */
export type BatchCost = { readonly usd: number } | { readonly unknown: string }

/** The cost of what was listed, by so many jobs and, as far as no job does it, by s3move itself; with what the listing has cost. */
export async function batchCostOf(
  job: BatchableJob,
  { groups, kinds, requests }: BatchPlan,
  jobs: number,
  { ends }: Opened,
  { prices: files = [] }: Pace,
): Promise<BatchCost> {
  const anyStore = files.length > 0
  if (!anyStore && !isOfAws(ends)) return { unknown: 'there are no prices of this store' }
  const run = {
    ...{ ...billedSides(job, ends, anyStore), deletesAt: 'source' as const, replaces: replacesSource(job) },
    streamed: false,
    groups: groups.map((group) => billedGroup(job, group, false)),
    reads: { source: requests, destination: {} },
    ...{ kmsRequests: 0, restore: undefined },
  } as const
  const rows = costOfRun(run, await pricesFrom(files)).filter(({ kind }) => PAID_BY_RUN.has(kind))
  const unknown = rows.find((row) => row.usd === undefined)
  if (unknown !== undefined) return { unknown: `there is no price of ${unknown.what}` }
  const inJobs = kinds.reduce((all, one) => all + one.rows, 0)
  return { usd: rows.reduce((sum, row) => sum + (row.usd ?? 0), 0) + batchFees(jobs, inJobs) }
}

/** In words. */
export function batchCostInWords(cost: BatchCost): string {
  return 'usd' in cost
    ? `price about ${usd(cost.usd)}: fees of jobs and objects, requests, and what they read and transfer`
    : `price not known (${cost.unknown}): a job costs a fee, each of its objects another, and each its request and what reading its class costs`
}

/** Refuses to go on with jobs that nobody has started, and that would cost more than a run may. */
export function checkBatchCost({ jobs, estimatedUsd }: BatchState, { maxCost }: Pace, folder: string): void {
  if (maxCost === undefined || (estimatedUsd !== undefined && estimatedUsd <= maxCost)) return
  const made = jobs.filter(({ id }) => id !== undefined).length
  const state = made === 0 ? 'no job was made' : 'its jobs wait, suspended, and none was started'
  const why = estimatedUsd === undefined ? 'is not known' : `would be about ${usd(estimatedUsd)}`
  const cancel = made === 0 ? '' : `; s3move batch cancel ${shellWord(folder)} ends the jobs`
  throw new UserError(
    `what it costs ${why}, and may be ${usd(maxCost)} at most (--max-cost ${maxCost}): ${state}`,
    `to go on with it, allow more: s3move resume ${shellWord(folder)} --max-cost USD${cancel}`,
  )
}
