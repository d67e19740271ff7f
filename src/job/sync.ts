import { comparedOf } from './compared.js'
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
  /** Delete what only the destination has, if these are no more than so many. */
  readonly delete?: { readonly most?: number }
}

export const SYNC: WriteKind<SyncJob> = {
  shape: shape<SyncJob>(
    { kind: oneOf('sync'), ...TRANSFER.required, by: oneOf('content', 'size', 'time') },
    {
      ...TRANSFER.optional,
      prefixAs: prefixAsShape,
      delete: shape<NonNullable<SyncJob['delete']>>({}, { most: checkCount }),
    },
  ),
  verb: 'syncing',
  listsBoth: true,
  done: 'copied',
  task: 'copy',
  deletesAt: 'destination',
  deferredDeletes: ({ delete: deletes }) => deletes && { side: 'destination', when: 'at-the-end', most: deletes.most },
  proof(job) {
    const { prefixAs, delete: deletes } = job
    const more = {
      ...(prefixAs === undefined ? {} : { prefixAs }),
      ...(deletes === undefined ? { oneWay: true } : {}),
    }
    return { compared: comparedOf(job, more), warnings: [] }
  },
  parts(job) {
    const { by, delete: deletes } = job
    const most = deletes?.most === undefined ? '' : `, at most ${deletes.most}`
    return [
      ...transferParts(job, { prefixAs: job.prefixAs }),
      ['comparison', `by ${by}`],
      ['deletion', deletes === undefined ? 'no' : `yes${most}`],
    ]
  },
}
