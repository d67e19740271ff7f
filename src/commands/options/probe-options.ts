import { resolve } from 'node:path'
import { UserError } from '../../errors.js'
import { MOST_CONCURRENCY } from '../../job/pace.js'
import { endsInSlash, keyBytes, printable } from '../../keys.js'
import { parseSize } from '../../rules/size.js'
import type { Argv } from './argv.js'
import { connectionFlags } from './connection-options.js'
import {
  booleanFlag,
  grouped,
  many,
  readAmount,
  readDuration,
  readList,
  readText,
  readWhole,
  textFlag,
  type Flags,
} from './flag-values.js'
import { fileFormat } from './plan-options.js'

/** How much a probe may ask, and what that may cost. */
export interface ProbeBounds {
  readonly requests: number
  /** Bytes of content. */
  readonly bytes: number
  /** Requests at once, to which their number is raised; 0 where it is not. */
  readonly concurrency: number
  /** In US$. */
  readonly maxCost: number | undefined
  /** Files of the AWS price list. */
  readonly prices: readonly string[]
}

/** What is watched is asked again and again, so each time little. */
const REQUESTS = { least: 100, watching: 200, usual: 5_000, most: 10_000_000 }
const CONCURRENCY = { usual: 256, most: MOST_CONCURRENCY }
/** In bytes. */
const MOST_PREFIX = 900
const BYTES = { usual: 256 * 1024 ** 2, most: 1024 ** 4 }

/** Flags of `probe`. */
export function probeFlags(argv: Argv): Argv {
  grouped(argv, 'What is measured:', {
    write: textFlag('PREFIX', 'writes too, below this prefix of the bucket; all of it is deleted again'),
  })
  grouped(argv, 'How much is asked:', {
    'max-requests': textFlag(
      'N',
      'most requests to send',
      `${REQUESTS.usual}; ${REQUESTS.watching} where a store is watched`,
    ),
    'max-bytes': textFlag('SIZE', 'most bytes of content to read and write', '256M'),
    concurrency: textFlag(
      'N',
      'most requests at once, to which their number is raised',
      `${CONCURRENCY.usual}; not raised where a store is watched`,
    ),
    'max-cost': textFlag('USD', 'refuse to begin where all that may be asked costs more than this'),
    prices: many('FILE', 'prices in place of those that come along: index.json of the AWS price list; repeatable'),
  })
  return grouped(connectionFlags(argv), 'Output:', {
    json: booleanFlag('one JSON object, a line for each probe'),
    format: textFlag('text|json|prometheus|nagios|munin', 'for people, programs, or a monitoring system', 'text'),
    warning: textFlag('RANGE', 'with nagios: an alert for so many milliseconds to the first byte', 'none'),
    critical: textFlag('RANGE', 'with nagios: the same, and critical', 'none'),
    every: textFlag('TIME', 'again each time that this is over, until it is ended; 10s or more'),
    history: textFlag('FILE', 'file to append each result to, as a line of JSON'),
    to: textFlag('FILE', 'file to write the result to as well: .html for a page, .json or .txt'),
    tune: textFlag('FILE', 'file to write what follows for copies to: copy --tune FILE takes it'),
  })
}

/** Where writes are to be measured: a prefix of the bucket that ends in `/`; undefined where they are not. */
export function readWritePrefix(flags: Flags): string | undefined {
  const given = readText(flags, 'write')
  if (given === undefined) return undefined
  if (given.startsWith('s3://')) {
    throw new UserError(
      `--write wants a prefix of the bucket that is measured, and was given ${printable(given)}`,
      'write something like --write tmp/',
    )
  }
  const prefix = endsInSlash(given) ? given : `${given}/`
  if (keyBytes(prefix) <= MOST_PREFIX) return prefix
  throw new UserError(
    `--write wants a prefix of at most ${MOST_PREFIX} bytes, and was given one of ${keyBytes(prefix)}`,
    'a key has no more than 1,024 bytes, and what a probe writes has a name of its own',
  )
}

/** Files that are written beside what is told. */
export interface ProbeFiles {
  /** Absolute paths. */
  readonly to?: { readonly path: string; readonly format: 'text' | 'json' | 'html' }
  readonly tune?: string
  readonly history?: string
}

/** Reads which files are to be written. */
export function readProbeFiles(flags: Flags, cwd: string): ProbeFiles {
  const [to, tune, history] = ['to', 'tune', 'history'].map((name) => readText(flags, name))
  return {
    ...(to === undefined ? {} : { to: { path: resolve(cwd, to), format: fileFormat(to, 'probe') } }),
    ...(tune === undefined ? {} : { tune: resolve(cwd, tune) }),
    ...(history === undefined ? {} : { history: resolve(cwd, history) }),
  }
}

/** Milliseconds from the beginning of a probe to that of the next; undefined where there is one alone. */
export function readEvery(flags: Flags): number | undefined {
  return readDuration(flags, 'every', 10_000)
}

/** Reads how much may be asked. `watching`: again and again. */
export function readProbeBounds(flags: Flags, watching: boolean): ProbeBounds {
  return {
    requests:
      readWhole(flags, 'max-requests', REQUESTS.least, REQUESTS.most) ??
      (watching ? REQUESTS.watching : REQUESTS.usual),
    bytes: readBytes(flags, 'max-bytes') ?? BYTES.usual,
    concurrency: readWhole(flags, 'concurrency', 1, CONCURRENCY.most) ?? (watching ? 0 : CONCURRENCY.usual),
    maxCost: readAmount(flags, 'max-cost'),
    prices: readList(flags, 'prices'),
  }
}

function readBytes(flags: Flags, name: string): number | undefined {
  const given = readText(flags, name)
  if (given === undefined) return undefined
  const size = parseSize(given)
  if (size !== undefined && size <= BYTES.most) return size
  throw new UserError(
    `--${name} wants a size up to 1T, and was given ${printable(given)}`,
    `write something like --${name} 256M`,
  )
}
