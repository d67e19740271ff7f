import { keyListShape, type KeyList } from './files-from.js'
import type { WriteKind } from './kind.js'
import { prefixAsShape } from './place.js'
import { list, oneOf, shape, text } from './schema.js'
import { TRANSFER, transferParts, type Transfer } from './transfer.js'

/** Copy every object below `source` to `destination`, and delete each at the source once its copy is proven. */
export interface MoveJob extends Transfer {
  readonly kind: 'move'
  /** As that of a `DeleteJob`. */
  readonly prefixAs?: 'folder'
  readonly list?: KeyList
  readonly map?: readonly string[]
}

export const MOVE: WriteKind<MoveJob> = {
  shape: shape<MoveJob>(
    { kind: oneOf('move'), ...TRANSFER.required },
    { ...TRANSFER.optional, prefixAs: prefixAsShape, list: keyListShape, map: list(text) },
  ),
  verb: 'moving',
  adjustable: ['concurrency', 'bandwidth'],
  done: 'moved',
  task: 'move',
  proof: () => 'a move deletes each source once it has looked at its copy',
  deferredDeletes: () => ({ side: 'source', when: 'as-they-come' }),
  parts: (job) => [...transferParts(job, { prefixAs: job.prefixAs }), ['names', job.map ?? []]],
}
