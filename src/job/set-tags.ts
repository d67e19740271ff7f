import { keyListShape, type KeyList } from './files-from.js'
import type { WriteKind } from './kind.js'
import { headerShape } from './object-attributes.js'
import { placeShape, type Place } from './place.js'
import { flag, list, oneOf, shape, text } from './schema.js'
import { selectionShape, type Selection } from './selection.js'

/** What S3 allows for the tags of an object: how many, and how many UTF-16 units a name and a value may have. */
export const TAG_LIMITS = { tags: 10, name: 128, value: 256 } as const

/** Change the tags of every object below `source`, in place: nothing is rewritten. */
export interface SetTagsJob {
  readonly kind: 'set-tags'
  readonly source: Place
  readonly list?: KeyList
  readonly select?: Selection
  /** Each version of an object, delete markers apart. */
  readonly versions?: boolean
  /** Tags that objects are to have. */
  readonly set: readonly (readonly [name: string, value: string])[]
  /** Names of tags that they are not to have. */
  readonly remove: readonly string[]
  /** They are to have no others than those of `set`. */
  readonly replace?: boolean
}

export const SET_TAGS: WriteKind<SetTagsJob> = {
  shape: shape<SetTagsJob>(
    { kind: oneOf('set-tags'), source: placeShape, set: list(headerShape), remove: list(text) },
    { list: keyListShape, select: selectionShape, versions: flag, replace: flag },
  ),
  verb: 'setting tags',
  adjustable: ['concurrency'],
  preposition: ' of',
  done: 'tagged',
  task: 'tag',
  sets: 'tags',
  updates: () => 'PutObjectTagging',
  listsVersions: true,
  needsNamesOnly: true,
  repeats: { all: 'go over all of it once more' },
  parts: ({ select, versions, set, remove, replace }) => [
    ['objects', { ...select, ...(versions === true ? { versions: true } : {}) }],
    ['changes', { set, remove, replace: replace ?? false }],
  ],
}

/** A change of tags. */
export function setTagsOf(job: Omit<SetTagsJob, 'kind'>): SetTagsJob {
  return { kind: 'set-tags', ...job }
}

/** Whether a job changes tags, and nothing else. */
export function isSetTags(job: { readonly kind: string }): job is SetTagsJob {
  return job.kind === 'set-tags'
}
