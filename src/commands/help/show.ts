import { commandsNamed, type Commands } from '../options/command.js'
import { isPlanned } from '../options/asked.js'
import type { CommandIo } from '../options/io.js'
import { plannedCommands } from '../options/planned-command.js'
import { unknownCommand } from '../options/usage-error.js'
import { longPage, shortPage } from './command-page.js'
import { longMainPage, shortMainPage } from './main-page.js'

const WIDEST = 110

/** How wide help is written: as the terminal, and no wider than can be read. */
export function helpWidth({ columns }: CommandIo['stdout']): number {
  return Math.min(WIDEST, columns === undefined || columns === 0 ? WIDEST : columns)
}

/**
 * Writes the help that a command line asks for, of the command that it names or of the program. Throws a UserError where
 * it names a command that there is not.
 */
export async function showHelp(
  args: readonly string[],
  long: boolean,
  stdout: CommandIo['stdout'],
  all: Commands,
): Promise<void> {
  if (isPlanned(args)) {
    const planned = await plannedCommands(args, all)
    await showHelp(planned.args, long, stdout, planned.all)
    return
  }
  const [first = ''] = args
  const name = first === '' || first.startsWith('-') ? args.find((arg) => all.has(arg)) : first
  const width = helpWidth(stdout)
  if (name === undefined) {
    stdout.write(await (long ? longMainPage : shortMainPage)(all, width))
    return
  }
  if (!all.has(name)) throw unknownCommand(name, all)
  const [command] = await commandsNamed(name, all)
  if (command !== undefined) stdout.write((long ? longPage : shortPage)(command, width))
}
