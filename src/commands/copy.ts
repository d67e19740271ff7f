import { UserError } from '../errors.js'
import type { CopyJob } from '../job/copy.js'
import { placeUrl } from '../job/place.js'
import { attributeFlags, readAttributes } from './options/attribute-options.js'
import type { Command } from './options/command.js'
import { readConnection, sideFlags } from './options/connection-options.js'
import { exitsOfWriting } from './options/exit.js'
import { fleetFlags } from './options/fleet-options.js'
import { listFlags, readKeyListOf } from './options/files-from-options.js'
import { booleanFlag, grouped, readArgument, readFlag } from './options/flag-values.js'
import { settingFlags } from './options/header-options.js'
import { bandwidthFlag, costFlags, tuneFlag } from './options/pace-options.js'
import { checkPair, parsePlace, placeArguments } from './options/places.js'
import { checkSlashes, prefixFlags } from './options/prefix.js'
import { readRestore, restoreFlags } from './options/restore-options.js'
import { againFlag, freshFlags, runFlags, savedPlanFlag } from './options/run-options.js'
import { nameFlags, readNames, readObjects, selectionFlags } from './options/selection-options.js'
import { shardFlag } from './options/shard-options.js'
import type { Opened } from './run/open-and-run.js'

export const command: Command = {
  usage: 'copy <source> <destination>',
  group: 'copying',
  summary: 'copy every object below a prefix, inside S3',
  help: '$0 copy s3://source[/prefix] s3://destination[/prefix]\n\nCopies every object below the source prefix to the destination, inside S3 (CopyObject).\nThe source prefix is replaced by the destination prefix, letter by letter. Either side may be a folder: file:///folder.',
  options: [
    ...[
      listFlags,
      selectionFlags,
      prefixFlags,
      nameFlags,
      settingFlags,
      attributeFlags,
      restoreFlags,
      runFlags,
      bandwidthFlag,
      tuneFlag,
      sideFlags,
    ],
    placeArguments,
    (argv) =>
      grouped(argv, 'Objects:', {
        clobber: { ...booleanFlag('--no-clobber: replace nothing'), hidden: true },
        'no-clobber': booleanFlag('replace nothing at the destination (If-None-Match)'),
        'all-versions': booleanFlag('each object with all of its versions and delete markers, the oldest first'),
      }),
    againFlag,
    fleetFlags,
    freshFlags,
    savedPlanFlag,
    shardFlag,
    costFlags,
  ],
  everyday: [
    'dry-run',
    'include',
    'exclude',
    'files-from',
    'no-clobber',
    'concurrency',
    'verbose',
    'endpoint-url',
    'region',
    'profile',
  ],
  examples: [
    ['$0 copy s3://photos s3://photos-eu', 'a whole bucket'],
    ['$0 copy s3://photos/2019/ s3://archive/photos/2019/', 'a folder, to another name'],
    ['$0 copy s3://photos file:///backup/photos', 'to the local disk; and back the same way'],
    ['$0 copy s3://a s3://b --dry-run', 'how many objects, how many requests'],
  ],
  exits: exitsOfWriting(),
  async run(flags, io) {
    const [source, destination] = [readArgument(flags, 'source'), readArgument(flags, 'destination')]
    const job: CopyJob = {
      kind: 'copy',
      source: parsePlace(source, 'source'),
      destination: parsePlace(destination, 'destination'),
      ...readAttributes(flags, io.cwd),
      ...(readFlag(flags, 'all-versions') === true ? { versions: true } : {}),
      ...(readFlag(flags, 'clobber') === false ? { noClobber: true } : {}),
      ...readObjects(flags),
      ...readKeyListOf(flags, io.cwd),
      ...readRestore(flags),
      ...readNames(flags),
    }
    checkSlashes([job.source, job.destination], [source, destination], flags, io)
    checkPair(job.source, job.destination, readConnection(flags, {}))
    refuseContradictions(job)
    const { begin } = await import('./run/start-write.js')
    const { warningOfLosses } = await import('./run/fidelity-warning.js')
    const losses = warningOfLosses(job, flags)
    return await begin(job, flags, io, async (opened, warn) => {
      if (job.versions === true) await checkVersions(job, opened)
      await losses(opened, warn)
    })
  },
}

// What cannot be done with all versions of an object.
function refuseContradictions(job: CopyJob): void {
  if (job.versions === true && job.list !== undefined) {
    throw new UserError(
      '--all-versions does not go with --files-from',
      'name the versions in the list, one JSON object a line: {"key": ..., "versionId": ...}',
    )
  }
  if (job.versions === true && job.noClobber === true) {
    throw new UserError(
      '--all-versions writes each object again and again, and --no-clobber would leave all but its oldest version out',
      'leave one of them away',
    )
  }
  if (job.versions === true && job.restore !== undefined) {
    throw new UserError(
      '--restore and --all-versions do not go together: the versions of an object are copied in one go, in their order',
      'restore what is archived first, then copy with --all-versions',
    )
  }
}

// In a bucket without versions each would replace the one before, and a delete marker would remove what is there.
async function checkVersions(job: CopyJob, { ends }: Opened): Promise<void> {
  const kept = await ends.destination?.traits()
  if (kept?.versioned === true) return
  const url = placeUrl(job.destination)
  throw new UserError(
    kept?.versioned === false
      ? `the bucket of ${url} keeps no versions, so nothing but the newest of each object would be left`
      : `the store does not say whether the bucket of ${url} keeps versions`,
    'turn versioning on for the destination (aws s3api put-bucket-versioning), or leave --all-versions away',
  )
}
