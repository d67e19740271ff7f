import { PERMITTED_COMMANDS } from '../job/permissions.js'
import type { Command } from './options/command.js'
import { connectionFlags, sideFlags } from './options/connection-options.js'
import { ALWAYS } from './options/exit.js'
import { grouped, readArgument, readChoice, textFlag } from './options/flag-values.js'
import { jsonFlags, readJson } from './options/output-options.js'
import { anySource, parsePlace } from './options/places.js'

export const command: Command = {
  usage: 'check <source> [destination]',
  group: 'looking',
  summary: 'credentials, region, clock, permissions on both sides; what is missing',
  help: '$0 check s3://bucket[/prefix] [s3://destination[/prefix]]\n\nSays what keeps a job from its work, before it begins: by requests that change nothing. What is missing comes as a policy to paste.',
  options: [
    ...[connectionFlags, sideFlags, anySource],
    (argv) =>
      grouped(
        argv.positional('destination', {
          type: 'string',
          describe: 's3://bucket, s3://bucket/prefix or file:///folder',
        }),
        'Output:',
        {
          for: { ...textFlag('COMMAND', 'only what this command needs', 'copy decides'), values: PERMITTED_COMMANDS },
          ...jsonFlags('one JSON object'),
        },
      ),
  ],
  examples: [
    ['$0 check s3://photos s3://archive/2026/', 'before a copy, sync or move'],
    ['$0 check s3://photos --for set-headers', 'before the headers of a bucket are changed'],
  ],
  everyday: ['for', 'json', 'endpoint-url', 'region', 'profile', 'source-profile', 'destination-profile'],
  exits: {
    ...ALWAYS,
    0: 'everything holds that the command of --for (else copy) needs, as far as can be told without writing',
    2: 'something does not, or bad input',
    130: 'interrupted',
  },
  async run(flags, io) {
    const destination = flags.destination === undefined ? undefined : readArgument(flags, 'destination')
    const asked = {
      source: parsePlace(readArgument(flags, 'source'), 'source'),
      destination: destination === undefined ? undefined : parsePlace(destination, 'destination'),
      command: readChoice(flags, 'for', PERMITTED_COMMANDS),
      json: readJson(flags),
    }
    const { checkPlaces } = await import('./run/check-places.js')
    return await checkPlaces(asked, flags, io)
  },
}
