import { StorageError } from '../errors.js'
import type { CopyJob, Outcome } from '../job.js'
import type { Bandwidth } from '../storage/bandwidth.js'
import { able, type Content, type ObjectHead, type ObjectSummary, type Storage } from '../storage/storage.js'
import { outcomeOf } from './act.js'
import type { Ways } from './acts.js'
import { fieldsOfNew } from './attributes.js'
import { Budget } from './budget.js'
import { fingerprintOf, md5Of, type Fingerprint } from './fingerprint.js'
import type { Act } from './lane.js'

/** Bytes that are read at once. */
export const PIECE = 8 * 1024 ** 2
/** Pieces of one object that are read ahead, and that it may have in memory in all: those being sent, and one between. */
const AHEAD = 2
const HELD = 4
/** How often an object is looked at anew because somebody wrote to it while it was read. */
const RACES = 5
/** How often an object is read anew because its bytes were not what the stores say they are. */
const BROKEN = 3

/** Sizes in bytes: an object that is larger is done apart from the lanes. */
export const STREAM_LIMITS = { apart: 1024 ** 3 }

/** Memory for content, in bytes, of one thread. */
const MEMORY = 128 * 1024 ** 2

/** The memory of a thread whose content keeps to `bandwidth`: what is in it is moved in a second, so that nothing comes in bursts longer than that. */
export function streamMemory(bandwidth: Bandwidth | undefined): Budget {
  return new Budget(Math.min(MEMORY, bandwidth?.rate ?? MEMORY))
}

/** Between which stores, and with how much memory, content is moved through this machine. */
type Streams = Pick<Ways, 'source' | 'destination' | 'memory'>

/**
 * The action of `copy` on one object whose bytes must pass through this machine. Content is compared with what the source says of it before
 * it is put in its place, and what the destination says of it afterwards; when it does not fit after some tries, the object fails as
 * `BrokenContent`.
 */
export function streaming(job: CopyJob, ways: Streams): Act {
  const { source, destination } = ways
  const memory = able(ways.memory, 'stream')
  const writing = able(destination.writing, 'be written to')
  const attempt = async (object: ObjectSummary, anew: boolean): Promise<string> => {
    const { head, first } = await begin(source, object, anew)
    const now = { ...object, size: head.size, etag: head.etag }
    const fields = await fieldsOfNew(job.attributes, source, now, head)
    return await writing.write(object.key, contentOf(source, now, head, first), fields, head.lastModified)
  }
  const persist = async (object: ObjectSummary): Promise<Outcome> => {
    let races = 0
    let broken = 0
    for (;;) {
      try {
        return { kind: 'copied', etag: await attempt(object, races + broken > 0) }
      } catch (error) {
        if (!(error instanceof StorageError)) throw error
        if (error.code === 'PreconditionFailed' && error.operation === 'GetObject' && races++ < RACES) continue
        if (error.code !== 'BrokenContent') throw error
        if (++broken < BROKEN) continue
        error.attempts = broken
        throw error.withSeverity('fail-object')
      }
    }
  }
  return async (object) => {
    try {
      return await memory.holding(Math.min(object.size, HELD * PIECE), () => persist(object))
    } catch (error) {
      return outcomeOf(error, job.source.prefix, object)
    }
  }
}

/** An object at the moment when its reading begins, with its first bytes where they came with it. */
interface Begun {
  readonly head: ObjectHead
  readonly first: Buffer | undefined
}

// Where the listing still holds, one request is enough for a look and the first bytes.
async function begin({ reading }: Storage, object: ObjectSummary, anew: boolean): Promise<Begun> {
  const { key, version, size, etag } = object
  const head = (): Promise<ObjectHead> => reading.head(key, version)
  if (reading.open === undefined || anew || size === 0 || etag === '') return { head: await head(), first: undefined }
  const opened = await reading.open(object, Math.min(size, PIECE) - 1)
  // Only HEAD is sure to tell checksums.
  if (md5Of(opened.head) !== undefined) return { head: opened.head, first: opened.bytes }
  return { head: await head(), first: undefined }
}

function contentOf(source: Storage, object: ObjectSummary, head: ObjectHead, first: Buffer | undefined): Content {
  return {
    size: head.size,
    md5: md5Of(head),
    pieces: (unchecked) => pieces(source, object, head, first, unchecked === true ? undefined : fingerprintOf(head)),
  }
}

async function* pieces(
  { place, reading }: Storage,
  object: ObjectSummary,
  head: ObjectHead,
  first: Buffer | undefined,
  fingerprint: Fingerprint | undefined,
): AsyncGenerator<Buffer> {
  const { size } = head
  const ahead: Promise<Buffer>[] = first === undefined ? [] : [Promise.resolve(first)]
  let next = first?.length ?? 0
  const readOn = (): void => {
    if (next >= size) return
    const read = reading.read(object, next, Math.min(next + PIECE, size) - 1)
    // It is awaited in its turn, or not at all when one before it fails.
    read.catch(() => undefined)
    ahead.push(read)
    next += PIECE
  }
  while (ahead.length < AHEAD && next < size) readOn()
  try {
    for (let upcoming = ahead.shift(); upcoming !== undefined; upcoming = ahead.shift()) {
      const piece = await upcoming
      readOn()
      fingerprint?.add(piece)
      yield piece
    }
  } finally {
    // What is held of the memory is that of these too.
    await Promise.allSettled(ahead)
  }
  if (fingerprint?.matches() === false) {
    throw new StorageError(`the bytes that were read do not have the ${fingerprint.name} that the source says`, {
      ...{ severity: 'retry', code: 'BrokenContent', operation: 'GetObject', bucket: place.bucket },
      key: place.prefix + object.key,
    })
  }
}
