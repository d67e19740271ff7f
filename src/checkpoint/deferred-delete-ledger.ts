import { join } from 'node:path'
import { deferredDeletesOf, type WriteJob } from '../job/kinds.js'
import type { DeferredDelete } from '../job/outcome.js'
import type { Side } from '../job/place.js'
import { checkCount, shape, text } from '../job/schema.js'
import type { LedgerPosition } from './checkpoint.js'
import { jsonText } from './json.js'
import { ledgerLines, parseEntry } from './ledger-lines.js'
import { Ledger } from './ledger.js'

/** The names of the ledgers of what a run deletes behind its checkpoint: what was copied, and what only the destination has. */
const LEDGERS: Readonly<Record<Side, string>> = { source: 'moved.ndjson', destination: 'extra.ndjson' }
export const REMOVAL_LEDGERS = Object.values(LEDGERS)

/** The path of a job's ledger of what is to be deleted; undefined when it has none. */
export function removalLedger(folder: string, job: WriteJob): string | undefined {
  const deletes = deferredDeletesOf(job)
  return deletes && join(folder, LEDGERS[deletes.side])
}

/** Opens such a ledger, as `Ledger.open` does. */
export function openRemovals(path: string, position: LedgerPosition): Promise<Ledger<DeferredDelete>> {
  return Ledger.open(path, (deferredDelete: DeferredDelete) => `${jsonText(deferredDelete)}\n`, position)
}

/** Proves that a value is an entry of such a ledger. */
export const checkDeferredDelete = shape<DeferredDelete>(
  { key: text, size: checkCount, etag: text, lastModified: text },
  { storageClass: text, copy: text },
)

/** An entry, and the offset in bytes at which the next one begins. */
export interface RemovalEntry {
  readonly deferredDelete: DeferredDelete
  readonly end: number
}

/** Reads a ledger from the line that begins at byte `from` up to byte `to`. Throws as `readFailures` does. */
export async function* readRemovals(
  path: string,
  from: number,
  to: number,
): AsyncGenerator<RemovalEntry, void, undefined> {
  let line = 0
  let end = from
  for await (const bytes of ledgerLines(path, from, to)) {
    line++
    end += bytes.length + 1
    yield { deferredDelete: parseEntry(checkDeferredDelete, bytes, path, line, from), end }
  }
}
