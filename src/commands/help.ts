import { UserError } from '../errors.js'
import { printable } from '../keys.js'
import type { Command } from './options/command.js'
import { ALWAYS, EXIT } from './options/exit.js'
import { readArgument } from './options/flag-values.js'

export const command: Command = {
  usage: 'help [topic]',
  group: 'help',
  summary: 'all about a command or a topic',
  help: '$0 help [COMMAND | TOPIC]\n\nShows all about a command, as s3move COMMAND --help does, or about a topic that concerns several; without either, the commands.',
  options: [(argv) => argv.positional('topic', { type: 'string', describe: 'a command, or one of the topics' })],
  examples: [
    ['$0 help copy', 'all options of copy'],
    ['$0 help filters', 'which objects, in every command'],
    ['$0 help man', 'the manual page: s3move help man > s3move.1'],
  ],
  exits: ALWAYS,
  async run(flags, { stdout }, all) {
    const { helpWidth, showHelp } = await import('./help/show.js')
    const topic = flags.topic === undefined ? undefined : readArgument(flags, 'topic')
    if (topic === undefined || all.has(topic)) {
      await showHelp(topic === undefined ? [] : [topic], true, stdout, all)
      return EXIT.done
    }
    if (topic === 'man') {
      const { manPage } = await import('./help/man-page.js')
      stdout.write(await manPage(all))
      return EXIT.done
    }
    const { topicPage, TOPICS } = await import('./help/topics.js')
    const about = TOPICS.get(topic)
    if (about !== undefined) {
      stdout.write(await topicPage(topic, about, all, helpWidth(stdout)))
      return EXIT.done
    }
    const { nearest } = await import('./options/nearest.js')
    const near = nearest(topic, [...all.keys(), ...TOPICS.keys()])
    throw new UserError(
      `there is no command or topic ${printable(topic)}`,
      `${near === undefined ? '' : `did you mean s3move help ${near}? `}topics are ${[...TOPICS.keys()].join(', ')}, man`,
    )
  },
}
