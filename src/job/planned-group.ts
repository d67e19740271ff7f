import { byKind, checkCount, checkDuration, counts, list, oneOf, shape, text, tuple } from './schema.js'
import type { Group } from './usage.js'

/** What becomes of objects that share this. */
export type Fate =
  /** `archived`: by its class its copy would be refused, unless it was restored by now. */
  | { readonly kind: 'written' }
  /** Given another encryption, without a copy. */
  | { readonly kind: 'updated' }
  | { readonly kind: 'archived' }
  | { readonly kind: 'deleted' }
  | { readonly kind: 'skipped'; readonly reason: string }
  | { readonly kind: 'failed'; readonly code: string }

/** What of objects of one storage class matters to their price. Plain data. */
export interface PricedGroup {
  /** That of the objects, and of what is written of them. */
  readonly storageClass: string
  readonly writtenClass: string
  readonly objects: number
  readonly bytes: number
  /** Bytes, of each object at least what the infrequent-access classes bill. */
  readonly billedBytes: number
  /** Of those, times the days, what is missing to the least time that the class is billed for. */
  readonly earlyByteDays: number
  /** Bytes of what is at the destination under their names, where that was listed, by its class. */
  readonly replacedBytes: Readonly<Record<string, number>>
  /** Requests of the writes, by operation. */
  readonly writes: Readonly<Record<string, number>>
}

/** Objects of one storage class of which the same becomes. */
export interface PlannedGroup extends PricedGroup {
  readonly fate: Fate
  /** By size class, named by its upper bound. */
  readonly sizes: readonly Group[]
}

const fate = byKind<Fate>({
  written: { shape: shape({ kind: oneOf('written') }, {}) },
  updated: { shape: shape({ kind: oneOf('updated') }, {}) },
  archived: { shape: shape({ kind: oneOf('archived') }, {}) },
  deleted: { shape: shape({ kind: oneOf('deleted') }, {}) },
  skipped: { shape: shape({ kind: oneOf('skipped'), reason: text }, {}) },
  failed: { shape: shape({ kind: oneOf('failed'), code: text }, {}) },
})

export const plannedGroupShape = shape<PlannedGroup>(
  {
    ...{ fate, storageClass: text, writtenClass: text, objects: checkCount, bytes: checkCount },
    ...{ billedBytes: checkCount, earlyByteDays: checkDuration, replacedBytes: counts, writes: counts },
    sizes: list(tuple<Group>(text, checkCount, checkCount)),
  },
  {},
)
