import { UserError } from '../errors.js'
import { CHECKSUM_ALGORITHMS } from '../job/checksums.js'
import { copyOf, type CopyJob } from '../job/copy.js'
import type { Place } from '../job/place.js'
import { setHeadersOf } from '../job/set-headers.js'
import { setTagsOf, type SetTagsJob } from '../job/set-tags.js'
import { checksumJob, type ChecksumJob } from '../job/verify.js'
import { printable } from '../keys.js'
import { readAttributes } from './options/attribute-options.js'
import { Declarations, type Argv } from './options/argv.js'
import type { Command } from './options/command.js'
import { connectionFlags, readConnection, sideFlags } from './options/connection-options.js'
import { exitsOfWriting } from './options/exit.js'
import {
  booleanFlag,
  grouped,
  readArgument,
  readChoice,
  readText,
  readWhole,
  textFlag,
  type Flags,
} from './options/flag-values.js'
import { readKeyListOf } from './options/files-from-options.js'
import { CANNED_ACLS } from './options/header-options.js'
import { headerRuleFlags, readHeaderChanges } from './options/header-rule-options.js'
import type { CommandIo } from './options/io.js'
import { jsonFlags, readJson } from './options/output-options.js'
import { costFlags } from './options/pace-options.js'
import { checkPair, parseBucket } from './options/places.js'
import { checkSlashes, prefixFlags } from './options/prefix.js'
import { readTo } from './options/result-options.js'
import { FOLDER_MARKERS, RESET_ACL } from './options/rewrite-options.js'
import { againFlag, freshFlags, runFlags, savedPlanFlag } from './options/run-options.js'
import { readObjects, selectionFlags } from './options/selection-options.js'
import { readTagChanges, someTagFlags } from './options/tag-options.js'
import type { BatchAsked } from './run/start-batch.js'
import type { ChecksumsAsked } from './run/start-checksums.js'
import type { Prepare } from './run/start-write.js'

/** What `batch` can do. */
interface Operation {
  /** How it is written. */
  readonly usage: string
  /** How many arguments it may have, and must have, behind its name. */
  readonly most: number
  readonly least: number
  readonly options: Command['options']
  run(flags: Flags, io: CommandIo): Promise<number>
}

const RUNNING: Command['options'] = [
  ...[selectionFlags, inventoryFlag, jobFlags, yesFlag, runFlags, savedPlanFlag, againFlag, freshFlags, costFlags],
]
const WRITING: Command['options'] = [...RUNNING, aclFlag]

const OPERATIONS: ReadonlyMap<string, Operation> = new Map([
  [
    'copy',
    {
      ...{ usage: 'batch copy SOURCE DESTINATION', most: 2, least: 2, options: [...WRITING, copyFlags, taggingFlag] },
      async run(flags, io) {
        const { attributes } = readAttributes(flags, io.cwd)
        const job: CopyJob = {
          ...copyOf({
            source: parseBucket(readArgument(flags, 'source'), 'source'),
            destination: parseBucket(readArgument(flags, 'destination'), 'destination'),
            ...(attributes === undefined ? {} : { attributes }),
          }),
          ...readObjects(flags),
          ...readKeyListOf(flags, io.cwd),
        }
        for (const { bucket } of [job.source, job.destination]) refuseAccessPoint(bucket)
        checkPair(job.source, job.destination, readConnection(flags, {}))
        const asked = readAsked(flags)
        const { beginBatch } = await import('./run/start-batch.js')
        const { resumeAttended } = await import('./run/resume-run.js')
        return await beginBatch(job, asked, { flags, io, rest: resumeAttended })
      },
    },
  ],
  [
    'set-headers',
    {
      ...{ usage: 'batch set-headers s3://bucket[/prefix]', most: 1, least: 1, options: [...WRITING, headerFlags] },
      async run(flags, io) {
        const job = setHeadersOf({
          source: parseBucket(readArgument(flags, 'source'), 'place'),
          ...readObjects(flags),
          ...readKeyListOf(flags, io.cwd),
          ...(await readHeaderChanges(flags, io.cwd)),
        })
        refuseAccessPoint(job.source.bucket)
        const asked = readAsked(flags)
        const { beginBatch } = await import('./run/start-batch.js')
        const { resumeAttended } = await import('./run/resume-run.js')
        const { checkingAcls } = await import('./run/checking-acls.js')
        const keeping = 'use s3move set-headers --preserve acl, for no job keeps them'
        return await beginBatch(job, asked, { flags, io, rest: resumeAttended, prepare: checkingAcls(job, keeping) })
      },
    },
  ],
  [
    'set-tags',
    {
      ...{ usage: 'batch set-tags s3://bucket[/prefix]', most: 1, least: 1 },
      options: [...RUNNING, someTagFlags, taggingFlag],
      async run(flags, io) {
        const job = setTagsOf({
          source: parseBucket(readArgument(flags, 'source'), 'place'),
          ...readObjects(flags),
          ...readKeyListOf(flags, io.cwd),
          ...readTagChanges(flags),
        })
        refuseAccessPoint(job.source.bucket)
        const asked = readAsked(flags)
        const { beginBatch } = await import('./run/start-batch.js')
        const { resumeAttended } = await import('./run/resume-run.js')
        return await beginBatch(job, asked, { flags, io, rest: resumeAttended, prepare: warningOfTags(job) })
      },
    },
  ],
  [
    'verify',
    {
      ...{ usage: 'batch verify SOURCE DESTINATION', most: 2, least: 2 },
      options: [selectionFlags, jobFlags, yesFlag, runFlags, freshFlags, prefixFlags, sideFlags, checksumFlags],
      async run(flags, io) {
        const [from, to] = [readArgument(flags, 'source'), readArgument(flags, 'destination')]
        const job = readChecksumJob(flags, io.cwd)
        for (const { bucket } of [job.source, job.destination]) refuseAccessPoint(bucket)
        checkSlashes([job.source, job.destination], [from, to], flags, io)
        checkPair(job.source, job.destination, readConnection(flags, {}))
        const asked = readAsked(flags)
        const source = readSourceParty(flags, asked)
        const { beginChecksums } = await import('./run/start-checksums.js')
        return await beginChecksums(job, { ...asked, ...(source === undefined ? {} : { source }) }, flags, io)
      },
    },
  ],
  [
    'watch',
    {
      ...{ usage: 'batch watch [DIR]', most: 1, least: 0, options: [connectionFlags, linesFlags] },
      async run(flags, io) {
        const { watchBatch } = await import('./run/watch-batch.js')
        return await watchBatch({ dir: readText(flags, 'source'), json: readJson(flags) }, flags, io)
      },
    },
  ],
  [
    'cancel',
    {
      ...{ usage: 'batch cancel [DIR]', most: 1, least: 0, options: [connectionFlags, yesFlag] },
      async run(flags, io) {
        const { cancelBatch } = await import('./run/cancel-batch.js')
        return await cancelBatch(readText(flags, 'source'), flags, io)
      },
    },
  ],
])

export const command: Command = {
  usage: 'batch <operation> [source] [destination]',
  group: 'copying',
  summary: 'copy, set headers or tags, compare bytes, by S3 Batch Operations',
  help: '$0 batch copy SOURCE DESTINATION --manifest s3://bucket/jobs/ --role-arn ARN\n\nCopies objects, or sets their headers or tags, by jobs of S3 Batch Operations.\nWhat these cannot do, s3move does itself afterwards.\n‘batch verify SOURCE DESTINATION’ compares all bytes of both sides by checksums that jobs compute.\n‘batch watch [DIR]’ shows the jobs of a run until they end, ‘batch cancel [DIR]’ ends them.\nThe jobs wait for a yes. The destination prefix must end as the source prefix does.',
  options: [
    ...[batchArguments, ...WRITING, prefixFlags, sideFlags, copyFlags],
    ...[taggingFlag, headerFlags, someTagFlags, checksumFlags],
  ],
  everyday: [
    ...['manifest', 'role-arn', 'yes', 'dry-run', 'storage-class'],
    ...['cache-control', 'include', 'profile'],
  ],
  examples: [
    ['$0 batch copy s3://photos s3://new --manifest s3://jobs/ --role-arn $ROLE', 'a whole bucket'],
    [
      '$0 batch set-headers s3://site --cache-control no-cache --manifest s3://jobs/ --role-arn $ROLE',
      'a job for each set of headers that objects are to have',
    ],
    [
      "$0 batch set-tags s3://photos --tagging 'team=web' --manifest s3://jobs/ --role-arn $ROLE",
      'these tags, and no others',
    ],
    ['$0 batch verify s3://photos s3://new --manifest s3://jobs/ --role-arn $ROLE', 'are all bytes the same?'],
  ],
  exits: exitsOfWriting(', or the two sides differ (verify)'),
  async run(flags, io) {
    const name = readArgument(flags, 'operation')
    const operation = OPERATIONS.get(name)
    if (operation === undefined) {
      throw new UserError(`batch cannot ${printable(name)}`, `it can ${[...OPERATIONS.keys()].join(', ')}`)
    }
    checkArguments(name, operation, flags)
    return await operation.run(flags, io)
  },
}

// All operations are one command to the parser, so what is for another one would count for nothing.
function checkArguments(name: string, { usage, most, least, options }: Operation, flags: Flags): void {
  const given = ['source', 'destination'].filter((one) => flags[one] !== undefined)
  if (given.length < least || given.length > most) {
    const many = `${given.length < least ? 'too few' : 'too many'} places`
    throw new UserError(`batch ${name} was given ${many}`, `write s3move ${usage}`)
  }
  const own = declaredBy(options)
  const other = [...declaredBy(command.options)].find((flag) => flags[flag] !== undefined && !own.has(flag))
  if (other === undefined) return
  const of = [...OPERATIONS].flatMap(([one, { options }]) => (declaredBy(options).has(other) ? [one] : []))
  throw new UserError(`batch ${name} has no option --${other}`, `it is for batch ${of.join(', ')}`)
}

function declaredBy(options: Command['options']): ReadonlySet<string> {
  const declared = new Declarations()
  for (const declare of options) declare(declared, [])
  return new Set(declared.all.keys())
}

function refuseAccessPoint(bucket: string): string {
  if (!bucket.startsWith('arn:')) return bucket
  throw new UserError(`${printable(bucket)} is an access point, and jobs name buckets`, 'name the bucket itself')
}

function batchArguments(argv: Argv): Argv {
  return argv
    .positional('operation', {
      ...{ type: 'string', describe: 'copy, set-headers, set-tags, verify, watch or cancel', demandOption: true },
      values: ['copy', 'set-headers', 'set-tags', 'verify', 'watch', 'cancel'],
    })
    .positional('source', { type: 'string', describe: 's3://bucket or s3://bucket/prefix; DIR of watch and cancel' })
    .positional('destination', { type: 'string', describe: 'the same, of copy and verify' })
}

function inventoryFlag(argv: Argv): Argv {
  return grouped(argv, 'Which objects:', {
    'files-from': textFlag(
      'FILE',
      'the objects of an S3 Inventory in place of a listing: its manifest.json, a file or s3://bucket/key, or the folder of its configuration',
    ),
  })
}

function jobFlags(argv: Argv): Argv {
  return grouped(argv, 'Jobs:', {
    manifest: textFlag('S3-PREFIX', 'where manifests and reports go'),
    'role-arn': textFlag('ROLE-ARN', 'the role of the jobs; --dry-run prints what it needs'),
    'account-id': textFlag('ACCOUNT', 'the account of the jobs, 12 digits', 'that of the role'),
    'job-rows': textFlag('N', 'objects of a job, at most', '100000000'),
  })
}

function yesFlag(argv: Argv): Argv {
  return grouped(argv, 'Jobs:', {
    yes: {
      ...booleanFlag('start the jobs, or cancel them, without a question; needed where there is no terminal'),
      alias: 'y',
    },
  })
}

function linesFlags(argv: Argv): Argv {
  return argv.options(jsonFlags('one JSON object for each change'))
}

function aclFlag(argv: Argv): Argv {
  return grouped(argv, 'What copies have beside their content:', {
    acl: { ...textFlag('ACL', 'canned access control list of what is copied or rewritten'), values: CANNED_ACLS },
  })
}

function copyFlags(argv: Argv): Argv {
  return grouped(argv, 'What copies have beside their content:', {
    'storage-class': textFlag('CLASS', 'storage class of the copies, such as STANDARD_IA', 'that of the source'),
  })
}

function taggingFlag(argv: Argv): Argv {
  return grouped(argv, 'Tags:', {
    tagging: textFlag('TAGS', "tags of copies, or of objects, in place of those that they have: 'team=web&cost=7'"),
  })
}

function headerFlags(argv: Argv): Argv {
  return grouped(headerRuleFlags(argv), 'Headers:', { 'reset-acl': RESET_ACL, 'folder-markers': FOLDER_MARKERS })
}

// Jobs know no condition that tags would meet.
function warningOfTags({ replace, source }: SetTagsJob): Prepare {
  return (_opened, warn) => {
    if (replace !== true) {
      warn(
        `what others change of the tags in s3://${printable(source.bucket)} between the look at an object and its job is lost: nobody should, until the jobs have ended`,
      )
    }
    return Promise.resolve()
  }
}

function checksumFlags(argv: Argv): Argv {
  grouped(argv, 'Jobs:', {
    'source-manifest': textFlag('S3-PREFIX', 'of verify: where those of the source go', '--manifest'),
    'source-role-arn': textFlag('ROLE-ARN', 'of verify: the role of the jobs that read the source', '--role-arn'),
  })
  return grouped(argv, 'Comparison:', {
    'checksum-algorithm': {
      ...textFlag('ALGORITHM', 'by which all bytes of objects are compared, such as SHA256', 'CRC64NVME'),
      values: CHECKSUM_ALGORITHMS,
    },
    to: textFlag('FILE', 'file or s3://bucket/key to write the differences to; - is standard output'),
  })
}

/** Objects of a job where nobody says otherwise; S3 takes 20 billion. */
const ROWS_A_JOB = 100_000_000
const MOST_ROWS = 20_000_000_000

function readAsked(flags: Flags): BatchAsked {
  const { role, ofRole } = readRole(flags, 'role-arn')
  const account = readText(flags, 'account-id') ?? ofRole
  if (!/^\d{12}$/.test(account)) {
    throw new UserError(`--account-id is 12 digits, and was given ${printable(account)}`, 'aws sts get-caller-identity')
  }
  const rowsAJob = readWhole(flags, 'job-rows', 1, MOST_ROWS) ?? ROWS_A_JOB
  return { account, role, rowsAJob, manifests: readManifests(flags, 'manifest') }
}

// Another role is another account's, unless it says otherwise.
function readSourceParty(flags: Flags, both: BatchAsked): ChecksumsAsked['source'] {
  if (flags['source-manifest'] === undefined && flags['source-role-arn'] === undefined) return undefined
  const { role, ofRole: account } =
    flags['source-role-arn'] === undefined
      ? { role: both.role, ofRole: both.account }
      : readRole(flags, 'source-role-arn')
  const manifests = flags['source-manifest'] === undefined ? both.manifests : readManifests(flags, 'source-manifest')
  return { account, role, manifests }
}

function needed(flags: Flags, name: string): string {
  const given = readText(flags, name)
  if (given !== undefined) return given
  throw new UserError(`--${name} is missing`, 'see s3move batch -h')
}

function readRole(flags: Flags, name: string): { readonly role: string; readonly ofRole: string } {
  const role = needed(flags, name)
  const [, ofRole] = /^arn:[a-z-]+:iam::(\d{12}):role\/.+$/.exec(role) ?? []
  if (ofRole !== undefined) return { role, ofRole }
  throw new UserError(
    `--${name} ${printable(role)} is not that of a role`,
    'write something like arn:aws:iam::123456789012:role/batch',
  )
}

function readManifests(flags: Flags, name: string): Place {
  const { bucket, prefix } = parseBucket(needed(flags, name), 'manifest')
  return {
    bucket: refuseAccessPoint(bucket),
    prefix: prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`,
  }
}

function readChecksumJob(flags: Flags, cwd: string): ChecksumJob {
  const { select } = readObjects(flags)
  // Of what only the destination has nothing but the name is that of a source.
  const other = Object.keys(select ?? {}).find((name) => !['globs', 'regex', 'ignoreCase'].includes(name))
  if (other !== undefined) {
    throw new UserError(
      'batch verify chooses objects by their names alone, which are the same on both sides',
      'use --include, --exclude and --regex, or s3move verify',
    )
  }
  const to = readTo(flags, cwd)
  const format = readChoice(flags, 'format', ['text', 'json'])
  return checksumJob({
    source: parseBucket(readArgument(flags, 'source'), 'source'),
    destination: parseBucket(readArgument(flags, 'destination'), 'destination'),
    ...(select === undefined ? {} : { select }),
    checksums: readChoice(flags, 'checksum-algorithm', CHECKSUM_ALGORITHMS) ?? 'CRC64NVME',
    ...(to === undefined ? {} : { to }),
    ...(format === undefined ? {} : { format }),
  })
}
