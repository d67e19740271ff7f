import type { KeyList } from './files-from.js'
import type { Transfer } from './transfer.js'

/** Copy every object below `source` to `destination`, and delete each at the source once its copy is proven. */
export interface MoveJob extends Transfer {
  readonly kind: 'move'
  /** As that of a `DeleteJob`. */
  readonly prefixAs?: 'folder'
  readonly list?: KeyList
  readonly map?: readonly string[]
}
