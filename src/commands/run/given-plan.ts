import { differences, OF_PLAN } from '../../checkpoint/job-name.js'
import { readPlan, type SavedPlan } from '../../checkpoint/saved-plan.js'
import { UserError } from '../../errors.js'
import type { Connection } from '../../job/connection.js'
import { shardIn, withShard, type WriteJob } from '../../job/kinds.js'
import type { Pace } from '../../job/pace.js'
import type { KeyRange } from '../../keys.js'
import { cutAt } from '../../rules/ranges.js'
import { readText, type Flags } from '../options/flag-values.js'
import { wantedRanges } from './wanted-ranges.js'

/** The plan that was named for a run, if one was. */
export async function readGivenPlan(flags: Flags): Promise<SavedPlan | undefined> {
  const folder = readText(flags, 'plan')
  return folder === undefined ? undefined : await readPlan(folder)
}

/** A pace that expects what was planned, unless it says otherwise. */
export function expectingPlanned(pace: Pace, plan: SavedPlan | undefined, job: WriteJob): Pace {
  if (plan === undefined || plan.listed === 0) return pace
  return { expect: Math.ceil(plan.listed / (shardIn(job)?.of ?? 1)), ...pace }
}

/** What a job must list, cut where its plan has seen the objects. */
export function plannedRanges(job: WriteJob, plan: SavedPlan | undefined): readonly KeyRange[] {
  return cutAt(wantedRanges(job), plan?.marks ?? [])
}

/** Refuses a job that is not the one that was planned: what was planned is what somebody has said yes to. */
export function checkPlanned(plan: SavedPlan, job: WriteJob, connection: Connection): void {
  const different = differences(plan, { job: withShard(job, undefined), connection }, OF_PLAN)
  if (different.length === 0) return
  throw new UserError(
    `the plan is of another job (${different.join('; ')})`,
    'give the command that was planned, or plan this one: put plan before it, and --save DIR behind it',
  )
}
