import { StorageError } from '../../errors.js'
import type { CopyJob } from '../../job/copy.js'
import type { Outcome } from '../../job/outcome.js'
import { renamer } from '../../rules/rename.js'
import { rateOf, type RunSettings } from '../../job/pace.js'
import {
  able,
  type ObjectContent,
  type HeaderFields,
  type ObjectHead,
  type ObjectSummary,
  type Storage,
} from '../../storage/storage.js'
import { withAnnotations } from './annotations.js'
import { outcomeOf, TAKEN } from './outcome.js'
import type { ActionContext } from './context.js'
import { anewInParts, unlessChanged } from './copy-in-parts.js'
import { fieldsOfNew } from './copy-attributes.js'
import { MemoryBudget } from './memory-budget.js'
import { fingerprintOf, md5Of, type ContentDigest } from './content-digest.js'
import type { Action } from '../lanes/lane.js'
import { checkUnchanged } from './multipart.js'
import { asManifest, asTold, headOf, listedAsManifest, mayBeManifest } from './manifests.js'
import { broken, inMemory, readAhead } from './read-ahead.js'
import { sentParts } from './sent-parts.js'
import { checkingCopies } from './spot-checks.js'

/** Sizes in bytes, of content that passes through this machine. */
export interface StreamLimits {
  /** The least size of a part, where nobody asks for another; objects of at most that are sent in one request. */
  readonly part: number
  /** So are objects of at most this size whose ETag is an MD5: in parts they would have another. */
  readonly whole: number
  /** Such objects of at most this size are sent in one request while they are read in several. */
  readonly piped: number
  /** Larger ones are done apart from the lanes. */
  readonly apart: number
}

/** The parts are those of the AWS CLI, so what it has uploaded keeps its ETag. */
export const STREAM_LIMITS: StreamLimits = {
  part: 8 * 1024 ** 2,
  whole: 32 * 1024 ** 2,
  piped: 128 * 1024 ** 2,
  apart: 256 * 1024 ** 2,
}

/**
 * How an object passes, as far as its listing tells: in one request each way, read in several and sent in one, or in parts, where the
 * destination takes some.
 */
export function passageOf(
  { size, etag }: Pick<ObjectSummary, 'size' | 'etag'>,
  limits: StreamLimits = STREAM_LIMITS,
): 'whole' | 'piped' | 'parts' {
  if (size <= limits.part) return 'whole'
  if (size > limits.piped || etag.includes('-')) return 'parts'
  return size <= limits.whole ? 'whole' : 'piped'
}

/** Content in memory at once, in bytes, over all threads. */
const MEMORY = 256 * 1024 ** 2

/** How often an object is read anew because its bytes were not what the stores say they are. */
const BROKEN = 3

/** The share of the memory of one thread, the main one among them. What is in it is moved in a second, so that nothing comes in bursts longer than that. */
export function streamMemory({ bandwidth, threads }: Pick<RunSettings, 'bandwidth' | 'threads'>): MemoryBudget {
  return new MemoryBudget(
    Math.floor(Math.min(MEMORY, bandwidth === undefined ? MEMORY : rateOf(bandwidth)) / (threads + 1)),
  )
}

/**
 * The action of `copy` on one object whose bytes must pass through this machine. Content is compared with what the source says of it before
 * it is put in its place, and what the destination says of it with what was sent; when it does not fit after some tries, the object fails as
 * `BrokenContent`.
 */
export function streaming(job: CopyJob, ways: ActionContext, limits: StreamLimits = STREAM_LIMITS): Action {
  const memory = able(ways.memory, 'stream')
  const { source, destination } = ways
  const small = inOne(job, ways, memory)
  const piped = inPieces(job, ways, memory, limits.part)
  const parts = anewInParts(job, ways, {
    part: limits.part,
    make: (object, head) => sentParts(source, object, head, { memory, piece: limits.part }),
  })
  const write = withAnnotations(job, ways, async (object, race, known) => {
    const passage = passageOf(known ?? object, limits)
    if (passage === 'whole') return await small(at(object, known), known)
    if (destination.uploading === undefined) return await piped(object, known)
    if (passage === 'parts' || known?.manifest === true) return await parts(at(object, known), race)
    // That its ETag is an MD5 indeed, the listing does not tell.
    const head = known ?? (await source.reading.head(object.key, object.version, object))
    const inParts = md5Of(head) === undefined || passageOf(head, limits) === 'parts'
    return await (inParts ? parts(object, race) : piped(object, head))
  })
  const attempt = async (object: ObjectSummary, race: number): Promise<Outcome> => {
    const suspect = mayBeManifest(source, object)
    const known = suspect
      ? await headOf(source, object)
      : race === 0
        ? undefined
        : await source.reading.head(object.key, object.version)
    const etag = await write(object, race, known)
    return { kind: 'copied', etag, ...(known?.manifest === true ? { manifest: asTold(object, known) } : {}) }
  }
  const persist = async (listed: ObjectSummary): Promise<Outcome> => {
    let object = listed
    let before: StorageError | undefined
    for (let broken = 1; ; broken++) {
      try {
        return await unlessChanged((race) => attempt(object, race + broken - 1))
      } catch (error) {
        if (!(error instanceof StorageError)) throw error
        // Where nothing is replaced, what was found broken once it was there is in its own way.
        if (error.code === TAKEN && before !== undefined) throw before
        if (error.code !== 'BrokenContent') throw error
        error.attempts = broken
        if (broken === BROKEN) throw error
        before = error
        // Of what is named and not listed Swift does not tell that its ETag is no MD5.
        if (object.manifest !== true && (await listedAsManifest(source, object))) object = { ...object, manifest: true }
      }
    }
  }
  const check = checkingCopies(job, ways)
  return async (object) => {
    try {
      const outcome = await persist(object)
      if (outcome.kind !== 'copied' || check?.isDue(object) !== true) return outcome
      const looked = await check.outcome(object, outcome.etag ?? '')
      return looked?.kind === 'copied' ? outcome : looked
    } catch (error) {
      return outcomeOf(error, job.source.prefix, object)
    }
  }
}

/** Sends objects in one request. `known` is what HEAD tells, if it was asked. */
function inOne(job: CopyJob, { source, destination }: ActionContext, memory: MemoryBudget) {
  const nameOf = renamer(job.map)
  const writing = able(destination.writing, 'be written to')
  return (object: ObjectSummary, known: ObjectHead | undefined): Promise<string> =>
    memory.holding(object.size, async (room) => {
      const { head, bytes } = await readWhole(source, object, known, room)
      const md5 = md5Of(head)
      const fingerprint = leftToCompare(head)
      fingerprint?.add(bytes)
      if (fingerprint?.matches() === false) throw broken(source, object, fingerprint)
      const fields = vouched(await fieldsOfNew(job.attributes, source, object, head), head)
      if (head.manifest === true) await checkUnchanged(source, asTold(object, head))
      const content: ObjectContent = { size: bytes.length, md5, pieces: () => only(bytes) }
      return await writing.write(nameOf(object.key), content, fields, head.lastModified)
    })
}

async function* only(bytes: Buffer): AsyncGenerator<Buffer> {
  yield await Promise.resolve(bytes)
}

// Where the listing still holds, one request is enough.
async function readWhole(
  { place, reading }: Storage,
  object: ObjectSummary,
  known: ObjectHead | undefined,
  room: Buffer,
): Promise<{ readonly head: ObjectHead; readonly bytes: Buffer }> {
  const { key, version, size } = object
  if (size > 0) {
    const opened = await reading.open(object, room)
    return object.manifest === true ? { ...opened, head: asManifest(opened.head) } : opened
  }
  const head = known ?? (await reading.head(key, version, object))
  if (head.size > 0) throw grown(place.bucket, place.prefix + key)
  return { head, bytes: room }
}

// It is looked at anew, and may have to be read in another way.
function grown(bucket: string, key: string): StorageError {
  return new StorageError('it is no longer empty', {
    ...{ severity: 'fail-object', code: 'PreconditionFailed', operation: 'HeadObject', bucket, key },
  })
}

const CHECKSUM = 'x-amz-checksum-algorithm'

// With content S3 wants the checksum itself, where the source tells it of the whole.
function vouched(fields: HeaderFields, { checksums }: ObjectHead): HeaderFields {
  return fields.flatMap(([name, value]) => {
    if (name !== CHECKSUM) return [[name, value] as const]
    const algorithm = value.toLowerCase()
    const checksum = checksums.get(algorithm)
    return checksum === undefined ? [] : [[`x-amz-checksum-${algorithm}`, checksum] as const]
  })
}

/** Writes objects piece by piece, while they are read. `known` is what HEAD tells, if it was asked. */
function inPieces(job: CopyJob, { source, destination }: ActionContext, memory: MemoryBudget, piece: number) {
  const nameOf = renamer(job.map)
  const writing = able(destination.writing, 'be written to')
  return async (object: ObjectSummary, known: ObjectHead | undefined): Promise<string> => {
    const head = known ?? (await headOf(source, object))
    const { size, lastModified } = head
    const now = at(object, head)
    const fields = vouched(await fieldsOfNew(job.attributes, source, now, head), head)
    // Those that are read ahead, and the one that is being written.
    return await memory.holding(inMemory(size, piece), (room) => {
      const content: ObjectContent = { size, md5: md5Of(head), pieces: () => piecesOf(source, now, head, piece, room) }
      return writing.write(nameOf(object.key), content, fields, lastModified)
    })
  }
}

async function* piecesOf(
  source: Storage,
  object: ObjectSummary,
  head: ObjectHead,
  piece: number,
  room: Buffer,
): AsyncGenerator<Buffer> {
  const fingerprint = leftToCompare(head)
  for await (const bytes of readAhead(source, object, { first: 0, last: object.size - 1 }, piece, room)) {
    fingerprint?.add(bytes)
    yield bytes
  }
  if (fingerprint?.matches() === false) throw broken(source, object, fingerprint)
  if (object.manifest === true) await checkUnchanged(source, object)
}

// A store that takes content in one request compares its MD5 itself.
function leftToCompare(head: ObjectHead): ContentDigest | undefined {
  return md5Of(head) === undefined ? fingerprintOf(head) : undefined
}

// The object as HEAD has it.
function at(object: ObjectSummary, head: ObjectHead | undefined): ObjectSummary {
  return head === undefined ? object : asTold(object, head)
}
