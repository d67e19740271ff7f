import { COLOURED, PLAIN, type Paints } from '../../report/paint.js'
import type { Argv } from './argv.js'
import { grouped, lastGiven, readChoice, textFlag } from './flag-values.js'
import type { CommandIo } from './io.js'

const CHOICES = ['auto', 'always', 'never'] as const

/** The flag of every command that tells people something. It is looked at before all others, and refused here when it is not understood. */
export function colorFlag(argv: Argv): Argv {
  return grouped(argv, 'Output:', {
    color: textFlag('auto|always|never', 'colours in text for people', 'auto: on a terminal, unless NO_COLOR is set'),
  }).middleware((flags) => {
    readChoice(flags as Readonly<Record<string, unknown>>, 'color', CHOICES)
  })
}

/** How text is painted, by the command line and the environment. */
export function paintsFor(
  args: readonly string[],
  { stdout, stderr }: Pick<CommandIo, 'stdout' | 'stderr'>,
  env: NodeJS.ProcessEnv = process.env,
): Paints {
  const given = lastGiven(args, 'color')
  const paint = (isTTY = false) => (hasColours(given, isTTY, env) ? COLOURED : PLAIN)
  return { stdout: paint(stdout.isTTY), stderr: paint(stderr.isTTY) }
}

// Of the two variables the one that Node heeds more (https://nodejs.org/api/tty.html#writestreamgetcolordepthenv, https://no-color.org).
function hasColours(choice: string | undefined, isTTY: boolean, env: NodeJS.ProcessEnv): boolean {
  if (choice === 'always' || choice === 'never') return choice === 'always'
  const { FORCE_COLOR: forced = '', NO_COLOR: none = '', TERM: terminal } = env
  if (forced !== '') return forced !== '0' && forced !== 'false'
  return none === '' && isTTY && terminal !== 'dumb'
}
