import type { ListState } from '../../checkpoint/checkpoint.js'
import { nameOfList, type KeyList } from '../../job/files-from.js'
import type { PassedOver } from '../../job/passed-over.js'
import type { Named } from '../named-object.js'
import { PAGE } from '../ordered-source.js'
import type { ListBatch, ListPosition } from './data-rows.js'
import type { EntryNeeds } from './entry.js'
import { changedList } from './list-bytes.js'
import { checkList } from './list-identity.js'
import type { Entries } from './list-progress.js'
import { listBatches } from './read-list.js'

/** Where an entry stands in a list that has places. */
export interface ListPlace extends ListPosition {
  /** What was passed over before it since the reading began. */
  readonly before: PassedOver
}

/** Entries that stand one behind the other in a list, none of them settled when it was read. */
export interface ListPiece {
  /** The number of the first in the whole list, from 0. */
  readonly from: number
  /** At most `PAGE`, with keys relative to the prefix. */
  readonly entries: readonly Named[]
  /** Of each, in a list that has places; else none. */
  readonly places: readonly ListPlace[]
}

/** Reads what is not settled of a list, in its order. */
export class ListPieces {
  /** Whoever reads was told that there is no more. */
  ended = false
  /** What was passed over since the reading began. */
  passedOver: PassedOver = {}
  private closed = false
  /** All was read, and the list is what it was when the run began. */
  private exhausted = false
  /** Of the next entry. */
  private number: number
  private readonly listed: AsyncGenerator<ListBatch, void, undefined>
  private readonly ahead: Entries[]
  // What was read and not handed out.
  private batch: ListBatch = { entries: [] }
  private at = 0

  constructor(
    private readonly list: KeyList,
    private readonly wanted: EntryNeeds,
    private readonly begun: ListState,
  ) {
    const { next, entries, ahead = [] } = begun
    // What has no places is read from its beginning again.
    this.number = next === undefined ? 0 : entries
    this.ahead = next === undefined && entries > 0 ? [{ from: 0, to: entries }, ...ahead] : [...ahead]
    this.listed = listBatches(list, wanted, next)
  }

  /** The next entries, at least one; undefined at the end of the list, and once it was closed. Rejects, and is closed, when the list cannot be read. */
  async next(): Promise<ListPiece | undefined> {
    if (this.closed) return undefined
    try {
      // The last entries are handed out before the end is told: what is read and not handed out is in no state.
      const piece = this.exhausted ? undefined : await this.read()
      if (piece === undefined && this.exhausted) this.ended = true
      return piece
    } catch (error) {
      // What is being read when it is closed may fail of that.
      if (this.isClosed()) return undefined
      this.close()
      throw error
    }
  }

  /** Ends the reading. */
  close(): void {
    this.closed = true
    void this.listed.return().catch(() => undefined)
  }

  private async read(): Promise<ListPiece | undefined> {
    const entries: Named[] = []
    const places: ListPlace[] = []
    while (entries.length < PAGE) {
      const entry = this.batch.entries[this.at]
      if (entry === undefined) {
        const { value } = await this.listed.next()
        // Whoever closes it ends the reading too, which is not the end of the list.
        if (this.isClosed()) return undefined
        if (value === undefined) {
          await this.checkEnd()
          this.exhausted = true
          break
        }
        this.batch = value
        this.at = 0
        this.passedOver = value.passed?.inAll ?? {}
        continue
      }
      const settled = this.isSettled(this.number)
      if (settled && entries.length > 0) break
      const place = this.passed(this.at)
      if (settled) continue
      entries.push({ ...entry, key: entry.key.slice(this.wanted.prefix.length) })
      if (place !== undefined) places.push(place)
    }
    return entries.length === 0 ? undefined : { from: this.number - entries.length, entries, places }
  }

  private passed(index: number): ListPlace | undefined {
    const { file, rows, passed } = this.batch
    const row = rows?.[index]
    this.at++
    this.number++
    if (file === undefined || row === undefined) return undefined
    return { file, row, before: passed?.before[index] ?? {} }
  }

  private isSettled(number: number): boolean {
    while (this.ahead[0] !== undefined && this.ahead[0].to <= number) this.ahead.shift()
    return this.ahead[0] !== undefined && this.ahead[0].from <= number
  }

  // It may be closed while something is awaited.
  private isClosed(): boolean {
    return this.closed
  }

  // Its reader has found the file unchanged since it was opened; this finds it unchanged since the run began.
  private async checkEnd(): Promise<void> {
    await checkList(this.list, this.begun)
    if (this.number !== (this.begun.of ?? this.number)) throw changedList(nameOfList(this.list))
  }
}
