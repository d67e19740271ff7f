import PQueue from 'p-queue'
import { StorageError } from '../../errors.js'
import type { UploadState } from '../../checkpoint/checkpoint.js'
import { able, type HeaderFields, type ObjectHead, type ObjectSummary, type Storage } from '../../storage/storage.js'
import { NO_PART_COPY, type Part, type PartRange, type Uploading } from '../../storage/parts.js'
import { LARGEST_PART } from '../../job/transfer.js'
import { TAKEN } from './outcome.js'
import { asOne } from './as-one.js'
import type { SharedUpload } from './context.js'

/** The largest object that one CopyObject request may copy. */
const COPY_LIMIT = 5 * 1024 ** 3
/** Least size of a part that is copied inside a store, in bytes: few requests, and yet some to be under way at once. */
const PART_SIZE = 512 * 1024 ** 2
/** How many parts S3 allows. */
const MOST_PARTS = 10_000

/** Sizes in bytes. */
export interface Limits {
  /** The largest object that is copied in one request. */
  readonly copy: number
  /** The least size of a part of a larger one, where nobody asks for another. */
  readonly part: number
}

/** Those of S3. */
export const LIMITS: Limits = { copy: COPY_LIMIT, part: PART_SIZE }

/** Parts of one object under way at once. */
const AT_ONCE = 8

/** How parts are made where they are not copied inside a store. */
export interface MakeParts {
  /** Makes one, or keeps the one that is there from before; called in the order of the parts, several at once. */
  make(uploading: Uploading, part: PartRange, there: Part | undefined): Promise<Part>
  /** Called when all are there, before they become the object: throws when they must not. */
  check(): void
  /** Called with the ETag of the object that they became: throws when that cannot be. */
  made(etag: string): void
}

/** An object that is to be made of parts. */
export interface InParts {
  readonly source: Storage
  readonly destination: Storage
  /** As HEAD told it, with the ETag and the date that it must have all the while. */
  readonly object: ObjectSummary
  /** Its name at the destination. */
  readonly key: string
  /** All that it is to have, tags too: nothing is inherited. */
  readonly fields: HeaderFields
  /** On what it is put in its place, such as `If-Match`. */
  readonly conditions: HeaderFields
  /** Wanted, in bytes; it is more where there would be too many. */
  readonly partSize: number
  /** An upload of before to go on with, if it is still there. */
  readonly before?: UploadState | undefined
  /** Told of the upload; nothing is in it before the answer. */
  readonly begun?: ((upload: UploadState) => Promise<void>) | undefined
  readonly shared?: SharedUpload | undefined
  /** Anew for each upload. Absent: they are copied inside the store. */
  readonly makeParts?: (() => MakeParts) | undefined
  /** When aborted, no further part is begun and the upload is aborted, unless it is kept: an error of severity `retry`. */
  readonly stop?: AbortSignal | undefined
}

/** The size of the parts of an object of `size` bytes. */
export function partSizeFor(size: number, wanted: number, most = MOST_PARTS): number {
  return Math.max(wanted, Math.ceil(size / most))
}

/** How often an upload is begun anew because there were too many parts in it. */
const FEWER = 3

/** One upload. */
type Attempt = InParts & { readonly parts: MakeParts | undefined }

/**
 * Makes an object of any size in parts. What was begun is aborted when it fails; where a store takes fewer parts than S3 it is begun anew with larger
 * ones. Answers the ETag of the copy.
 */
export async function copyInParts(work: InParts): Promise<string> {
  for (let attempt = 1, { before } = work; ; attempt++, before = undefined) {
    try {
      return await inOneUpload({ ...work, before, parts: work.makeParts?.() })
    } catch (error) {
      if (before !== undefined && isTakenAway(error)) continue
      if (!(error instanceof TooManyParts)) throw error
      if (attempt > FEWER) throw error.refusal
    }
  }
}

/** What it looks like where somebody whose upload it was goes on with it still: it was completed or aborted, or a part of it made anew. */
const TAKEN_AWAY: ReadonlySet<string> = new Set(['NoSuchUpload', 'InvalidPart'])

function isTakenAway(error: unknown): boolean {
  return error instanceof StorageError && TAKEN_AWAY.has(error.code)
}

async function inOneUpload(work: Attempt): Promise<string> {
  const { destination, key } = work
  const uploading = able(destination.uploading, 'make objects of parts')
  const { upload, present } = await begin(work, uploading)
  try {
    const parts = await makeParts(work, uploading, upload, present)
    work.parts?.check()
    await work.shared?.pass()
    // From now on it is others that may complete it.
    if (work.stop?.aborted === true && isKept(work)) throw ending(work.source, work.object)
    return await complete(work, upload, parts)
  } catch (error) {
    // What has come of it in another way before can be gone on with in that way.
    const isOfBefore = error instanceof StorageError && error.code === NO_PART_COPY && upload === work.before
    const isLeft = isKept(work) && error instanceof StorageError && isOfTheEnd(error)
    // What is left of it is told by the error that matters.
    if (!isOfBefore && !isLeft) await uploading.abort(key, upload.id).catch(() => undefined)
    throw explained(error, upload)
  }
}

/** A part was refused for its number. */
class TooManyParts extends Error {
  constructor(readonly refusal: StorageError) {
    super(refusal.message, { cause: refusal })
  }
}

/** So many parts every store is known to take. */
const SURE_PARTS = 100

// Stores say InvalidArgument of the number of a part, as of much else; what they say it of is in their words, if anywhere.
function isForNumber(error: unknown, number: number): error is StorageError {
  if (!(error instanceof StorageError) || error.status !== 400 || number < 2) return false
  const { code, message } = error
  return (
    code === 'InvalidPartNumber' || /part.?number/i.test(message) || (code === 'InvalidArgument' && number > SURE_PARTS)
  )
}

// Stores differ in how small and how large parts may be.
function explained(error: unknown, { partSize }: UploadState): unknown {
  if (!(error instanceof StorageError)) return error
  const other = error.code === 'EntityTooSmall' ? 'larger' : error.code === 'EntityTooLarge' ? 'smaller' : undefined
  if (other === undefined) return error
  return error.with({
    severity: 'fail-object',
    message: `${error.message} (its parts have ${partSize} bytes: ${other} ones are made with --part-size)`,
  })
}

async function begin(
  { source, destination, object, key, fields, partSize, before, begun, stop }: Attempt,
  uploading: Uploading,
): Promise<{ upload: UploadState; present: ReadonlyMap<number, Part> }> {
  const { etag, lastModified } = object
  // Where no date is told, nobody knows whether its headers are those of then.
  if (before?.etag === etag && before.lastModified === lastModified && lastModified !== '') {
    const present = await uploading.parts(key, before.id)
    if (present !== undefined) return { upload: before, present }
  } else if (before !== undefined) await uploading.abort(key, before.id)
  const most = (await uploading.limits?.most(Math.ceil(object.size / partSize))) ?? MOST_PARTS
  const size = partSizeFor(object.size, partSize, most)
  if (size > LARGEST_PART) throw tooLarge(destination, key, object.size, most)
  if (stop?.aborted === true) throw ending(source, object)
  const id = await uploading.begin(key, fields)
  const upload = { id, partSize: size, etag, lastModified }
  await begun?.(upload)
  return { upload, present: new Map() }
}

function tooLarge({ place }: Storage, key: string, size: number, most: number): StorageError {
  const error = new StorageError(`${size} bytes are more than ${most} parts of 5 GiB can hold`, {
    ...{ severity: 'fail-object', code: 'EntityTooLarge', operation: 'CreateMultipartUpload', bucket: place.bucket },
    key: place.prefix + key,
  })
  error.attempts = 0
  return error
}

type PartsWork = Pick<InParts, 'source' | 'object' | 'key' | 'stop' | 'shared'> & {
  readonly parts?: Pick<MakeParts, 'make'> | undefined
}

async function makeParts(
  { source, object, key, stop, shared, parts: makes = copies(source, object) }: PartsWork,
  uploading: Uploading,
  { id, partSize }: UploadState,
  present: ReadonlyMap<number, Part>,
): Promise<Part[]> {
  const queue = new PQueue({ concurrency: AT_ONCE })
  const tasks: (() => Promise<Part>)[] = []
  let refused: { readonly number: number; readonly error: StorageError } | undefined
  for (let first = 0; first < object.size; first += partSize) {
    const last = Math.min(first + partSize, object.size) - 1
    const number = tasks.length + 1
    const found = present.get(number)
    const there = found?.size === last - first + 1 ? found : undefined
    tasks.push(async () => {
      await shared?.pass()
      if (stop?.aborted === true) throw ending(source, object)
      try {
        return await makes.make(uploading, { key, upload: id, number, first, last }, there)
      } catch (error) {
        if (isForNumber(error, number) && !(refused !== undefined && refused.number < number)) {
          refused = { number, error }
        }
        throw error
      }
    })
  }
  try {
    return await queue.addAll(tasks)
  } catch (error) {
    // An upload can only be aborted for good once no part of it is under way.
    queue.clear()
    await queue.onIdle()
    if (refused === undefined || uploading.limits === undefined) throw error
    uploading.limits.learn(refused.number - 1)
    throw new TooManyParts(refused.error)
  }
}

function copies(source: Storage, object: ObjectSummary): Pick<MakeParts, 'make'> {
  return {
    make: async (uploading, part, there) => there ?? (await uploading.copyPart(source, object, part)),
  }
}

function isKept({ shared }: InParts): boolean {
  return shared?.isKept() === true
}

// What is thrown while the work is ending, or ends it, and says nothing of the object.
function isOfTheEnd({ severity }: StorageError): boolean {
  return severity === 'retry' || severity === 'throttle' || severity === 'stop-run'
}

function ending({ place }: Storage, { key }: ObjectSummary): StorageError {
  return new StorageError('the run is ending', {
    ...{ severity: 'retry', code: 'Interrupted', operation: 'UploadPartCopy', bucket: place.bucket },
    key: place.prefix + key,
  })
}

/**
 * Fails with the code `PreconditionFailed` unless an object has the ETag and the date that HEAD told of it before. Parts take minutes, and Ceph knows
 * no condition on any of their requests.
 */
export async function checkUnchanged(source: Storage, object: ObjectSummary): Promise<void> {
  const { place, reading } = source
  const { etag, lastModified } = await reading.head(object.key, object.version, object)
  // Headers that somebody changed meanwhile show in the date alone.
  if (etag === object.etag && lastModified === object.lastModified) return
  throw new StorageError('the object was written by somebody else while it was copied', {
    ...{ severity: 'fail-object', code: 'PreconditionFailed', operation: 'HeadObject', bucket: place.bucket },
    key: place.prefix + object.key,
  })
}

// A completion whose answer was lost has taken place, and the upload is gone when it is asked for again. What it replaces, where an object is made
// anew in its own place, must not have been written by then, and a store may ignore the condition that says so.
async function complete(work: Attempt, { id }: UploadState, parts: readonly Part[]): Promise<string> {
  const { source, destination, object, key, conditions } = work
  const put = async (from: Storage, to: Storage): Promise<string> => {
    await checkUnchanged(from, object)
    return await able(to.uploading, 'make objects of parts').complete(key, id, parts, conditions)
  }
  try {
    const etag = await (source === destination ? asOne(source, (once) => put(once, once)) : put(source, destination))
    if (etag === '') return await etagAsSeen(work, parts)
    work.parts?.made(etag)
    return etag
  } catch (error) {
    if (!(error instanceof StorageError) || error.attempts < 2) throw error
    if (!PERHAPS_DONE.has(error.code)) throw error
    const now = await destination.reading.head(key)
    if (!isMadeOf(work, parts, now)) throw error
    // As long as the upload is there, it is not what became the object.
    if ((await able(destination.uploading, 'make objects of parts').parts(key, id)) !== undefined) throw error
    return now.etag
  }
}

/** How a completion is refused that has taken place before. */
const PERHAPS_DONE: ReadonlySet<string> = new Set(['NoSuchUpload', 'PreconditionFailed', TAKEN])
// Where the answer does not say what was made, only what is there can.
async function etagAsSeen(work: Attempt, parts: readonly Part[]): Promise<string> {
  const { destination, key } = work
  const now = await destination.reading.head(key)
  if (isMadeOf(work, parts, now)) return now.etag
  throw new StorageError('the completion was answered without an ETag, and what is there is not of these parts', {
    ...{ severity: 'fail-object', code: 'CopyNotProven', operation: 'CompleteMultipartUpload' },
    ...{ bucket: destination.place.bucket, key: destination.place.prefix + key },
  })
}

function isMadeOf({ object, parts: makes }: Attempt, parts: readonly Part[], now: ObjectHead): boolean {
  if (now.size !== object.size || !now.etag.endsWith(`-${parts.length}`)) return false
  if (now.etag === object.etag && now.lastModified === object.lastModified) return false
  return makes === undefined || proves(makes, now.etag)
}

function proves(parts: MakeParts, etag: string): boolean {
  try {
    parts.made(etag)
    return true
  } catch {
    return false
  }
}
