import { comparedOf } from './compared.js'
import { keyListShape, type KeyList } from './files-from.js'
import { followShape, type Follow } from './follow.js'
import type { WriteKind } from './kind.js'
import { prefixAsShape } from './place.js'
import { checkCount, oneOf, shape } from './schema.js'
import { TRANSFER, transferParts, type Transfer } from './transfer.js'

/** How `sync` tells whether a copy is needed: by what the listings tell of the content, by size alone, or by Last-Modified alone. */
export type SyncBy = 'content' | 'size' | 'time'

/** Copy to `destination` what is missing there or different. */
export interface SyncJob extends Transfer {
  readonly kind: 'sync'
  readonly by: SyncBy
  /** As that of a `DeleteJob`, on both sides. */
  readonly prefixAs?: 'folder'
  /** What the source has, as an S3 Inventory has it, in place of a listing. */
  readonly inventory?: KeyList
  /** Delete what only the destination has, if these are no more than so many. */
  readonly delete?: { readonly most?: number }
  /** It is one of several rounds, which replace and delete nothing that others have written at the destination since. */
  readonly follow?: Follow
}

const NOT_COPIED =
  'the run went by an inventory: what was written to the source since that was begun is told as missing or different'

export const SYNC: WriteKind<SyncJob> = {
  shape: shape<SyncJob>(
    { kind: oneOf('sync'), ...TRANSFER.required, by: oneOf('content', 'size', 'time') },
    {
      ...TRANSFER.optional,
      prefixAs: prefixAsShape,
      inventory: keyListShape,
      delete: shape<NonNullable<SyncJob['delete']>>({}, { most: checkCount }),
      follow: followShape,
    },
  ),
  verb: 'syncing',
  adjustable: ['concurrency', 'bandwidth'],
  listsBoth: true,
  done: 'copied',
  task: 'copy',
  deletesAt: 'destination',
  deferredDeletes: ({ delete: deletes }) => deletes && { side: 'destination', when: 'at-the-end', most: deletes.most },
  proof(job) {
    const { prefixAs, delete: deletes, inventory } = job
    const more = {
      ...(prefixAs === undefined ? {} : { prefixAs }),
      ...(deletes === undefined ? { oneWay: true } : {}),
    }
    const warnings = inventory === undefined ? [] : [NOT_COPIED]
    return { compared: comparedOf(job, more), warnings }
  },
  parts(job) {
    const { by, delete: deletes, follow } = job
    const most = deletes?.most === undefined ? '' : `, at most ${deletes.most}`
    return [
      ...transferParts(job, { prefixAs: job.prefixAs }),
      ['comparison', `by ${by}`],
      ['deletion', deletes === undefined ? 'no' : `yes${most}`],
      // What its rounds before were differs from one to the next.
      ...(follow === undefined ? [] : ([['rounds', 'follows the source']] as const)),
    ]
  },
}
