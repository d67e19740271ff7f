import { UserError } from '../errors.js'
import { isFolder } from '../job/place.js'
import { printable } from '../keys.js'
import type { Command } from './options/command.js'
import { connectionFlags } from './options/connection-options.js'
import { ALWAYS } from './options/exit.js'
import { grouped, readArgument, readText, textFlag } from './options/flag-values.js'
import { jsonFlags, readJson } from './options/output-options.js'
import { parsePlace } from './options/places.js'

export const command: Command = {
  usage: 'head <object>',
  group: 'looking',
  summary: 'all that is known of one object: headers, metadata, tags, ACL, lock, parts',
  help: '$0 head s3://bucket/key\n\nShows all that the store tells of one object. What may not be read is named, and the rest is shown.',
  options: [
    connectionFlags,
    (argv) =>
      grouped(
        argv.positional('object', {
          type: 'string',
          describe: 's3://bucket/key or file:///folder/file',
          demandOption: true,
        }),
        'Output:',
        {
          'version-id': textFlag('VERSION', 'of this version, in place of the newest'),
          ...jsonFlags('one JSON object'),
        },
      ),
  ],
  examples: [['$0 head s3://photos/2019/a.jpg', 'its headers, tags, lock']],
  everyday: ['version-id', 'json', 'request-payer', 'no-sign-request', 'endpoint-url', 'region', 'profile'],
  exits: {
    ...ALWAYS,
    0: 'shown, but for what may not be read',
    2: 'bad input, or the object may not be read at all',
    3: 'there is no such object',
    130: 'interrupted',
  },
  async run(flags, io) {
    const text = readArgument(flags, 'object')
    const place = parsePlace(text, 'object')
    if (!isFolder(place) && place.prefix === '') {
      throw new UserError(`${printable(text)} names no object`, 'write s3://bucket/key, the whole key')
    }
    const version = readText(flags, 'version-id')
    if (version !== undefined && isFolder(place)) {
      throw new UserError('--version-id is for buckets, and a folder keeps no versions', 'leave --version-id away')
    }
    const { showObject } = await import('./run/show-object.js')
    return await showObject({ place, version, json: readJson(flags) }, flags, io)
  },
}
