import { nameOfList, type KeyList } from '../../job/files-from.js'
import { printable } from '../../keys.js'
import { contentOf } from './list-bytes.js'
import { rowReader } from './csv.js'
import { escapedRowsOf } from './backslash-escapes.js'
import { checkPrefix, listed, traitOf, type ListEntry, type EntryField, type EntryNeeds } from './entry.js'
import { readInventory } from './inventory.js'
import { badLine, textLines, trimmedEnd, type Line } from './text-lines.js'
import { rowsOf } from './csv-rows.js'

/**
 * The objects that a list names, in its order and in bounded memory; what it names twice comes twice. Delete markers and versions that it says are
 * not current are passed over. Throws a UserError for what is not as its format says or not wanted, naming the line, and when it is not certain that
 * all of the list was read.
 */
export async function* readKeyList(list: KeyList, wanted: EntryNeeds): AsyncGenerator<ListEntry, void, undefined> {
  if (list.format !== 'inventory') {
    yield* one(list, wanted)
    return
  }
  const { files, columns } = await readInventory(list.file, wanted.bucket)
  for (const { path, size } of files) {
    const name = printable(path)
    const read = rowReader(name, wanted, { columns })
    for await (const rows of rowsOf(textLines(contentOf(path, { expected: size }), name), name)) yield* read(rows)
  }
}

async function* one(list: KeyList, wanted: EntryNeeds): AsyncGenerator<ListEntry, void, undefined> {
  const name = nameOfList(list)
  const lines = textLines(contentOf(list.file, { name }), name, wanted.line)
  switch (list.format) {
    case undefined:
      throw new Error('a list is read, and nobody has found out what it is')
    case 'inventory':
      return
    case 'keys':
      yield* keysOf(list, lines, name, wanted)
      return
    case 'ndjson':
      for await (const some of lines) {
        for (const line of some) {
          if (trimmedEnd(line.text) === '') continue
          const object = fromJson(line, name, wanted)
          if (object !== undefined) yield object
        }
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
      for await (const some of rows) yield* read(some)
    }
  }
}

async function* keysOf(
  { escape }: KeyList,
  lines: AsyncGenerator<readonly Line[], void>,
  name: string,
  wanted: EntryNeeds,
): AsyncGenerator<ListEntry, void, undefined> {
  if (escape === 'backslash') {
    for await (const rows of escapedRowsOf(lines, name, { delimiter: undefined, quotes: false, header: false })) {
      for (const { fields, line } of rows) {
        const object = listed((trait) => (trait === 'key' ? fields[0] : undefined), { name, line, wanted })
        if (object !== undefined) yield object
      }
    }
    return
  }
  for await (const some of lines) {
    for (const { number, text } of some) {
      const key = trimmedEnd(text)
      if (key === '') continue
      checkPrefix(key, { name, line: number, wanted })
      yield { key }
    }
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
