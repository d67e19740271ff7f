import { basename } from 'node:path'
import { printable } from '../keys.js'
import { contentOf } from './list-content.js'
import { rowReader } from './list-csv.js'
import { listed, traitOf, type Listed, type Trait } from './list-entry.js'
import { readInventory } from './list-inventory.js'
import { badLine, linesOf, trimmedEnd, type Line } from './list-lines.js'
import { rowsOf } from './list-rows.js'

/** Where the keys of a job come from instead of a listing. */
export interface KeyList {
  /** An absolute path. */
  readonly file: string
  /**
   * - `keys`: one raw key a line, so no key with a line feed, or a carriage return at its end
   * - `ndjson`: one JSON object with a `key` a line
   * - `csv`: with a header, or bucket, key and perhaps version with keys URL-encoded; or the `.json` manifest of an S3 Inventory in CSV
   */
  readonly format: 'keys' | 'ndjson' | 'csv'
}

/** The format that the name of a file tells. */
export function formatOf(file: string): KeyList['format'] {
  const name = basename(file).toLowerCase()
  if (name === 'manifest.json') return 'csv'
  const [, extension] = /\.(csv|ndjson|jsonl|json)(?:\.(?:gz|zstd?))?$/.exec(name) ?? []
  if (extension === undefined) return 'keys'
  return extension === 'csv' ? 'csv' : 'ndjson'
}

/**
 * The objects that a list names, in its order and in bounded memory; what it names twice comes twice. Delete markers and versions that it says are
 * not current are passed over. Throws a UserError for what is not as its format says, naming the line, and when it is not certain that all
 * of the list was read.
 */
export async function* readKeyList(list: KeyList, bucket: string): AsyncGenerator<Listed, void, undefined> {
  if (list.format !== 'csv' || !/\.json$/i.test(list.file)) {
    yield* one(list.file, list.format, bucket)
    return
  }
  const { files, columns } = await readInventory(list.file, bucket)
  for (const { path, size } of files) {
    const name = printable(path)
    const read = rowReader(name, bucket, columns)
    for await (const rows of rowsOf(linesOf(contentOf(path, size), name), name)) yield* read(rows)
  }
}

async function* one(file: string, format: KeyList['format'], bucket: string): AsyncGenerator<Listed, void, undefined> {
  const name = printable(file)
  const lines = linesOf(contentOf(file), name)
  switch (format) {
    case 'keys':
      for await (const some of lines) {
        for (const { text } of some) {
          const key = trimmedEnd(text)
          if (key !== '') yield { key }
        }
      }
      return
    case 'ndjson':
      for await (const some of lines) {
        for (const line of some) {
          if (trimmedEnd(line.text) === '') continue
          const object = fromJson(line, name, bucket)
          if (object !== undefined) yield object
        }
      }
      return
    case 'csv': {
      const read = rowReader(name, bucket)
      for await (const rows of rowsOf(lines, name)) yield* read(rows)
    }
  }
}

function fromJson({ number, text }: Line, name: string, bucket: string): Listed | undefined {
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
  return listed((trait) => traits.get(trait), { name, line: number, bucket })
}

const HINT =
  'A list of this kind has one JSON object with a key a line. If it is a list of keys, say --files-format keys.'
