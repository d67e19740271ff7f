import PQueue from 'p-queue'
import { StorageError } from '../errors.js'
import type { HeaderFields, ObjectSummary, Part, Rewriting } from '../storage/storage.js'

/** Least size of a part, in bytes: few requests, and yet some to be under way at once. */
export const PART_SIZE = 512 * 1024 ** 2
const MOST_PARTS = 10_000
/** Parts of one object under way at once. */
const AT_ONCE = 8

/**
 * As `Rewriting.rewrite`, for an object of any size: makes it anew of parts copied from itself. Nothing is inherited then, so `fields` must
 * hold all that it is to have, tags too. What was begun is aborted when it fails.
 */
export async function rewriteInParts(
  rewriting: Rewriting,
  object: ObjectSummary,
  etag: string,
  fields: HeaderFields,
  leastPart = PART_SIZE,
): Promise<string> {
  const { key, size } = object
  const upload = await rewriting.beginParts(key, fields)
  try {
    const parts = await copyParts(rewriting, object, etag, upload, Math.max(leastPart, Math.ceil(size / MOST_PARTS)))
    await checkUnchanged(rewriting, key, etag)
    return await complete(rewriting, key, etag, upload, parts)
  } catch (error) {
    // What is left of it is told by the error that matters.
    await rewriting.abortParts(key, upload).catch(() => undefined)
    throw error
  }
}

async function copyParts(
  rewriting: Rewriting,
  object: ObjectSummary,
  etag: string,
  upload: string,
  partSize: number,
): Promise<Part[]> {
  const queue = new PQueue({ concurrency: AT_ONCE })
  const tasks: (() => Promise<Part>)[] = []
  for (let first = 0; first < object.size; first += partSize) {
    const part = { upload, number: tasks.length + 1, first, last: Math.min(first + partSize, object.size) - 1 }
    tasks.push(() => rewriting.copyPart(object, etag, part))
  }
  try {
    return await queue.addAll(tasks)
  } catch (error) {
    // An upload can only be aborted for good once no part of it is under way.
    queue.clear()
    await queue.onIdle()
    throw error
  }
}

// Parts take minutes, and Ceph knows no condition on any of these requests.
async function checkUnchanged(rewriting: Rewriting, key: string, etag: string): Promise<void> {
  if ((await rewriting.head(key)).etag === etag) return
  throw new StorageError('the object was written by somebody else while its parts were copied', {
    ...{ severity: 'fail-object', code: 'PreconditionFailed', operation: 'HeadObject', bucket: rewriting.bucket, key },
  })
}

// A completion whose answer was lost has taken place, and the upload is gone when it is asked for again.
async function complete(
  rewriting: Rewriting,
  key: string,
  etag: string,
  upload: string,
  parts: readonly Part[],
): Promise<string> {
  try {
    return await rewriting.completeParts(key, etag, upload, parts)
  } catch (error) {
    if (!(error instanceof StorageError) || error.attempts < 2) throw error
    if (error.code !== 'NoSuchUpload' && error.code !== 'PreconditionFailed') throw error
    const now = await rewriting.head(key)
    if (now.etag === etag || !now.etag.endsWith(`-${parts.length}`)) throw error
    return now.etag
  }
}
