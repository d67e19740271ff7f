import { UserError } from '../../errors.js'
import type { Shard } from '../../job/shard.js'
import { printable } from '../../keys.js'
import type { Argv } from './argv.js'
import { grouped, readText, textFlag, type Flags } from './flag-values.js'

/** There are at most so many shards: where each ends is in one file, and chosen from a sample of the keys. */
export const MOST_SHARDS = 1_000

/** Flag of the part of a job that this process is to do. */
export function shardFlag(argv: Argv): Argv {
  return grouped(argv, 'Run:', {
    shard: textFlag('K/N', 'this shard alone, of those that --plan has cut; auto/N: by the index of the array job'),
  })
}

/** That, and the plan, for commands that take a plan for nothing else. */
export function plannedShardFlags(argv: Argv): Argv {
  return grouped(shardFlag(argv), 'Run:', {
    plan: textFlag(
      'DIR',
      'with --shard: what ‘s3move plan COMMAND … --shards N --save DIR’ has cut the keys of this place into',
    ),
  })
}

/** The shard that is asked for, from 1; undefined when none is. A `UserError` for what names none. */
export function readShard(
  flags: Flags,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Pick<Shard, 'number' | 'of'> | undefined {
  const given = readText(flags, 'shard')
  if (given === undefined) return undefined
  const [, which = '', digits = ''] = /^(auto|\d{1,6})\/(\d{1,6})$/.exec(given) ?? []
  const of = Number(digits)
  if (which === '' || of < 1 || of > MOST_SHARDS) {
    throw new UserError(
      `--shard wants K/N, with N up to 1,000, and was given ${printable(given)}`,
      'write something like --shard 3/8, or --shard auto/8 in an array job',
    )
  }
  if (which === 'auto') return { number: indexIn(env, of) + 1, of }
  const number = Number(which)
  if (number >= 1 && number <= of) return { number, of }
  throw new UserError(
    `--shard ${printable(given)}: shards count from 1, so of ${of} the last is ${of}/${of}`,
    `write --shard 1/${of} to --shard ${of}/${of}; --shard auto/${of} takes the index of an array job, which counts from 0`,
  )
}

/** Variables in which schedulers say which of several processes this is, from 0; and in which they say how many there are. */
const INDEXES: readonly (readonly [index: string, size?: string])[] = [
  ['JOB_COMPLETION_INDEX'],
  ['AWS_BATCH_JOB_ARRAY_INDEX', 'AWS_BATCH_JOB_ARRAY_SIZE'],
  // How many tasks an array has is no help: one that is submitted again by itself is one of one.
  ['SLURM_ARRAY_TASK_ID'],
  ['SLURM_PROCID', 'SLURM_STEP_NUM_TASKS'],
]

function indexIn(env: Readonly<Record<string, string | undefined>>, of: number): number {
  const names = INDEXES.map(([name]) => name)
  const found = INDEXES.filter(([name]) => (env[name] ?? '') !== '' && !isOfArray(name, env))
  const [first, ...others] = found.map(([name]) => [name, env[name] ?? ''] as const)
  if (first === undefined) {
    throw new UserError(
      `--shard auto/${of}: none of ${names.join(', ')} is set`,
      `write --shard K/${of} with K from 1 to ${of}, or start it as an array job`,
    )
  }
  const [name, value] = first
  const other = others.find(([, theirs]) => theirs !== value)
  if (other !== undefined) {
    throw new UserError(
      `--shard auto/${of}: ${name} is ${printable(value)}, and ${other[0]} is ${printable(other[1])}`,
      `say which is meant: --shard "$((${name} + 1))/${of}"`,
    )
  }
  for (const [index, size] of found) {
    const there = size === undefined ? undefined : env[size]
    if (size === undefined || there === undefined || there === String(of)) continue
    throw new UserError(
      `--shard auto/${of}: ${size} is ${printable(there)}, so ${index} does not count ${of} shards`,
      `start as many processes as there are shards, or write --shard K/${of}`,
    )
  }
  const index = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN
  if (index < of) return index
  throw new UserError(
    `--shard auto/${of}: ${name} is ${printable(value)}, and of ${of} shards the last has the index ${of - 1}: they count from 0`,
    `start an array from 0 to ${of - 1}, or write --shard K/${of} with K from 1 to ${of}`,
  )
}

// The script of each task of an array is process 0 of itself. Where that starts several, both count.
function isOfArray(name: string, env: Readonly<Record<string, string | undefined>>): boolean {
  if (name !== 'SLURM_PROCID' || (env.SLURM_ARRAY_TASK_ID ?? '') === '') return false
  return env.SLURM_PROCID === '0' && (env.SLURM_STEP_NUM_TASKS ?? '1') === '1'
}
