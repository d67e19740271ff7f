import type { RoutedObject } from '../../batch/route.js'
import type { Checkpoint } from '../../checkpoint/checkpoint.js'
import type { Requests } from '../../engine/actions/context.js'
import { PlanCounts } from '../../engine/session/plan-counts.js'
import type { WriteJob } from '../../job/kinds.js'
import { NOT_FOR_BATCH, type Outcome } from '../../job/outcome.js'
import type { PlannedGroup } from '../../job/planned-group.js'
import { sum, type Totals } from '../../job/totals.js'

/** What was counted of listed objects. It stays as it is, whatever is counted afterwards. */
export interface BatchCounted {
  /** Of the objects that no job is to do; those of `own` are among the failures. */
  readonly totals: Pick<Totals, 'skipped' | 'failed'>
  /** Objects that are left to s3move itself, by the reason. */
  readonly own: Readonly<Record<string, number>>
  /** All that is to be done, by jobs or not, with the requests for it. */
  readonly groups: readonly PlannedGroup[]
}

/** Counts what becomes of the objects that are listed for jobs of S3 Batch Operations. */
export class BatchCounts {
  private readonly own: Map<string, number>
  private readonly skipped: Map<string, number>
  private readonly failed: Map<string, number>
  private readonly plan: PlanCounts
  private seen: number

  /** Goes on from what a checkpoint has counted. */
  constructor(job: WriteJob, { totals, listed, batch }: Pick<Checkpoint, 'totals' | 'listed' | 'batch'>) {
    const { own = {}, groups = [] } = batch?.planning ?? {}
    const { filtered = 0, ...skipped } = totals.skipped
    const { [NOT_FOR_BATCH]: _own, ...failed } = totals.failed
    this.own = new Map(Object.entries(own))
    this.skipped = new Map(Object.entries(skipped))
    this.failed = new Map(Object.entries(failed))
    this.plan = new PlanCounts(job, Date.now(), groups)
    this.seen = listed - filtered
  }

  /** So many were listed that are to be decided about. */
  see(objects: number): void {
    this.seen += objects
  }

  /** An object is to be done, by such requests. */
  plans(object: RoutedObject, writes: Requests): void {
    this.plan.add(object, DONE, writes)
  }

  /** So many are left to s3move itself. */
  leave(reason: string, objects = 1): void {
    addTo(this.own, reason, objects)
  }

  /** An object has an outcome already. */
  settle(outcome: Extract<Outcome, { readonly kind: 'skipped' | 'failed' }>): void {
    if (outcome.kind === 'skipped') addTo(this.skipped, outcome.reason, 1)
    else addTo(this.failed, outcome.failure.code, 1)
  }

  /** What was counted until now, by how many objects are listed when it is asked for: those that were not seen are left out by a filter. */
  now(): (listed: number) => BatchCounted {
    const { seen } = this
    const own = Object.fromEntries(this.own)
    const skipped = Object.fromEntries(this.skipped)
    const failed = Object.fromEntries(this.failed)
    const groups = this.plan.groups()
    const left = sum(own)
    return (listed) => ({
      totals: {
        skipped: listed === seen ? skipped : { ...skipped, filtered: listed - seen },
        failed: left === 0 ? failed : { ...failed, [NOT_FOR_BATCH]: left },
      },
      ...{ own, groups },
    })
  }
}

const DONE: Outcome = { kind: 'copied' }

function addTo(counts: Map<string, number>, name: string, gain: number): void {
  counts.set(name, (counts.get(name) ?? 0) + gain)
}
