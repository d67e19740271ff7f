import { createHash } from 'node:crypto'
import {
  CreateJobCommand,
  DescribeJobCommand,
  ListJobsCommand,
  S3ControlClient,
  UpdateJobStatusCommand,
  type CreateJobCommandInput,
  type JobDescriptor,
} from '@aws-sdk/client-s3-control'
import {
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  GetObjectTaggingCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSandbox, type Sandbox } from '../../src/sandbox/server.js'

const credentials = { accessKeyId: 'any', secretAccessKey: 'any' }
const AccountId = '123456789012'
let server: Sandbox
let s3: S3Client
let control: S3ControlClient

beforeAll(async () => {
  server = await startSandbox({
    buckets: ['src:seq:1500:denied=100,glacier=500', 'bad:seq:1200:denied=1', 'dst', 'own'],
  })
  const common = { region: 'us-east-1', credentials, maxAttempts: 1 }
  s3 = new S3Client({ ...common, endpoint: server.url, forcePathStyle: true })
  const url = new URL(server.url)
  control = new S3ControlClient({ ...common, endpointProvider: () => ({ url }) })
})

afterAll(async () => {
  s3.destroy()
  control.destroy()
  await server.close()
})

const keyOf = (n: number) => `photos/${String(n).padStart(12, '0')}.jpg`

async function manifest(text: string, key = 'manifest.csv'): Promise<NonNullable<CreateJobCommandInput['Manifest']>> {
  const { ETag } = await s3.send(new PutObjectCommand({ Bucket: 'own', Key: key, Body: text }))
  return {
    Spec: { Format: 'S3BatchOperations_CSV_20180820', Fields: ['Bucket', 'Key'] },
    Location: { ObjectArn: `arn:aws:s3:::own/${key}`, ETag: ETag! },
  }
}

function job(Manifest: CreateJobCommandInput['Manifest'], more: Partial<CreateJobCommandInput> = {}) {
  return new CreateJobCommand({
    ...{
      AccountId,
      Manifest,
      ConfirmationRequired: true,
      Priority: 10,
      RoleArn: `arn:aws:iam::${AccountId}:role/batch`,
    },
    ClientRequestToken: `token ${Math.random()}`,
    Description: 'a test',
    Operation: { S3PutObjectCopy: { TargetResource: 'arn:aws:s3:::dst' } },
    Report: {
      ...{ Enabled: true, Bucket: 'arn:aws:s3:::own', Prefix: 'reports', Format: 'Report_CSV_20180820' },
      ReportScope: 'AllTasks',
    },
    ...more,
  })
}

const describeJob = async (JobId: string): Promise<JobDescriptor> =>
  (await control.send(new DescribeJobCommand({ AccountId, JobId }))).Job!

async function until(JobId: string, ...wanted: string[]): Promise<JobDescriptor> {
  for (let looks = 0; looks < 50; looks++) {
    const found = await describeJob(JobId)
    if (wanted.includes(found.Status!)) return found
  }
  throw new Error(`the job never came to be ${wanted.join(', ')}`)
}

const update = (JobId: string, RequestedJobStatus: 'Ready' | 'Cancelled') =>
  control.send(new UpdateJobStatusCommand({ AccountId, JobId, RequestedJobStatus }))

const textOf = async (Key: string) =>
  (await s3.send(new GetObjectCommand({ Bucket: 'own', Key }))).Body!.transformToString()

describe('S3 Batch Operations', () => {
  test('a job waits for its confirmation, copies what its manifest names, and reports each row', async () => {
    const rows = Array.from({ length: 1500 }, (_, n) => `src,${encodeURIComponent(keyOf(n))}\n`).join('')
    const { JobId } = await control.send(job(await manifest(rows)))
    const suspended = await until(JobId!, 'Suspended')
    expect([suspended.ProgressSummary?.TotalNumberOfTasks, suspended.ConfirmationRequired]).toEqual([1500, true])
    expect((await describeJob(JobId!)).Status).toBe('Suspended')
    expect(server.stats().copies.dst).toBeUndefined()
    await update(JobId!, 'Ready')
    const { ProgressSummary: counts } = await until(JobId!, 'Complete')
    const report = JSON.parse(await textOf(`reports/job-${JobId}/manifest.json`)) as {
      Results: { TaskExecutionStatus: string; Key: string; MD5Checksum: string }[]
    }
    const reported: Record<string, string[]> = { succeeded: [], failed: [] }
    for (const { TaskExecutionStatus, Key, MD5Checksum } of report.Results) {
      const text = await textOf(Key)
      expect(createHash('md5').update(text).digest('hex')).toBe(MD5Checksum)
      reported[TaskExecutionStatus]!.push(...text.trimEnd().split('\n'))
    }
    expect(reported.failed!.length).toBeGreaterThan(10)
    expect([counts?.NumberOfTasksSucceeded, counts?.NumberOfTasksFailed]).toEqual([
      reported.succeeded!.length,
      reported.failed!.length,
    ])
    expect(reported.succeeded!.length + reported.failed!.length).toBe(1500)
    expect(reported.failed!.some((row) => row.includes(',failed,AccessDenied,403,Access Denied'))).toBe(true)
    expect(reported.failed!.some((row) => row.includes(',failed,InvalidObjectState,403,'))).toBe(true)
    expect(server.stats().copies.dst?.total).toBe(reported.succeeded!.length)
  })

  test('puts a prefix in front and replaces the headers by one set', async () => {
    await s3.send(new PutObjectCommand({ Bucket: 'own', Key: 'a b/ü+.txt', Body: 'x', ContentType: 'text/old' }))
    const input = await manifest(`own,${encodeURIComponent('a b/ü+.txt')}\n`, 'one.csv')
    const operation = {
      ...{ TargetResource: 'arn:aws:s3:::dst', TargetKeyPrefix: 'in/', MetadataDirective: 'REPLACE' as const },
      ...{ StorageClass: 'STANDARD_IA' as const },
      NewObjectMetadata: { ContentType: 'text/new', CacheControl: 'no-store', UserMetadata: { team: 'web' } },
    }
    const { JobId } = await control.send(
      job(input, { Operation: { S3PutObjectCopy: operation }, ConfirmationRequired: false }),
    )
    await until(JobId!, 'Complete')
    expect(await s3.send(new HeadObjectCommand({ Bucket: 'dst', Key: 'in/a b/ü+.txt' }))).toMatchObject({
      ...{ ContentType: 'text/new', CacheControl: 'no-store', Metadata: { team: 'web' }, StorageClass: 'STANDARD_IA' },
    })
  })

  test('replaces the tags of objects, and takes them away, without a copy', async () => {
    await s3.send(new PutObjectCommand({ Bucket: 'own', Key: 'tagged ü', Body: 'x', Tagging: 'a=1' }))
    const tags = async () => (await s3.send(new GetObjectTaggingCommand({ Bucket: 'own', Key: 'tagged ü' }))).TagSet
    const input = await manifest(`own,${encodeURIComponent('tagged ü')}\nown,never\n`, 'tags.csv')
    const TagSet = [{ Key: 'b c', Value: '<ü>' }]
    for (const [Operation, wanted] of [
      [{ S3PutObjectTagging: { TagSet } }, TagSet],
      [{ S3DeleteObjectTagging: {} }, []],
    ] as const) {
      const { JobId } = await control.send(job(input, { Operation, ConfirmationRequired: false }))
      const { ProgressSummary } = await until(JobId!, 'Complete')
      expect(ProgressSummary).toMatchObject({ NumberOfTasksSucceeded: 1, NumberOfTasksFailed: 1 })
      expect(await tags()).toEqual(wanted)
    }
  })

  test('the same request again is the same job, and another one with its token is refused', async () => {
    const input = await manifest(`src,${keyOf(1)}\n`, 'same.csv')
    const once = job(input, { ClientRequestToken: 'mine' })
    const { JobId } = await control.send(once)
    const again = await control.send(job(input, { ClientRequestToken: 'mine' }))
    expect(again.JobId).toBe(JobId)
    await expect(control.send(job(input, { ClientRequestToken: 'mine', Priority: 11 }))).rejects.toMatchObject({
      name: 'IdempotencyException',
    })
    const jobs: string[] = []
    let NextToken: string | undefined
    do {
      const page = await control.send(new ListJobsCommand({ AccountId, MaxResults: 1, NextToken }))
      expect(page.Jobs!.length).toBeLessThanOrEqual(1)
      jobs.push(...page.Jobs!.map((found) => found.JobId!))
      NextToken = page.NextToken
    } while (NextToken !== undefined)
    expect(jobs.filter((id) => id === JobId)).toEqual([JobId])
  })

  test('a manifest with another ETag fails the job before it does anything', async () => {
    const input = await manifest(`src,${keyOf(1)}\n`, 'other.csv')
    const wrong = { ...input, Location: { ...input.Location, ETag: '0'.repeat(32) } } as typeof input
    const { JobId } = await control.send(job(wrong))
    const failed = await until(JobId!, 'Failed')
    expect(failed.FailureReasons).toEqual([
      { FailureCode: 'InvalidManifest', FailureReason: 'The ETag of the manifest is not the one given' },
    ])
  })

  test('fails when more than half of a thousand tasks have failed, and reports those that it did', async () => {
    const rows = Array.from({ length: 1200 }, (_, n) => `bad,${keyOf(n)}\n`).join('')
    const { JobId } = await control.send(job(await manifest(rows, 'bad.csv')))
    await until(JobId!, 'Suspended')
    await update(JobId!, 'Ready')
    const { ProgressSummary: counts, FailureReasons } = await until(JobId!, 'Failed')
    expect([counts?.NumberOfTasksFailed, FailureReasons?.[0]?.FailureCode]).toEqual([1000, 'FailureThresholdExceeded'])
    expect(await textOf(`reports/job-${JobId}/manifest.json`)).toContain('"TaskExecutionStatus":"failed"')
  })

  test('can be cancelled before it ends, and then neither started nor cancelled again', async () => {
    const { JobId } = await control.send(job(await manifest(`src,${keyOf(2)}\n`, 'cancelled.csv')))
    await until(JobId!, 'Suspended')
    await update(JobId!, 'Cancelled')
    await until(JobId!, 'Cancelled')
    for (const status of ['Ready', 'Cancelled'] as const) {
      await expect(update(JobId!, status)).rejects.toMatchObject({ name: 'JobStatusException' })
    }
    await expect(describeJob('none')).rejects.toMatchObject({ name: 'NoSuchJob', $metadata: { httpStatusCode: 404 } })
  })

  test('other accounts, roles that are none and operations that it does not know are refused', async () => {
    const input = await manifest(`src,${keyOf(3)}\n`, 'refused.csv')
    await expect(control.send(job(input, { AccountId: '000000000000' }))).rejects.toMatchObject({
      name: 'AccessDenied',
    })
    await expect(control.send(job(input, { RoleArn: 'batch' }))).rejects.toMatchObject({ name: 'InvalidRequest' })
    await expect(control.send(job(input, { Operation: { S3InitiateRestoreObject: {} } }))).rejects.toMatchObject({
      name: 'NotImplemented',
    })
  })

  test('a job of checksums tells that of each object as JSON, and reads what is archived', async () => {
    await s3.send(new PutObjectCommand({ Bucket: 'dst', Key: 'check', Body: '123456789', StorageClass: 'GLACIER' }))
    const computing = (ChecksumAlgorithm: 'CRC64NVME' | 'CRC32' | 'SHA256' | 'XXHASH3', more = {}) =>
      control.send(
        job(Manifest, {
          Operation: { S3ComputeObjectChecksum: { ChecksumAlgorithm, ChecksumType: 'FULL_OBJECT', ...more } },
          Report: {
            ...{ Enabled: true, Bucket: 'arn:aws:s3:::own', Prefix: 'sums', Format: 'Report_CSV_20180820' },
            ...{ ReportScope: 'AllTasks', ExpectedBucketOwner: AccountId },
          },
        }),
      )
    const Manifest = {
      ...(await manifest('dst,check,9:x\ndst,missing,0:y\n', 'sums.csv')),
      Spec: {
        Format: 'S3BatchOperations_CSV_20180820' as const,
        Fields: ['Bucket' as const, 'Key' as const, 'Ignore' as const],
      },
    }
    // The check values of the catalogue of CRCs.
    for (const [algorithm, hex] of [
      ['CRC64NVME', 'ae8b14860a799888'],
      ['CRC32', 'cbf43926'],
      ['SHA256', createHash('sha256').update('123456789').digest('hex')],
    ] as const) {
      const { JobId } = await computing(algorithm)
      await until(JobId!, 'Suspended')
      await update(JobId!, 'Ready')
      await until(JobId!, 'Complete')
      const { Results } = JSON.parse(await textOf(`sums/job-${JobId}/manifest.json`)) as { Results: { Key: string }[] }
      const [done, failed] = await Promise.all(Results.map(({ Key }) => textOf(Key)))
      const [, told = ''] = /^dst,check,,succeeded,,200,"(.*)"\n$/.exec(done!) ?? []
      expect(JSON.parse(told.replaceAll('""', '"'))).toEqual({
        ...{ checksum_hex: hex, checksum_base64: Buffer.from(hex, 'hex').toString('base64') },
        ...{ checksumAlgorithm: algorithm, checksumType: 'FULL_OBJECT' },
        etag: createHash('md5').update('123456789').digest('hex'),
      })
      expect(failed).toMatch(/^dst,missing,,failed,NoSuchKey,404,/)
    }
    await expect(computing('XXHASH3')).rejects.toMatchObject({ name: 'NotImplemented' })
    await expect(computing('CRC32', { ChecksumType: 'COMPOSITE' })).rejects.toMatchObject({ name: 'NotImplemented' })
  })
})
