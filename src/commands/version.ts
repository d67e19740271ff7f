import { version } from '../version.js'
import type { Command } from './options/command.js'
import { ALWAYS, EXIT } from './options/exit.js'

export const command: Command = {
  usage: 'version',
  group: 'help',
  summary: 'the version of s3move',
  help: '$0 version\n\nShows the version, as --version and -V do.',
  options: [],
  exits: ALWAYS,
  run(_flags, { stdout }) {
    stdout.write(`${version()}\n`)
    return Promise.resolve(EXIT.done)
  },
}
