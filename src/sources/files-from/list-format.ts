import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { UserError } from '../../errors.js'
import { unlessMissing } from '../../file-system.js'
import { nameOfList, type KeyList, type ListFormat } from '../../job/files-from.js'
import { PassedOverCounts, type PassedOver } from '../../job/passed-over.js'
import { printable } from '../../keys.js'
import { newestFirst } from './dated-folders.js'
import { DISK_FILES } from './disk-files.js'
import { contentOf } from './list-bytes.js'
import { isOurHeader, keyColumnOf } from './csv.js'
import { traitOf, type ListEntry, type EntryNeeds } from './entry.js'
import { readKeyList } from './read-list.js'
import { BadLine, textLines, trimmedEnd } from './text-lines.js'
import { fieldsOf } from './csv-rows.js'
import { partsOfUrl } from './s3-urls.js'

/** What separates columns, where nobody says it. */
const DELIMITERS = [',', ';', '\t', '|']

/**
 * A list with its format and its delimiter: what is told, what its name tells, or what its first line proves. Throws a UserError when that can be
 * understood in two ways, or the file cannot be read.
 */
export async function recognised(given: KeyList): Promise<KeyList & { readonly format: ListFormat }> {
  const told = given.origin === undefined ? { ...given, file: await manifestIn(given.file) } : given
  const file = told.origin?.from ?? told.file
  const named = told.format ?? formatNamed(file) ?? ((await isParquet(told.file)) ? 'parquet' : undefined)
  if (isWhole(named) || (named === 'keys' && told.format !== undefined)) {
    // That each line is a key is said: then it is one as it is.
    return { ...told, format: named, ...(named === 'keys' && told.escape === undefined ? { escape: 'double' } : {}) }
  }
  const [first = ''] = await beginning(told)
  const columns = told.delimiter !== undefined || told.column !== undefined
  if (named === undefined && !columns) {
    if (isObject(first)) return { ...told, format: 'ndjson' }
    await checkPlain(told, first)
    return { ...told, format: 'keys' }
  }
  const { delimiter = isTabbed(file) ? '\t' : await delimiterOf(told, first), ...rest } = told
  const certain = delimiter === ',' && told.column === undefined && told.escape === undefined && isOurHeader(first)
  return {
    ...rest,
    format: 'csv',
    ...(delimiter === ',' ? {} : { delimiter }),
    ...(certain ? { escape: 'double' } : {}),
  }
}

// A folder stands for the newest inventory in it, or for the one that it is of.
async function manifestIn(path: string): Promise<string> {
  const found = await unlessMissing(stat(path))
  if (found?.isDirectory() !== true) return path
  const names = await readdir(path)
  for (const folder of ['', ...newestFirst(names)]) {
    const manifest = join(path, folder, 'manifest.json')
    if ((await unlessMissing(stat(manifest))) !== undefined) return manifest
  }
  throw new UserError(
    `${printable(path)} is a folder, and no inventory is in it: no manifest.json, nor a folder named as 2026-01-31T01-00Z that has one`,
    'Name a file, or the folder of the configuration of an S3 Inventory.',
  )
}

// Formats of which there is one reading.
function isWhole(format: ListFormat | undefined): format is 'inventory' | 'ndjson' | 'parquet' {
  return format === 'inventory' || format === 'ndjson' || format === 'parquet'
}

async function isParquet(path: string): Promise<boolean> {
  const file = await DISK_FILES.open([path])
  try {
    return file !== undefined && file.size >= 12 && (await file.read(0, 4)).equals(PARQUET)
  } finally {
    await file?.close()
  }
}

const PARQUET = Buffer.from('PAR1')

function isTabbed(file: string): boolean {
  return /\.(?:tsv|tab)(?:\.(?:gz|zstd?))?$/i.test(file)
}

function formatNamed(file: string): ListFormat | undefined {
  const name = basename(file).toLowerCase()
  if (name === 'manifest.json') return 'inventory'
  if (name.endsWith('.parquet')) return 'parquet'
  if (isTabbed(name)) return 'csv'
  const [, extension] = /\.(csv|ndjson|jsonl|json)(?:\.(?:gz|zstd?))?$/.exec(name) ?? []
  return extension === undefined ? undefined : extension === 'csv' ? 'csv' : 'ndjson'
}

/** The first two lines of a list that are not empty. */
async function beginning(list: KeyList): Promise<string[]> {
  const found: string[] = []
  const name = nameOfList(list)
  for await (const lines of textLines(contentOf(list.file, { name }), name)) {
    for (const { text } of lines) {
      if (trimmedEnd(text).trim() !== '') found.push(trimmedEnd(text))
      if (found.length === 2) return found
    }
  }
  return found
}

function isObject(text: string): boolean {
  if (!text.startsWith('{')) return false
  try {
    return Object.keys(JSON.parse(text) as object).some((field) => traitOf(field) === 'key')
  } catch {
    return false
  }
}

// A key may be anything; but a first line that a database would write above or around keys is none by a guess.
async function checkPlain(list: KeyList, first: string): Promise<void> {
  const quoted = /^".*"$/.test(first)
  const header = first === 'key' || DELIMITERS.some((one) => isHeader(first, one) && first.includes(one))
  const url = partsOfUrl(first) !== undefined
  if (!quoted && !header && !url && !first.includes('\t')) return
  const what = url ? 'begins with a URL' : header ? 'may begin with a header' : 'may have columns'
  throw await withLines(
    list,
    new UserError(
      `${nameOfList(list)} ${what}, and nothing says what it is`,
      url
        ? 'Say --key-column 1 to have s3://bucket/ taken off each line (N where it is another column), or --files-format keys if each line is a key as it is.'
        : 'Say --files-format csv (with --key-column N where there is no header), or --files-format keys if each line is a key as it is.',
    ),
  )
}

function isHeader(first: string, delimiter: string, column?: string | number): boolean {
  try {
    return keyColumnOf(fieldsOf(first, '', 1, delimiter), typeof column === 'string' ? column : undefined) >= 0
  } catch (error) {
    if (error instanceof BadLine) return false
    throw error
  }
}

async function delimiterOf(list: KeyList, first: string): Promise<string> {
  const { column } = list
  const headers = typeof column === 'number' ? [] : DELIMITERS.filter((one) => isHeader(first, one, column))
  const several = headers.filter((one) => fieldsOf(first, '', 1, one).length > 1)
  if (several.length === 1) return several[0] ?? ','
  const unclear = several.length > 1 || (typeof column === 'number' && /[;|\t]/.test(first))
  if (!unclear) return ','
  throw await withLines(
    list,
    new UserError(
      `nothing says what separates the columns of ${nameOfList(list)}`,
      "Say --delimiter ',' or --delimiter ';' or --delimiter tab, or what it is.",
    ),
  )
}

const LONGEST_SHOWN = 120

async function withLines(list: KeyList, error: UserError): Promise<UserError> {
  const lines = await beginning(list).catch(() => [])
  const shown = lines.map((line) => {
    const text = printable(line)
    return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text
  })
  return new UserError(error.message, `${error.hint ?? ''} It begins: ${shown.join(' ⏎ ')}`.trim())
}

/** What a list was found to be. */
export interface FoundFormat {
  /** In the one way in which it can be read. */
  readonly list: KeyList
  /** How many objects it names, and the first of them. */
  readonly named: number
  readonly first?: ListEntry
  readonly passedOver: PassedOver
  /** `s3://bucket/` is taken off its keys. */
  readonly urls: boolean
}

/**
 * Reads a list to its end in every way that what is told of it allows, and gives the one that is possible. Throws a UserError, with the first lines,
 * when there is none, or when there are several and they name different objects.
 */
export async function readingOf(told: KeyList, wanted: EntryNeeds): Promise<FoundFormat> {
  try {
    return await settled(told, wanted)
  } catch (error) {
    throw error instanceof BadLine && !isWhole(told.format) ? await withLines(told, error) : error
  }
}

async function settled(told: KeyList, wanted: EntryNeeds): Promise<FoundFormat> {
  const [usual = told, ...others] = waysOf(told)
  const first = await attempt(usual, told, wanted)
  if (others.length === 0 || (!first.doubtful && !(first.result instanceof BadLine))) return orThrow(first)
  const all = [first]
  for (const way of others) all.push(await attempt(way, told, wanted))
  if (!all.some(({ doubtful }) => doubtful)) return orThrow(first)
  const [one, ...more] = all.filter(({ result }) => !(result instanceof BadLine))
  if (one === undefined) throw ofAll(all)
  for (const other of more) {
    const difference = await differing(one.way, other.way, wanted)
    if (difference !== undefined) throw ambiguous(told, difference)
  }
  return orThrow(one)
}

// As it is most often first. What a job keeps of it is only what differs from that.
function waysOf({ escape, rawQuotes, ...list }: KeyList): KeyList[] {
  if (isWhole(list.format)) return [list]
  const escaped: KeyList[] = [{ ...list, escape: 'backslash' }]
  if (list.format === 'csv') escaped.push({ ...list, escape: 'backslash', rawQuotes: true })
  return escape === 'double' ? [list] : escape === 'backslash' ? escaped : [list, ...escaped]
}

interface Attempt {
  readonly way: KeyList
  readonly result: FoundFormat | BadLine
  /** There is something in the list that another way may read otherwise. */
  readonly doubtful: boolean
}

async function attempt(way: KeyList, told: KeyList, wanted: EntryNeeds): Promise<Attempt> {
  // Where tabs are between columns nothing else tells whether quotes are around fields, or a part of them.
  const quotes = way.delimiter === '\t' || told.escape === 'backslash'
  let [named, urls, doubtful] = [0, false, false]
  const passed = new PassedOverCounts()
  let first: ListEntry | undefined
  const reader = readKeyList(way, {
    ...wanted,
    passedOver: passed.add,
    urls: () => (urls = true),
    line: (text) => (doubtful ||= text.includes('\\') || (quotes && text.includes('"'))),
  })
  try {
    for await (const entry of reader) {
      first ??= entry
      named++
      if (told.escape === undefined) checkKey(entry.key, told)
    }
  } catch (error) {
    if (!(error instanceof BadLine)) throw error
    return { way, result: error, doubtful }
  }
  const found = { list: way, named, ...(first === undefined ? {} : { first }), passedOver: passed.now, urls }
  return { way, result: found, doubtful }
}

function checkKey(key: string, list: KeyList): void {
  const { format } = list
  if (format !== 'csv' && format !== 'keys') return
  if (key === '\\N' || key === 'NULL') {
    throw new BadLine(
      `${nameOfList(list)} has ${key} for a key, which is what databases write where there is none`,
      'Leave such rows out; if an object is called so, give the list as one JSON object a line: {"key": ...}.',
    )
  }
  if (format === 'keys' && partsOfUrl(key) !== undefined) {
    throw new BadLine(
      `${nameOfList(list)} has a URL for a key: ${printable(key)}`,
      'If s3:// and the bucket are to be taken off, say --files-format csv --key-column 1; if a key begins so, --files-format keys.',
    )
  }
}

// What is wrong with the header says more than what is wrong with a row below.
function ofAll(attempts: readonly Attempt[]): unknown {
  const wrong = attempts.flatMap(({ result }) => (result instanceof BadLine ? [result] : []))
  return wrong.find(({ line }) => line <= 1) ?? wrong[0]
}

function orThrow({ result }: Attempt): FoundFormat {
  if (result instanceof BadLine) throw result
  return result
}

// The first objects in which two readings differ.
async function differing(
  one: KeyList,
  other: KeyList,
  wanted: EntryNeeds,
): Promise<readonly [ListEntry | undefined, ListEntry | undefined] | undefined> {
  const [a, b] = [readKeyList(one, wanted), readKeyList(other, wanted)]
  try {
    for (;;) {
      const [x, y] = [(await a.next()).value ?? undefined, (await b.next()).value ?? undefined]
      if (JSON.stringify(x) !== JSON.stringify(y)) return [x, y]
      if (x === undefined) return undefined
    }
  } finally {
    await a.return()
    await b.return()
  }
}

function ambiguous(list: KeyList, [one, other]: readonly [ListEntry | undefined, ListEntry | undefined]): BadLine {
  const { format, escape } = list
  const [x, y] = [one, other].map((entry) => (entry === undefined ? 'no further object' : printable(entry.key)))
  const is = one?.key === other?.key ? `what it tells of ${x ?? ''}` : `whether it names ${x ?? ''} or ${y ?? ''}`
  const asIs = format === 'keys' ? '--files-format keys if each line is a key as it is' : '--csv-escape double if not'
  return new BadLine(
    `${nameOfList(list)} can be read in two ways: it is not certain ${is}`,
    escape === undefined
      ? `Say --csv-escape backslash if MySQL, MariaDB or PostgreSQL’s COPY wrote it (a backslash is \\\\), or ${asIs}.`
      : 'Whether quotes are around its fields or a part of them is not certain: give it as one JSON object a line: {"key": ...}.',
  )
}
