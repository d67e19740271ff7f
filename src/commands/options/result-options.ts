import { resolve } from 'node:path'
import { UserError } from '../../errors.js'
import type { LineFormat } from '../../job/ls.js'
import { exactUrl, isObjectUrl } from '../../job/place.js'
import { printable } from '../../keys.js'
import type { Argv } from './argv.js'
import { booleanFlag, grouped, readChoice, readFlag, readText, textFlag, type Flags } from './flag-values.js'
import { parseObject } from './places.js'

/** Flags of what a job that only reads writes, and where. */
export function resultFlags(argv: Argv): Argv {
  return grouped(argv, 'Output:', {
    format: textFlag('text|json|csv', 'how it is written; ndjson and jsonl are json', 'as --to is named, else text'),
    json: booleanFlag('the same as --format json'),
    to: textFlag(
      'FILE',
      'file or s3://bucket/key to write, or -; - is standard output; .gz and .zst are compressed; there once it is whole',
    ),
  })
}

/** A result: in which form, and in which file, by its absolute path, or in which object; standard output without one. */
export interface Result {
  readonly format: LineFormat
  readonly to?: string
}

/** Reads the flags of `resultFlags`. A name that says another format than the flags do is a `UserError`: whoever reads the file goes by its name. */
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
