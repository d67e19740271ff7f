import { createHash } from 'node:crypto'
import type { Shard } from '../job/shard.js'
import { compareKeys } from '../keys.js'
import type { Ranges } from './ranges.js'

/** Some keys that follow one another: the last of them, and for how many they stand. */
export interface KeyPortion {
  readonly until: string
  readonly keys: number
}

/** The keys that end all shards but the last, so that each has about as many; some are the same where there are fewer keys than shards. */
export function boundariesOf(portions: readonly KeyPortion[], shards: number): string[] {
  const all = portions.reduce((sum, { keys }) => sum + keys, 0)
  const boundaries: string[] = []
  let passed = 0
  for (const { until, keys } of portions) {
    passed += keys
    while (boundaries.length < shards - 1 && passed * shards >= all * (boundaries.length + 1)) boundaries.push(until)
  }
  const last = portions.at(-1)?.until ?? ''
  while (boundaries.length < shards - 1) boundaries.push(last)
  return boundaries
}

/** A shard, by its number from 1, of those that end with these keys, and one more. */
export function shardOf(boundaries: readonly string[], number: number): Shard {
  const [after, until] = [boundaries[number - 2], boundaries[number - 1]]
  return {
    ...{ number, of: boundaries.length + 1 },
    ...(after === undefined ? {} : { after }),
    ...(until === undefined ? {} : { until }),
    sharing: createHash('sha256').update(JSON.stringify(boundaries)).digest('hex').slice(0, 16),
  }
}

/** Where the keys of a shard lie. */
export function rangesOfShard({ after, until }: Shard): Ranges {
  if (after !== undefined && until !== undefined && compareKeys(after, until) >= 0) return []
  return [{ ...(after === undefined ? {} : { after }), ...(until === undefined ? {} : { until }) }]
}

/** What keeps shards, which are all that there are and in order, from having every key once between them; undefined where they do. */
export function gapBetween(shards: readonly Shard[]): string | undefined {
  for (const [at, shard] of shards.entries()) {
    const { number, of, after, until } = shard
    if (number !== at + 1 || of !== shards.length) return `shard ${at + 1} of ${shards.length} is not there`
    if (after !== shards[at - 1]?.until) return `shard ${number} does not begin where the one before it ends`
    if ((after === undefined) !== (at === 0)) return `shard ${number} does not begin where it should`
    if ((until === undefined) !== (at === shards.length - 1)) return `shard ${number} does not end where it should`
    if (after !== undefined && until !== undefined && compareKeys(after, until) > 0)
      return `shard ${number} ends before it begins`
  }
  return undefined
}
