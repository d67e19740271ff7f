import { StorageError } from '../../errors.js'
import { isFolder } from '../../job/place.js'
import { compareKeys, keyBytes } from '../../keys.js'
import { timeOf } from '../../times.js'
import { sleep } from '../../abort.js'
import type { ObjectSummary, Removal, Storage } from '../../storage/storage.js'

/** An object that the store said it removed. */
export interface Removed extends Pick<Removal, 'key' | 'version'> {
  /** As it was listed before, where it was: what is listed otherwise now was written since. */
  readonly listed?: Pick<ObjectSummary, 'etag' | 'lastModified'> | undefined
}

/** Listings for one answer to DeleteObjects, at most: of keys that lie far apart some are not looked for. */
const MOST_LISTINGS = 32
/** A store may take so long, in milliseconds, until its listings know of what it removed: 12 seconds in all. */
const PAUSES = [100, 400, 1_500, 4_000, 6_000]

/** Looks for objects that a store said it removed: an error for each that its listing shows still, by index. */
export type CheckRemoved = (removed: readonly Removed[]) => Promise<ReadonlyMap<number, StorageError>>

/**
 * Checks removals by listings of the ranges of keys in which they were: where all is removed, one listing of one key for all of them. Where
 * nobody may list, the listing has no order, or the store is a folder, nothing is asked.
 */
export function checkingRemovals(store: Storage, stop?: AbortSignal, pauses = PAUSES): CheckRemoved {
  let able = !isFolder(store.place) && store.unordered === undefined
  const { bucket, prefix } = store.place
  return async (removed) => {
    const errors = new Map<number, StorageError>()
    if (!able) return errors
    let left = [...removed.keys()]
    try {
      for (let tried = 0; ; tried++) {
        left = await listedOf(store, removed, left)
        const pause = pauses[tried]
        if (left.length === 0 || pause === undefined) break
        await sleep(pause, stop ?? NEVER)
        if (stop?.aborted === true) throw ending(store)
      }
    } catch (error) {
      if (!isRefusal(error)) throw error
      able = false
      return errors
    }
    for (const index of left) {
      const { key = '' } = removed[index] ?? {}
      const message = 'the store answered that it was deleted, and lists it still'
      const details = { severity: 'fail-object', code: STILL_LISTED, operation: 'DeleteObjects', bucket } as const
      errors.set(index, new StorageError(message, { ...details, key: prefix + key, status: 200 }))
    }
    return errors
  }
}

/** The code of what was removed, as the store says, and is listed still. */
const STILL_LISTED = 'StillListed'

const NEVER = new AbortController().signal

// What these credentials may not ask, or the store does not know.
function isRefusal(error: unknown): boolean {
  if (!(error instanceof StorageError) || (error.severity !== 'stop-run' && error.severity !== 'fail-object'))
    return false
  return error.status !== undefined && error.status >= 400 && error.status < 500
}

function ending({ place: { bucket } }: Storage): StorageError {
  return new StorageError('the run is ending', {
    ...{ severity: 'retry', code: 'Interrupted', operation: 'ListObjectsV2', bucket },
  })
}

/** What a page shows, and how far it reaches: to its last key, or to the end. */
interface Shown {
  readonly objects: readonly (Pick<ObjectSummary, 'key' | 'etag' | 'lastModified'> & { readonly version?: string })[]
  readonly last: string | undefined
}

/** The page that begins with a key. */
type Show = (from: string, limit: number) => Promise<Shown>

async function listedOf(store: Storage, removed: readonly Removed[], indexes: readonly number[]): Promise<number[]> {
  const { versions, place } = store
  const isVersion = (index: number): boolean => removed[index]?.version !== undefined
  const ofObjects: Show = async (from, limit) => {
    const { objects, truncated } = await store.list({ after: keyBefore(from, place.prefix), limit })
    return { objects, last: truncated ? objects.at(-1)?.key : undefined }
  }
  const found = await shown(
    ofObjects,
    indexes.filter((index) => !isVersion(index)),
    removed,
  )
  if (versions === undefined) return found
  const ofVersions: Show = async (from, limit) => {
    const after = keyBefore(from, place.prefix)
    const page = await versions.list(after === undefined ? undefined : { key: after }, '', limit)
    return { objects: page.versions, last: page.next?.key }
  }
  return [...found, ...(await shown(ofVersions, indexes.filter(isVersion), removed))]
}

// From one of the keys to the next that the pages so far do not reach.
async function shown(show: Show, indexes: readonly number[], removed: readonly Removed[]): Promise<number[]> {
  const wanted = indexes
    .flatMap((index) => (removed[index] === undefined ? [] : [{ index, object: removed[index] }]))
    .sort((a, b) => compareKeys(a.object.key, b.object.key))
  const byName = new Map(wanted.map((one) => [nameOf(one.object), one]))
  const found: number[] = []
  const largest = wanted.at(-1)?.object.key ?? ''
  let [at, limit] = [0, 1]
  for (let listings = 0; at < wanted.length && listings < MOST_LISTINGS; listings++) {
    const { objects, last } = await show(wanted[at]?.object.key ?? '', limit)
    for (const object of objects) {
      const one = byName.get(nameOf(object))
      if (one === undefined || !isSame(one.object, object)) continue
      found.push(one.index)
      byName.delete(nameOf(object))
    }
    if (last === undefined) break
    while (at < wanted.length && compareKeys(wanted[at]?.object.key ?? '', last) <= 0) at++
    // Others are among them.
    if (compareKeys(last, largest) < 0) limit = MOST_KEYS
  }
  return found
}

const MOST_KEYS = 1_000

function nameOf({ key, version }: { readonly key: string; readonly version?: string | undefined }): string {
  return version === undefined ? key : `${key}\n${version}`
}

// What is not known is not taken for another: it is told of rather than believed removed.
function isSame({ listed }: Removed, now: Pick<ObjectSummary, 'etag' | 'lastModified'>): boolean {
  if (listed === undefined) return true
  if (listed.etag !== '' && now.etag !== '' && listed.etag !== now.etag) return false
  const [before, after] = [timeOf(listed.lastModified), timeOf(now.lastModified)]
  return Number.isNaN(before) || Number.isNaN(after) || before === after
}

/**
 * A key right before another, below the prefix of a place, for a listing that begins with that: nothing is between but what nobody calls
 * anything. Undefined before the empty key.
 */
export function keyBefore(key: string, prefix: string): string | undefined {
  if (key === '') return undefined
  const units = PAIR.test(key) ? 2 : 1
  const rest = key.slice(0, -units)
  const code = key.codePointAt(key.length - units) ?? 0
  if (code === 0) return rest
  const before = rest + String.fromCodePoint(code === 0xe000 ? 0xd7ff : code - 1)
  return keyBytes(prefix + before) + HIGHEST_BYTES > LONGEST ? before : before + HIGHEST
}

const PAIR = /[\ud800-\udbff][\udc00-\udfff]$/
const HIGHEST = '\u{10ffff}'
const HIGHEST_BYTES = 4
/** Of a key, in bytes. */
const LONGEST = 1_024
