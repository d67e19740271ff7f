import type { LargeObject } from '../job/outcome.js'
import { checkCount, shape, text } from '../job/schema.js'
import { jsonText } from './json.js'
import { objectLedger } from './object-ledger.js'

/** The ledger of the large objects of a run. */
export const LARGE = objectLedger<LargeObject>(
  'large.ndjson',
  shape({ key: text, size: checkCount, etag: text, lastModified: text, storageClass: text }, {}),
  (object) => `${jsonText(object)}\n`,
)
