import { resolve } from 'node:path'
import { readCheckpoint, type SavedRun } from '../../checkpoint/checkpoint-file.js'
import { differences } from '../../checkpoint/job-name.js'
import { UserError } from '../../errors.js'
import { shardIn, withShard } from '../../job/kinds.js'
import { shardName, type Shard } from '../../job/shard.js'
import { sum } from '../../job/totals.js'
import { differing } from '../../job/verdicts.js'
import { jobTitle, shellWord } from '../../report/format.js'
import { mergedLines, mergedRecord, mergedRuns, type MergedRuns, type ShardRun } from '../../report/merged-runs.js'
import { gapBetween } from '../../rules/shards.js'
import { EXIT } from '../options/exit.js'
import { shownPath, statusOf } from './look-at-runs.js'
import type { StatusIo } from './show-status.js'

/**
 * Adds up the runs of the shards of one job, and tells of them on standard output. Answers the exit code: `done` only where every shard is there and finished,
 * and nothing failed or differs. A `UserError` for what are no shards of one job, cut by one plan, each given once.
 */
export async function mergeStatus(dirs: readonly string[], json: boolean, io: StatusIo): Promise<number> {
  if (dirs.length === 0) {
    throw new UserError('--merge adds up the runs of shards, and none was given', 's3move status --merge DIR..')
  }
  const merged = merge(await Promise.all(dirs.map((dir) => readShardRun(dir, io.cwd))))
  const text = mergedLines(merged, Date.now(), io.paint?.stdout).map((line) => `${line}\n`)
  io.stdout.write(json ? `${mergedRecord(merged)}\n` : text.join(''))
  const { complete, totals, verdicts } = merged
  const wrong = sum(totals.failed) + (verdicts === undefined ? 0 : differing(verdicts))
  return complete && wrong === 0 ? EXIT.done : EXIT.failures
}

interface FoundShard {
  readonly saved: SavedRun
  readonly run: ShardRun
}

async function readShardRun(dir: string, cwd: string): Promise<FoundShard> {
  const saved = await readCheckpoint(resolve(cwd, dir))
  const shard = shardIn(saved.checkpoint.job)
  if (shard === undefined) {
    throw new UserError(
      `the run in ${shellWord(shownPath(cwd, saved.folder))} is of no shard: ${jobTitle(saved.checkpoint.job)}`,
      'name the folders of runs that were started with --shard K/N',
    )
  }
  return { saved, run: { ...(await statusOf(saved, cwd)), shard } }
}

function merge(found: readonly FoundShard[]): MergedRuns {
  const inOrder = found.toSorted((a, b) => a.run.shard.number - b.run.shard.number)
  const [first] = inOrder
  if (first === undefined) throw new Error('there is nothing to merge')
  for (const [at, { saved, run }] of inOrder.entries()) {
    const different = differences(ofAll(first.saved), ofAll(saved), (one, other) => `${one} and ${other}`)
    if (different.length > 0) {
      throw new UserError(
        `the runs in ${shellWord(first.run.folder)} and ${shellWord(run.folder)} are of two jobs (${different.join('; ')})`,
        'name the shards of one job; times that count from now (--newer-than 7d) make each start another one',
      )
    }
    checkSharing(first.run, run)
    const before = inOrder[at - 1]
    if (before?.run.shard.number === run.shard.number) {
      throw new UserError(
        `${shardName(run.shard)} is in two of the folders, ${shellWord(before.run.folder)} and ${shellWord(run.folder)}`,
        'name the one that counts; each object was done twice, which is harmless, and would be counted twice',
      )
    }
  }
  const merged = mergedRuns(
    withShard(first.saved.checkpoint.job, undefined),
    inOrder.map(({ run }) => run),
    first.run.shard,
  )
  const gap = merged.missing.length === 0 ? gapBetween(merged.runs.map(({ shard }) => shard)) : undefined
  if (gap === undefined) return merged
  throw new UserError(
    `the shards do not have every key once between them: ${gap}`,
    'make a plan, and do all of them again',
  )
}

function checkSharing(one: ShardRun, other: ShardRun): void {
  const alike = (shard: Shard): string => `${shard.of} ${shard.sharing}`
  if (alike(one.shard) === alike(other.shard)) return
  const told = ({ shard, folder }: ShardRun): string =>
    `${shardName(shard)} in ${shellWord(folder)} by ${shard.sharing}`
  throw new UserError(
    `these shards were cut by two plans, so that keys may be in none of them, or in two: ${told(one)}, ${told(other)}`,
    'do those of one plan again with the other: --plan DIR names it',
  )
}

// The job without the shard, and without where its result goes.
function ofAll({ checkpoint: { job, connection } }: SavedRun): Parameters<typeof differences>[0] {
  const { to: _, ...whole } = withShard(job, undefined) as typeof job & { readonly to?: string }
  return { job: whole, connection }
}
