import {
  CreateJobCommand,
  DescribeJobCommand,
  ListJobsCommand,
  S3ControlClient,
  UpdateJobStatusCommand,
  type CreateJobCommandInput,
  type JobOperation,
  type RequestedJobStatus,
  type S3ComputeObjectChecksumOperation,
  type S3ControlClientConfig,
  type S3CopyObjectOperation,
} from '@aws-sdk/client-s3-control'
import { isIP } from 'node:net'
import { timeOf } from '../../times.js'
import type { Place } from '../../job/place.js'
import type {
  BatchChecksum,
  BatchControl,
  BatchCopy,
  BatchOptions,
  BatchRequest,
  BatchTask,
  BatchView,
} from '../batch-control.js'
import { createMeter, withRetries } from '../retry.js'
import { openAccount } from './account.js'
import { sdkFault } from './watched-client.js'

/** Jobs are run in turn by this; all of ours have the same. */
const PRIORITY = 10

/** Opens the jobs of an account, as `openBatchControl` does. */
export async function openS3Batch({ bucket }: Place, options: BatchOptions): Promise<BatchControl> {
  const { connection, account: AccountId, policy, warn } = options
  const account = await openAccount(connection, warn)
  const { region, origin } = await account.target(bucket)
  const config = await account.sending(region)
  const client = new S3ControlClient(sendingTo(config, account.endpointUrl))
  const meter = createMeter()
  // Each try needs a command of its own: the client sends none twice ("Duplicate middleware name").
  const asked = <T>(operation: string, ask: () => Promise<T>): Promise<T> =>
    withRetries(
      operation,
      async () => {
        try {
          return await ask()
        } catch (error) {
          throw sdkFault(error, { operation, bucket }, new URL(origin).host)
        }
      },
      policy,
      meter,
    )
  const update = async (JobId: string, RequestedJobStatus: RequestedJobStatus): Promise<void> => {
    const input = { AccountId, JobId, RequestedJobStatus }
    await asked('UpdateJobStatus', () => client.send(new UpdateJobStatusCommand(input)))
  }
  return {
    async create(request) {
      const input = { AccountId, ...jobInput(request) }
      const { JobId } = await asked('CreateJob', () => client.send(new CreateJobCommand(input)))
      if (JobId === undefined) throw new Error('CreateJob answered without the id of a job')
      return JobId
    },
    async describe(id) {
      const { Job } = await asked('DescribeJob', () => client.send(new DescribeJobCommand({ AccountId, JobId: id })))
      const { Status = '', ProgressSummary: counts, FailureReasons = [] } = Job ?? {}
      const view: BatchView = {
        ...{ id, status: Status, tasks: counts?.TotalNumberOfTasks ?? 0 },
        ...{ succeeded: counts?.NumberOfTasksSucceeded ?? 0, failed: counts?.NumberOfTasksFailed ?? 0 },
        reasons: FailureReasons.map(({ FailureCode = '', FailureReason = '' }) => `${FailureCode}: ${FailureReason}`),
      }
      return view
    },
    async find(descriptions) {
      const found = new Map<string, string>()
      let NextToken: string | undefined
      do {
        const input = { AccountId, NextToken }
        const page = await asked('ListJobs', () => client.send(new ListJobsCommand(input)))
        for (const { JobId, Description = '' } of page.Jobs ?? []) {
          if (JobId !== undefined && descriptions.has(Description)) found.set(Description, JobId)
        }
        NextToken = page.NextToken
      } while (NextToken !== undefined && found.size < descriptions.size)
      return found
    },
    start: (id) => update(id, 'Ready'),
    cancel: (id) => update(id, 'Cancelled'),
    close() {
      client.destroy()
      account.close()
    },
  }
}

type Config = S3ControlClientConfig

// The SDK puts the account in front of the host of any endpoint, which no address bears.
function sendingTo(config: Config, endpoint: string | undefined): Config {
  if (endpoint === undefined) return config
  const url = new URL(endpoint)
  if (url.hostname !== 'localhost' && isIP(url.hostname.replace(/^\[|\]$/g, '')) === 0) return { ...config, endpoint }
  return { ...config, endpointProvider: () => ({ url }) }
}

/** What CreateJob is asked, beside the account. */
export function jobInput(request: BatchRequest): Omit<CreateJobCommandInput, 'AccountId'> {
  const { manifest, report, role } = request
  // All in one partition of AWS: `aws`, `aws-cn`, ….
  const [, partition = 'aws'] = role.split(':')
  const arn = (bucket: string, key?: string): string =>
    `arn:${partition}:s3:::${bucket}${key === undefined ? '' : `/${key}`}`
  return {
    ConfirmationRequired: true,
    ClientRequestToken: request.token,
    Description: request.description,
    Priority: PRIORITY,
    RoleArn: role,
    Operation: operationInput(request, arn),
    Manifest: {
      Spec: {
        Format: 'S3BatchOperations_CSV_20180820',
        Fields: 'checksum' in request ? ['Bucket', 'Key', 'Ignore'] : ['Bucket', 'Key'],
      },
      Location: { ObjectArn: arn(manifest.bucket, manifest.prefix), ETag: manifest.etag },
    },
    Report: {
      ...{ Enabled: true, Format: 'Report_CSV_20180820' },
      ...('checksum' in request
        ? { ReportScope: 'AllTasks', ExpectedBucketOwner: request.checksum.reportOwner }
        : { ReportScope: 'FailedTasksOnly' }),
      ...{ Bucket: arn(report.bucket), Prefix: report.prefix },
    },
  }
}

function operationInput(task: BatchTask, arn: (bucket: string) => string): JobOperation {
  if ('copy' in task) return { S3PutObjectCopy: copyInput(task.copy, arn(task.copy.destination.bucket)) }
  if ('checksum' in task) return { S3ComputeObjectChecksum: checksumInput(task.checksum) }
  const TagSet = task.tags.map(([Key, Value]) => ({ Key, Value }))
  return TagSet.length === 0 ? { S3DeleteObjectTagging: {} } : { S3PutObjectTagging: { TagSet } }
}

// Of the whole object: composite ones are the same only where both were written in the same parts.
function checksumInput({ algorithm }: BatchChecksum): S3ComputeObjectChecksumOperation {
  return {
    ChecksumAlgorithm: algorithm as S3ComputeObjectChecksumOperation['ChecksumAlgorithm'],
    ChecksumType: 'FULL_OBJECT',
  }
}

function copyInput(
  { destination, storageClass, acl, checksumAlgorithm, tags, fields, unmodifiedSince }: BatchCopy,
  TargetResource: string,
): S3CopyObjectOperation {
  return {
    TargetResource,
    ...(destination.prefix === '' ? {} : { TargetKeyPrefix: destination.prefix }),
    ...(fields === undefined ? { MetadataDirective: 'COPY' } : rewriteInput(new Map(fields))),
    ...(unmodifiedSince === undefined ? {} : { UnModifiedSinceConstraint: new Date(timeOf(unmodifiedSince)) }),
    StorageClass: storageClass as S3CopyObjectOperation['StorageClass'],
    ...(acl === undefined ? {} : { CannedAccessControlList: acl as S3CopyObjectOperation['CannedAccessControlList'] }),
    ...(checksumAlgorithm === undefined
      ? {}
      : { ChecksumAlgorithm: checksumAlgorithm as S3CopyObjectOperation['ChecksumAlgorithm'] }),
    ...(tags === undefined ? {} : { NewObjectTagging: tags.map(([Key, Value]) => ({ Key, Value })) }),
  }
}

const ENCRYPTION = 'x-amz-server-side-encryption'
const METADATA = 'x-amz-meta-'

// What is not sent is not there afterwards.
function rewriteInput(fields: ReadonlyMap<string, string>): S3CopyObjectOperation {
  const expires = fields.get('expires')
  const encryption = fields.get(ENCRYPTION)
  const user = [...fields].flatMap(([name, value]) =>
    name.startsWith(METADATA) ? [[name.slice(METADATA.length), value] as const] : [],
  )
  const bucketKey = fields.get(`${ENCRYPTION}-bucket-key-enabled`)
  return {
    MetadataDirective: 'REPLACE',
    NewObjectMetadata: {
      ...given({
        CacheControl: fields.get('cache-control'),
        ContentDisposition: fields.get('content-disposition'),
        ContentEncoding: fields.get('content-encoding'),
        ContentLanguage: fields.get('content-language'),
        ContentType: fields.get('content-type'),
      }),
      ...(expires === undefined ? {} : { HttpExpiresDate: new Date(timeOf(expires)) }),
      ...(encryption === undefined ? {} : { SSEAlgorithm: encryption === 'AES256' ? 'AES256' : 'KMS' }),
      ...(user.length === 0 ? {} : { UserMetadata: Object.fromEntries(user) }),
    },
    ...given({
      RedirectLocation: fields.get('x-amz-website-redirect-location'),
      SSEAwsKmsKeyId: fields.get(`${ENCRYPTION}-aws-kms-key-id`),
      ChecksumAlgorithm: fields.get('x-amz-checksum-algorithm') as S3CopyObjectOperation['ChecksumAlgorithm'],
    }),
    ...(bucketKey === undefined ? {} : { BucketKeyEnabled: bucketKey === 'true' }),
  }
}

// Absent, and not undefined: requests of jobs are compared as they are.
function given<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>
}
