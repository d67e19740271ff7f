import type { Argv } from 'yargs'
import type { Flags } from './flag-values.js'
import type { CommandIo } from './io.js'

/** A command of the program, as its own file declares it. What it declares is loaded at each start; what `run` needs, by `import()`, when it runs. */
export interface Command {
  /** Its name and its arguments, such as `ls <source>`. */
  readonly usage: string
  /** What it does, for the list of commands. */
  readonly summary: string
  /** What stands at the top of its help. */
  readonly help: string
  /** Its options and arguments, in the order of the help. `args` is the command line. */
  readonly options: readonly ((argv: Argv, args: readonly string[]) => Argv)[]
  /** Command lines, and what they are for. */
  readonly examples?: readonly (readonly [line: string, purpose: string])[]
  /** What stands at the end of its help. */
  readonly epilogue?: string
  /** Carries it out. Resolves with the exit code. */
  run(flags: Flags, io: CommandIo): Promise<number>
}
