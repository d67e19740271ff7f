import { basename } from 'node:path'
import { UserError } from '../errors.js'
import { printable } from '../keys.js'
import type { Command } from './options/command.js'
import { ALWAYS, EXIT } from './options/exit.js'
import { readArgument } from './options/flag-values.js'

const NAMES = ['bash', 'zsh', 'fish', 'powershell'] as const

export const command: Command = {
  usage: 'completion [shell]',
  group: 'help',
  summary: 'completion of commands, options and values for a shell',
  help: '$0 completion [bash|zsh|fish|powershell]\n\nPrints a completion script; without an argument that of the shell in $SHELL.\nIt completes commands, options and their values: files and folders, formats, storage classes, profiles, runs.',
  options: [
    (argv) =>
      argv.positional('shell', {
        type: 'string',
        describe: 'the shell; that of $SHELL if none is named',
        placeholder: 'bash|zsh|fish|powershell',
      }),
  ],
  examples: [
    ['. <($0 completion bash)', 'a line for ~/.bashrc'],
    ['. <($0 completion zsh)', 'a line for ~/.zshrc, behind compinit'],
    ['$0 completion fish > ~/.config/fish/completions/s3move.fish', 'once'],
    ['$0 completion powershell | Out-String | Invoke-Expression', 'a line for $PROFILE'],
  ],
  exits: ALWAYS,
  async run(flags, { stdout }) {
    const given = flags.shell === undefined ? undefined : readArgument(flags, 'shell')
    const asked = given ?? basename(process.env.SHELL ?? '')
    const shell = NAMES.find((name) => name === asked || (name === 'powershell' && asked === 'pwsh'))
    if (shell === undefined) {
      throw new UserError(
        given === undefined
          ? 'it is not known which shell this is: $SHELL names none that there is a completion for'
          : `there is no completion for ${printable(given)}`,
        `write s3move completion, and behind it one of: ${NAMES.join(', ')}`,
      )
    }
    const { SCRIPTS } = await import('./completion/scripts.js')
    stdout.write(SCRIPTS[shell])
    return EXIT.done
  },
}
