import { UserError } from '../errors.js'
import { printable } from '../keys.js'
import { badLine } from './list-lines.js'
import { listed, traitOf, type Listed, type Trait, type Wanted } from './list-entry.js'
import type { Row } from './list-rows.js'

/** What the columns of a CSV file are about. */
export interface Columns {
  /** For each column its trait; undefined for what is of no use. */
  readonly traits: readonly (Trait | undefined)[]
  /** Keys are URL-encoded. */
  readonly encoded: boolean
}

/** The objects of the rows of a file, whose first row says what the columns are unless `columns` does. Throws UserErrors naming the line. */
export function rowReader(
  name: string,
  wanted: Wanted,
  columns?: Columns,
): (rows: readonly Row[]) => readonly Listed[] {
  return (rows) => {
    const objects: Listed[] = []
    for (const row of rows) {
      if (columns === undefined) {
        const header = headerOf(row, name, wanted.bucket)
        columns = header ?? manifestOf(row, name)
        if (header !== undefined) continue
      }
      const object = objectOf(row, columns, name, wanted)
      if (object !== undefined) objects.push(object)
    }
    return objects
  }
}

/** The columns of names that are known: each trait of at most one column. */
export function columnsOf(names: readonly string[], encoded: boolean): Columns {
  const seen = new Set<Trait>()
  const traits = names.map((name) => {
    const trait = traitOf(name)
    if (trait === undefined) return undefined
    if (seen.has(trait))
      throw new UserError(
        `two columns are about the same: ${printable(names.join(', '))}`,
        'Take one of them out of the list.',
      )
    seen.add(trait)
    return trait
  })
  return { traits, encoded }
}

// A row that has a column named `key` is a header, unless it is of a manifest: there the first column is the bucket, and `key` may be a key.
function headerOf({ fields, line }: Row, name: string, bucket: string): Columns | undefined {
  if (!fields.some((field) => traitOf(field) === 'key')) return undefined
  const [first = '', second = ''] = fields
  const known = traitOf(first) !== undefined
  const ours = first === bucket
  const short = fields.length <= MANIFEST.length
  if (short && ours && !known) return undefined
  if (short && (ours || (!known && traitOf(second) === 'key'))) {
    throw badLine(
      name,
      line,
      'may be a header, or name an object that is called so',
      'Write the list as one JSON object a line: {"key": ...}.',
    )
  }
  return columnsOf(fields, false)
}

const MANIFEST: readonly Trait[] = ['bucket', 'key', 'version']

function manifestOf({ fields, line }: Row, name: string): Columns {
  if (fields.length === 1) {
    throw badLine(name, line, 'has one column and no header', 'If it is a list of keys, say --files-format keys.')
  }
  if (fields.length > MANIFEST.length || /^\d+$/.test(fields[2] ?? '')) {
    throw badLine(
      name,
      line,
      'has columns that nothing tells the names of: without a header there may be bucket, key and version',
      'Of an S3 Inventory give its manifest.json, or put a header before the rows if the keys are not URL-encoded.',
    )
  }
  return { traits: MANIFEST.slice(0, fields.length), encoded: true }
}

function objectOf({ fields, line }: Row, columns: Columns, name: string, wanted: Wanted): Listed | undefined {
  const { traits, encoded } = columns
  // A comma in a key that is not in quotes would else make another key.
  if (fields.length !== traits.length) {
    throw badLine(
      name,
      line,
      `has ${fields.length} columns where there are ${traits.length} before`,
      'A field with a comma must be in quotes.',
    )
  }
  const told = (trait: Trait): unknown => {
    const text = fields[traits.indexOf(trait)]
    if (text === undefined) return undefined
    if (trait === 'key' && encoded) return decoded(text, name, line)
    return trait === 'size' && /^\d+$/.test(text) ? Number(text) : text
  }
  return listed(told, { name, line, wanted })
}

// As S3 encodes keys: a blank is a plus, and a plus is %2B.
function decoded(text: string, name: string, line: number): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw badLine(
      name,
      line,
      'has a key that is not URL-encoded, as keys without a header must be',
      'With a first row such as "bucket,key" keys are taken as they are.',
    )
  }
}
