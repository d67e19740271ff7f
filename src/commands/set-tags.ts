import { UserError } from '../errors.js'
import { setTagsOf } from '../job/set-tags.js'
import type { Command } from './options/command.js'
import { exitsOfWriting } from './options/exit.js'
import { fleetFlags } from './options/fleet-options.js'
import { listFlags, readKeyListOf } from './options/files-from-options.js'
import { booleanFlag, grouped, readArgument, readFlag } from './options/flag-values.js'
import { costFlags } from './options/pace-options.js'
import { bucketSource, parseBucket } from './options/places.js'
import { againFlag, freshFlags, runFlags, savedPlanFlag } from './options/run-options.js'
import { readObjects, selectionFlags } from './options/selection-options.js'
import { readTagChanges, tagFlags } from './options/tag-options.js'

export const command: Command = {
  usage: 'set-tags <source>',
  group: 'copying',
  summary: 'change tags of every object below a prefix, in place',
  help: '$0 set-tags s3://bucket[/prefix] --tag NAME=VALUE ...\n\nChanges the tags of objects, archived ones too; nothing is rewritten.\nThat is a GetObjectTagging for each object, and a PutObjectTagging or DeleteObjectTagging where something would change.',
  options: [
    ...[listFlags, selectionFlags, tagFlags],
    (argv) =>
      grouped(argv, 'Objects:', {
        'all-versions': booleanFlag('all versions of each object'),
      }),
    ...[runFlags, bucketSource, againFlag, fleetFlags, freshFlags, savedPlanFlag, costFlags],
  ],
  everyday: [
    'dry-run',
    'tag',
    'remove-tag',
    'tagging',
    'remove-all-tags',
    'include',
    'exclude',
    'files-from',
    'all-versions',
    'profile',
  ],
  examples: [
    ['$0 set-tags s3://photos --tag team=web --tag tier=cold -n', 'what would change; other tags stay'],
    ["$0 set-tags s3://photos/2019/ --tagging 'team=web&tier=cold'", 'these tags, and no others'],
    ['$0 set-tags s3://photos --remove-tag tier', 'one tag less'],
    ['$0 set-tags s3://photos --remove-all-tags', 'none'],
  ],
  exits: exitsOfWriting(),
  async run(flags, io) {
    const job = setTagsOf({
      source: parseBucket(readArgument(flags, 'source'), 'place'),
      ...readKeyListOf(flags, io.cwd),
      ...readObjects(flags),
      ...(readFlag(flags, 'all-versions') === true ? { versions: true } : {}),
      ...readTagChanges(flags),
    })
    if (job.list !== undefined && job.versions === true) {
      throw new UserError(
        '--all-versions does not go with --files-from',
        'a list may name the versions whose tags are to change; without a list all are found by listing',
      )
    }
    const { begin } = await import('./run/start-write.js')
    return await begin(job, flags, io)
  },
}
