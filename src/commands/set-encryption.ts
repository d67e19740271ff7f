import { UserError } from '../errors.js'
import { setEncryptionOf } from '../job/set-encryption.js'
import type { Command } from './options/command.js'
import { encryptionFlags, readEncryption } from './options/encryption-options.js'
import { exitsOfWriting } from './options/exit.js'
import { fleetFlags } from './options/fleet-options.js'
import { listFlags, readKeyListOf } from './options/files-from-options.js'
import { booleanFlag, grouped, readArgument, readFlag } from './options/flag-values.js'
import { costFlags } from './options/pace-options.js'
import { bucketSource, parseBucket } from './options/places.js'
import { keepingFlags } from './options/rewrite-options.js'
import { againFlag, freshFlags, runFlags, savedPlanFlag } from './options/run-options.js'
import { readObjects, selectionFlags } from './options/selection-options.js'

export const command: Command = {
  usage: 'set-encryption <source>',
  group: 'copying',
  summary: 'encrypt every object below a prefix with another key, without a copy',
  help: '$0 set-encryption s3://bucket[/prefix] --sse aws:kms --sse-kms-key-id ARN\n\nHas S3 put objects under another KMS key; nothing is rewritten, archived or not.\nThat is a HEAD for each object, unless a list tells enough, and an UpdateObjectEncryption where something would change.',
  options: [
    ...[listFlags, selectionFlags, encryptionFlags],
    (argv) => grouped(argv, 'Objects:', { 'all-versions': booleanFlag('all versions of each object') }),
    ...[keepingFlags, runFlags, bucketSource, againFlag, fleetFlags, freshFlags, savedPlanFlag, costFlags],
  ],
  everyday: [
    'dry-run',
    'sse',
    'sse-kms-key-id',
    'bucket-key',
    'rewrite-others',
    'include',
    'exclude',
    'all-versions',
    'profile',
  ],
  examples: [
    ['$0 set-encryption s3://photos --sse aws:kms --sse-kms-key-id $ARN -n', 'what would change'],
    [
      '$0 set-encryption s3://photos --sse aws:kms --sse-kms-key-id $ARN --bucket-key --all-versions',
      'old versions too',
    ],
    ['$0 set-encryption s3://photos --sse AES256 --rewrite-others', 'back to keys of S3, which takes copies'],
  ],
  exits: exitsOfWriting(),
  async run(flags, io) {
    const job = setEncryptionOf({
      source: parseBucket(readArgument(flags, 'source'), 'place'),
      ...readKeyListOf(flags, io.cwd),
      ...readObjects(flags),
      ...(readFlag(flags, 'all-versions') === true ? { versions: true } : {}),
      ...readEncryption(flags),
    })
    if (job.versions === true && job.list !== undefined) {
      throw new UserError(
        '--all-versions does not go with --files-from',
        'a list may name the versions whose encryption is to change; without a list all are found by listing',
      )
    }
    if (job.versions === true && job.rewriteOthers === true) {
      throw new UserError(
        '--all-versions does not go with --rewrite-others: a rewrite of an old version would be a new one',
        'do one without the other first',
      )
    }
    const { begin } = await import('./run/start-write.js')
    const { checkingEncryption } = await import('./run/checking-encryption.js')
    return await begin(job, flags, io, checkingEncryption(job))
  },
}
