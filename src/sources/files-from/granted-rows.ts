import type { KeyList } from '../../job/files-from.js'
import { PassedOverCounts, type PassedOver } from '../../job/passed-over.js'
import type { DataFile } from '../../storage/data-files.js'
import type { Named } from '../named-object.js'
import type { GrantedRows } from '../work-source.js'
import { dataRows, type DataRows } from './data-rows.js'
import type { EntryNeeds } from './entry.js'
import { readInventory, type Inventory } from './inventory.js'
import { changedList } from './list-bytes.js'

/** What some rows of an inventory name. */
export interface NamedRows {
  /** With keys relative to the prefix. */
  readonly objects: readonly Named[]
  /** The first row behind them. */
  readonly next: number
  /** What was passed over among them. */
  readonly passedOver: PassedOver
}

interface Opened {
  readonly number: number
  readonly file: DataFile
  readonly rows: DataRows
}

/** Reads rows of an inventory that were granted, one grant after the other. */
export class GrantedRowsReader {
  private inventory: Promise<Inventory> | undefined
  // Row groups that are granted one after the other are mostly of one file.
  private held: Opened | undefined

  constructor(
    private readonly list: KeyList,
    private readonly wanted: EntryNeeds,
  ) {}

  /** The rows of a grant, in order. A `UserError` for what is not as it should be, or not what was proven. */
  async *read(granted: GrantedRows): AsyncGenerator<NamedRows, void, undefined> {
    const { prefix } = this.wanted
    const { file, rows } = await this.opened(granted)
    let reached = granted.row
    let counts = new PassedOverCounts()
    const wanted: EntryNeeds = { ...this.wanted, ofBucket: true, passedOver: (why) => counts.add(why) }
    for await (const { entries, next = granted.row } of rows.read(wanted, granted)) {
      const objects = entries.map((entry) => ({ ...entry, key: entry.key.slice(prefix.length) }))
      yield { objects, next, passedOver: counts.now }
      counts = new PassedOverCounts()
      reached = next
    }
    if (reached < (granted.until ?? 0)) throw changedList(file.name)
  }

  /** Closes the file that is held open. */
  async close(): Promise<void> {
    const { held } = this
    this.held = undefined
    await held?.file.close()
  }

  private async opened({ file: number, identity }: GrantedRows): Promise<Opened> {
    if (this.held?.number === number && this.held.file.identity === identity) return this.held
    await this.close()
    const inventory = await (this.inventory ??= readInventory(this.list, this.wanted))
    const file = await inventory.files[number]?.open(identity)
    if (file === undefined) throw new Error('rows were granted of a file that the inventory does not have')
    try {
      return (this.held = { number, file, rows: await dataRows(file, inventory) })
    } catch (error) {
      await file.close()
      throw error
    }
  }
}
