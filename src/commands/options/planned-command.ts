import { UserError } from '../../errors.js'
import { printable } from '../../keys.js'
import { commandName, commandsNamed, type Command, type Commands } from './command.js'
import type { CommandIo } from './io.js'
import { planFlags, readPlanning } from './plan-options.js'

/** The commands that can be planned: those that change objects. */
export const PLANNED: readonly string[] = [
  'copy',
  'sync',
  'move',
  'delete',
  'set-headers',
  'set-tags',
  'set-storage-class',
  'set-encryption',
]

/** A command as it is behind `plan`: with the flags of both, and only rehearsed. */
function plannedCommand(command: Command): Command {
  const { usage, options, everyday, ...rest } = command
  return {
    ...rest,
    usage,
    summary: `what ${commandName(command)} would do, and cost`,
    help: `$0 plan ${usage.replace(/^(\S+)/, '$1')} [OPTION..]\n\nSays what the same words without ‘plan’ would do, what would be lost and what it would cost. Nothing is changed.`,
    options: [...options, planFlags],
    ...(everyday === undefined ? {} : { everyday: ['sample', 'prices', 'to', ...everyday.slice(0, 7)] }),
    examples: [],
    run: async (flags, io, all) =>
      await command.run({ ...flags, 'dry-run': true }, { ...io, planning: readPlanning(flags, io.cwd) }, all),
  }
}

/** The commands, with those that can be planned as they are behind `plan`, and what there is of a command line behind it. */
export async function plannedCommands(
  args: readonly string[],
  all: Commands,
): Promise<{ readonly args: readonly string[]; readonly all: Commands }> {
  const [, name = ''] = args
  if (!PLANNED.includes(name)) {
    throw new UserError(
      `plan is for commands that change objects, and ${printable(name)} is none`,
      `write s3move plan and one of ${PLANNED.join(', ')}, with its own words behind it`,
    )
  }
  const [command] = await commandsNamed(name, all)
  const planned = command === undefined ? all : new Map([...all, [name, () => later(plannedCommand(command))]])
  return { args: args.slice(1), all: planned }
}

/** Carries out a command line that plans a command. Resolves with the exit code. */
export async function runPlanned(io: CommandIo, commands: Commands): Promise<number> {
  const { args, all } = await plannedCommands(io.args, commands)
  const { runCommandLine } = await import('./command-line.js')
  return await runCommandLine(await commandsNamed(args[0] ?? '', all), { ...io, args }, all)
}

function later(command: Command): Promise<{ readonly command: Command }> {
  return Promise.resolve({ command })
}
