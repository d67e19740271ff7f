import { UserError } from '../errors.js'
import type { LsJob } from '../job/ls.js'
import type { Command } from './options/command.js'
import { exitsOfListing } from './options/exit.js'
import { listFlags, readKeyListOf } from './options/files-from-options.js'
import { booleanFlag, grouped, readArgument, readFlag, readText, type Flags } from './options/flag-values.js'
import { anySource, parsePlace } from './options/places.js'
import { lsResultFlags, readLsResult } from './options/result-options.js'
import { scanFlags } from './options/run-options.js'
import { readObjects, selectionFlags } from './options/selection-options.js'
import { plannedShardFlags } from './options/shard-options.js'

export const command: Command = {
  usage: 'ls <source>',
  group: 'looking',
  summary: 'write every key below a prefix',
  help: '$0 ls s3://bucket[/prefix]\n\nWrites every key, with size, ETag, last modification and storage class, to standard output or a file.',
  options: [
    ...[listFlags, selectionFlags, scanFlags, plannedShardFlags, anySource, lsResultFlags],
    (argv) =>
      grouped(argv, 'Output:', {
        sorted: booleanFlag('in the byte order of the keys; else as they come'),
        folders: booleanFlag('one level: what goes on behind a / is one line, a folder'),
      }),
  ],
  everyday: ['to', 'format', 'sorted', 'folders', 'checkpoint', 'quiet', 'endpoint-url', 'region', 'profile'],
  examples: [
    ['$0 ls s3://photos --to photos.csv.gz', 'an inventory'],
    ['$0 ls s3://photos/ --folders', 'the folders and objects of one level'],
    ['$0 ls s3://photos/2019/ --sorted | head', 'the first keys of a folder'],
    ["$0 ls s3://photos --exclude '*' --include '*.raw' --size +1G", 'what is large and ends so'],
  ],
  exits: exitsOfListing(),
  async run(flags, io) {
    const folders = readFlag(flags, 'folders') ?? false
    if (folders) checkOneLevel(flags)
    const job: LsJob = {
      kind: 'ls',
      source: parsePlace(readArgument(flags, 'source'), 'source'),
      ...readObjects(flags),
      ...readKeyListOf(flags, io.cwd),
      sorted: readFlag(flags, 'sorted') ?? false,
      ...(folders ? { folders } : {}),
      ...readLsResult(flags, io),
    }
    if (folders && (job.select !== undefined || job.list !== undefined)) {
      throw new UserError(
        '--folders does not go with filters or --files-from: what is in a folder is not looked at',
        'leave --folders away',
      )
    }
    if (job.sorted && job.list !== undefined) {
      throw new UserError(
        '--sorted does not go with --files-from: a list is read in its order',
        'sort the list instead',
      )
    }
    const { startScan } = await import('./run/start-scan.js')
    return await startScan(job, flags, io)
  },
}

// A level is listed by one request after the other, each of which says where the next goes on.
function checkOneLevel(flags: Flags): void {
  const flag = ['lanes', 'threads', 'checkpoint'].find((name) => readText(flags, name) !== undefined)
  if (flag === undefined) return
  throw new UserError(
    `--${flag} does not go with --folders: a level is listed by one request after the other, from its beginning`,
    `leave --${flag} away`,
  )
}
