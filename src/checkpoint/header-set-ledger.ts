import { headerShape } from '../job/object-attributes.js'
import type { LargeObject } from '../job/outcome.js'
import { checkCount, list, shape, text } from '../job/schema.js'
import { jsonText } from './json.js'
import { objectLedger } from './object-ledger.js'

/** An object that is to have new headers, and the number of the set of headers that it is to have. */
export interface ObjectOfSet extends LargeObject {
  readonly set: number
  /** Of the first object of a set: what all of them are to have. */
  readonly begins?: {
    readonly storageClass: string
    readonly fields: readonly (readonly [name: string, value: string])[]
  }
}

/** The objects that were looked at for jobs of S3 Batch Operations: it is there until manifests are made of it. */
export const HEADER_SETS = objectLedger<ObjectOfSet>(
  'header-sets.ndjson',
  shape<ObjectOfSet>(
    { set: checkCount, key: text, size: checkCount, etag: text, lastModified: text, storageClass: text },
    { begins: shape({ storageClass: text, fields: list(headerShape) }, {}) },
  ),
  (object) => `${jsonText(object)}\n`,
)
