import {
  parquetMetadataAsync,
  parquetSchema,
  type ColumnMetaData,
  type FileMetaData,
  type SchemaElement,
} from 'hyparquet'
import { UserError } from '../../errors.js'
import { printable } from '../../keys.js'
import type { DataFile } from '../../storage/data-files.js'
import { columnsOf } from './csv.js'
import type { EntryField } from './entry.js'
import { ChunkReader, TooLarge } from './parquet-column.js'
import { NotUtf8, type FlatColumn, type Values } from './parquet-page.js'

/** Some rows of a file, one after the other. */
export interface Rows {
  /** The number of the first of them in the file, from 0. */
  readonly first: number
  readonly count: number
  /** What each column holds, from `from` on; a field that the file does not have is absent. */
  readonly columns: ReadonlyMap<
    EntryField,
    { readonly values: Values; readonly from: number; readonly isTime: boolean }
  >
}

/** A Parquet file whose footer was read. */
export interface ParquetFile {
  readonly rows: number
  /** What its columns are about. */
  readonly fields: ReadonlySet<EntryField>
  /** Behind the last row of each row group. */
  readonly ends: readonly number[]
  /** Rows in their order, of the fields that are wanted. What of the file is not as it should be is a `UserError`. */
  read(rows: RowsAsked, wanted: (field: EntryField) => boolean): AsyncGenerator<Rows, void, undefined>
}

/** Rows of a file, from 0: the first of them, and the first behind them; absent for its end. */
interface RowsAsked {
  readonly first: number
  readonly until: number | undefined
}

/** Reads the footer of a Parquet file; `name` is the file's, fit to print. A `UserError` when it is none, or has no column of keys. */
export async function openParquet(given: DataFile, name: string): Promise<ParquetFile> {
  const file = { ...given, read: (start: number, end: number) => given.read(start, end).catch(notRead) }
  const metadata = await guarded(name, () => footerOf(file))
  const columns = await guarded(name, () => flatColumns(metadata, name))
  if (!columns.has('key'))
    throw new UserError(`${name} has no column key`, 'Is it a list of objects? A column must be named key.')
  const rows = Number(metadata.num_rows)
  let end = 0
  const ends = metadata.row_groups.map(({ num_rows }) => (end += Number(num_rows)))
  if (end !== rows) throw damaged(name, new Error('its row groups have another number of rows than it'))
  return {
    ...{ rows, ends, fields: new Set(columns.keys()) },
    read: (asked, wanted) => {
      const some = [...columns].filter(([field]) => field === 'key' || wanted(field))
      return readRows(file, name, { ...asked, metadata, columns: new Map(some) })
    },
  }
}

async function footerOf(file: DataFile): Promise<FileMetaData> {
  const slice = async (start: number, end = file.size): Promise<ArrayBuffer> => {
    const { buffer, byteOffset, length } = await file.read(start, end)
    const bytes = new Uint8Array(length)
    bytes.set(new Uint8Array(buffer, byteOffset, length))
    return bytes.buffer
  }
  return await parquetMetadataAsync({ byteLength: file.size, slice })
}

function flatColumns(metadata: FileMetaData, name: string): ReadonlyMap<EntryField, FlatColumn> {
  const root = parquetSchema(metadata)
  const flat = root.children.filter(
    ({ children, element }) => children.length === 0 && element.repetition_type !== 'REPEATED',
  )
  const { traits } = columnsOf(
    flat.map(({ element }) => element.name),
    false,
  )
  const found = new Map<EntryField, FlatColumn>()
  for (const [i, trait] of traits.entries()) {
    const column = flat[i]
    if (trait !== undefined && column !== undefined)
      found.set(trait, { element: column.element, path: [root, column], isTime: isTime(column.element) })
  }
  if (
    metadata.row_groups.some(({ columns }) =>
      columns.some(({ file_path, crypto_metadata }) => file_path !== undefined || crypto_metadata !== undefined),
    )
  ) {
    throw new UserError(
      `${name} is encrypted, or has its columns in other files`,
      'Write it as one file that is not encrypted.',
    )
  }
  return found
}

function isTime({ type, converted_type: converted, logical_type: logical }: SchemaElement): boolean {
  return (
    (type === 'INT64' && (logical?.type === 'TIMESTAMP' || converted?.startsWith('TIMESTAMP') === true)) ||
    type === 'INT96'
  )
}

async function* readRows(
  file: DataFile,
  name: string,
  {
    metadata,
    columns,
    first,
    until = Infinity,
  }: RowsAsked & {
    readonly metadata: FileMetaData
    readonly columns: ReadonlyMap<EntryField, FlatColumn>
  },
): AsyncGenerator<Rows, void, undefined> {
  let start = 0
  for (const group of metadata.row_groups) {
    const whole = Number(group.num_rows)
    if (start >= until) return
    const rows = Math.min(whole, until - start)
    if (start + rows > first) {
      const skip = Math.max(0, first - start)
      const cursors = await guarded(name, () =>
        [...columns].map(([field, column]): [EntryField, Cursor] => {
          const chunk = group.columns.find(
            ({ meta_data: one }) => one?.path_in_schema.length === 1 && one.path_in_schema[0] === column.element.name,
          )
          if (chunk?.meta_data === undefined) throw new Error('a row group lacks a column')
          return [field, new Cursor(file, column, chunk.meta_data, skip)]
        }),
      )
      for (let done = skip; done < rows;) {
        const count = await guarded(name, async () => {
          const left = await Promise.all(cursors.map(([, cursor]) => cursor.fill()))
          return Math.min(rows - done, ...left)
        })
        yield {
          first: start + done,
          count,
          columns: new Map(cursors.map(([field, { values, at, isTime }]) => [field, { values, from: at, isTime }])),
        }
        for (const [, cursor] of cursors) cursor.at += count
        done += count
      }
    }
    start += whole
  }
}

/** Where the reading of one column stands. */
class Cursor {
  values: Values = { length: 0, at: () => null }
  /** The next of the values. */
  at = 0
  readonly isTime: boolean
  private readonly chunk: ChunkReader

  constructor(
    file: DataFile,
    column: FlatColumn,
    meta: ColumnMetaData,
    private skip: number,
  ) {
    this.isTime = column.isTime
    this.chunk = new ChunkReader(column, meta, file)
  }

  /** How many values there are from `at` on, at least one. */
  async fill(): Promise<number> {
    while (this.at >= this.values.length) {
      const page = await this.chunk.page(this.skip)
      if (page === undefined) throw new Error('a column has fewer values than there are rows')
      if (typeof page === 'number') this.skip -= page
      else {
        this.values = page
        this.at = this.skip
        this.skip = 0
      }
    }
    return this.values.length - this.at
  }
}

// What hyparquet says of a file is not for a person, and it may stumble anywhere in one that is damaged.
async function guarded<T>(name: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw damaged(name, error)
  }
}

/** What the reading of a Parquet file failed of, as a `UserError`; what its store failed of is thrown as it was. */
export function damaged(name: string, error: unknown): unknown {
  if (error instanceof NotRead) return error.cause
  if (error instanceof TooLarge)
    return new UserError(`${name} cannot be read: ${error.message}`, 'Write it with smaller pages.')
  if (error instanceof NotUtf8)
    return new UserError(`${name} has a text that is not UTF-8`, 'Write the list anew, in UTF-8.')
  if (!(error instanceof Error) || error instanceof UserError) return error
  return new UserError(
    `${name} is no Parquet file, or damaged: ${printable(error.message)}`,
    'Fetch the file again; of other formats write CSV or one JSON object a line.',
  )
}

/** What the store of the file failed of, among all that decoding may stumble over. */
class NotRead extends Error {
  override readonly name = 'NotRead'
}

function notRead(cause: unknown): never {
  throw new NotRead('the file could not be read', { cause })
}
