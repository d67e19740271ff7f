import type { SkipReason } from '../job/outcome.js'
import type { HeaderRule, ObjectMatch, SetHeadersJob } from '../job/set-headers.js'
import { decodedWords, isSameHeader } from '../rfc2047.js'
import { timeOf } from '../times.js'
import { saysNothing, typeOf } from './content-types.js'
import { matchesGlob } from './glob.js'

/** An object as a listing shows it, with its full key. */
export interface ListedObject {
  readonly key: string
  readonly size: number
  /** ISO 8601. */
  readonly lastModified: string
  readonly storageClass: string
}

/** Headers by lower-case name, one byte a character. */
export type Headers = ReadonlyMap<string, string>

/** One header, before and after; undefined where it is not there. */
export interface Change {
  readonly name: string
  readonly from: string | undefined
  readonly to: string | undefined
}

/** Why an object is left as it is. */
export interface Untouched {
  readonly kind: 'skip'
  readonly reason: SkipReason
}

/** What is to be done with an object. */
export type Decision =
  Untouched | { readonly kind: 'rewrite'; readonly headers: Headers; readonly changes: readonly Change[] }

/** Which objects are to be changed, and their headers how. */
type HeaderChanges = Pick<SetHeadersJob, 'rules' | 'guess' | 'folderMarkers'>

/** Decides what a listing alone can tell; undefined when the object must be looked at. */
export function decideByListing(
  job: Pick<HeaderChanges, 'rules' | 'folderMarkers'>,
  object: ListedObject,
): Untouched | undefined {
  if (!job.folderMarkers && object.size === 0 && object.key.endsWith('/')) {
    return { kind: 'skip', reason: 'folder-marker' }
  }
  return job.rules.some(({ match }) => match === undefined || listingMatches(match, object))
    ? undefined
    : { kind: 'skip', reason: 'no-rule' }
}

/** Decides which headers an object is to have, given those that it has. */
export function decide(job: Pick<HeaderChanges, 'rules' | 'guess'>, object: ListedObject, headers: Headers): Decision {
  const rule = job.rules.find(({ match }) => match === undefined || matches(match, object, headers))
  if (rule === undefined) return { kind: 'skip', reason: 'no-rule' }
  const wanted = applied(rule, headers)
  if (job.guess !== undefined && !rule.set.some(([name]) => name === TYPE)) {
    const type = job.guess === 'always' || saysNothing(wanted.get(TYPE)) ? typeOf(object.key) : undefined
    if (type !== undefined) wanted.set(TYPE, type)
  }
  const changes = differences(headers, wanted)
  if (changes.length === 0) return { kind: 'skip', reason: 'unchanged' }
  return { kind: 'rewrite', headers: wanted, changes }
}

const TYPE = 'content-type'

/** The headers of an object once a rule was applied to them. */
export function applied({ set, remove, ifUnset }: HeaderRule, headers: Headers): Map<string, string> {
  const wanted = new Map(headers)
  for (const name of remove) wanted.delete(name)
  for (const [name, value] of set) if (ifUnset !== true || !wanted.has(name)) wanted.set(name, value)
  return wanted
}

function differences(before: Headers, after: Headers): Change[] {
  const changes: Change[] = []
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const [from, to] = [before.get(name), after.get(name)]
    if (!isSameHeader(name, from, to)) changes.push({ name, from: shown(from), to: shown(to) })
  }
  return changes
}

function matches(match: ObjectMatch, object: ListedObject, headers: Headers): boolean {
  const { contentType, has = [], lacks = [] } = match
  return (
    listingMatches(match, object) &&
    anyOf(contentType, text(headers.get(TYPE) ?? '')) &&
    has.every(([name, glob]) => headers.has(name) && matchesGlob(glob, text(decodedWords(headers.get(name) ?? '')))) &&
    !lacks.some((name) => headers.has(name))
  )
}

function listingMatches(match: ObjectMatch, { key, size, lastModified, storageClass }: ListedObject): boolean {
  const { minSize = 0, maxSize = Infinity, modifiedSince, modifiedBefore } = match
  const modified = timeOf(lastModified)
  return (
    anyOf(match.key, key) &&
    anyOf(match.storageClass, storageClass) &&
    size >= minSize &&
    size <= maxSize &&
    (modifiedSince === undefined || modified >= timeOf(modifiedSince)) &&
    (modifiedBefore === undefined || modified < timeOf(modifiedBefore))
  )
}

function anyOf(globs: readonly string[] | undefined, value: string): boolean {
  return globs === undefined || globs.some((glob) => matchesGlob(glob, value))
}

// People think in text, HTTP in bytes.
function text(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString()
}

function shown(bytes: string | undefined): string | undefined {
  return bytes === undefined ? undefined : text(bytes)
}
