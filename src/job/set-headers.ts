import { keyListShape, type KeyList } from './files-from.js'
import type { WriteKind } from './kind.js'
import { headerShape } from './object-attributes.js'
import { placeShape, type Place } from './place.js'
import { checkCount, flag, list, oneOf, shape, text, time } from './schema.js'
import { selectionShape, type Selection } from './selection.js'

/** Which objects a rule is for. Every condition that is there must hold; of a list, one of its items. */
export interface ObjectMatch {
  /** Globs on the full key. */
  readonly key?: readonly string[]
  readonly contentType?: readonly string[]
  readonly storageClass?: readonly string[]
  /** Least and largest size, in bytes. */
  readonly minSize?: number
  readonly maxSize?: number
  /** ISO 8601: last modified at this moment or later, and before this moment. */
  readonly modifiedSince?: string
  readonly modifiedBefore?: string
  /** Headers that are there with a value that the glob matches. */
  readonly has?: readonly (readonly [name: string, glob: string])[]
  /** Headers that are not there. */
  readonly lacks?: readonly string[]
}

/** What to change on the objects that it matches. Headers by lower-case name; user metadata is `x-amz-meta-NAME`. */
export interface HeaderRule {
  readonly match?: ObjectMatch
  readonly set: readonly (readonly [name: string, value: string])[]
  readonly remove: readonly string[]
  /** Set only what is not there. */
  readonly ifUnset?: boolean
}

/** Change headers of every object below `source`, in place. */
export interface SetHeadersJob {
  readonly kind: 'set-headers'
  readonly source: Place
  /** What of the objects rules are asked about. */
  readonly select?: Selection
  readonly list?: KeyList
  /** The first that matches an object is applied; an object that none matches is skipped. */
  readonly rules: readonly HeaderRule[]
  /** Set Content-Type by the key's extension: where it is missing or says nothing, or everywhere. */
  readonly guess?: 'missing' | 'always'
  /** Change folder markers too: empty objects whose key ends in a slash. */
  readonly folderMarkers: boolean
  /** Access control lists: `preserve` them, let S3 `reset` them, or a canned list for all; absent where the bucket has none. */
  readonly acl?: string
}

const matchShape = shape<ObjectMatch>(
  {},
  {
    ...{ key: list(text), contentType: list(text), storageClass: list(text), minSize: checkCount, maxSize: checkCount },
    ...{ modifiedSince: time, modifiedBefore: time, has: list(headerShape), lacks: list(text) },
  },
)
const ruleShape = shape<HeaderRule>(
  { set: list(headerShape), remove: list(text) },
  { match: matchShape, ifUnset: flag },
)

export const SET_HEADERS: WriteKind<SetHeadersJob> = {
  shape: shape<SetHeadersJob>(
    { kind: oneOf('set-headers'), source: placeShape, rules: list(ruleShape), folderMarkers: flag },
    { select: selectionShape, list: keyListShape, guess: oneOf('missing', 'always'), acl: text },
  ),
  verb: 'setting headers',
  adjustable: ['concurrency'],
  inShards: true,
  preposition: ' of',
  done: 'rewritten',
  task: 'rewrite',
  sets: 'headers',
  repeats: { all: 'go over all of it once more' },
  parts: ({ select, rules, guess, folderMarkers, acl }) => [
    ['objects', select ?? {}],
    ['changes', { rules, guess: guess ?? null, folderMarkers, acl: acl ?? null }],
  ],
}

/** A change of headers. */
export function setHeadersOf(job: Omit<SetHeadersJob, 'kind'>): SetHeadersJob {
  return { kind: 'set-headers', ...job }
}

/** Whether a job changes headers. */
export function isSetHeaders(job: { readonly kind: string }): job is SetHeadersJob {
  return job.kind === 'set-headers'
}
