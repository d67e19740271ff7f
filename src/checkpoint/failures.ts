import { join } from 'node:path'
import type { Failure } from '../job.js'
import type { LedgerPosition } from './checkpoint.js'
import { Ledger } from './ledger.js'
import { isRenamed, LEDGER, openLedger, renameIn, RETRYING } from './ledger-file.js'
import { lineOf, linesOf, parseLine } from './ledger-lines.js'

/** The failure ledger of a run. Messages of more than 4,096 characters are cut. */
export class FailureLedger extends Ledger<Failure> {
  /**
   * Opens the ledger of a run's folder at the position of its checkpoint, making the file (mode 0600) when that is zero.
   * Lines after it are cut off: their keys are not settled, so they will be done again, and fail again if they must.
   * Throws a UserError when the file is not what the checkpoint says, a CheckpointError when it cannot be written.
   */
  static async open(folder: string, { bytes, entries }: LedgerPosition): Promise<FailureLedger> {
    if (await isRenamed(folder, bytes)) await renameIn(folder, RETRYING, LEDGER)
    const path = join(folder, LEDGER)
    return new FailureLedger(await openLedger(path, bytes), path, { bytes, entries }, lineOf)
  }
}

/** A failure read from a ledger. */
export interface LedgerEntry {
  readonly failure: Failure
  /** The offset in bytes at which the next line begins. */
  readonly end: number
}

/**
 * Reads a ledger line by line from the line that begins at `fromByte`, in bounded memory. Throws a UserError that names the
 * line when it is damaged or cut, when no line begins there, and when the file cannot be read.
 */
export async function* readFailures(path: string, fromByte = 0): AsyncGenerator<LedgerEntry, void, undefined> {
  let line = 0
  let end = fromByte
  for await (const bytes of linesOf(path, fromByte)) {
    line++
    end += bytes.length + 1
    yield { failure: parseLine(bytes, path, line, fromByte), end }
  }
}
