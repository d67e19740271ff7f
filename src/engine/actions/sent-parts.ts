import { createHash, hash } from 'node:crypto'
import type { ObjectHead, ObjectSummary, Storage } from '../../storage/storage.js'
import type { Part, PartRange, Uploading } from '../../storage/parts.js'
import { md5While } from '../../hashing.js'
import type { MemoryBudget } from './memory-budget.js'
import { fingerprintOf } from './content-digest.js'
import type { MakeParts } from './multipart.js'
import { broken, brokenContentOf, inMemory, readAhead } from './read-ahead.js'

/** What parts may hold of memory. */
export interface PartMemory {
  readonly memory: MemoryBudget
  /** Bytes that are read at once of parts that do not fit. */
  readonly piece: number
}

/**
 * Parts that are read from the source, several at once, and sent. One that is there from before is compared rather than sent again. Of an object
 * of many terabytes a part has gigabytes: those that do not fit into the memory are sent while they are read.
 */
export function sentParts(
  source: Storage,
  object: ObjectSummary,
  head: ObjectHead,
  { memory, piece }: PartMemory,
): MakeParts {
  const fingerprint = fingerprintOf(head)
  const digests: Buffer[] = []
  /** The store's ETags of parts are MD5s. */
  let plain = true
  // Parts come in any order, and a fingerprint is taken from the first byte to the last.
  let taken: Promise<unknown> = Promise.resolve()
  /** Bytes that are in the fingerprint, where they come in their order: what is read again is not in it twice. */
  let added = 0

  const whole = (uploading: Uploading, part: PartRange, there: Part | undefined): Promise<Part> =>
    memory.holding(part.last - part.first + 1, async (room) => {
      const reading = source.reading.read(object, part.first, part.last, room)
      const mine = Promise.all([reading, taken]).then(([bytes]) => fingerprint?.add(bytes))
      taken = mine
      // One that fails is told of by the part that it is of.
      mine.catch(() => undefined)
      const bytes = await reading
      const etag = await md5While((add) => add(bytes))
      const md5 = Buffer.from(etag, 'hex')
      digests[part.number - 1] = md5
      const sent = there?.etag === etag ? there : await uploading.sendPart(part, bytes, md5)
      if (sent.etag !== etag) plain = false
      await mine
      return sent
    })

  // The bytes of a part, of which `ended` gets the MD5.
  async function* piecesOf(part: PartRange, room: Buffer, ended: (md5: Buffer) => void): AsyncGenerator<Buffer> {
    const digest = createHash('md5')
    let at = part.first
    for await (const bytes of readAhead(source, object, part, piece, room)) {
      digest.update(bytes)
      if (at + bytes.length > added) {
        fingerprint?.add(bytes.subarray(Math.max(0, added - at)))
        added = at + bytes.length
      }
      at += bytes.length
      yield bytes
    }
    ended(digest.digest())
  }

  const digestOf = async (part: PartRange, room: Buffer): Promise<Buffer> => {
    let md5 = Buffer.alloc(0)
    const pieces = piecesOf(part, room, (digest) => (md5 = Buffer.from(digest)))
    for (let piece = await pieces.next(); piece.done !== true; piece = await pieces.next());
    return md5
  }

  const inPieces = async (
    uploading: Uploading,
    part: PartRange,
    there: Part | undefined,
    room: Buffer,
  ): Promise<Part> => {
    const size = part.last - part.first + 1
    // Where ETags are no MD5s the store compares one that is sent ahead of the bytes, so these are read twice.
    let md5 = there === undefined && plain ? undefined : await digestOf(part, room)
    if (md5 !== undefined && there?.etag === md5.toString('hex')) {
      digests[part.number - 1] = md5
      return there
    }
    const send = async (known: Buffer | undefined): Promise<Part> =>
      await uploading.streamPart(part, {
        size,
        md5: known,
        pieces: () => piecesOf(part, room, (digest) => (md5 = digest)),
      })
    const proven = md5 !== undefined
    let sent = await send(md5)
    const digest = md5 ?? (await digestOf(part, room))
    digests[part.number - 1] = digest
    if (sent.etag !== digest.toString('hex')) {
      plain = false
      if (!proven) sent = await send(digest)
    }
    return sent
  }

  return {
    make(uploading, part, there) {
      const { number, first, last } = part
      // The last part may be smaller, and must not hold memory while it waits for those before it.
      const usual = number === 1 ? last - first + 1 : first / (number - 1)
      if (usual <= memory.capacity / 2) return whole(uploading, part, there)
      const before = fingerprint === undefined ? undefined : taken
      const mine = (async () => {
        await before
        return await memory.holding(inMemory(last - first + 1, piece), (room) => inPieces(uploading, part, there, room))
      })()
      taken = mine
      mine.catch(() => undefined)
      return mine
    },
    check() {
      if (fingerprint?.matches() === false) throw broken(source, object, fingerprint)
    },
    made(etag) {
      const expected = `${hash('md5', Buffer.concat(digests))}-${digests.length}`
      if (!plain || etag === expected || !/^[0-9a-f]{32}-\d+$/.test(etag)) return
      throw brokenContentOf(
        source,
        object,
        `the copy has the ETag ${etag} where the parts that were sent come to ${expected}`,
      )
    },
  }
}
