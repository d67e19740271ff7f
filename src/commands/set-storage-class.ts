import { UserError } from '../errors.js'
import { setStorageClassOf } from '../job/set-storage-class.js'
import { readStorageClass } from './options/attribute-options.js'
import type { Command } from './options/command.js'
import { exitsOfWriting } from './options/exit.js'
import { fleetFlags } from './options/fleet-options.js'
import { listFlags, readKeyListOf } from './options/files-from-options.js'
import { grouped, readArgument, textFlag } from './options/flag-values.js'
import { costFlags } from './options/pace-options.js'
import { bucketSource, parseBucket } from './options/places.js'
import { readRewriting, rewriteFlags } from './options/rewrite-options.js'
import { againFlag, freshFlags, runFlags, savedPlanFlag } from './options/run-options.js'
import { readObjects, selectionFlags } from './options/selection-options.js'
import { shardFlag } from './options/shard-options.js'

export const command: Command = {
  usage: 'set-storage-class <source>',
  group: 'copying',
  summary: 'move every object below a prefix to another storage class, in place',
  help: '$0 set-storage-class s3://bucket[/prefix] --storage-class CLASS\n\nRewrites objects in another storage class, in place, and keeps all the rest.\nWhat the listing shows in that class costs nothing; else that is a HEAD, and a copy of the object onto itself.',
  options: [
    ...[listFlags, selectionFlags],
    (argv) =>
      grouped(argv, 'Storage class:', {
        'storage-class': textFlag('CLASS', 'storage class to give, such as GLACIER_IR'),
      }),
    ...[rewriteFlags, runFlags, bucketSource, againFlag, fleetFlags, freshFlags, savedPlanFlag, shardFlag, costFlags],
  ],
  everyday: [
    'dry-run',
    'storage-class',
    'include',
    'exclude',
    'size',
    'older-than',
    'files-from',
    'preserve',
    'profile',
  ],
  examples: [
    ['$0 plan set-storage-class s3://logs --storage-class GLACIER_IR', 'what that would cost'],
    [
      '$0 set-storage-class s3://logs --storage-class GLACIER_IR --older-than 90d --size +128K',
      'only what is worth it',
    ],
  ],
  exits: exitsOfWriting(),
  async run(flags, io) {
    const storageClass = readStorageClass(flags)
    if (storageClass === undefined) {
      throw new UserError(
        'nothing to set: no storage class was named',
        'write --storage-class GLACIER_IR, for instance',
      )
    }
    const job = setStorageClassOf({
      source: parseBucket(readArgument(flags, 'source'), 'place'),
      ...readObjects(flags),
      ...readKeyListOf(flags, io.cwd),
      storageClass,
      ...readRewriting(flags),
    })
    const { begin } = await import('./run/start-write.js')
    const { checkingAcls, KEEPING } = await import('./run/checking-acls.js')
    return await begin(job, flags, io, checkingAcls(job, KEEPING))
  },
}
