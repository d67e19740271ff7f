import { resolve } from 'node:path'
import { UserError } from '../../errors.js'
import { printable } from '../../keys.js'
import type { Argv } from './argv.js'
import { grouped, readFlag, readText, readWhole, textFlag, type Flags } from './flag-values.js'

/** What a plan is to be made of. */
export interface Planning {
  /** How many objects are looked at for what their copies would lose. */
  readonly sample: number
  /** By a sample, where all would take long. */
  readonly quick?: true
  /** The folder that keeps it for the run. */
  readonly save?: string
  /** The absolute path of the file that the plan is written to, too, and in which form. */
  readonly to?: { readonly path: string; readonly format: 'text' | 'json' | 'html' }
}

const SAMPLE = 100
const MOST_SAMPLE = 100_000

/** Flags of `plan`, beside those of the command that is planned. */
export function planFlags(argv: Argv): Argv {
  return grouped(argv, 'Plan:', {
    sample: textFlag('N', 'objects to look at for what their copies would lose, spread over all', String(SAMPLE)),
    quick: {
      type: 'boolean',
      describe: 'by a sample of at most 5,000 LIST requests: estimates with their error, within half a minute',
    },
    save: textFlag('DIR', 'folder to keep the plan in, for --plan DIR of the command itself'),
    to: textFlag('FILE', 'file to write the plan to as well: .html for a page, .json or .txt'),
  })
}

/** Reads these flags. */
export function readPlanning(flags: Flags, cwd: string): Planning {
  const to = readText(flags, 'to')
  const save = readText(flags, 'save')
  const quick = readFlag(flags, 'quick') ?? false
  if (quick && save !== undefined) {
    throw new UserError(
      '--save and --quick: a saved plan is of all objects, and --quick looks at a sample',
      'leave out one of them; a run needs no plan',
    )
  }
  return {
    sample: readWhole(flags, 'sample', 0, MOST_SAMPLE) ?? SAMPLE,
    ...(quick ? { quick } : {}),
    ...(save === undefined ? {} : { save }),
    ...(to === undefined ? {} : { to: { path: resolve(cwd, to), format: formatOfPlan(to) } }),
  }
}

function formatOfPlan(to: string): 'text' | 'json' | 'html' {
  const [, extension = ''] = /\.([a-z]+)$/i.exec(to) ?? []
  const format = FORMATS.get(extension.toLowerCase())
  if (format !== undefined) return format
  throw new UserError(
    `--to ${printable(to)} does not say in which form the plan is to be written`,
    'name a file with .html, .json or .txt at its end',
  )
}

const FORMATS: ReadonlyMap<string, 'text' | 'json' | 'html'> = new Map([
  ...[['html', 'html'] as const, ['json', 'json'] as const, ['txt', 'text'] as const],
])
