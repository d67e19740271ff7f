import type { LargeObject } from '../job/outcome.js'
import { checkCount, shape, text } from '../job/schema.js'
import { jsonText } from './json.js'
import { objectLedger } from './object-ledger.js'

/** An object that is to have new headers, and the number of the set of headers that it is to have. */
export interface ObjectOfSet extends LargeObject {
  readonly set: number
}

/** The objects that were looked at for jobs of S3 Batch Operations: it is there while manifests are made of it. */
export const HEADER_SETS = objectLedger<ObjectOfSet>(
  'header-sets.ndjson',
  shape({ set: checkCount, key: text, size: checkCount, etag: text, lastModified: text, storageClass: text }, {}),
  (object) => `${jsonText(object)}\n`,
)
