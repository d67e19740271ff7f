import { uploadShape, type UploadState } from '../checkpoint/checkpoint.js'
import { checkDeferredDelete } from '../checkpoint/deferred-delete-ledger.js'
import { FAILURE_FIELDS } from '../checkpoint/ledger-lines.js'
import type { Failure, LargeObject, Outcome, SkipReason } from '../job/outcome.js'
import { byKind, checkCount, flag, Mismatch, oneOf, shape, text, type Check } from '../job/schema.js'

/** What a member says of the large objects that it copies. Each is known by the place of its line in the ledger, in bytes. */
export type FromLarge =
  /** An upload was begun, and nothing is in it. */
  | { readonly type: 'begun'; readonly at: number; readonly upload: UploadState }
  /** Without an outcome it is given back. */
  | { readonly type: 'done'; readonly at: number; readonly outcome?: Outcome }

/** What a member is told of large objects. */
export type ToLarge =
  /** It is to copy this one, whose key is that behind the prefix of the source. */
  | { readonly type: 'lend'; readonly at: number; readonly object: LargeObject; readonly upload?: UploadState }
  /** The upload that it has begun is saved. */
  | { readonly type: 'go-on'; readonly at: number }
  /** The run is ending: uploads are aborted. */
  | { readonly type: 'drain' }

export const largeObjectShape = shape<LargeObject>(
  { key: text, size: checkCount, etag: text, lastModified: text, storageClass: text },
  {},
)

const REASONS = [
  ...(['gone', 'prefix-marker', 'unchanged', 'no-rule', 'archived', 'sse-c', 'locked', 'folder-marker'] as const),
  ...(['NotAKey', 'extra', 'appeared', 'filtered', 'outside-folder', 'exists', 'newer'] as const),
]
export const skipReasonShape: Check<SkipReason> = oneOf(...REASONS)

type OutcomeOf<K extends Outcome['kind']> = Extract<Outcome, { readonly kind: K }>
type Copied = OutcomeOf<'copied'>

const restoring: Check<true> = (value, at) => {
  if (value !== true) throw new Mismatch(`${at} can only be true`)
  return value
}
const manifest = shape<Exclude<Copied['manifest'], undefined>>({ size: checkCount, etag: text, lastModified: text }, {})
const failure = shape<Failure>(FAILURE_FIELDS.required, FAILURE_FIELDS.optional)

const outcome = byKind<Outcome>({
  copied: { shape: shape<Copied>({ kind: oneOf('copied') }, { etag: text, manifest }) },
  deleted: { shape: shape<OutcomeOf<'deleted'>>({ kind: oneOf('deleted') }, {}) },
  'delete-deferred': {
    shape: shape<OutcomeOf<'delete-deferred'>>(
      { kind: oneOf('delete-deferred'), deferredDelete: checkDeferredDelete },
      {},
    ),
  },
  skipped: { shape: shape<OutcomeOf<'skipped'>>({ kind: oneOf('skipped'), reason: skipReasonShape }, {}) },
  failed: {
    shape: shape<OutcomeOf<'failed'>>({ kind: oneOf('failed'), failure }, { later: flag, restoring }),
  },
})

/** The shapes of these, by their types. */
export const FROM_LARGE = {
  begun: shape<Extract<FromLarge, { readonly type: 'begun' }>>(
    { type: oneOf('begun'), at: checkCount, upload: uploadShape },
    {},
  ),
  done: shape<Extract<FromLarge, { readonly type: 'done' }>>({ type: oneOf('done'), at: checkCount }, { outcome }),
}

/** The shapes of those. */
export const TO_LARGE = {
  lend: shape<Extract<ToLarge, { readonly type: 'lend' }>>(
    { type: oneOf('lend'), at: checkCount, object: largeObjectShape },
    { upload: uploadShape },
  ),
  'go-on': shape<Extract<ToLarge, { readonly type: 'go-on' }>>({ type: oneOf('go-on'), at: checkCount }, {}),
  drain: shape<Extract<ToLarge, { readonly type: 'drain' }>>({ type: oneOf('drain') }, {}),
}
