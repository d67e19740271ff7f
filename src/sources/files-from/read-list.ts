import { nameOfList, type KeyList } from '../../job/files-from.js'
import { PassedOverCounts } from '../../job/passed-over.js'
import { UserError } from '../../errors.js'
import type { DataFile } from '../../storage/data-files.js'
import { contentOf } from './list-bytes.js'
import { rowReader } from './csv.js'
import { dataRows, parquetFile, type ListBatch, type ListPosition } from './data-rows.js'
import { escapedRowsOf } from './backslash-escapes.js'
import { isWithin, listed, traitOf, type ListEntry, type EntryField, type EntryNeeds } from './entry.js'
import { DISK_FILES } from './disk-files.js'
import { readInventory } from './inventory.js'
import { badLine, textLines, trimmedEnd, type Line } from './text-lines.js'
import { rowsOf } from './csv-rows.js'

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
    yield* closing(file, async (file) =>
      (await parquetFile({ ...file, name })).read({ ...wanted, passedOver }, from, passed),
    )
  } else if (list.format === 'inventory') {
    const inventory = await readInventory(list, wanted)
    for (const [number, data] of inventory.files.entries()) {
      if (number < from.file) continue
      const place = { file: number, row: number === from.file ? from.row : 0 }
      yield* closing(await data.open(), async (file) =>
        (await dataRows(file, inventory)).read({ ...wanted, ofBucket: true, passedOver }, place, passed),
      )
    }
  } else yield* one(list, wanted)
}

/** The same, one by one. */
export async function* readKeyList(list: KeyList, wanted: EntryNeeds): AsyncGenerator<ListEntry, void, undefined> {
  for await (const { entries } of listBatches(list, wanted)) yield* entries
}

async function* closing<T>(
  file: DataFile,
  read: (file: DataFile) => Promise<AsyncGenerator<T, void>>,
): AsyncGenerator<T, void, undefined> {
  try {
    yield* await read(file)
  } finally {
    await file.close()
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
