import type { KeyList } from './files-from.js'
import type { Place } from './place.js'
import type { Selection } from './selection.js'

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
