import yargs, { type Argv as Parser, type PositionalOptions } from 'yargs'
import type { Declarations, Option } from './argv.js'
import { declarationsOf, type Command, type Commands } from './command.js'
import { EXIT } from './exit.js'
import { defined } from './flag-values.js'
import type { CommandIo } from './io.js'
import { readSwitches, type Declared } from './switches.js'

/** A command line that yargs does not understand; the message is what it says of it. */
class NotUnderstood extends Error {
  override readonly name = 'NotUnderstood'
}

/** The switches of every command. */
const EVERYWHERE = ['help', 'version']

/** Carries out the command line, `io.args`, by that of the `commands` which it names. Resolves with the exit code. */
export async function runCommandLine(commands: readonly Command[], io: CommandIo, all: Commands): Promise<number> {
  let code: number = EXIT.done
  const parser = newParser()
  for (const command of commands) {
    parser.command(
      command.usage,
      command.summary,
      (argv) => declareTo(argv, declarationsOf(command, io.args), io.args),
      async (flags) => {
        code = await command.run(flags, io, all)
      },
    )
  }
  withoutRenderingHelp(parser)
  try {
    await parser.parseAsync(withValues(io.args))
  } catch (error) {
    if (!(error instanceof NotUnderstood)) throw error
    const { usageError } = await import('./usage-error.js')
    throw await usageError(error.message, io.args, all)
  }
  return code
}

/** Tells yargs what a command has declared, and what there is of switches in `args`. */
export function declareTo(argv: Parser, declared: Declarations, args: readonly string[]): Parser {
  // They are seen to before; what is left is one that says no, or is not understood.
  for (const name of EVERYWHERE) argv.option(name, { type: 'boolean' })
  for (const [name, option] of declared.positionals) argv.positional(name, ofYargs(option))
  for (const [name, option] of declared.all) argv.option(name, ofYargs(option))
  argv.middleware((flags: object) => {
    Object.assign(flags, Object.fromEntries(readSwitches(args, switchesOf(declared))))
  })
  for (const add of declared.middlewares) argv.middleware((flags: object) => add(flags))
  return argv
}

function ofYargs({ type, alias, array, nargs, requiresArg, demandOption }: Option): PositionalOptions {
  return defined({ type, alias, array, nargs, requiresArg, demandOption })
}

function newParser(): Parser {
  return yargs()
    .scriptName('s3move')
    .parserConfiguration({
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'duplicate-arguments-array': true,
      // One spelling of each flag: another might be taken, and count for nothing.
      'camel-case-expansion': false,
      'dot-notation': false,
    })
    .demandCommand(1, 'no command')
    .strictCommands()
    .strict()
    .version(false)
    .help(false)
    .exitProcess(false)
    .showHelpOnFail(false)
    .fail((message: string | null, error: Error | undefined) => {
      // Some mistakes in the command line come as an error of yargs's own.
      if (error !== undefined && error.name !== 'YError') throw error
      throw new NotUnderstood(message ?? error?.message ?? 'the command line is not understood')
    })
}

// Once a command has begun, yargs renders the whole help of it, for nobody.
function withoutRenderingHelp(parser: unknown): void {
  const internals = parser as { getInternalMethods(): { getUsageInstance(): { cacheHelpMessage: unknown } } }
  internals.getInternalMethods().getUsageInstance().cacheHelpMessage = () => undefined
}

// yargs takes a flag that begins with `no-` for a negation, and what follows for another argument, unless both are one.
function withValues(args: readonly string[]): string[] {
  const joined: string[] = []
  for (let at = 0; at < args.length; at++) {
    const [arg = '', value] = args.slice(at, at + 2)
    if (arg === '--no-preserve' && value !== undefined && !value.startsWith('-')) {
      joined.push(`${arg}=${value}`)
      at++
    } else joined.push(arg)
  }
  return joined
}

function switchesOf(declared: Declarations): Declared {
  const switches = [...declared.all].filter(([, { type }]) => type === 'boolean')
  const letters = switches.flatMap(([name, { alias }]) => (alias === undefined ? [] : [[alias, name] as const]))
  return { names: new Set([...EVERYWHERE, ...switches.map(([name]) => name)]), letters: new Map(letters) }
}
