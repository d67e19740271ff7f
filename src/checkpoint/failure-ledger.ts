import { join } from 'node:path'
import type { Failure } from '../job/outcome.js'
import type { LedgerPosition } from './checkpoint.js'
import { isRenamed, LEDGER, renameIn, RETRYING } from './ledger-file.js'
import { lineOf, ledgerLines, parseLine } from './ledger-lines.js'
import { Ledger } from './ledger.js'

/** The failure ledger of a run, open for appending. */
export type FailureLedger = Ledger<Failure>

/** Opens the failure ledger of a run's folder, as `Ledger.open` does. Messages of more than 4,096 characters are cut. */
export async function openFailures(folder: string, position: LedgerPosition): Promise<FailureLedger> {
  if (await isRenamed(folder, position.bytes)) await renameIn(folder, RETRYING, LEDGER)
  return await Ledger.open(join(folder, LEDGER), lineOf, position)
}

/** A failure read from a ledger. */
export interface LedgerEntry {
  readonly failure: Failure
  /** The offset in bytes at which the next line begins. */
  readonly end: number
}

/**
 * Reads a ledger line by line from the line that begins at `fromByte` up to byte `toByte`, in bounded memory. Throws a UserError that names the
 * line when it is damaged or cut, when no line begins there, and when the file cannot be read.
 */
export async function* readFailures(
  path: string,
  fromByte = 0,
  toByte = Infinity,
): AsyncGenerator<LedgerEntry, void, undefined> {
  let line = 0
  let end = fromByte
  for await (const bytes of ledgerLines(path, fromByte, toByte)) {
    line++
    end += bytes.length + 1
    yield { failure: parseLine(bytes, path, line, fromByte), end }
  }
}
