import type { DuJob } from '../job/du.js'
import type { Command } from './options/command.js'
import { exitsOfListing } from './options/exit.js'
import { listFlags, readKeyListOf } from './options/files-from-options.js'
import { grouped, readArgument, readChoice, readWhole, textFlag } from './options/flag-values.js'
import { anySource, parsePlace } from './options/places.js'
import { duResultFlags, readDuResult } from './options/result-options.js'
import { scanFlags } from './options/run-options.js'
import { readObjects, selectionFlags } from './options/selection-options.js'
import { plannedShardFlags } from './options/shard-options.js'

export const command: Command = {
  usage: 'du <source>',
  group: 'looking',
  summary: 'count objects and bytes below a prefix',
  help: '$0 du s3://bucket[/prefix]\n\nCounts objects and bytes: in total, by storage class, by size, by date of last modification, by folder.',
  options: [
    ...[listFlags, selectionFlags, scanFlags, plannedShardFlags, anySource, duResultFlags],
    (argv) =>
      grouped(argv, 'Output:', {
        depth: textFlag('N', 'count by the first so many folders of each key too', '0'),
        dates: textFlag('year|month|day', 'what the dates of last modification are counted by', 'year'),
      }),
  ],
  everyday: ['depth', 'dates', 'include', 'exclude', 'older-than', 'quiet', 'endpoint-url', 'region', 'profile'],
  examples: [
    ['$0 du s3://photos --depth 2', 'which folders are large'],
    ['$0 du s3://photos --older-than 365d', 'what was not written to for a year'],
    ['$0 du s3://logs --dates day --to days.csv', 'how many objects each day brings'],
    ['$0 du s3://logs --dates day --to usage.html', 'the same as a page, with charts and a forecast'],
  ],
  exits: exitsOfListing(),
  async run(flags, io) {
    const { format, ...to } = readDuResult(flags, io.cwd)
    const job: DuJob = {
      kind: 'du',
      source: parsePlace(readArgument(flags, 'source'), 'source'),
      ...readObjects(flags),
      ...readKeyListOf(flags, io.cwd),
      depth: readWhole(flags, 'depth', 0, 100) ?? 0,
      report: { format, dates: readChoice(flags, 'dates', ['year', 'month', 'day']) ?? 'year' },
      ...to,
    }
    const { startScan } = await import('./run/start-scan.js')
    return await startScan(job, flags, io)
  },
}
