import { UserError } from '../errors.js'
import { isFolder, placeUrl } from '../job/place.js'
import type { SyncBy, SyncJob } from '../job/sync.js'
import { attributeFlags, readAttributes } from './options/attribute-options.js'
import type { Command } from './options/command.js'
import type { CommandIo } from './options/io.js'
import type { Following } from './run/follow.js'
import { readConnection, sideFlags } from './options/connection-options.js'
import { exitsOfWriting } from './options/exit.js'
import { fleetFlags } from './options/fleet-options.js'
import {
  booleanFlag,
  grouped,
  readArgument,
  readDuration,
  readFlag,
  readWhole,
  textFlag,
  type Flags,
} from './options/flag-values.js'
import { settingFlags } from './options/header-options.js'
import { bandwidthFlag, costFlags, tuneFlag } from './options/pace-options.js'
import { checkPair, parsePlace, placeArguments } from './options/places.js'
import { checkSlashes, prefixFlags, readPrefixAs } from './options/prefix.js'
import { readInventoryOf } from './options/files-from-options.js'
import { readRestore, restoreFlags } from './options/restore-options.js'
import { freshFlags, runFlags, savedPlanFlag, yesFlag } from './options/run-options.js'
import { readObjects, selectionFlags } from './options/selection-options.js'

export const command: Command = {
  usage: 'sync <source> <destination>',
  group: 'copying',
  summary: 'copy what is missing or different',
  help: '$0 sync s3://source[/prefix] s3://destination[/prefix]\n\nLists both sides and copies what is missing at the destination or different: by size, ETag and, where these say nothing, by which is newer. With --delete it asks for the name of the destination’s bucket first.',
  options: [
    ...[selectionFlags, prefixFlags],
    (argv) =>
      grouped(argv, 'Synchronisation:', {
        'size-only': booleanFlag('copy what is missing or has another size; compare nothing else'),
        newer: booleanFlag('copy what is missing or newer at the source (Last-Modified); compare nothing else'),
        'source-inventory': {
          ...textFlag(
            'FILE',
            'what the source has, by an S3 Inventory in place of a listing: its manifest.json or folder, s3:// too',
          ),
          nargs: 1,
        },
        delete: booleanFlag('delete what only the destination has; once both sides have been listed'),
        'max-delete': textFlag('N', 'delete nothing at all if it would be more than this; with --delete'),
        follow: booleanFlag('again and again until it is ended, and nothing newer at the destination is replaced'),
        every: textFlag('TIME', 'with --follow: from the start of one round to that of the next', '5m'),
        'cut-over': booleanFlag(
          'nobody writes to the source by now: rounds until one finds nothing to do, then compare both sides',
        ),
      }),
    ...[settingFlags, attributeFlags, restoreFlags, runFlags, bandwidthFlag, tuneFlag, sideFlags],
    ...[placeArguments, yesFlag, fleetFlags, freshFlags, savedPlanFlag, costFlags],
  ],
  everyday: [
    'dry-run',
    'include',
    'exclude',
    'delete',
    'max-delete',
    'size-only',
    'concurrency',
    'endpoint-url',
    'region',
    'profile',
  ],
  examples: [
    ['$0 sync s3://photos s3://photos-eu', 'what is missing or different'],
    ['$0 sync s3://a s3://b --delete --max-delete 1000', 'and delete what is extra, 1,000 at most'],
    ['$0 sync s3://a s3://b --follow --every 10m', 'until the clients move over'],
    ['$0 sync s3://a s3://b --source-inventory s3://inv/a/daily/', 'the source as its newest inventory has it'],
  ],
  exits: exitsOfWriting(', or were not deleted though --delete was given'),
  async run(flags, io) {
    const [source, destination] = [readArgument(flags, 'source'), readArgument(flags, 'destination')]
    const deletion = readDeletion(flags)
    const following = readFollowing(flags, deletion, io)
    const place = parsePlace(source, 'source')
    const job: SyncJob = {
      kind: 'sync',
      source: place,
      destination: parsePlace(destination, 'destination'),
      by: readComparison(flags),
      ...readAttributes(flags, io.cwd),
      ...readObjects(flags),
      ...readRestore(flags),
      ...readInventoryOf(place, flags, io.cwd),
      ...(deletion === undefined ? {} : { delete: deletion, ...readPrefixAs(place, flags) }),
      ...(following === undefined ? {} : { follow: {} }),
    }
    const connection = readConnection(flags, {})
    checkSlashes([job.source, job.destination], [source, destination], flags, io)
    checkPair(job.source, job.destination, connection, deletion !== undefined)
    if (following !== undefined && isFolder(job.destination)) {
      throw new UserError(
        `--follow and --cut-over go by when the destination’s objects were written, and files of ${placeUrl(job.destination)} get the dates of their objects`,
        'repeat sync without them, from cron say',
      )
    }
    const { warningOfLosses } = await import('./run/fidelity-warning.js')
    const prepare = warningOfLosses(job, flags)
    if (following !== undefined) {
      const { follow } = await import('./run/follow.js')
      return await follow(job, following, { flags, io, prepare })
    }
    const { begin } = await import('./run/start-write.js')
    return await begin(job, flags, io, prepare)
  },
}

function readComparison(flags: Flags): SyncBy {
  const [size, newer] = ['size-only', 'newer'].map((name) => readFlag(flags, name) === true)
  if (size === true && newer === true) {
    throw new UserError('--size-only and --newer are two ways to compare', 'give one of them')
  }
  return size === true ? 'size' : newer === true ? 'time' : 'content'
}

/** From the start of one round to that of the next, in milliseconds: unless told otherwise, and at least. */
const EVERY = 300_000
const OFTENEST = 1_000

// Undefined where it is one run like any other.
function readFollowing(flags: Flags, deletion: SyncJob['delete'], { planning }: CommandIo): Following | undefined {
  const every = readDuration(flags, 'every', OFTENEST)
  const cutOver = readFlag(flags, 'cut-over') ?? false
  const flag = cutOver ? '--cut-over' : '--follow'
  if (!cutOver && readFlag(flags, 'follow') !== true) {
    if (every === undefined) return undefined
    throw new UserError('--every is how often --follow begins a round, and that is missing', 'add --follow')
  }
  const unfit = UNFIT.find(([name]) => flags[name] !== undefined && flags[name] !== false)
  if (unfit !== undefined || planning !== undefined) {
    const [name, why] = unfit ?? ['dry-run', 'it tells of one round']
    throw new UserError(`${flag} does not go with --${name}: ${why}`, `leave one of them away`)
  }
  if (deletion !== undefined && deletion.most === undefined) {
    throw new UserError(
      `${flag} with --delete deletes while nobody looks, and nothing says how much may go`,
      'add --max-delete N: a round that would delete more deletes nothing',
    )
  }
  return { every: every ?? EVERY, cutOver }
}

const UNFIT = [
  ['dry-run', 'it tells of one round'],
  ['plan', 'what was planned is one round'],
  ['source-inventory', 'an inventory is older than what a round is to copy'],
  ['newer', 'what is replaced while it is copied would be missed'],
] as const

function readDeletion(flags: Flags): SyncJob['delete'] {
  const most = readWhole(flags, 'max-delete', 0, Number.MAX_SAFE_INTEGER)
  if (readFlag(flags, 'delete') === true) return most === undefined ? {} : { most }
  if (most === undefined) return undefined
  throw new UserError('--max-delete limits --delete, which is missing', 'add --delete, or leave --max-delete away')
}
