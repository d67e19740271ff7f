import { nameOfList, type KeyList } from '../../job/files-from.js'
import { PassedOverCounts, type PassedOver } from '../../job/passed-over.js'
import { UserError } from '../../errors.js'
import type { DataFile } from '../../storage/data-files.js'
import { contentOf, contentOfFile } from './list-bytes.js'
import { rowReader, type Columns } from './csv.js'
import { escapedRowsOf } from './backslash-escapes.js'
import { isWithin, listed, traitOf, type ListEntry, type EntryField, type EntryNeeds } from './entry.js'
import { DISK_FILES } from './disk-files.js'
import { readInventory } from './inventory.js'
import { badLine, textLines, trimmedEnd, type Line } from './text-lines.js'
import { rowsOf } from './csv-rows.js'

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
  /** What was passed over in such a list since it is read: before each, and in all when this was read. */
  readonly passed?: { readonly before: readonly PassedOver[]; readonly inAll: PassedOver }
}

/**
 * The objects that a list names, in its order and in bounded memory; what it names twice comes twice. Delete markers and versions that it says are
 * not current are passed over, and of an inventory, which is of the whole bucket, what is not below the prefix. An inventory and a Parquet file are read from a place on; all else from the beginning. Throws a UserError for what is
 * not as its format says or not wanted, naming the line, and when it is not certain that all of the list was read.
 */
export async function* listBatches(
  list: KeyList,
  wanted: EntryNeeds,
  from: ListPosition = { file: 0, row: 0 },
): AsyncGenerator<ListBatch, void, undefined> {
  const passed = new PassedOverCounts()
  const passedOver: EntryNeeds['passedOver'] = (why) => {
    passed.add(why)
    wanted.passedOver?.(why)
  }
  if (list.format === 'parquet') {
    const file = await DISK_FILES.open([list.file])
    const name = nameOfList(list)
    if (file === undefined)
      throw new UserError(`cannot read ${name}: there is no such file`, 'Check the path that was given.')
    yield* closing(file, parquetRows({ ...file, name }, { ...wanted, passedOver }, from, passed))
  } else if (list.format === 'inventory') {
    const { files, format, columns } = await readInventory(list, wanted)
    for (const [number, data] of files.entries()) {
      if (number < from.file) continue
      const place = { file: number, row: number === from.file ? from.row : 0 }
      const file = await data.open()
      const read = format === 'Parquet' ? parquetRows : (...given: Args) => csvRows(columns, ...given)
      yield* closing(file, read(file, { ...wanted, ofBucket: true, passedOver }, place, passed))
    }
  } else yield* one(list, wanted)
}

/** The same, one by one. */
export async function* readKeyList(list: KeyList, wanted: EntryNeeds): AsyncGenerator<ListEntry, void, undefined> {
  for await (const { entries } of listBatches(list, wanted)) yield* entries
}

async function* closing<T>(file: DataFile, all: AsyncGenerator<T, void>): AsyncGenerator<T, void, undefined> {
  try {
    yield* all
  } finally {
    await file.close()
  }
}

type Args = [file: DataFile, wanted: EntryNeeds, from: ListPosition, passed: PassedOverCounts]

async function* csvRows(
  columns: Columns,
  ...[file, wanted, from, passed]: Args
): AsyncGenerator<ListBatch, void, undefined> {
  const read = rowReader(file.name, wanted, { columns })
  let number = -1
  for await (const some of rowsOf(textLines(contentOfFile(file), file.name), file.name)) {
    const [entries, rows, before]: [ListEntry[], number[], PassedOver[]] = [[], [], []]
    for (const row of some) {
      if (++number < from.row) continue
      const entry = read(row)
      if (entry === undefined) continue
      entries.push(entry)
      rows.push(number)
      before.push(passed.now)
    }
    yield { entries, rows, file: from.file, passed: { before, inAll: passed.now } }
  }
}

/** Rows of which objects are made at once: what is held for longer than it takes to make some more is dear to collect. */
const AT_ONCE = 1000

async function* parquetRows(...[file, wanted, from, passed]: Args): AsyncGenerator<ListBatch, void, undefined> {
  // Few lists are written as Parquet.
  const [{ openParquet, damaged }, { rowEntries }] = await Promise.all([
    import('./parquet-rows.js'),
    import('./parquet-entries.js'),
  ])
  const parquet = await openParquet(file, file.name)
  const entryOf = rowEntries(file.name, wanted)
  for await (const some of parquet.read(from.row, (field) => wanted.unused?.has(field) !== true)) {
    for (let begin = 0; begin < some.count; begin += AT_ONCE) {
      const [entries, rows, before]: [ListEntry[], number[], PassedOver[]] = [[], [], []]
      try {
        for (let i = begin; i < Math.min(begin + AT_ONCE, some.count); i++) {
          const entry = entryOf(some, i)
          if (entry === undefined) continue
          entries.push(entry)
          rows.push(some.first + i)
          before.push(passed.now)
        }
      } catch (error) {
        throw damaged(file.name, error)
      }
      yield { entries, rows, file: from.file, passed: { before, inAll: passed.now } }
    }
  }
}

async function* one(list: KeyList, wanted: EntryNeeds): AsyncGenerator<ListBatch, void, undefined> {
  const name = nameOfList(list)
  const lines = textLines(contentOf(list.file, { name }), name, wanted.line)
  switch (list.format) {
    case undefined:
      throw new Error('a list is read, and nobody has found out what it is')
    case 'inventory':
    case 'parquet':
      return
    case 'keys':
      yield* keysOf(list, lines, name, wanted)
      return
    case 'ndjson':
      for await (const some of lines) {
        const full = some.filter(({ text }) => trimmedEnd(text) !== '')
        yield { entries: full.map((line) => fromJson(line, name, wanted)).filter((object) => object !== undefined) }
      }
      return
    case 'csv': {
      const { delimiter = ',', escape, rawQuotes, column } = list
      const read = rowReader(name, wanted, { column, manifest: delimiter === ',' })
      const quotes = rawQuotes !== true
      const rows =
        escape === 'backslash'
          ? escapedRowsOf(lines, name, { delimiter, quotes, header: typeof column !== 'number' })
          : rowsOf(lines, name, delimiter)
      for await (const some of rows) yield { entries: some.map(read).filter((object) => object !== undefined) }
    }
  }
}

async function* keysOf(
  { escape }: KeyList,
  lines: AsyncGenerator<readonly Line[], void>,
  name: string,
  wanted: EntryNeeds,
): AsyncGenerator<ListBatch, void, undefined> {
  if (escape === 'backslash') {
    for await (const rows of escapedRowsOf(lines, name, { delimiter: undefined, quotes: false, header: false })) {
      const objects = rows.map(({ fields, line }) =>
        listed((trait) => (trait === 'key' ? fields[0] : undefined), { name, line, wanted }),
      )
      yield { entries: objects.filter((object) => object !== undefined) }
    }
    return
  }
  for await (const some of lines) {
    const entries: ListEntry[] = []
    for (const { number, text } of some) {
      const key = trimmedEnd(text)
      if (key === '') continue
      if (isWithin(key, { name, line: number, wanted })) entries.push({ key })
    }
    yield { entries }
  }
}

function fromJson({ number, text }: Line, name: string, wanted: EntryNeeds): ListEntry | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw badLine(name, number, 'is not JSON', HINT)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badLine(name, number, 'is not a JSON object', HINT)
  }
  const traits = new Map<EntryField, unknown>()
  for (const [field, content] of Object.entries(value)) {
    const trait = traitOf(field)
    if (trait === 'key' && traits.has(trait)) throw badLine(name, number, 'has two keys')
    if (trait !== undefined) traits.set(trait, content)
  }
  return listed((trait) => traits.get(trait), { name, line: number, wanted })
}

const HINT =
  'A list of this kind has one JSON object with a key a line. If it is a list of keys, say --files-format keys.'
