import { UserError } from '../../errors.js'
import { printable } from '../../keys.js'
import { badLine } from './text-lines.js'
import { listed, traitOf, type ListEntry, type EntryField, type EntryNeeds } from './entry.js'
import { UrlKeys } from './s3-urls.js'
import type { Row } from './csv-rows.js'

/** What the columns of a CSV file are about. */
export interface Columns {
  /** For each column its trait; undefined for what is of no use. */
  readonly traits: readonly (EntryField | undefined)[]
  /** Keys are URL-encoded. */
  readonly encoded: boolean
  /** Whether `s3://bucket/` may be before the keys; never when absent. */
  readonly urls?: 'all' | 'all-or-none'
}

/** What is known of the columns before the first row. */
export interface CsvLayout {
  /** All of it. */
  readonly columns?: Columns
  /** Which has the keys: a name in the header, or a number, from 1, where there is no header. */
  readonly column?: string | number | undefined
  /** Without a header it may be a manifest of Batch Operations. */
  readonly manifest?: boolean
}

/**
 * The object of a row of a file, whose first row says what the columns are unless that is known; undefined where there is none. Throws UserErrors
 * naming the line.
 */
export function rowReader(name: string, wanted: EntryNeeds, layout: CsvLayout): (row: Row) => ListEntry | undefined {
  let { columns } = layout
  const urls = new UrlKeys(name, wanted)
  return (row) => {
    if (columns === undefined) {
      const header = headerOf(row, name, wanted.bucket, layout)
      columns = header ?? headless(row, name, wanted.bucket, layout)
      if (header !== undefined) return undefined
    }
    return objectOf(row, columns, urls, { name, wanted })
  }
}

/** The columns of names that are known: each trait of at most one column. */
export function columnsOf(names: readonly string[], encoded: boolean): Columns {
  const seen = new Set<EntryField>()
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

/** Which column of a header has the keys, from 0; -1 for none. Athena, Trino and Hive name the file that a row came of `$path`. */
export function keyColumnOf(fields: readonly (string | undefined)[], column?: string): number {
  if (column !== undefined) return fields.indexOf(column)
  const key = fields.findIndex((field) => field !== undefined && traitOf(field) === 'key')
  return key >= 0 ? key : fields.indexOf(PATH)
}

const PATH = '$path'
const OURS = 'key,size,etag,last_modified,storage_class'

/** Whether a line is the header that `s3move ls --format csv` writes: below it all is as s3move writes it. */
export function isOurHeader(line: string): boolean {
  return line === OURS
}

// A row that has a column named `key` is a header, unless it is of a manifest: there the first column is the bucket, and `key` may be a key.
function headerOf({ fields, line }: Row, name: string, bucket: string, { column }: CsvLayout): Columns | undefined {
  if (typeof column === 'number') return undefined
  const names = fields.map((field) => field ?? '')
  const at = keyColumnOf(names, column)
  if (at < 0) return undefined
  if (column !== undefined) {
    if (names.lastIndexOf(column) !== at) throw badLine(name, line, `names two columns ${printable(column)}`)
    // The flag says which of the columns is about keys, whatever another one is called.
    return {
      ...columnsOf(
        names.map((one, i) => (i === at ? 'key' : traitOf(one) === 'key' ? '' : one)),
        false,
      ),
      urls: 'all-or-none',
    }
  }
  const [first = '', second = ''] = names
  const known = traitOf(first) !== undefined
  const ours = first === bucket
  const short = fields.length > 1 && fields.length <= MANIFEST.length
  if (short && ours && !known) return undefined
  const others = fields.some((field, i) => i !== at && traitOf(field ?? '') !== undefined)
  if (short && (ours || (!known && !others && traitOf(second) === 'key'))) {
    throw badLine(
      name,
      line,
      'may be a header, or name an object that is called so',
      'Say --key-column key if it is a header; else write the list as one JSON object a line: {"key": ...}.',
    )
  }
  if (names[at] === PATH)
    return {
      ...columnsOf(
        names.map((one, i) => (i === at ? 'key' : one)),
        false,
      ),
      urls: 'all',
    }
  const columns = columnsOf(names, false)
  const raw = isOurHeader(names.join(',')) || columns.traits.includes('bucket')
  return raw ? columns : { ...columns, urls: 'all-or-none' }
}

const MANIFEST: readonly EntryField[] = ['bucket', 'key', 'version']

const NAME_IT =
  'Say --key-column NAME for the column that has the keys, or --key-column N where there is no header, and --delimiter for what separates columns.'

function headless({ fields, line }: Row, name: string, bucket: string, { column, manifest }: CsvLayout): Columns {
  if (typeof column === 'string') {
    throw badLine(
      name,
      line,
      `has no column ${printable(column)}: it has ${shown(fields)}`,
      'Write --key-column as the header has it.',
    )
  }
  if (column !== undefined)
    return { traits: numbered({ fields, line }, name, column), encoded: false, urls: 'all-or-none' }
  if (fields.length === 1) {
    throw badLine(
      name,
      line,
      'has one column and no header',
      `If it is a list of keys, say --files-format keys. ${NAME_IT}`,
    )
  }
  if (manifest !== true || fields.length > MANIFEST.length || /^\d+$/.test(fields[2] ?? '')) {
    throw badLine(
      name,
      line,
      'has columns that nothing tells the names of: without a header there may be bucket, key and version',
      `Of an S3 Inventory give its manifest.json. ${NAME_IT}`,
    )
  }
  if (fields[0] !== bucket) {
    throw badLine(
      name,
      line,
      `is of another bucket, ${JSON.stringify(fields[0] ?? null)}, or a header that names no column key`,
      `A list without a header has bucket, key and perhaps version, and must be of ${bucket}. ${NAME_IT}`,
    )
  }
  return { traits: MANIFEST.slice(0, fields.length), encoded: true }
}

function numbered({ fields, line }: Row, name: string, column: number): (EntryField | undefined)[] {
  if (column > fields.length) {
    throw badLine(name, line, `has ${fields.length} columns, and --key-column ${column} is none of them`, NAME_IT)
  }
  const known = fields.filter((field) => traitOf(field ?? '') !== undefined)
  if (traitOf(fields[column - 1] ?? '') === 'key' || fields[column - 1] === PATH || known.length > 1) {
    throw badLine(
      name,
      line,
      `may be a header: ${shown(fields)}`,
      'Say --key-column NAME; a number is for lists without a header.',
    )
  }
  return fields.map((_, index) => (index === column - 1 ? 'key' : undefined))
}

function shown(fields: readonly (string | undefined)[]): string {
  return printable(fields.map((field) => field ?? 'NULL').join(', '))
}

function objectOf(
  { fields, line }: Row,
  { traits, encoded, urls: mode }: Columns,
  urls: UrlKeys,
  { name, wanted }: { readonly name: string; readonly wanted: EntryNeeds },
): ListEntry | undefined {
  // A comma in a key that is not in quotes would else make another key.
  if (fields.length !== traits.length) {
    throw badLine(
      name,
      line,
      `has ${fields.length} columns where there are ${traits.length} before`,
      'A field with a comma must be in quotes; if columns are not separated by commas, say --delimiter.',
    )
  }
  const told = (trait: EntryField): unknown => {
    const text = fields[traits.indexOf(trait)]
    if (text === undefined) return undefined
    if (trait === 'key' && encoded) return decoded(text, name, line)
    if (trait === 'key' && mode !== undefined) return urls.keyOf(text, line, mode)
    return trait === 'size' && /^\d+$/.test(text) ? Number(text) : text
  }
  return listed(told, { name, line, wanted })
}

// As S3 encodes keys: a blank is a plus, and a plus is %2B. A backslash, a quote or a control character is never left as it is.
function decoded(text: string, name: string, line: number): string {
  try {
    if (!/[\\"\x00-\x1f]/.test(text)) return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    // What it is, is said below.
  }
  throw badLine(
    name,
    line,
    'has a key that is not URL-encoded, as keys without a header must be',
    'With a first row such as "bucket,key", or with --key-column N, keys are taken as they are.',
  )
}
