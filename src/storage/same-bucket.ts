import { randomUUID } from 'node:crypto'
import { StorageError } from '../errors.js'
import type { Place } from '../job.js'
import { able, type ObjectHead, type Storage } from './storage.js'

/** Whether objects of the one place can be objects of the other, if both are in one bucket. */
export function canOverlap(one: Place, other: Place): boolean {
  return one.prefix.startsWith(other.prefix) || other.prefix.startsWith(one.prefix)
}

/**
 * Whether two places, of which `canOverlap` is true, are in one bucket that is only reached by two ways: by two URLs, as two accounts, by
 * an access point. An object of the source that is not at the destination says no; then an upload that is begun at the destination is looked for at the
 * source. Writes nothing, and begins no upload where it may not write. Undefined when nothing tells. Rejects when a store does not answer.
 */
export async function isOneBucket(
  source: Storage,
  destination: Storage,
  mayWrite: boolean,
): Promise<boolean | undefined> {
  const { prefix } = source.place.prefix.length < destination.place.prefix.length ? destination.place : source.place
  if (await differ(source, destination, prefix)) return false
  if (!mayWrite) return undefined
  const key = `${prefix}s3move-probe-${randomUUID()}`
  const writing = able(destination.uploading, 'be written to')
  const upload = await writing.begin(nameIn(destination, key), [])
  try {
    const parts = await told(able(source.uploading, 'be copied from').parts(nameIn(source, key), upload))
    return parts === 'unknown' ? undefined : parts instanceof Map
  } finally {
    await writing.abort(nameIn(destination, key), upload)
  }
}

function nameIn({ place }: Storage, key: string): string {
  return key.slice(place.prefix.length)
}

// Whether an object of the source is another one, or none, at the destination.
async function differ(source: Storage, destination: Storage, prefix: string): Promise<boolean> {
  const before = nameIn(source, prefix)
  const { objects } = await source.list({ limit: 1, ...(before === '' ? {} : { after: before }) })
  const [first] = objects
  const key = source.place.prefix + (first?.key ?? '')
  if (first === undefined || !key.startsWith(prefix)) return false
  const head = (store: Storage): Promise<Told<ObjectHead>> => told(store.reading.head(nameIn(store, key)))
  const here = await head(source)
  const there = await head(destination)
  if (typeof here === 'string' || there === 'unknown' || alike(here, there)) return false
  // Somebody may have written to it in between.
  return alike(here, await head(source))
}

function alike(one: ObjectHead, other: Told<ObjectHead>): boolean {
  if (typeof other === 'string') return false
  return one.etag === other.etag && one.size === other.size && one.lastModified === other.lastModified
}

type Told<T> = T | 'absent' | 'unknown'

// What a store does not let these credentials know is no reason to end here.
async function told<T>(asked: Promise<T>): Promise<Told<T>> {
  try {
    return await asked
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    if (error.severity === 'skip') return 'absent'
    if (error.severity === 'fail-object') return 'unknown'
    throw error
  }
}
