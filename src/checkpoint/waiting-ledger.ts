import type { WaitingObject } from '../job/outcome.js'
import { shape, text } from '../job/schema.js'
import { FAILURE_FIELDS, lineOf } from './ledger-lines.js'
import { objectLedger } from './object-ledger.js'

/** The ledger of the objects of a run that were set aside to be tried again, with their failures. */
export const WAITING = objectLedger<WaitingObject>(
  'waiting.ndjson',
  shape(FAILURE_FIELDS.required, { ...FAILURE_FIELDS.optional, copy: text }),
  lineOf,
)
