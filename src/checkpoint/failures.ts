import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { Failure } from '../job.js'
import type { LedgerPosition } from './checkpoint.js'
import { checkpointError } from './checkpoint-error.js'
import { isRenamed, LEDGER, openLedger, renameIn, RETRYING, writeAt } from './ledger-file.js'
import { lineOf, linesOf, parseLine } from './ledger-lines.js'

/**
 * The failure ledger of a run, open for appending. What was appended is on the disk when `append` resolves and is counted in
 * `position` from then on, never earlier: a checkpoint saved with that position never counts on a line that a crash can take.
 *
 * Appends that come while the disk is busy are written together, with one sync. After a failed write the ledger still ends at
 * `position`, and the failures of that write must count as not recorded.
 */
export class FailureLedger {
  readonly #file: FileHandle
  readonly #path: string
  #position: LedgerPosition
  #waiting: string[] = []
  /** The write that will take what is waiting. */
  #next: Promise<void> | undefined
  /** The write that was begun last. Never rejects. */
  #busy: Promise<void> = Promise.resolve()
  #closed = false

  private constructor(file: FileHandle, path: string, position: LedgerPosition) {
    this.#file = file
    this.#path = path
    this.#position = position
  }

  /**
   * Opens the ledger of a run's folder at the position of its checkpoint, making the file (mode 0600) when that is zero.
   * Lines after it are cut off: their keys are not settled, so they will be done again, and fail again if they must.
   * Throws a UserError when the file is not what the checkpoint says, a CheckpointError when it cannot be written.
   */
  static async open(folder: string, { bytes, entries }: LedgerPosition): Promise<FailureLedger> {
    if (await isRenamed(folder, bytes)) await renameIn(folder, RETRYING, LEDGER)
    const path = join(folder, LEDGER)
    return new FailureLedger(await openLedger(path, bytes), path, { bytes, entries })
  }

  /** Where the ledger ends: all that was appended before is on the disk. */
  get position(): LedgerPosition {
    return this.#position
  }

  /**
   * Adds failures, in this order. Resolves once they are on the disk; rejects with a CheckpointError when they are not.
   * Messages of more than 4,096 characters are cut.
   */
  append(failures: readonly Failure[]): Promise<void> {
    if (this.#closed) return Promise.reject(new Error('the failure ledger is closed'))
    if (failures.length === 0) return Promise.resolve()
    for (const failure of failures) this.#waiting.push(lineOf(failure))
    if (this.#next === undefined) {
      this.#next = this.#busy.then(() => this.#writeWaiting())
      this.#busy = this.#next.catch(() => undefined)
    }
    return this.#next
  }

  /** Waits for the writes under way, then closes the file. May be called again. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#busy
    await this.#file.close()
  }

  async #writeWaiting(): Promise<void> {
    const lines = this.#waiting
    this.#waiting = []
    this.#next = undefined
    const { bytes, entries } = this.#position
    const block = Buffer.from(lines.join(''))
    try {
      await writeAt(this.#file, block, bytes)
      await this.#file.datasync()
    } catch (error) {
      // Written or not, these lines are not promised; the next write begins at the same place.
      await this.#file.truncate(bytes).catch(() => undefined)
      throw checkpointError('write', this.#path, error)
    }
    this.#position = { bytes: bytes + block.length, entries: entries + lines.length }
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
