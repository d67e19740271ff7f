import type { BatchableJob } from '../../batch/batchable.js'
import { NO_CLASS } from '../../batch/route.js'
import { rolePolicy } from '../../batch/role-policy.js'
import { uncounted, type BatchState } from '../../checkpoint/batch-state.js'
import { isCopy } from '../../job/copy.js'
import { NOT_FOR_BATCH } from '../../job/outcome.js'
import { noTotals, sum } from '../../job/totals.js'
import { printable } from '../../keys.js'
import { count, objects } from '../../report/format.js'
import { failedByCode, skippedByReason } from '../../report/summary.js'
import { sayTo } from './attended.js'
import { batchCostInWords, type BatchCost } from './batch-cost.js'
import type { BatchPlan, BatchPlanOptions } from './batch-plan.js'
import { inSets } from './batch-sets.js'
import type { BatchCheckpoint, BatchSetup, OpenedBatch } from './batch-setup.js'

/** Says lines to people, or to programs that read JSON. */
export function sayer({ telling, progress, io }: BatchSetup): (message: string) => void {
  return (message) => {
    if (telling.json) progress.event({ type: 'note', level: 'info', message })
    else if (!telling.quiet) sayTo(io, message)
  }
}

/** Tells how far the listing has come. */
export function tellListing({ progress, opened: { ends } }: OpenedBatch): BatchPlanOptions['progress'] {
  return (listed, elapsed, expected) =>
    progress.event({
      type: 'progress',
      snapshot: {
        ...{ totals: noTotals(), listed, expected, listingEnded: false, inFlight: 0, settledHere: 0, elapsed },
        ...{ throttled: ends.meter.throttled, retried: ends.meter.retried, requests: ends.meter.requests },
      },
    })
}

/** Tells who copies how many objects. */
export function tellPlan(
  setup: BatchSetup,
  job: BatchableJob,
  { own, kinds, totals }: BatchPlan,
  jobs: number,
  cost: BatchCost,
): void {
  const say = sayer(setup)
  const inJobs = kinds.reduce((all, { rows }) => all + rows, 0)
  const byClass = new Map<string, number>()
  for (const { storageClass, rows } of kinds) byClass.set(storageClass, (byClass.get(storageClass) ?? 0) + rows)
  const sets = isCopy(job) || kinds.length < 2 ? '' : `in ${count(kinds.length)} sets of ${inSets(job)}`
  const classes = [...byClass].flatMap(([name, n]) => (name === NO_CLASS ? [] : [`${count(n)} ${name}`]))
  const which = [...classes, ...(sets === '' ? [] : [sets])].join(', ')
  say(
    `${objects(inJobs)} for ${jobs === 1 ? 'one job' : `${count(jobs)} jobs`} of S3 Batch Operations${which === '' ? '' : ` (${printable(which)})`}`,
  )
  const { filtered: _filtered, ...skipped } = totals.skipped
  if (sum(skipped) > 0) say(`${objects(sum(skipped))} passed over: ${skippedByReason(skipped)}`)
  const { [NOT_FOR_BATCH]: _own, ...failed } = totals.failed
  if (sum(failed) > 0) say(`${objects(sum(failed))} could not be looked at: ${failedByCode(failed)}`)
  for (const [reason, n] of Object.entries(own)) say(`${objects(n)} left to s3move itself: ${printable(reason)}`)
  if (jobs > 0) say(printable(batchCostInWords(cost)))
}

/** Tells what the role of the jobs must be allowed, and by whom it must be trusted. */
export function tellPolicy(setup: BatchSetup, job: BatchableJob, asked: Pick<BatchState, 'role' | 'manifests'>): void {
  const say = sayer(setup)
  const { permissions, trust } = rolePolicy(job, asked)
  say(`${printable(asked.role)} must be trusted with: ${JSON.stringify(trust)}`)
  say(`and allowed: ${JSON.stringify(permissions)}`)
}

/** Tells what jobs say that they have copied. */
export function tellJobs(
  { progress, opened }: OpenedBatch,
  { totals, listed, batch }: BatchCheckpoint,
  elapsed: number,
): void {
  // It is in the totals only once it is counted.
  const copied = batch.jobs.reduce((all, job) => all + (job.counted === true ? 0 : (job.succeeded ?? 0)), totals.copied)
  const { meter } = opened.ends
  progress.event({
    type: 'progress',
    snapshot: {
      ...{ totals: { ...totals, copied }, listed, listingEnded: true, inFlight: uncounted(batch), settledHere: 0 },
      ...{ throttled: meter.throttled, retried: meter.retried, requests: meter.requests, elapsed },
    },
  })
}
