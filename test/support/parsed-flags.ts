import yargs from 'yargs'
import type { Declarations } from '../../src/commands/options/argv.js'
import { declarationsOf } from '../../src/commands/options/command.js'
import { declareTo } from '../../src/commands/options/command-line.js'
import type { Flags } from '../../src/commands/options/flag-values.js'
import { UserError } from '../../src/errors.js'
import { COMMANDS } from './all-commands.js'

/** The flags of a command line, of a command that declares these, as the program parses them. `usage` is that of the command. */
export function parsed(declared: Declarations, args: readonly string[], usage = '$0'): Flags {
  let found: Flags = {}
  yargs()
    .exitProcess(false)
    .version(false)
    .help(false)
    .showHelpOnFail(false)
    .strict()
    .parserConfiguration({
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'duplicate-arguments-array': true,
      'camel-case-expansion': false,
      'dot-notation': false,
    })
    .fail((message: string | null, error: Error | undefined) => {
      if (error !== undefined && error.name !== 'YError') throw error
      throw new UserError(message ?? error?.message ?? 'not understood', 'see s3move --help')
    })
    .command(
      usage,
      '',
      (argv) => declareTo(argv, declared, args.includes('--') ? args.slice(0, args.indexOf('--')) : args),
      (flags) => {
        found = flags
      },
    )
    .parseSync([...args])
  return found
}

/** The flags of a command line of s3move, from the name of the command on, as the program parses them. */
export async function flagsOf(args: readonly string[]): Promise<Flags> {
  const { command } = await COMMANDS.get(args[0]!)!()
  return parsed(declarationsOf(command, args), args, command.usage)
}
