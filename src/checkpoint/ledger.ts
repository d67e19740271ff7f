import type { Hash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import type { LedgerPosition } from './checkpoint.js'
import { checkpointError } from './checkpoint-error.js'
import { checkSameFile, checkSize, putBack } from './fence.js'
import { digestOf, openLedger, writeAt, type OpenLedger } from './ledger-file.js'
import { ledgerName } from './ledger-lines.js'

/**
 * A ledger of a run, open for appending, one entry a line. What was appended is on the disk when `append` resolves and is counted in
 * `position` from then on, never earlier: a checkpoint saved with that position never counts on a line that a crash can take.
 *
 * Appends that come while the disk is busy are written together, with one sync. After a failed write the ledger still ends at
 * `position`, and the entries of that write must count as not recorded. Before each write, even of nothing, it is looked whether the file still
 * is the one of that name, and ends where this session left it: lines that nobody will read, or among those of another session, are lost.
 */
export class Ledger<T> {
  readonly #file: FileHandle
  readonly #hash: Hash
  readonly #path: string
  #position: LedgerPosition
  #waiting: string[] = []
  /** The write that will take what is waiting. */
  #next: Promise<void> | undefined
  /** The write that was begun last. Never rejects. */
  #busy: Promise<void> = Promise.resolve()
  #closed = false
  /** A write has failed, and what it left behind the position is not cut off. */
  #torn = false

  private constructor(
    { file, hash }: OpenLedger,
    path: string,
    private readonly lineOf: (entry: T) => string,
    position: LedgerPosition,
  ) {
    this.#file = file
    this.#hash = hash
    this.#path = path
    this.#position = position
  }

  /**
   * Opens the ledger at `path` at the position of its checkpoint, making the file (mode 0600) when that is zero.
   * Lines after it are cut off: their keys are not settled, so they will be done again.
   * Throws a UserError when the file is not what the checkpoint says, a CheckpointError when it cannot be written.
   */
  static async open<T>(path: string, lineOf: (entry: T) => string, position: LedgerPosition): Promise<Ledger<T>> {
    const opened = await openLedger(path, position)
    const { bytes, entries } = position
    const proof = bytes === 0 ? {} : { sha256: digestOf(opened.hash) }
    return new Ledger(opened, path, lineOf, { bytes, entries, ...proof })
  }

  /** Where the ledger ends: all that was appended before is on the disk. */
  get position(): LedgerPosition {
    return this.#position
  }

  /**
   * Adds entries, in this order. Resolves once they are on the disk; rejects with a CheckpointError when they are not, and when the file is
   * not the one that was opened any more.
   */
  append(entries: readonly T[]): Promise<void> {
    if (this.#closed) return Promise.reject(new Error('the ledger is closed'))
    for (const entry of entries) this.#waiting.push(this.lineOf(entry))
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
    await this.#look()
    if (lines.length === 0) return
    const block = Buffer.from(lines.join(''))
    try {
      await writeAt(this.#file, block, bytes)
      await this.#file.datasync()
    } catch (error) {
      // Written or not, these lines are not promised; the next write begins at the same place.
      this.#torn = true
      await this.#cut().catch(() => undefined)
      throw checkpointError('write', this.#path, error)
    }
    this.#hash.update(block)
    this.#position = { bytes: bytes + block.length, entries: entries + lines.length, sha256: digestOf(this.#hash) }
  }

  async #cut(): Promise<void> {
    await this.#file.truncate(this.#position.bytes)
    this.#torn = false
  }

  async #look(): Promise<void> {
    const { bytes } = this.#position
    const name = ledgerName(this.#path)
    await checkSameFile(this.#file, this.#path, name, () => putBack(this.#file, this.#path, bytes))
    if (this.#torn)
      await this.#cut().catch((error: unknown) => Promise.reject(checkpointError('write', this.#path, error)))
    else await checkSize(this.#file, this.#path, name, bytes)
  }
}
