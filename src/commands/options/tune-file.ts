import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { UserError } from '../../errors.js'
import { MOST_CONCURRENCY, MOST_LANES } from '../../job/pace.js'
import type { PaceAdvice } from '../../job/probed.js'
import { Mismatch, oneOf, positive, shape, text } from '../../job/schema.js'
import { LARGEST_PART, SMALLEST_PART } from '../../job/transfer.js'
import { printable } from '../../keys.js'
import { readText, type Flags } from './flag-values.js'

/** The version of the file. */
const SCHEMA = 's3move-tune/1'

/** What a file that `probe --tune` wrote tells a copy. */
type Tuning = Omit<PaceAdvice, 'reasons'>

interface TuneFile extends Tuning {
  readonly schema: typeof SCHEMA
  /** When it was measured, ISO 8601, and where. */
  readonly measured: string
  readonly source: string
  readonly host: string
}

const fileShape = shape<TuneFile>(
  { schema: oneOf(SCHEMA), measured: text, source: text, host: text },
  { concurrency: positive, lanes: positive, partSize: positive },
)

/** The text of such a file. */
export function tuneText(told: Omit<TuneFile, 'schema'>): string {
  return `${JSON.stringify({ schema: SCHEMA, ...told }, undefined, 2)}\n`
}

/** What was read for the flags of a start, which several ask for. */
const READ = new WeakMap<Flags, TuneFile>()

/** What the file of `--tune` says; nothing without the flag. A file that is none is a `UserError`. */
export function readTuning(flags: Flags): Partial<TuneFile> {
  const given = readText(flags, 'tune')
  if (given === undefined) return {}
  const read = READ.get(flags) ?? tuningIn(resolve(given))
  READ.set(flags, read)
  return read
}

/**
 * What a person should know where the file of `--tune` was measured at none of these servers, which is to say at another endpoint or, of AWS, in another
 * Region; undefined where there is nothing to say. The buckets are those of the hosts.
 */
export function tunedElsewhere(
  flags: Flags,
  sides: readonly { readonly host: string | undefined; readonly bucket: string }[],
): string | undefined {
  const { source, host, measured } = readTuning(flags)
  if (source === undefined || host === undefined) return undefined
  const [, , bucket = ''] = source.split('/')
  const where = endpointOf({ host, bucket })
  const here = sides.flatMap((side) => (side.host === undefined ? [] : endpointOf({ ...side, host: side.host })))
  if (here.length === 0 || here.includes(where)) return undefined
  return `what --tune says was measured at ${printable(where)} (${printable(source)}, ${printable(measured ?? '')}), and this is ${[...new Set(here)].map(printable).join(' and ')}: it may be far too much there, or too little`
}

// Where the name of the bucket stands in that of the host, it is no part of the endpoint.
function endpointOf({ host, bucket }: { readonly host: string; readonly bucket: string }): string {
  return host.startsWith(`${bucket}.`) ? host.slice(bucket.length + 1) : host
}

function tuningIn(path: string): TuneFile {
  let content: string
  try {
    content = readFileSync(path, 'utf8')
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'there is no such file' : code
    throw new UserError(`${printable(path)} cannot be read: ${why}`, MADE_BY)
  }
  try {
    const file = fileShape(JSON.parse(content), 'file')
    const { concurrency, lanes, partSize } = file
    for (const [name, value, [least, most]] of [
      ['concurrency', concurrency, [1, MOST_CONCURRENCY]],
      ['lanes', lanes, [1, MOST_LANES]],
      ['partSize', partSize, [SMALLEST_PART, LARGEST_PART]],
    ] as const) {
      if (value !== undefined && (value < least || value > most))
        throw new Mismatch(`${name} is to be from ${least} to ${most}, and is ${value}`)
    }
    return file
  } catch (error) {
    if (!(error instanceof Mismatch) && !(error instanceof SyntaxError)) throw error
    const why = error instanceof Mismatch ? error.message : 'it is no JSON'
    throw new UserError(`${printable(path)} is no file of a probe: ${printable(why)}`, MADE_BY)
  }
}

const MADE_BY = 's3move probe s3://bucket --tune FILE writes one'
