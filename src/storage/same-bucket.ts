import { StorageError } from '../errors.js'
import type { Place } from '../job/place.js'
import { probeName } from './unlikely-name.js'
import { able, type ObjectHead, type Storage } from './storage.js'

/** Whether objects of the one place can be objects of the other, if both are in one bucket. */
export function canOverlap(one: Place, other: Place): boolean {
  return one.prefix.startsWith(other.prefix) || other.prefix.startsWith(one.prefix)
}

/**
 * A way in which names of two places may be names of the same objects: `source` and a name, in the source, is what `destination` and that name are in
 * the destination. Both are relative to the place.
 */
export interface Likeness {
  readonly source: string
  readonly destination: string
}

/** The likeness of two places in one bucket of which one lies in the other; undefined where none does. */
export function nestingOf(source: Place, destination: Place): Likeness | undefined {
  if (!canOverlap(source, destination)) return undefined
  return {
    source: destination.prefix.slice(source.prefix.length),
    destination: source.prefix.slice(destination.prefix.length),
  }
}

/**
 * All likenesses that are worth a question before anything is deleted: that of two places in one bucket; that of one place with two names, whatever they
 * are; and that of a place within another, in a store that takes for one what differs in case, in the form of Unicode, in empty folders, or as a proxy may
 * read it.
 */
export function likenessesOf(source: Place, destination: Place): readonly Likeness[] {
  const nesting = nestingOf(source, destination)
  const found: Likeness[] = nesting === undefined ? [] : [nesting]
  if (source.prefix !== destination.prefix) found.push({ source: '', destination: '' })
  if (nesting !== undefined) return found
  const inSource = restBelow(source.prefix, destination.prefix)
  const inDestination = restBelow(destination.prefix, source.prefix)
  if (inSource !== undefined) found.push({ source: inSource, destination: '' })
  if (inDestination !== undefined) found.push({ source: '', destination: inDestination })
  return found
}

// What is left of a prefix behind a beginning that may be the other one; undefined when nothing is, or none may.
function restBelow(above: string, prefix: string): string | undefined {
  const wanted = folded(above)
  for (let end = prefix.length - 1; end > 0; end--) {
    if (folded(prefix.slice(0, end)) === wanted) return folded(prefix.slice(end)) === '' ? undefined : prefix.slice(end)
  }
  return undefined
}

// One text for all that any store or proxy is known to take for one.
function folded(prefix: string): string {
  const parts: string[] = []
  const plain = decoded(prefix).normalize('NFKC').toUpperCase().toLowerCase().replaceAll('\\', '/')
  for (const part of plain.split('/').map((name) => name.replace(/[. ]+$/, (end) => (end === '..' ? end : '')))) {
    if (part === '..') parts.pop()
    else if (part !== '') parts.push(part)
  }
  return parts.join('/')
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** What became known of a likeness. */
export type BucketsFound =
  /** An object of the one is the object of the other. */
  | 'one'
  /** They are two. */
  | 'two'
  /** They are two, and yet one object looks the same in both, its date too: one may follow what is done to the other. */
  | 'replicas'
  /** One object looks the same in both, and nothing more can be told. */
  | 'perhaps'
  | 'unknown'

/**
 * Whether objects of two places are the same ones, which is only reached in two ways: by two names of the bucket or the key, two URLs, as two accounts, by
 * an access point. An object of the source that is not at the destination says no; then an upload that is begun at the destination is looked for at the
 * source. Writes nothing, and begins no upload where it may not write. Rejects when a store does not answer.
 */
export async function areOne(
  source: Storage,
  destination: Storage,
  likeness: Likeness,
  mayWrite: boolean,
): Promise<BucketsFound> {
  const objects = await compare(source, destination, likeness)
  if (objects === 'different') return 'two'
  const shared = mayWrite ? await shareUploads(source, destination, likeness) : undefined
  if (shared === true) return 'one'
  if (objects === 'alike') return shared === false ? 'replicas' : 'perhaps'
  return shared === false ? 'two' : 'unknown'
}

// Undefined when nothing tells.
async function shareUploads(source: Storage, destination: Storage, likeness: Likeness): Promise<boolean | undefined> {
  const prefixes = [source.place.prefix + likeness.source, destination.place.prefix + likeness.destination]
  const name = probeName(...prefixes)
  const [here, there] = [likeness.source + name, likeness.destination + name]
  const writing = able(destination.uploading, 'be written to')
  const reading = able(source.uploading, 'be copied from')
  const upload = await told(writing.begin(there, []))
  if (upload === 'unknown' || upload === 'absent') return undefined
  try {
    const parts = await told(reading.parts(here, upload))
    if (parts === undefined || parts === 'absent') return false
    if (parts === 'unknown') return undefined
    // A store that finds an upload by its id alone, whatever it is said to be of, tells nothing.
    const control = await told(reading.parts(likeness.source + probeName(...prefixes), upload))
    return control === undefined || control === 'absent' ? true : undefined
  } finally {
    // What may not be aborted is empty.
    await told(writing.abort(there, upload))
  }
}

// Whether an object of the source is another one, or none, at the destination.
async function compare(
  source: Storage,
  destination: Storage,
  likeness: Likeness,
): Promise<'different' | 'alike' | 'unknown'> {
  const before = likeness.source
  const { objects } = await source.list({ limit: 1, ...(before === '' ? {} : { after: before }) })
  const [first] = objects
  if (first?.key.startsWith(before) !== true) return 'unknown'
  const name = likeness.destination + first.key.slice(before.length)
  const here = await looked(source.reading.head(first.key))
  const there = await looked(destination.reading.head(name))
  if (typeof here === 'string' || there === 'unknown') return 'unknown'
  if (alike(here, there)) return 'alike'
  // Somebody may have written to it in between.
  return alike(here, await looked(source.reading.head(first.key))) ? 'different' : 'unknown'
}

function alike(one: ObjectHead, other: Told<ObjectHead>): boolean {
  if (typeof other === 'string') return false
  return one.etag === other.etag && one.size === other.size && one.lastModified === other.lastModified
}

type Told<T> = T | 'absent' | 'unknown'

// That no answer comes may be the trouble of this object alone: the store answered when its objects were listed.
async function looked(asked: Promise<ObjectHead>): Promise<Told<ObjectHead>> {
  return await told(asked).catch((error: unknown) => {
    if (error instanceof StorageError && error.key !== undefined && error.status === undefined) return 'unknown'
    throw error
  })
}

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
