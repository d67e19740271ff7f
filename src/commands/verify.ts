import { UserError } from '../errors.js'
import { isFolder, placeUrl } from '../job/place.js'
import type { VerifyJob } from '../job/verify.js'
import { printable } from '../keys.js'
import { warningLine } from '../report/paint.js'
import type { Command } from './options/command.js'
import { readConnection, sideFlags } from './options/connection-options.js'
import { exitsOfListing } from './options/exit.js'
import { fleetFlags } from './options/fleet-options.js'
import { listFlags, readKeyListOf } from './options/files-from-options.js'
import {
  booleanFlag,
  grouped,
  readArgument,
  readChoice,
  readFlag,
  textFlag,
  type Flags,
} from './options/flag-values.js'
import type { CommandIo } from './options/io.js'
import { DEFAULT_PACE, SPEED } from './options/pace-options.js'
import { checkPair, comparedArguments, parsePlace } from './options/places.js'
import { checkSlashes, prefixFlags } from './options/prefix.js'
import { formatOf, readTo } from './options/result-options.js'
import { scanFlags } from './options/run-options.js'
import { nameFlags, readNames, readObjects, selectionFlags } from './options/selection-options.js'
import { plannedShardFlags } from './options/shard-options.js'
import type { Comparison } from './run/proving-job.js'

export const command: Command = {
  usage: 'verify <source> [destination]',
  group: 'looking',
  summary: 'compare two places, after a copy by any tool',
  help:
    '$0 verify s3://source[/prefix] s3://destination[/prefix]\n       $0 verify DIR\n\nLists both sides and compares every object with the one of its name.\nIt is the same, of the same size, different, missing or extra.\n' +
    'With DIR, the folder of a run of copy or sync, exactly what that was to copy: same places, filters and names.\n' +
    'Differences are written to standard output or a file, a line each: for people on a terminal, else as JSON.',
  options: [
    ...[listFlags, selectionFlags, nameFlags, scanFlags, plannedShardFlags],
    (argv) =>
      grouped(argv, 'Comparison:', {
        deep: booleanFlag(
          'compare what HEAD tells, too: headers, user metadata, tags, checksums, class, encryption, lock',
        ),
        acl: booleanFlag('compare access control lists too, at a request on each side for each object'),
        annotations: booleanFlag('compare annotations too, at a list on each side for each object'),
        bytes: booleanFlag('read the content of both sides'),
        checksums: { ...booleanFlag('by jobs of S3 Batch Operations: see s3move batch verify'), hidden: true },
        fix: booleanFlag('copy what is missing or different; nothing is ever deleted'),
      }),
    (argv) =>
      grouped(argv, 'Output:', {
        to: textFlag(
          'FILE',
          'file or s3://bucket/key to write the differences to; - is standard output; .gz and .zst are compressed; there once it is whole',
        ),
        format: textFlag('text|json', 'how differences are written', 'text on a terminal, else json'),
        json: booleanFlag('the same as --format json, and the summary as JSON too'),
        verbose: { ...booleanFlag('also write objects of which only the size could be compared'), alias: 'v' },
      }),
    (argv) =>
      grouped(argv, SPEED, {
        concurrency: textFlag('N', 'objects looked at, read or copied at once', `${DEFAULT_PACE.concurrency}`),
      }),
    ...[fleetFlags, prefixFlags, sideFlags, comparedArguments],
  ],
  everyday: ['deep', 'bytes', 'fix', 'to', 'endpoint-url', 'region', 'profile'],
  examples: [
    ['$0 verify s3://photos s3://photos-eu', 'by size and ETag'],
    ['$0 verify s3://photos s3://photos-eu --deep --to differences.ndjson', 'headers and tags too'],
    ['$0 verify s3://photos s3://photos-eu --fix', 'copy what is missing or different'],
    ['$0 verify .s3move/photos-to-photos-eu-1a2b3c4d', 'what that run was to copy'],
  ],
  exits: exitsOfListing('finished, and the two sides differ'),
  async run(flags, io) {
    refuseChecksums(flags)
    const how = readComparison(flags, io.cwd)
    const given = { ...readObjects(flags), ...readNames(flags), ...readKeyListOf(flags, io.cwd) }
    const source = readArgument(flags, 'source')
    if (flags.destination === undefined) return await verifyRun(source, how, given, flags, io)
    const destination = readArgument(flags, 'destination')
    const job: VerifyJob = {
      source: parsePlace(source, 'source'),
      destination: parsePlace(destination, 'destination'),
      ...given,
      ...(given.map === undefined && given.list === undefined ? {} : { oneWay: true }),
      ...how,
    }
    refuseContradictions(job)
    checkSlashes([job.source, job.destination], [source, destination], flags, io)
    checkPair(job.source, job.destination, readConnection(flags, {}))
    const { startScan } = await import('./run/start-scan.js')
    return await startScan(job, flags, io)
  },
}

// A command of its own: jobs cost money, so they need a role, a place for their manifests, and a yes.
function refuseChecksums(flags: Flags): void {
  if (readFlag(flags, 'checksums') !== true) return
  throw new UserError(
    'checksums of all bytes are computed by jobs of S3 Batch Operations, which have a command of their own',
    's3move batch verify SOURCE DESTINATION --manifest s3://BUCKET/PREFIX/ --role-arn ARN',
  )
}

function readComparison(flags: Flags, cwd: string): Comparison {
  const to = readTo(flags, cwd)
  if (to !== undefined && formatOf(to) === 'csv') {
    throw new UserError(
      `--to ${printable(to)} is named as a file of csv, and differences are lines of JSON`,
      'name a file such as differences.ndjson',
    )
  }
  const format = readChoice(flags, 'format', ['text', 'json'])
  return {
    kind: 'verify',
    deep: readFlag(flags, 'deep') ?? false,
    bytes: readFlag(flags, 'bytes') ?? false,
    fix: readFlag(flags, 'fix') ?? false,
    verbose: readFlag(flags, 'verbose') ?? false,
    ...(readFlag(flags, 'acl') === true ? { acl: true } : {}),
    ...(readFlag(flags, 'annotations') === true ? { annotations: true } : {}),
    ...(to === undefined ? {} : { to }),
    ...(format === undefined ? {} : { format }),
  }
}

// Which objects and names, the run tells.
async function verifyRun(dir: string, how: Comparison, given: object, flags: Flags, io: CommandIo): Promise<number> {
  if (/^[a-z0-9]+:/i.test(dir)) {
    throw new UserError(
      `verify compares two places, and was given one: ${printable(dir)}`,
      'write s3move verify SOURCE DESTINATION, or s3move verify DIR with the folder of a run',
    )
  }
  if (Object.keys(given).length > 0) {
    throw new UserError(
      'a run is compared as it was to copy, with filters, names and list of its own',
      'leave yours away, or name the two places: s3move verify SOURCE DESTINATION',
    )
  }
  const { provingJob } = await import('./run/proving-job.js')
  const { job, connection, warnings } = await provingJob(dir, how)
  refuseContradictions(job)
  if (readFlag(flags, 'quiet') !== true)
    for (const warning of warnings) io.stderr.write(`${warningLine(warning, io.paint?.stderr)}\n`)
  const { startScan } = await import('./run/start-scan.js')
  return await startScan(job, flags, io, connection)
}

function refuseContradictions({ source, destination, acl = false, annotations = false, fix, map }: VerifyJob): void {
  const folder = [source, destination].find(isFolder)
  const [flag, what] = acl ? ['--acl', 'access control lists'] : ['--annotations', 'annotations']
  if ((acl || annotations) && folder !== undefined) {
    throw new UserError(
      `${flag} compares ${what}, and ${placeUrl(folder)} is a folder, which has none`,
      `leave ${flag} away`,
    )
  }
  if (fix && map !== undefined) {
    throw new UserError(
      '--fix does not go with --map: where two objects get one name it would replace the copy of the other',
      'write the differences to a file with --to, and give that to the same copy with --files-from',
    )
  }
}
