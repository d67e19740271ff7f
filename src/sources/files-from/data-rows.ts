import type { PassedOver, PassedOverCounts } from '../../job/passed-over.js'
import type { DataFile } from '../../storage/data-files.js'
import type { RowRange } from '../work-source.js'
import { rowReader } from './csv.js'
import { rowsOf } from './csv-rows.js'
import type { EntryNeeds, ListEntry } from './entry.js'
import type { Inventory } from './inventory.js'
import { contentOfFile } from './list-bytes.js'
import { textLines } from './text-lines.js'

/** A place in a list that consists of files: before it, all is done. Both from 0. */
export interface ListPosition {
  readonly file: number
  readonly row: number
}

/** Some objects that a list names, one after the other. */
export interface ListBatch {
  readonly entries: readonly ListEntry[]
  /** Where each stands, in a list that can be read from a place on: the number of its file, and the row of each. */
  readonly file?: number
  readonly rows?: readonly number[]
  /** In such a list, the first row behind those that this was made of. */
  readonly next?: number
  /** What was passed over in such a list since it is read: before each, and in all when this was read. */
  readonly passed?: { readonly before: readonly PassedOver[]; readonly inAll: PassedOver }
}

/** A file whose rows name objects. */
export interface DataRows {
  /** The numbers of rows at which it can be cut, each behind the last row of a part, the end of the file among them; undefined where only reading tells. */
  readonly ends: readonly number[] | undefined
  /** Rows of it, in their order; `passed` has counted all that `wanted` was told of by then; without it batches do not say what was. What of the file is not as it should be is a `UserError`. */
  read(wanted: EntryNeeds, rows: RowRange, passed?: PassedOverCounts): AsyncGenerator<ListBatch, void, undefined>
}

const NONE: PassedOver = {}

/** The rows of a data file of an inventory. */
export async function dataRows(
  file: DataFile,
  { format, columns }: Pick<Inventory, 'format' | 'columns'>,
): Promise<DataRows> {
  return format === 'Parquet'
    ? await parquetFile(file)
    : { ends: undefined, read: (...asked) => csvRows(file, columns, ...asked) }
}

type Asked = Parameters<DataRows['read']>

async function* csvRows(
  file: DataFile,
  columns: Inventory['columns'],
  ...[wanted, { file: place, row: first, until = Infinity }, passed]: Asked
): AsyncGenerator<ListBatch, void, undefined> {
  const read = rowReader(file.name, wanted, { columns })
  let number = 0
  for await (const some of rowsOf(textLines(contentOfFile(file), file.name), file.name)) {
    const [entries, rows, before]: [ListEntry[], number[], PassedOver[]] = [[], [], []]
    for (const row of some) {
      if (number >= until) break
      const at = number++
      if (at < first) continue
      const entry = read(row)
      if (entry === undefined) continue
      entries.push(entry)
      rows.push(at)
      if (passed !== undefined) before.push(passed.now)
    }
    yield { entries, rows, file: place, next: Math.max(number, first), passed: { before, inAll: passed?.now ?? NONE } }
    if (number >= until) return
  }
}

/** Rows of which objects are made at once: what is held for longer than it takes to make some more is dear to collect. */
const AT_ONCE = 1000

/** The rows of a Parquet file. */
export async function parquetFile(file: DataFile): Promise<DataRows> {
  // Few lists are written as Parquet.
  const [{ openParquet, damaged }, { rowEntries }] = await Promise.all([
    import('./parquet-rows.js'),
    import('./parquet-entries.js'),
  ])
  const parquet = await openParquet(file, file.name)
  const read = async function* (
    ...[wanted, { file: place, row: first, until }, passed]: Asked
  ): ReturnType<DataRows['read']> {
    const entryOf = rowEntries(file.name, wanted)
    for await (const some of parquet.read({ first, until }, (field) => wanted.unused?.has(field) !== true)) {
      for (let begin = 0; begin < some.count; begin += AT_ONCE) {
        const [entries, rows, before]: [ListEntry[], number[], PassedOver[]] = [[], [], []]
        const end = Math.min(begin + AT_ONCE, some.count)
        try {
          for (let i = begin; i < end; i++) {
            const entry = entryOf(some, i)
            if (entry === undefined) continue
            entries.push(entry)
            rows.push(some.first + i)
            if (passed !== undefined) before.push(passed.now)
          }
        } catch (error) {
          throw damaged(file.name, error)
        }
        yield { entries, rows, file: place, next: some.first + end, passed: { before, inAll: passed?.now ?? NONE } }
      }
    }
  }
  return { ends: parquet.ends, read }
}
