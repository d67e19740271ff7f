import { positive, shape, text } from './schema.js'

/** One of the parts of a key space that were shared out once and for all, among processes that know nothing of each other. */
export interface Shard {
  /** From 1. */
  readonly number: number
  readonly of: number
  /** Keys relative to the prefix of the source: it begins behind the one and ends with the other. It has no keys where they are the same. */
  readonly after?: string
  readonly until?: string
  /** What all parts of one sharing have in common: the beginning of the SHA-256 of where they end, in hexadecimal digits. */
  readonly sharing: string
}

export const shardShape = shape<Shard>({ number: positive, of: positive, sharing: text }, { after: text, until: text })

/** `shard 3 of 8`. */
export function shardName({ number, of }: Pick<Shard, 'number' | 'of'>): string {
  return `shard ${number} of ${of}`
}
