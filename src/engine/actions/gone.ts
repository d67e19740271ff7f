import { StorageError } from '../../errors.js'
import type { Outcome } from '../../job/outcome.js'
import { isFolder } from '../../job/place.js'
import type { ObjectSummary, Storage } from '../../storage/storage.js'
import { failed, outcomeOf, unlessGone } from './outcome.js'
import { keyBefore } from './still-listed.js'

/** The code of an object that no request finds, and that the listing shows all the same. */
const LISTED_BUT_NOT_FOUND = 'ListedButNotFound'

const MESSAGE =
  'the listing shows it, and no request finds it: the index of the store may be damaged, or list the key in another form than it has'

type Lists = Pick<Storage, 'place' | 'list' | 'unordered' | 'versions'>

/**
 * What an outcome is once the listing was looked at: an object that was gone and is listed still is acted on once `again`, as it is listed now, and
 * fails when it is not found then either. One that a list `named`, and no listing, fails at once. Any other outcome stays, without a request.
 */
export async function unlessListed(
  store: Lists,
  prefix: string,
  object: ObjectSummary,
  outcome: Outcome | undefined,
  again: ((listed: ObjectSummary) => Promise<Outcome | undefined>) | 'named',
): Promise<Outcome | undefined> {
  if (!isGone(outcome)) return outcome
  try {
    const listed = await listedAs(store, object, again === 'named')
    if (listed === undefined) return outcome
    if (again !== 'named') {
      // It may have been deleted and written anew.
      const second = await again({ ...object, ...listed })
      if (!isGone(second)) return second
      if ((await listedAs(store, object)) === undefined) return outcome
    }
  } catch (error) {
    return unasked(error, prefix, object)
  }
  return failed(prefix, object, { code: LISTED_BUT_NOT_FOUND, message: MESSAGE, status: 404, attempts: 2 })
}

/** Whether an object was passed over because it is gone. */
export function isGone(outcome: Outcome | undefined): boolean {
  return outcome?.kind === 'skipped' && outcome.reason === 'gone'
}

/** The answer, or undefined when the object is gone. One that is listed all the same is an error of the code `ListedButNotFound`. */
export async function unlessTrulyGone<T>(store: Lists, key: string, answer: Promise<T>): Promise<T | undefined> {
  const told = await unlessGone(answer)
  if (told !== undefined || (await listedAs(store, { key })) === undefined) return told
  const { bucket, prefix } = store.place
  throw new StorageError(MESSAGE, {
    ...{ severity: 'fail-object', code: LISTED_BUT_NOT_FOUND, operation: 'HeadObject', bucket, key: prefix + key },
  })
}

// What could not be listed is not known to be gone.
function unasked(error: unknown, prefix: string, object: ObjectSummary): Outcome | undefined {
  if (!(error instanceof StorageError)) throw error
  // The run is ending, or this is asked again later.
  if (error.severity === 'retry' || error.severity === 'throttle' || error.severity === 'later') {
    return outcomeOf(error, prefix, object)
  }
  const message = `it is not found, and whether it is listed still cannot be told: ${error.message}`
  return failed(prefix, object, { code: 'NoSuchKey', message, status: 404, operation: error.operation, attempts: 1 })
}

/**
 * The object, or the version of it, as a listing of its key shows it now; undefined when none does. A store that lists a key in another form than
 * it has finds nothing by the prefix that is the key; so the page is asked for on which it would stand.
 */
export async function listedAs(
  store: Lists,
  { key, version }: Pick<ObjectSummary, 'key' | 'version'>,
  named = false,
): Promise<ObjectSummary | undefined> {
  // What a disk does not open is not there.
  if (isFolder(store.place)) return undefined
  if (version !== undefined) return await listedVersion(store, key, version)
  const [first] = (await store.list({ within: key, limit: 1 })).objects
  if (first?.key === key) return first
  // Where there is no order there is no page on which it would stand.
  if (named || store.unordered !== undefined) return undefined
  const { objects } = await store.list({ after: keyBefore(key, store.place.prefix), limit: AROUND })
  const near = objects.find((object) => object.key === key)
  const plain = PLAIN.exec(key)?.[0] ?? ''
  if (near !== undefined || plain === key) return near
  // From the first character on that has several forms it may stand anywhere.
  const page = await store.list({ within: plain })
  return page.objects.find((object) => object.key === key)
}

/** Keys that may stand between where a key belongs and where it is listed. */
const AROUND = 100
/** What no store writes in another way. */
const PLAIN = /^(?:[0-9A-Za-z_.-]|\/(?!\/))*/

async function listedVersion({ versions }: Lists, key: string, version: string): Promise<ObjectSummary | undefined> {
  if (versions === undefined) return undefined
  for (let page = await versions.list(undefined, key); ; page = await versions.list(page.next, key)) {
    const found = page.versions.find((one) => one.key === key && one.version === version)
    if (found !== undefined || page.next?.key !== key) return found
  }
}
