import { keyListShape, type KeyList } from './files-from.js'
import type { WriteKind } from './kind.js'
import { placeShape, prefixAsShape, type Place } from './place.js'
import { flag, oneOf, shape } from './schema.js'
import { selectionShape, type Selection } from './selection.js'

/** Delete every object below `source`. */
export interface DeleteJob {
  readonly kind: 'delete'
  readonly source: Place
  /**
   * The prefix has no slash at its end and is the name of an object or of a folder: keys that go on with anything but a slash are left alone. Else
   * it is text, and stands for all keys that begin with it.
   */
  readonly prefixAs?: 'folder'
  readonly list?: KeyList
  readonly select?: Selection
  /** Each object with all of its versions and delete markers, so that nothing is left of it. */
  readonly versions?: boolean
}

export const DELETE: WriteKind<DeleteJob> = {
  shape: shape<DeleteJob>(
    { kind: oneOf('delete'), source: placeShape },
    { prefixAs: prefixAsShape, list: keyListShape, select: selectionShape, versions: flag },
  ),
  verb: 'deleting',
  adjustable: ['concurrency'],
  inShards: true,
  done: 'deleted',
  task: 'delete',
  listsVersions: true,
  needsNamesOnly: true,
  // What is absent leaves the names of jobs as they were.
  parts: ({ select, prefixAs, versions }) => [
    ['objects', { ...select, prefixAs, ...(versions === true ? { versions: true } : {}) }],
  ],
}
