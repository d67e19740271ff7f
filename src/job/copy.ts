import type { KeyList } from './files-from.js'
import type { Transfer } from './transfer.js'

/** Copy every object below `source` to `destination`, the source's prefix replaced by the destination's. */
export interface CopyJob extends Transfer {
  readonly kind: 'copy'
  readonly list?: KeyList
  /** `s/regex/replacement/`: what copies are called, one after the other, relative to the prefixes. */
  readonly map?: readonly string[]
  /** Each object with all of its versions, in their order, and not only as it is now. */
  readonly versions?: boolean
  /** Replace nothing: what the destination has under the name is left as it is. */
  readonly noClobber?: boolean
}
