import { differences, OF_PLAN } from '../../checkpoint/job-name.js'
import { readPlan, type SavedPlan } from '../../checkpoint/saved-plan.js'
import { UserError } from '../../errors.js'
import { connectionOf, type Connection } from '../../job/connection.js'
import { kindOf, listFileOf, mapOf, shardIn, withShard, type Job } from '../../job/kinds.js'
import { lsOf } from '../../job/ls.js'
import { isFolder } from '../../job/place.js'
import { shardName } from '../../job/shard.js'
import { shardOf } from '../../rules/shards.js'
import { shellWord } from '../../report/format.js'
import { readText, type Flags } from '../options/flag-values.js'
import type { Planning } from '../options/plan-options.js'
import { readShard } from '../options/shard-options.js'

/** Refuses a job that several processes cannot share out. `flag` is what asks for that. */
function checkShardable(job: Job, flag: '--shard' | '--shards'): void {
  const why = unshared(job)
  if (why !== undefined) throw new UserError(`${flag}: ${why[0]}`, why[1])
}

function unshared(job: Job): readonly [why: string, hint: string] | undefined {
  if (kindOf(job).inShards !== true) {
    return [`${job.kind} is for one process`, 'copy, set-headers, delete, verify, ls and du can be done in shards']
  }
  if (listFileOf(job) !== undefined) {
    return [
      'a list is read by its lines, and shards are of keys',
      'cut the list itself (split -n l/8 keys.txt), and give each process a part with --files-from',
    ]
  }
  if (isFolder(job.source) || ('destination' in job && isFolder(job.destination)))
    return ['a folder is of one machine', 'leave it away, or name buckets']
  if ('folders' in job && job.folders)
    return ['--folders lists one level by one request after the other', 'leave one of them away']
  if (mapOf(job) !== undefined && 'noClobber' in job && job.noClobber) {
    return [
      'with --map and --no-clobber two objects of one new name take turns, which two processes cannot',
      'leave --no-clobber or --map away, or do it in one process',
    ]
  }
  return undefined
}

/** The job, for the shard alone that the flags ask for. What the shards are, a plan says: all of their processes have to know the same. */
export function shardedJob<J extends Job>(job: J, flags: Flags, plan: SavedPlan | undefined, planning?: Planning): J {
  if (planning?.shards !== undefined) checkShardable(job, '--shards')
  const asked = readShard(flags)
  if (asked === undefined) return job
  checkShardable(job, '--shard')
  const own = shardIn(job)
  if (own !== undefined) throw new UserError(`the run is of ${shardName(own)} already`, 'leave --shard away')
  if (planning?.save !== undefined) {
    throw new UserError('--save keeps a plan of all of a job, and --shard is a part', 'leave --shard away')
  }
  const folder = readText(flags, 'plan')
  const { number, of } = asked
  const making = `s3move plan COMMAND … --shards ${of} --save DIR`
  if (plan === undefined || folder === undefined) {
    throw new UserError(
      '--shard needs a plan: processes that cut a living bucket each by themselves would leave keys out between them',
      `make one, once: ${making}; then give it to all with --plan DIR`,
    )
  }
  const { boundaries } = plan
  if (boundaries === undefined) {
    throw new UserError(`the plan in ${shellWord(folder)} has no shards`, `make it with them: ${making}`)
  }
  if (boundaries.length + 1 !== of) {
    throw new UserError(
      `the plan in ${shellWord(folder)} has ${boundaries.length + 1} shards, and --shard asks for one of ${of}`,
      `write --shard K/${boundaries.length + 1}, or make another plan: ${making}`,
    )
  }
  return withShard(job, shardOf(boundaries, number))
}

/** The plan that a job which only reads is given, and what it has of it: a shard. */
export async function readShardPlan(flags: Flags): Promise<SavedPlan | undefined> {
  const folder = readText(flags, 'plan')
  if (folder === undefined) return undefined
  if (readText(flags, 'shard') === undefined) {
    throw new UserError(
      '--plan says here where shards end, and --shard is missing',
      'add --shard K/N, or leave --plan away',
    )
  }
  return await readPlan(folder)
}

/** Refuses a plan of another place: where its shards end says nothing of this one. */
export function checkShardsOf(plan: SavedPlan, job: Job, connection: Connection): void {
  const listed = (source: Job['source'], reached: Connection): Parameters<typeof differences>[0] => {
    const side = connectionOf(reached, 'source')
    return { job: lsOf({ source }), connection: side }
  }
  const different = differences(listed(plan.job.source, plan.connection), listed(job.source, connection), OF_PLAN)
  if (different.length === 0) return
  throw new UserError(
    `the plan is of another place (${different.join('; ')})`,
    'name the place that was planned, or plan this one',
  )
}
