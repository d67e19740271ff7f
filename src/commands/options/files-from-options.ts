import { resolve } from 'node:path'
import type { Argv } from './argv.js'
import { UserError } from '../../errors.js'
import type { KeyList, ListFormat } from '../../job/files-from.js'
import { exactUrl, isFolder, type Place } from '../../job/place.js'
import { printable } from '../../keys.js'
import { defined, grouped, readChoice, readText, textFlag, type Flags } from './flag-values.js'
import { parseBucket, parseObject } from './places.js'

/** Flags of a file that names the objects. */
export function listFlags(argv: Argv): Argv {
  const one = (...flag: Parameters<typeof textFlag>) => ({ ...textFlag(...flag), nargs: 1 }) as const
  return grouped(argv, 'Objects that a file names:', {
    'files-from': one(
      'FILE',
      'the objects named by a file, s3://bucket/key or -; - is standard input; whole keys; gz too; of an S3 Inventory its manifest.json or folder',
    ),
    'files-format': one(
      'keys|ndjson|csv|parquet|inventory',
      'what the file is: one key a line, JSON lines, CSV, Parquet, or the manifest.json of an S3 Inventory',
      'by the name or first line',
    ),
    delimiter: one('CHAR', "what separates the columns of CSV: ',' ';' '|' tab", 'by the header'),
    'csv-escape': one(
      'backslash|double',
      'how quotes are escaped in CSV: with a backslash (MySQL, MariaDB, PostgreSQL COPY) or doubled',
      'what is possible',
    ),
    'key-column': one('COLUMN', 'column of the keys: its name in the header, or its number without one'),
  })
}

/** The list that the flags name, as a part of a job; what they do not say of it is open until it was surveyed. */
export function readKeyListOf(flags: Flags, cwd: string): { readonly list?: KeyList } {
  const given = readText(flags, 'files-from')
  const format = readChoice(flags, 'files-format', ['keys', 'ndjson', 'csv', 'parquet', 'inventory'])
  const escape = readChoice(flags, 'csv-escape', ['double', 'backslash'])
  const reading = defined({ delimiter: readDelimiter(flags), escape, column: readColumn(flags) })
  if (given === undefined) {
    const [flag] = format === undefined ? flagsOfReading(reading) : ['--files-format']
    if (flag === undefined) return {}
    throw new UserError(`${flag} is about --files-from, which was not given`, 'add it, or leave it away')
  }
  const list = { ...placeOfList(given, cwd), ...defined({ format }), ...reading }
  if (list.origin?.from === '-' && format === 'inventory') {
    throw new UserError(
      'standard input would be the manifest of an S3 Inventory, whose data files lie elsewhere',
      'name the manifest: --files-from s3://bucket/…/manifest.json, or a file beside its data files',
    )
  }
  return { list }
}

/** The inventory that a flag names in place of a listing of the source, as a part of a job. */
export function readInventoryOf(source: Place, flags: Flags, cwd: string): { readonly inventory?: KeyList } {
  const given = readText(flags, 'source-inventory')
  if (given === undefined) return {}
  if (isFolder(source)) {
    throw new UserError(
      '--source-inventory is of a bucket, and the source is a folder',
      'leave --source-inventory away',
    )
  }
  if (given === '-') {
    throw new UserError(
      'standard input would be the manifest of an S3 Inventory, whose data files lie elsewhere',
      'name the manifest: --source-inventory s3://bucket/…/manifest.json, or a file beside its data files',
    )
  }
  return { inventory: { ...placeOfList(given, cwd, '--source-inventory'), format: 'inventory' } }
}

function placeOfList(given: string, cwd: string, flag = '--files-from'): Pick<KeyList, 'file' | 'origin' | 'format'> {
  if (given === '-') return { file: '', origin: { from: given } }
  if (!given.startsWith('s3://')) return { file: resolve(cwd, given) }
  const folder = given.endsWith('/') ? parseBucket(given, 'list') : undefined
  // Only of an inventory a folder can be named: the newest in it is taken.
  if (folder !== undefined && folder.prefix !== '')
    return { file: '', format: 'inventory', origin: { from: exactUrl(folder) } }
  return { file: '', origin: { from: exactUrl(parseObject(given, 'list', flag)) } }
}

/** Those flags of `KeyList` that are given, of which each says how columns are read. */
export function flagsOfReading({ delimiter, escape, column }: Omit<KeyList, 'file'>): string[] {
  const about = Object.entries({ delimiter, 'csv-escape': escape, 'key-column': column })
  return about.filter(([, value]) => value !== undefined).map(([name]) => `--${name}`)
}

function readColumn(flags: Flags): string | number | undefined {
  const given = readText(flags, 'key-column')
  if (given === undefined || !/^\d+$/.test(given)) return given
  const column = Number(given)
  if (column > 0 && column <= 10_000) return column
  throw new UserError(
    `--key-column ${given} is no column: the first is 1`,
    'write its number, or its name in the header',
  )
}

function readDelimiter(flags: Flags): string | undefined {
  const given = readText(flags, 'delimiter')
  if (given === undefined) return undefined
  const delimiter = given === 'tab' || given === '\\t' ? '\t' : given
  if (/^[ -~\t]$/.test(delimiter) && !/["\\]/.test(delimiter)) return delimiter
  throw new UserError(
    `--delimiter cannot be ${printable(given)}`,
    "write one character of ASCII, such as ',' or ';', or the word tab",
  )
}

/** What a list is read as, in words. */
export const FORMATS: Readonly<Record<ListFormat, string>> = {
  keys: 'one key a line',
  ndjson: 'one JSON object a line',
  csv: 'CSV',
  parquet: 'Parquet',
  inventory: 'the manifest of an S3 Inventory',
}
