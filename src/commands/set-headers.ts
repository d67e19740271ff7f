import { setHeadersOf } from '../job/set-headers.js'
import type { Command } from './options/command.js'
import { exitsOfWriting } from './options/exit.js'
import { fleetFlags } from './options/fleet-options.js'
import { listFlags, readKeyListOf } from './options/files-from-options.js'
import { readArgument } from './options/flag-values.js'
import { headerRuleFlags, readHeaderChanges } from './options/header-rule-options.js'
import { costFlags } from './options/pace-options.js'
import { bucketSource, parseBucket } from './options/places.js'
import { rewriteFlags } from './options/rewrite-options.js'
import { againFlag, freshFlags, runFlags, savedPlanFlag } from './options/run-options.js'
import { readObjects, selectionFlags } from './options/selection-options.js'
import { shardFlag } from './options/shard-options.js'

export const command: Command = {
  usage: 'set-headers <source>',
  group: 'copying',
  summary: 'change headers of every object below a prefix, in place',
  help: '$0 set-headers s3://bucket[/prefix] --cache-control VALUE ...\n\nChanges headers in place, and keeps all the rest.\nThat is a HEAD for each object, and a copy of it onto itself where something would change.',
  options: [
    ...[listFlags, selectionFlags, headerRuleFlags],
    ...[rewriteFlags, runFlags, bucketSource, againFlag, fleetFlags, freshFlags, savedPlanFlag, shardFlag, costFlags],
  ],
  everyday: [
    'dry-run',
    'include',
    'exclude',
    'cache-control',
    'content-type',
    'if-unset',
    'guess-content-type',
    'rules',
    'preserve',
    'profile',
  ],
  examples: [
    ['$0 set-headers s3://site --guess-content-type -n', 'what would change'],
    ["$0 set-headers s3://photos --cache-control 'public, max-age=31536000'", 'for a year'],
    ["$0 set-headers s3://site --exclude '*' --include '*.jpg' --cache-control no-cache --if-unset", 'of these alone'],
    ['$0 set-headers s3://site --rules rules.yaml --preserve acl', 'by rules; public objects stay public'],
  ],
  exits: exitsOfWriting(),
  async run(flags, io) {
    const place = parseBucket(readArgument(flags, 'source'), 'place')
    const job = setHeadersOf({
      source: place,
      ...readObjects(flags),
      ...readKeyListOf(flags, io.cwd),
      ...(await readHeaderChanges(flags, io.cwd)),
    })
    const { begin } = await import('./run/start-write.js')
    const { checkingAcls, KEEPING } = await import('./run/checking-acls.js')
    return await begin(job, flags, io, checkingAcls(job, KEEPING))
  },
}
