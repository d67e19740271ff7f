import { basename } from 'node:path'
import type { KeyList } from '../job.js'
import { printable } from '../keys.js'
import { contentOf } from './list-content.js'
import { rowReader } from './list-csv.js'
import { checkPrefix, listed, traitOf, type Listed, type Trait, type Wanted } from './list-entry.js'
import { readInventory } from './list-inventory.js'
import { badLine, linesOf, trimmedEnd, type Line } from './list-lines.js'
import { rowsOf } from './list-rows.js'

/** The format of a file: what its name tells, or else its first line. Throws a UserError when the file cannot be read. */
export async function formatOf(file: string): Promise<KeyList['format']> {
  const name = basename(file).toLowerCase()
  if (name === 'manifest.json') return 'inventory'
  const [, extension] = /\.(csv|ndjson|jsonl|json)(?:\.(?:gz|zstd?))?$/.exec(name) ?? []
  if (extension !== undefined) return extension === 'csv' ? 'csv' : 'ndjson'
  for await (const lines of linesOf(contentOf(file), printable(file))) {
    for (const { text } of lines) if (text.trim() !== '') return isObject(text) ? 'ndjson' : 'keys'
  }
  return 'keys'
}

function isObject(text: string): boolean {
  if (!text.startsWith('{')) return false
  try {
    return Object.keys(JSON.parse(text) as object).some((field) => traitOf(field) === 'key')
  } catch {
    return false
  }
}

/**
 * The objects that a list names, in its order and in bounded memory; what it names twice comes twice. Delete markers and versions that it says are
 * not current are passed over. Throws a UserError for what is not as its format says or not wanted, naming the line, and when it is not certain that
 * all of the list was read.
 */
export async function* readKeyList(list: KeyList, wanted: Wanted): AsyncGenerator<Listed, void, undefined> {
  if (list.format !== 'inventory') {
    yield* one(list.file, list.format, wanted)
    return
  }
  const { files, columns } = await readInventory(list.file, wanted.bucket)
  for (const { path, size } of files) {
    const name = printable(path)
    const read = rowReader(name, wanted, columns)
    for await (const rows of rowsOf(linesOf(contentOf(path, size), name), name)) yield* read(rows)
  }
}

async function* one(
  file: string,
  format: Exclude<KeyList['format'], 'inventory'>,
  wanted: Wanted,
): AsyncGenerator<Listed, void, undefined> {
  const name = printable(file)
  const lines = linesOf(contentOf(file), name)
  switch (format) {
    case 'keys':
      for await (const some of lines) {
        for (const { number, text } of some) {
          const key = trimmedEnd(text)
          if (key === '') continue
          checkPrefix(key, { name, line: number, wanted })
          yield { key }
        }
      }
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
      const read = rowReader(name, wanted)
      for await (const rows of rowsOf(lines, name)) yield* read(rows)
    }
  }
}

function fromJson({ number, text }: Line, name: string, wanted: Wanted): Listed | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw badLine(name, number, 'is not JSON', HINT)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badLine(name, number, 'is not a JSON object', HINT)
  }
  const traits = new Map<Trait, unknown>()
  for (const [field, content] of Object.entries(value)) {
    const trait = traitOf(field)
    if (trait === 'key' && traits.has(trait)) throw badLine(name, number, 'has two keys')
    if (trait !== undefined) traits.set(trait, content)
  }
  return listed((trait) => traits.get(trait), { name, line: number, wanted })
}

const HINT =
  'A list of this kind has one JSON object with a key a line. If it is a list of keys, say --files-format keys.'
