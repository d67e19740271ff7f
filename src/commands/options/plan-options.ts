import { resolve } from 'node:path'
import { UserError } from '../../errors.js'
import { printable } from '../../keys.js'
import type { Argv } from './argv.js'
import { grouped, readFlag, readText, readWhole, textFlag, type Flags } from './flag-values.js'
import { MOST_SHARDS } from './shard-options.js'

/** What a plan is to be made of. */
export interface Planning {
  /** How many objects are looked at for what their copies would lose. */
  readonly sample: number
  /** By a sample, where all would take long. */
  readonly quick?: true
  /** Into how many shards the key space is to be cut. */
  readonly shards?: number
  /** The folder that keeps it for the run. */
  readonly save?: string
  /** The absolute path of the file that the plan is written to, too, and in which form. */
  readonly to?: { readonly path: string; readonly format: 'text' | 'json' | 'html' }
}

const SAMPLE = 100
const MOST_SAMPLE = 100_000
/** A sample has objects of 500 places. */
const MOST_OF_SAMPLE = 100

/** Flags of `plan`, beside those of the command that is planned. */
export function planFlags(argv: Argv): Argv {
  return grouped(argv, 'Plan:', {
    sample: textFlag('N', 'objects to look at for what their copies would lose, spread over all', String(SAMPLE)),
    quick: {
      type: 'boolean',
      describe: 'by a sample of at most 5,000 LIST requests: estimates with their error, within half a minute',
    },
    shards: textFlag('N', 'cut the keys into N shards; each of about as many objects, for --shard K/N --plan DIR'),
    save: textFlag('DIR', 'folder to keep the plan in; --plan DIR of the command itself runs it'),
    to: textFlag('FILE', 'file to write the plan to as well: .html for a page, .json or .txt'),
  })
}

/** Reads these flags. */
export function readPlanning(flags: Flags, cwd: string): Planning {
  const to = readText(flags, 'to')
  const save = readText(flags, 'save')
  const quick = readFlag(flags, 'quick') ?? false
  const shards = readWhole(flags, 'shards', 2, quick ? MOST_OF_SAMPLE : MOST_SHARDS)
  if (quick && save !== undefined && shards === undefined) {
    throw new UserError(
      '--save and --quick: a saved plan is of all objects, and --quick looks at a sample',
      'leave out one of them; a run needs no plan (with --shards N a sample is enough: where shards end is kept)',
    )
  }
  if (shards !== undefined && save === undefined) {
    throw new UserError(
      '--shards cuts the keys for processes that all have to know where, and nothing keeps that',
      'add --save DIR, and give DIR to each of them with --plan',
    )
  }
  return {
    sample: readWhole(flags, 'sample', 0, MOST_SAMPLE) ?? SAMPLE,
    ...(quick ? { quick } : {}),
    ...(shards === undefined ? {} : { shards }),
    ...(save === undefined ? {} : { save }),
    ...(to === undefined ? {} : { to: { path: resolve(cwd, to), format: fileFormat(to, 'plan') } }),
  }
}

/** The form that the name of a file says, for `what` is written to it. A name that says none is a `UserError`. */
export function fileFormat(to: string, what: 'plan' | 'probe'): 'text' | 'json' | 'html' {
  const [, extension = ''] = /\.([a-z]+)$/i.exec(to) ?? []
  const format = FORMATS.get(extension.toLowerCase())
  if (format !== undefined) return format
  throw new UserError(
    `--to ${printable(to)} does not say in which form the ${what} is to be written`,
    'name a file with .html, .json or .txt at its end',
  )
}

const FORMATS: ReadonlyMap<string, 'text' | 'json' | 'html'> = new Map([
  ...[['html', 'html'] as const, ['json', 'json'] as const, ['txt', 'text'] as const],
])
