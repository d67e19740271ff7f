import { Declarations, type Argv } from './argv.js'
import { colorFlag } from './color.js'
import type { ExitCodes } from './exit.js'
import type { Flags } from './flag-values.js'
import type { CommandIo } from './io.js'

/** What commands are for, in the order of the help. */
export const COMMAND_GROUPS = {
  copying: 'Copying and changing:',
  looking: 'Looking and rehearsing:',
  runs: 'Runs:',
  help: 'Help:',
} as const

/** A command of the program, as its own file declares it. What it declares is loaded at each start; what `run` needs, by `import()`, when it runs. */
export interface Command {
  /** Its name and its arguments, such as `ls <source>`. */
  readonly usage: string
  readonly group: keyof typeof COMMAND_GROUPS
  /** What it does, for the list of commands. */
  readonly summary: string
  /** What stands at the top of its help: a usage line, an empty one, and sentences, of which the first is for the short help too. */
  readonly help: string
  /** Its options and arguments, in the order of the help. `args` is the command line. */
  readonly options: readonly ((argv: Argv, args: readonly string[]) => Argv)[]
  /** The options of each day, ten at most, for the short help; all where it has no more than that. */
  readonly everyday?: readonly string[]
  /** Command lines, and what they are for. */
  readonly examples?: readonly (readonly [line: string, purpose: string])[]
  readonly exits: ExitCodes
  /** Carries it out. Resolves with the exit code. `all` are the commands of the program. */
  run(flags: Flags, io: CommandIo, all: Commands): Promise<number>
}

/** The commands of the program by their names, in the order of the help; each is loaded when it is asked for. */
export type Commands = ReadonlyMap<string, () => Promise<{ readonly command: Command }>>

/** Loads a command, or all where none has this name. */
export async function commandsNamed(name: string, all: Commands): Promise<Command[]> {
  const named = all.get(name)
  const modules = await Promise.all((named === undefined ? [...all.values()] : [named]).map((load) => load()))
  return modules.map(({ command }) => command)
}

/** The name of a command. */
export function commandName({ usage }: Pick<Command, 'usage'>): string {
  return usage.split(' ')[0] ?? ''
}

/** What a command declares, for a command line. */
export function declarationsOf(
  { options, group }: Pick<Command, 'options' | 'group'>,
  args: readonly string[] = [],
): Declarations {
  const declared = new Declarations()
  for (const declare of options) declare(declared, args)
  if (group !== 'help') colorFlag(declared)
  return declared
}
