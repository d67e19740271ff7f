import type { ListState } from '../../checkpoint/checkpoint.js'
import type { KeyList } from '../../job/files-from.js'
import type { GrantedRows, KeptRanges, RangeClaim, RowRange } from '../work-source.js'
import { dataRows } from './data-rows.js'
import type { EntryNeeds } from './entry.js'
import { readInventory, type Inventory } from './inventory.js'
import { checkList } from './list-identity.js'

/** Rows of which some are not settled. */
interface OpenRows {
  readonly file: number
  /** The first that is not. */
  row: number
  until: number | undefined
}

/** What is known of a data file before its rows are read. */
interface Proven {
  readonly identity: string
  /** As in `DataRows`. */
  readonly ends: readonly number[] | undefined
}

/** Settings of `InventoryRanges`. */
export interface InventoryRangesOptions {
  readonly begun: ListState
  /** The rows of a file stay in one hand, so that they come in their order; else each row group may be in another. */
  readonly wholeFiles: boolean
  /** Told when the inventory cannot be read on. */
  readonly fail: (error: unknown) => void
}

/**
 * What remains of an inventory, for lanes in any thread, which read it themselves: each claim is of a row group, or of a file that has none. What is
 * looked at here is what a data file is, and where its row groups end. Claims are settled in any order, the rows of each in theirs.
 */
export class InventoryRanges implements KeptRanges {
  private readonly inventory: Promise<Inventory>
  /** Claimed, or to be claimed again. */
  private readonly open: OpenRows[]
  private readonly returned: OpenRows[]
  /** Of the file that was looked at last. */
  private readonly unclaimed: OpenRows[] = []
  /** The next file to be looked at, from which row on. */
  private next: { readonly file: number; readonly row: number }
  private ahead: Promise<Proven> | undefined
  /** By file, what `open` was claimed of. */
  private readonly proven = new Map<number, Proven>()
  private turn: Promise<unknown> = Promise.resolve()
  private ended = false
  private closed = false

  constructor(
    private readonly list: KeyList,
    wanted: EntryNeeds,
    private readonly options: InventoryRangesOptions,
  ) {
    const { open = [], next = { file: 0, row: 0 } } = options.begun
    this.open = open.map(({ file, row, until }) => ({ file, row, until }))
    this.returned = [...this.open]
    this.next = next
    this.inventory = readInventory(list, wanted)
    // It is awaited when somebody claims, or never.
    this.inventory.catch(() => undefined)
  }

  get done(): boolean {
    return this.ended && !this.open.some(isOpen)
  }

  claim(): Promise<RangeClaim | undefined> {
    // One is taken after the other, so that files are looked at once.
    const claimed = this.turn.then(() => this.take())
    this.turn = claimed
    return claimed
  }

  close(): void {
    this.closed = true
  }

  /** What is not settled, as a `ListState` has it; undefined once all is. */
  remaining(): Required<Pick<ListState, 'open' | 'next'>> | undefined {
    if (this.done) return undefined
    const open = this.open.filter(isOpen).sort(byPlace)
    const [first] = this.unclaimed
    return {
      open: open.map(({ file, row, until }) => ({ file, row, ...(until === undefined ? {} : { until }) })),
      next: first === undefined ? this.next : { file: first.file, row: first.row },
    }
  }

  private async take(): Promise<RangeClaim | undefined> {
    try {
      const rows = this.closed ? undefined : await this.nextRows()
      if (rows === undefined) return undefined
      const { identity } = this.proven.get(rows.file) ?? (await this.look(rows.file))
      // What is not claimed any more stays open.
      return this.isClosed() ? undefined : this.claimOf(rows, identity)
    } catch (error) {
      this.close()
      this.options.fail(error)
      return undefined
    }
  }

  private async nextRows(): Promise<OpenRows | undefined> {
    const again = this.returned.shift()
    if (again !== undefined) return again
    while (this.unclaimed.length === 0) {
      if (!(await this.lookAhead())) return undefined
    }
    const rows = this.unclaimed.shift()
    if (rows !== undefined) this.open.push(rows)
    return rows
  }

  /** Finds out what rows the next file has; false when there is none. */
  private async lookAhead(): Promise<boolean> {
    const { file, row } = this.next
    const { files } = await this.inventory
    if (file >= files.length) {
      if (!this.ended) await checkList(this.list, this.options.begun)
      this.ended = true
      return false
    }
    const found = await (this.ahead ?? this.look(file))
    this.ahead = file + 1 < files.length ? this.look(file + 1) : undefined
    this.ahead?.catch(() => undefined)
    for (const done of this.proven.keys()) if (!this.open.some((rows) => rows.file === done)) this.proven.delete(done)
    this.proven.set(file, found)
    this.unclaimed.push(...this.partsOf(found, { file, row }))
    this.next = { file: file + 1, row: 0 }
    return true
  }

  private partsOf({ ends }: Proven, { file, row }: RowRange): OpenRows[] {
    if (ends === undefined) return [{ file, row, until: undefined }]
    let from = row
    const parts: OpenRows[] = []
    for (const until of this.options.wholeFiles ? ends.slice(-1) : ends) {
      if (until <= from) continue
      parts.push({ file, row: from, until })
      from = until
    }
    return parts
  }

  private async look(number: number): Promise<Proven> {
    const inventory = await this.inventory
    const file = await inventory.files[number]?.open()
    if (file === undefined) throw new Error('rows are open of a file that the inventory does not have')
    try {
      const { ends } = await dataRows(file, inventory)
      return { identity: file.identity, ends }
    } finally {
      await file.close()
    }
  }

  private claimOf(rows: OpenRows, identity: string): RangeClaim {
    let held = true
    const granted: GrantedRows = {
      identity,
      file: rows.file,
      row: rows.row,
      ...(rows.until === undefined ? {} : { until: rows.until }),
    }
    return {
      ...{ after: undefined, until: undefined, rows: granted },
      // Where the rows end, only who reads them may know.
      accept: ({ count }) => {
        rows.until = count
        return { ended: true, until: undefined, trim: false }
      },
      trimmed: () => undefined,
      settle: (_key, count) => {
        rows.row += count
      },
      release: () => {
        if (!held) return
        held = false
        if (isOpen(rows)) this.returned.push(rows)
        else this.open.splice(this.open.indexOf(rows), 1)
      },
    }
  }

  // It may be closed while something is awaited.
  private isClosed(): boolean {
    return this.closed
  }
}

function isOpen({ row, until }: OpenRows): boolean {
  return until === undefined || row < until
}

function byPlace(one: OpenRows, other: OpenRows): number {
  return one.file - other.file || one.row - other.row
}
