import type { Transfer } from './transfer.js'

/** How `sync` tells whether a copy is needed: by what the listings tell of the content, by size alone, or by Last-Modified alone. */
export type SyncBy = 'content' | 'size' | 'time'

/** Copy to `destination` what is missing there or different. */
export interface SyncJob extends Transfer {
  readonly kind: 'sync'
  readonly by: SyncBy
  /** As that of a `DeleteJob`, on both sides. */
  readonly prefixAs?: 'folder'
  /** Delete what only the destination has, if these are no more than so many. */
  readonly delete?: { readonly most?: number }
}
