import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Command, Commands } from '../../src/commands/options/command.js'

const FOLDER = fileURLToPath(new URL('../../src/commands/', import.meta.url))

/** The commands of the program by their names, in the order of these: each file of `src/commands` is one. */
export const COMMANDS: Commands = new Map(
  readdirSync(FOLDER)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => [
      file.replace('.ts', ''),
      async () => (await import(`../../src/commands/${file}`)) as { readonly command: Command },
    ]),
)
