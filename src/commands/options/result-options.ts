import { resolve } from 'node:path'
import { UserError } from '../../errors.js'
import type { LineFormat, LsFormat } from '../../job/ls.js'
import { exactUrl, isObjectUrl } from '../../job/place.js'
import { printable } from '../../keys.js'
import type { Argv } from './argv.js'
import { booleanFlag, grouped, readChoice, readFlag, readText, textFlag, type Flags } from './flag-values.js'
import type { CommandIo } from './io.js'
import { parseObject } from './places.js'

/** Flags of what `du` writes, and where. */
export function duResultFlags(argv: Argv): Argv {
  return flagsOf(argv, 'text|json|csv|html')
}

/** The same of `ls`. */
export function lsResultFlags(argv: Argv): Argv {
  return flagsOf(argv, 'text|json|csv|parquet')
}

function flagsOf(argv: Argv, formats: 'text|json|csv|html' | 'text|json|csv|parquet'): Argv {
  return grouped(argv, 'Output:', {
    format: textFlag(formats, 'how it is written; ndjson and jsonl are json', 'as --to is named, else text'),
    json: booleanFlag('the same as --format json'),
    to: textFlag(
      'FILE',
      'file or s3://bucket/key to write, or -; - is standard output; .gz and .zst are compressed; there once it is whole',
    ),
  })
}

/** A result: in which form, and in which file, by its absolute path, or in which object; standard output without one. */
export interface Result<Format extends LsFormat | 'html' = LineFormat> {
  readonly format: Format
  readonly to?: string
}

/** Reads the flags of a result. A name that says another format than the flags do is a `UserError`: whoever reads the file goes by its name. */
export function readResult(flags: Flags, cwd: string): Result {
  const to = readTo(flags, cwd)
  const asked = readFormat(flags)
  const named = to === undefined ? undefined : formatOf(to)
  if (to !== undefined && asked !== undefined && named !== undefined && asked !== named) {
    throw new UserError(
      `--to ${printable(to)} is named as a file of ${named}, and was to be written as ${asked}`,
      `leave --format away, or name a file of ${asked}, such as ${EXAMPLES[asked]}`,
    )
  }
  return { format: asked ?? named ?? 'text', ...(to === undefined ? {} : { to }) }
}

/**
 * The same of `ls`, which also writes Parquet. What a Parquet file cannot be is a `UserError`: what tells where its parts are comes last, so one that is
 * not whole cannot be gone on with, and its rows are written as they come.
 */
export function readLsResult(flags: Flags, { cwd, stdout }: Pick<CommandIo, 'cwd' | 'stdout'>): Result<LsFormat> {
  const to = readTo(flags, cwd)
  // With or without what it would be packed with.
  const named = /\.parquet(\.(?:gz|zstd?))?$/i.exec(to ?? '')
  const format = readText(flags, 'format')
  if (format !== 'parquet' && (named === null || format !== undefined)) {
    if (named === null) return readResult(flags, cwd)
    throw new UserError(
      `--to ${printable(to ?? '')} is named as a file of parquet, and was to be written as ${printable(format ?? '')}`,
      'leave --format away, or name a file of another kind',
    )
  }
  const lines = to === undefined ? undefined : formatOf(to)
  const refused: readonly (readonly [boolean, string, string])[] = [
    [named?.[1] !== undefined, 'a Parquet file is compressed inside', 'name it without .gz or .zst'],
    [lines !== undefined, `--to is named as a file of ${lines ?? ''}, and was to be Parquet`, 'name it NAME.parquet'],
    [readFlag(flags, 'json') === true, '--json and --format parquet contradict each other', 'leave one of them away'],
    [to === undefined && stdout.isTTY === true, 'Parquet is not for a terminal', 'name a file: --to keys.parquet'],
    ...['checkpoint', 'folders', 'sorted'].map(
      (flag) =>
        [
          flags[flag] !== undefined && flags[flag] !== false,
          `--${flag} does not go with Parquet: it is written at once, in the order in which keys come`,
          `leave --${flag} away, or write CSV or JSON`,
        ] as const,
    ),
  ]
  for (const [isSo, what, next] of refused) if (isSo) throw new UserError(what, next)
  return { format: 'parquet', ...(to === undefined ? {} : { to }) }
}

/** The same of `du`, which is also written as a page. */
export function readDuResult(flags: Flags, cwd: string): Result<LineFormat | 'html'> {
  const to = readTo(flags, cwd)
  const isPage = /\.html?(\.(?:gz|zstd?))?$/i.test(to ?? '')
  const json = readFlag(flags, 'json') === true
  const format = json ? 'json' : readText(flags, 'format')
  const named = isPage ? 'html' : to === undefined ? undefined : formatOf(to)
  if (json && readText(flags, 'format') === 'html') {
    throw new UserError('--json and --format html contradict each other', 'leave one of them away')
  }
  if (format !== 'html' && !isPage) return readResult(flags, cwd)
  if (format !== undefined && named !== undefined && format !== named) {
    throw new UserError(
      `--to ${printable(to ?? '')} is named as a file of ${named}, and was to be written as ${printable(format)}`,
      'leave --format away, or name a file of another kind',
    )
  }
  return { format: 'html', ...(to === undefined ? {} : { to }) }
}

/** The absolute path of the file that `--to` names, or the URL of an object; undefined for standard output. */
export function readTo(flags: Flags, cwd: string): string | undefined {
  const to = readText(flags, 'to')
  if (to === undefined || to === '-') return undefined
  return isObjectUrl(to) ? exactUrl(parseObject(to, 'result', '--to')) : resolve(cwd, to)
}

/** The format that the name of a file says, compressed or not; undefined where it says none. */
export function formatOf(path: string): LineFormat | undefined {
  const [, extension = ''] = /\.([a-z]+)(?:\.(?:gz|zstd?))?$/i.exec(path) ?? []
  return BY_EXTENSION.get(extension.toLowerCase())
}

const BY_EXTENSION: ReadonlyMap<string, LineFormat> = new Map(
  Object.entries({ csv: 'csv', json: 'json', jsonl: 'json', ndjson: 'json', txt: 'text' } as const),
)

const EXAMPLES: Readonly<Record<LineFormat, string>> = { text: 'keys.txt', json: 'keys.ndjson', csv: 'keys.csv' }

function readFormat(flags: Flags): LineFormat | undefined {
  const given = readChoice(flags, 'format', ['text', 'json', 'csv', 'ndjson', 'jsonl'])
  const format = given === 'ndjson' || given === 'jsonl' ? 'json' : given
  if (readFlag(flags, 'json') !== true) return format
  if (format === undefined || format === 'json') return 'json'
  throw new UserError(`--json and --format ${format} contradict each other`, 'leave one of them away')
}
