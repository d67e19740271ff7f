import { UserError } from '../errors.js'
import { copyOf, type CopyJob } from '../job/copy.js'
import { printable } from '../keys.js'
import { readAttributes } from './options/attribute-options.js'
import type { Argv } from './options/argv.js'
import type { Command } from './options/command.js'
import { readConnection } from './options/connection-options.js'
import { exitsOfWriting } from './options/exit.js'
import { booleanFlag, grouped, readArgument, readText, readWhole, textFlag, type Flags } from './options/flag-values.js'
import { CANNED_ACLS } from './options/header-options.js'
import { checkPair, parseBucket } from './options/places.js'
import { againFlag, freshFlags, runFlags } from './options/run-options.js'
import { readObjects, selectionFlags } from './options/selection-options.js'
import type { BatchAsked } from './run/start-batch.js'

export const command: Command = {
  usage: 'batch <operation> <source> <destination>',
  group: 'copying',
  summary: 'copy by jobs of S3 Batch Operations, which run without this machine',
  help: '$0 batch copy SOURCE DESTINATION --manifest s3://bucket/jobs/ --role-arn ARN\n\nCopies every object below the source prefix by jobs of S3 Batch Operations; what these cannot copy, s3move copies itself afterwards.\nThe jobs wait for a yes. The destination prefix must end as the source prefix does.',
  options: [selectionFlags, batchArguments, batchFlags, runFlags, againFlag, freshFlags],
  everyday: [...['manifest', 'role-arn', 'yes', 'dry-run', 'storage-class'], ...['include', 'region', 'profile']],
  examples: [['$0 batch copy s3://photos s3://new --manifest s3://jobs/ --role-arn $ROLE', 'a whole bucket']],
  exits: exitsOfWriting(),
  async run(flags, io) {
    const operation = readArgument(flags, 'operation')
    if (operation !== 'copy') {
      throw new UserError(`batch cannot ${printable(operation)}`, 'write s3move batch copy SOURCE DESTINATION')
    }
    const [source, destination] = [readArgument(flags, 'source'), readArgument(flags, 'destination')]
    const { attributes } = readAttributes(flags, io.cwd)
    const job: CopyJob = {
      ...copyOf({
        source: parseBucket(source, 'source'),
        destination: parseBucket(destination, 'destination'),
        ...(attributes === undefined ? {} : { attributes }),
      }),
      ...readObjects(flags),
    }
    for (const { bucket } of [job.source, job.destination]) refuseAccessPoint(bucket)
    checkPair(job.source, job.destination, readConnection(flags, {}))
    const asked = readAsked(flags)
    const { beginBatch } = await import('./run/start-batch.js')
    const { resumeAttended } = await import('./run/resume-run.js')
    return await beginBatch(job, asked, { flags, io, rest: resumeAttended })
  },
}

function refuseAccessPoint(bucket: string): string {
  if (!bucket.startsWith('arn:')) return bucket
  throw new UserError(`${printable(bucket)} is an access point, and jobs name buckets`, 'name the bucket itself')
}

function batchArguments(argv: Argv): Argv {
  return argv
    .positional('operation', { type: 'string', describe: 'copy', demandOption: true })
    .positional('source', { type: 'string', describe: 's3://bucket or s3://bucket/prefix', demandOption: true })
    .positional('destination', { type: 'string', describe: 's3://bucket or s3://bucket/prefix', demandOption: true })
}

function batchFlags(argv: Argv): Argv {
  grouped(argv, 'Jobs:', {
    manifest: { ...textFlag('S3-PREFIX', 'where manifests and reports go'), demandOption: true },
    'role-arn': { ...textFlag('ROLE-ARN', 'the role of the jobs; --dry-run prints what it needs'), demandOption: true },
    'account-id': textFlag('ACCOUNT', 'the account of the jobs, 12 digits', 'that of the role'),
    'job-rows': textFlag('N', 'objects of a job, at most', '100000000'),
    yes: { ...booleanFlag('start the jobs without a question; needed where there is no terminal'), alias: 'y' },
  })
  return grouped(argv, 'What copies have beside their content:', {
    'storage-class': textFlag('CLASS', 'storage class of the copies, such as STANDARD_IA', 'that of the source'),
    acl: { ...textFlag('ACL', 'canned access control list of the copies'), values: CANNED_ACLS },
    tagging: textFlag('TAGS', "tags of the copies in place of those of the source: 'team=web&cost=7'"),
  })
}

/** Objects of a job where nobody says otherwise; S3 takes 20 billion. */
const ROWS_A_JOB = 100_000_000
const MOST_ROWS = 20_000_000_000

function readAsked(flags: Flags): BatchAsked {
  const needed = (name: string): string => {
    const given = readText(flags, name)
    if (given !== undefined) return given
    throw new UserError(`--${name} is missing`, 'see s3move batch -h')
  }
  const role = needed('role-arn')
  const [, ofRole] = /^arn:[a-z-]+:iam::(\d{12}):role\/.+$/.exec(role) ?? []
  if (ofRole === undefined) {
    throw new UserError(
      `--role-arn ${printable(role)} is not that of a role`,
      'write something like arn:aws:iam::123456789012:role/batch',
    )
  }
  const account = readText(flags, 'account-id') ?? ofRole
  if (!/^\d{12}$/.test(account)) {
    throw new UserError(`--account-id is 12 digits, and was given ${printable(account)}`, 'aws sts get-caller-identity')
  }
  const { bucket, prefix } = parseBucket(needed('manifest'), 'manifest')
  return {
    ...{ account, role, rowsAJob: readWhole(flags, 'job-rows', 1, MOST_ROWS) ?? ROWS_A_JOB },
    manifests: {
      bucket: refuseAccessPoint(bucket),
      prefix: prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`,
    },
  }
}
