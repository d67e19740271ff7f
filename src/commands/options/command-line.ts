import yargs, { type Argv } from 'yargs'
import { version } from '../../version.js'
import type { Command } from './command.js'
import { EXIT } from './exit.js'
import type { CommandIo } from './io.js'
import { readSwitches, truthOf, type Declared } from './switches.js'
import { usageError } from './usage-error.js'

/** Carries out the command line, `io.args`, by that of the commands which it names. Resolves with the exit code. */
export async function runCommandLine(commands: readonly Command[], io: CommandIo): Promise<number> {
  let code: number = EXIT.done
  const parser = parserFor(io)
  for (const command of commands) {
    parser.command(
      command.usage,
      command.summary,
      (argv) => declare(command, argv, io.args),
      async (flags) => {
        code = await command.run(flags, io)
      },
    )
  }
  parser.completion('completion', 'print a completion script for bash or zsh')
  withoutRenderingHelp(parser)
  await parser.parseAsync(withValues(io.args))
  return code
}

function declare({ options, help, examples = [], epilogue }: Command, argv: Argv, args: readonly string[]): Argv {
  const declared = options.reduce((before, option) => option(before, args), argv).usage(help)
  for (const [line, purpose] of examples) declared.example(line, purpose)
  return epilogue === undefined ? declared : declared.epilogue(epilogue)
}

function parserFor({ args, stdout }: CommandIo): Argv {
  return yargs()
    .scriptName('s3move')
    .usage(
      '$0 <command>\n\nCopies, compares and deletes S3 objects and changes their headers in bulk: listed in parallel, resumable, nothing lost.',
    )
    .parserConfiguration({
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'duplicate-arguments-array': true,
      // One spelling of each flag: another might be taken, and count for nothing.
      'camel-case-expansion': false,
      'dot-notation': false,
    })
    .middleware((argv: object, ...[parser]: readonly unknown[]) => {
      Object.assign(argv, Object.fromEntries(readSwitches(args, declaredBy(parser))))
    })
    .demandCommand(1, 'name a command, such as: s3move copy')
    .strictCommands()
    .strict()
    .version(version())
    .help()
    .alias('help', 'h')
    .wrap(Math.min(110, stdout.columns || 110))
    .exitProcess(false)
    .showHelpOnFail(false)
    .fail((message: string | null, error: Error | undefined) => {
      // Some mistakes in the command line come as an error of yargs's own.
      if (error !== undefined && error.name !== 'YError') throw error
      const said = message ?? error?.message ?? 'the command line is not understood'
      throw usageError(said, args)
    })
}

// Once a command has begun, yargs renders the whole help of it, for nobody: a tenth of a second in which nothing else happens.
function withoutRenderingHelp(parser: unknown): void {
  const internals = parser as { getInternalMethods(): { getUsageInstance(): { cacheHelpMessage: unknown } } }
  internals.getInternalMethods().getUsageInstance().cacheHelpMessage = () => undefined
}

// yargs takes a flag that begins with `no-` for a negation, and what follows for another argument, unless both are one.
function withValues(args: readonly string[]): string[] {
  const joined: string[] = []
  for (let at = 0; at < args.length; at++) {
    const [arg = '', value] = args.slice(at, at + 2)
    const [, plain = '', word = ''] = /^(--help|--version|-h)=(.*)$/s.exec(arg) ?? []
    if (truthOf(word) === true) joined.push(plain)
    else if (arg === '--no-preserve' && value !== undefined && !value.startsWith('-')) {
      joined.push(`${arg}=${value}`)
      at++
    } else joined.push(arg)
  }
  return joined
}

// The switches that the command declares, as yargs has them; it does not tell them in its types.
function declaredBy(parser: unknown): Declared {
  const options = parser as {
    getOptions(): { readonly boolean: readonly string[]; readonly alias: Readonly<Record<string, readonly string[]>> }
  }
  const { boolean, alias } = options.getOptions()
  const letters = new Map<string, string>()
  for (const name of boolean) for (const letter of alias[name] ?? []) if (letter.length === 1) letters.set(letter, name)
  return { names: new Set(boolean.filter((name) => name.length > 1)), letters }
}
