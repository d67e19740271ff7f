import { StorageError } from '../../errors.js'
import type { ObjectSummary, Storage } from '../../storage/storage.js'
import type { PartRange } from '../../storage/parts.js'
import type { ContentDigest } from './content-digest.js'

/** Pieces that are read ahead. */
const AHEAD = 2

/** Bytes in memory while content of `size` bytes is read in pieces: those that are read ahead, and the one that is being written. */
export function inMemory(size: number, piece: number): number {
  return Math.min(size, (AHEAD + 1) * piece)
}

/**
 * The bytes `first` to `last` of an object, both included, in pieces of `piece` bytes, some of which are read ahead. They lie in `room`, of as many
 * bytes as `inMemory` says: a piece is whole until the next is asked for.
 */
export async function* readAhead(
  source: Storage,
  object: ObjectSummary,
  { first, last }: Pick<PartRange, 'first' | 'last'>,
  piece: number,
  room: Buffer,
): AsyncGenerator<Buffer> {
  const ahead: Promise<Buffer>[] = []
  let next = first
  const readOn = (): void => {
    if (next > last) return
    const end = Math.min(next + piece, last + 1)
    const at = (next - first) % ((AHEAD + 1) * piece)
    const read = source.reading.read(object, next, end - 1, room.subarray(at, at + end - next))
    // It is awaited in its turn, or not at all when one before it fails.
    read.catch(() => undefined)
    ahead.push(read)
    next += piece
  }
  while (ahead.length < AHEAD && next <= last) readOn()
  try {
    for (let upcoming = ahead.shift(); upcoming !== undefined; upcoming = ahead.shift()) {
      const bytes = await upcoming
      readOn()
      yield bytes
    }
  } finally {
    // What is held of the memory is that of these too.
    await Promise.allSettled(ahead)
  }
}

/** The error of content that is not what its source vouches for. */
export function broken(source: Storage, object: ObjectSummary, { name }: ContentDigest): StorageError {
  return brokenContentOf(source, object, `the bytes that were read do not have the ${name} that the source says`)
}

/** The error of content that is broken in the way that the message says. */
export function brokenContentOf({ place }: Storage, { key }: ObjectSummary, message: string): StorageError {
  return new StorageError(message, {
    ...{ severity: 'fail-object', code: 'BrokenContent', operation: 'GetObject', bucket: place.bucket },
    key: place.prefix + key,
  })
}
