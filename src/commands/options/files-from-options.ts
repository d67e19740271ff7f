import { resolve } from 'node:path'
import type { Argv } from 'yargs'
import type { ListState } from '../../checkpoint/checkpoint.js'
import { UserError } from '../../errors.js'
import { count, objects, shellWord } from '../../report/format.js'
import type { KeyList } from '../../job/files-from.js'
import { listOf, withList, type WriteJob } from '../../job/kinds.js'
import { printable } from '../../keys.js'
import { recognised } from '../../sources/files-from/list-format.js'
import { surveyList, entryNeedsOf } from '../../sources/files-from/files-from-source.js'
import { readChoice, readText, type Flags } from './common-options.js'

/** Flags of a file that names the objects. */
export function listFlags<T>(argv: Argv<T>): Argv<T> {
  const one = { type: 'string', nargs: 1, requiresArg: true } as const
  return argv
    .option('files-from', {
      ...one,
      describe: 'file that names the objects, in place of a listing; whole keys; gz too',
    })
    .option('files-format', {
      ...one,
      describe: 'keys (one a line), ndjson, csv, or inventory (its manifest.json) [default: by the name or first line]',
    })
    .option('delimiter', {
      ...one,
      describe: "what separates the columns of CSV: ',' ';' '|' tab [default: by the header]",
    })
    .option('csv-escape', {
      ...one,
      describe:
        'backslash (MySQL, MariaDB, PostgreSQL COPY) or double (quotes are doubled) [default: what is possible]',
    })
    .option('key-column', { ...one, describe: 'column of the keys: its name in the header, or its number without one' })
    .group(['files-from', 'files-format', 'delimiter', 'csv-escape', 'key-column'], 'Objects that a file names:')
}

/** The list that the flags name, as a part of a job; how it is escaped is open until it was surveyed. A `UserError` when it cannot be read. */
export async function readKeyListOf(flags: Flags, cwd: string): Promise<{ readonly list?: KeyList }> {
  const given = readText(flags, 'files-from')
  const format = readChoice(flags, 'files-format', ['keys', 'ndjson', 'csv', 'inventory'])
  const escape = readChoice(flags, 'csv-escape', ['double', 'backslash'])
  const column = readColumn(flags)
  const delimiter = readDelimiter(flags)
  const about = Object.entries({ delimiter, 'csv-escape': escape, 'key-column': column })
  const reading = about.filter(([, value]) => value !== undefined).map(([name]) => `--${name}`)
  if (given === undefined) {
    const [flag] = format === undefined ? reading : ['--files-format']
    if (flag === undefined) return {}
    throw new UserError(`${flag} is about --files-from, which was not given`, 'add it, or leave it away')
  }
  if (readText(flags, 'threads') !== undefined) {
    throw new UserError(
      '--threads does not go with --files-from: a list is worked on in its order, by one thread',
      'leave it away; --concurrency is what counts, or cut the list into several, each with a run of its own',
    )
  }
  const list = await recognised({
    file: resolve(cwd, given),
    ...(format === undefined ? {} : { format }),
    ...(escape === undefined ? {} : { escape }),
    ...(column === undefined ? {} : { column }),
    ...(delimiter === undefined ? {} : { delimiter }),
  })
  const [flag] =
    list.format === 'csv' ? [] : reading.filter((name) => list.format !== 'keys' || name !== '--csv-escape')
  if (flag === undefined) return { list }
  throw new UserError(
    `${flag} is about CSV, and ${shellWord(list.file)} is read as ${FORMATS[list.format]}`,
    'leave it away, or say --files-format csv',
  )
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

/** What a survey of a job's list found. */
export interface Survey {
  /** The job, with the list as it is to be read. */
  readonly job: WriteJob
  readonly state: ListState
  /** What it is and what it holds, fit to print. */
  readonly found: string
}

/** Reads the list of a job to its end, if it has one. A `UserError` for a line that the job cannot take, or that can be read in two ways. */
export async function surveyOf(job: WriteJob): Promise<Survey | undefined> {
  const told = listOf(job)
  if (told === undefined) return undefined
  const bucket = entryNeedsOf(job)
  const { list, state, first, passedOver, urls } = await surveyList(told, bucket)
  const { file, format, ...reading } = list
  const unusual = urls || Object.keys(reading).length > 0
  const parts = [
    `${shellWord(file)} is read as ${FORMATS[format]}${inWords(list)}: ${objects(state.of)}`,
    ...(unusual && first !== undefined ? [`the first is ${printable(first.key)}`] : []),
    ...(urls ? [`s3://${bucket.bucket}/ is taken off all of them`] : []),
    ...(passedOver === 0
      ? []
      : [
          `passed over: ${count(passedOver)} ${passedOver === 1 ? 'line' : 'lines'} of delete markers or versions that are not current`,
        ]),
  ]
  return { job: withList(job, list), state, found: parts.join('; ') }
}

function inWords({ delimiter, escape, rawQuotes, column }: KeyList): string {
  const parts = [
    ...(delimiter === undefined ? [] : [`separated by ${delimiter === '\t' ? 'tabs' : delimiter}`]),
    ...(escape === 'backslash' ? [`with backslash escapes${rawQuotes === true ? ' and without quotes' : ''}`] : []),
    ...(column === undefined ? [] : [`with its keys in column ${printable(String(column))}`]),
  ]
  return parts.length === 0 ? '' : ` ${parts.join(', ')}`
}

const FORMATS: Readonly<Record<KeyList['format'], string>> = {
  keys: 'one key a line',
  ndjson: 'one JSON object a line',
  csv: 'CSV',
  inventory: 'the manifest of an S3 Inventory',
}
