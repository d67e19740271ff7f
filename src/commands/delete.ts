import { UserError } from '../errors.js'
import type { DeleteJob } from '../job/delete.js'
import type { Command } from './options/command.js'
import { exitsOfWriting } from './options/exit.js'
import { fleetFlags } from './options/fleet-options.js'
import { listFlags, readKeyListOf } from './options/files-from-options.js'
import { booleanFlag, grouped, readArgument, readFlag, textFlag } from './options/flag-values.js'
import { DELETE_PACE, costFlags } from './options/pace-options.js'
import { bucketSource, parseBucket } from './options/places.js'
import { prefixFlags, readPrefixAs } from './options/prefix.js'
import { freshFlags, runFlags, savedPlanFlag, yesFlag } from './options/run-options.js'
import { readObjects, selectionFlags } from './options/selection-options.js'
import { shardFlag } from './options/shard-options.js'

export const command: Command = {
  usage: 'delete <source>',
  group: 'copying',
  summary: 'delete every object below a prefix',
  help:
    '$0 delete s3://bucket[/prefix]\n\nDeletes every object below the prefix, a thousand to a request (DeleteObjects). Asks for the name of the bucket first.\n' +
    'In a bucket that keeps versions each object gets a delete marker, and its versions stay, unless --all-versions says otherwise.',
  options: [
    ...[listFlags, selectionFlags, prefixFlags, runFlags],
    (argv) =>
      grouped(argv, 'Objects:', {
        'all-versions': booleanFlag('all versions and delete markers of each object'),
      }).options({
        concurrency: textFlag('N', 'objects in flight at once, a thousand to a request', `${DELETE_PACE.concurrency}`),
        lanes: textFlag('N', 'key ranges listed at once', `${DELETE_PACE.lanes}`),
      }),
    bucketSource,
    yesFlag,
    fleetFlags,
    freshFlags,
    savedPlanFlag,
    shardFlag,
    costFlags,
  ],
  everyday: [
    'dry-run',
    'yes',
    'include',
    'exclude',
    'older-than',
    'files-from',
    'all-versions',
    'endpoint-url',
    'region',
    'profile',
  ],
  examples: [
    ['$0 delete s3://logs/2019/ --dry-run', 'how many objects, how many bytes'],
    ['$0 delete s3://logs/2019/ --yes', 'without a question, for scripts'],
  ],
  exits: exitsOfWriting(),
  async run(flags, io) {
    const place = parseBucket(readArgument(flags, 'source'), 'place')
    const job: DeleteJob = {
      kind: 'delete',
      source: place,
      ...readPrefixAs(place, flags),
      ...readKeyListOf(flags, io.cwd),
      ...readObjects(flags),
      ...(readFlag(flags, 'all-versions') === true ? { versions: true } : {}),
    }
    if (job.list !== undefined && job.versions === true) {
      throw new UserError(
        '--all-versions does not go with --files-from',
        'a list may name the versions that are to be deleted; without a list all are found by listing',
      )
    }
    const { begin } = await import('./run/start-write.js')
    return await begin(job, flags, io)
  },
}
