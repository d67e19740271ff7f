import { keyListShape, type KeyList } from './files-from.js'
import type { WriteKind } from './kind.js'
import { placeShape, type Place } from './place.js'
import { flag, oneOf, shape, text } from './schema.js'
import { selectionShape, type Selection } from './selection.js'

/** Rewrite every object below `source` in another storage class, in place. */
export interface SetStorageClassJob {
  readonly kind: 'set-storage-class'
  readonly source: Place
  readonly select?: Selection
  readonly list?: KeyList
  readonly storageClass: string
  /** Folder markers too: empty objects whose key ends in a slash. */
  readonly folderMarkers: boolean
  /** As that of `SetHeadersJob`. */
  readonly acl?: string
}

export const SET_STORAGE_CLASS: WriteKind<SetStorageClassJob> = {
  shape: shape<SetStorageClassJob>(
    { kind: oneOf('set-storage-class'), source: placeShape, storageClass: text, folderMarkers: flag },
    { select: selectionShape, list: keyListShape, acl: text },
  ),
  verb: 'setting the storage class',
  adjustable: ['concurrency'],
  inShards: true,
  preposition: ' of',
  done: 'rewritten',
  task: 'rewrite',
  sets: 'the storage class',
  repeats: { all: 'go over all of it once more' },
  parts: ({ select, storageClass, folderMarkers, acl }) => [
    ['objects', select ?? {}],
    ['changes', { storageClass, folderMarkers, acl: acl ?? null }],
  ],
}

/** A change of the storage class. */
export function setStorageClassOf(job: Omit<SetStorageClassJob, 'kind'>): SetStorageClassJob {
  return { kind: 'set-storage-class', ...job }
}

/** Whether a job changes the storage class of what is there. */
export function isSetStorageClass(job: { readonly kind: string }): job is SetStorageClassJob {
  return job.kind === 'set-storage-class'
}
