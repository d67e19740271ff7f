import { UserError } from '../errors.js'
import { isFolder, placeUrl } from '../job/place.js'
import type { VerifyJob } from '../job/verify.js'
import { printable } from '../keys.js'
import type { Command } from './options/command.js'
import { readConnection, sideFlags } from './options/connection-options.js'
import { EXIT_TABLE } from './options/exit.js'
import { booleanFlag, grouped, readArgument, readChoice, readFlag, textFlag } from './options/flag-values.js'
import { DEFAULT_PACE } from './options/pace-options.js'
import { checkPair, parsePlace, placeArguments } from './options/places.js'
import { checkSlashes, prefixFlags } from './options/prefix.js'
import { formatOf, readTo } from './options/result-options.js'
import { scanFlags } from './options/run-options.js'

export const command: Command = {
  usage: 'verify <source> <destination>',
  summary: 'compare two places, after a copy by any tool',
  help:
    '$0 verify s3://source[/prefix] s3://destination[/prefix]\n\nLists both sides and compares every object with the one of its name: same, same size, different, missing, extra.\n' +
    'Differences are written to standard output or a file, a line each: for people on a terminal, else as JSON.',
  options: [
    scanFlags,
    (argv) =>
      grouped(argv, 'Comparison:', {
        deep: booleanFlag('compare headers, user metadata, tags, checksums, class, encryption and lock too, by HEAD'),
        acl: booleanFlag('compare access control lists too, at a request on each side for each object'),
        bytes: booleanFlag('read the content of both sides'),
        fix: booleanFlag('copy what is missing or different; nothing is ever deleted'),
      }),
    (argv) =>
      grouped(argv, 'Output:', {
        to: textFlag(
          'file to write the differences to, or - for standard output; .gz and .zst are compressed. It is FILE.part until it is whole',
        ),
        format: textFlag('text or json', 'text on a terminal, else json'),
        json: booleanFlag('the summary as one line of JSON, and the differences too'),
        verbose: { ...booleanFlag('also write objects of which only the size could be compared'), alias: 'v' },
      }),
    (argv) =>
      grouped(argv, 'Run:', {
        concurrency: textFlag('objects looked at, read or copied at once', `${DEFAULT_PACE.concurrency}`),
      }),
    ...[prefixFlags, sideFlags, placeArguments],
  ],
  examples: [
    ['$0 verify s3://photos s3://photos-eu', 'by size and ETag'],
    ['$0 verify s3://photos s3://photos-eu --deep --to differences.ndjson', 'headers and tags too'],
    ['$0 verify s3://photos s3://photos-eu --fix', 'copy what is missing or different'],
  ],
  epilogue: EXIT_TABLE,
  async run(flags, io) {
    const [source, destination] = [readArgument(flags, 'source'), readArgument(flags, 'destination')]
    const to = readTo(flags, io.cwd)
    const acl = readFlag(flags, 'acl') ?? false
    const format = readChoice(flags, 'format', ['text', 'json'])
    const job: VerifyJob = {
      kind: 'verify',
      source: parsePlace(source, 'source'),
      destination: parsePlace(destination, 'destination'),
      deep: readFlag(flags, 'deep') ?? false,
      bytes: readFlag(flags, 'bytes') ?? false,
      fix: readFlag(flags, 'fix') ?? false,
      verbose: readFlag(flags, 'verbose') ?? false,
      ...(acl ? { acl } : {}),
      ...(to === undefined ? {} : { to }),
      ...(format === undefined ? {} : { format }),
    }
    if (to !== undefined && formatOf(to) === 'csv') {
      throw new UserError(
        `--to ${printable(to)} is named as a file of csv, and differences are lines of JSON`,
        'name a file such as differences.ndjson',
      )
    }
    const folder = [job.source, job.destination].find(isFolder)
    if (acl && folder !== undefined) {
      throw new UserError(
        `--acl compares access control lists, and ${placeUrl(folder)} is a folder, which has none`,
        'leave --acl away',
      )
    }
    checkSlashes([job.source, job.destination], [source, destination], flags, io)
    checkPair(job.source, job.destination, readConnection(flags, {}))
    const { startScan } = await import('./run/start-scan.js')
    return await startScan(job, flags, io)
  },
}
