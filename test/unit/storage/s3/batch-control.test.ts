import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { BatchRequest } from '../../../../src/storage/batch-control.js'
import { jobInput, openS3Batch } from '../../../../src/storage/s3/batch-control.js'
import { startSandbox } from '../../../../src/sandbox/server.js'

const REQUEST: Extract<BatchRequest, { copy: unknown }> = {
  ...{ token: 't', description: 'd', role: 'arn:aws-cn:iam::123456789012:role/batch' },
  manifest: { bucket: 'own', prefix: 'in/manifest-1.csv', etag: 'e' },
  report: { bucket: 'own', prefix: 'in/reports' },
  copy: { destination: { bucket: 'dst', prefix: 'old/' }, storageClass: 'STANDARD_IA' },
}

const POLICY = { retryFor: 5_000, giveUp: new AbortController().signal, random: () => 0 }

beforeEach(() => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'any')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'any')
})

afterEach(() => vi.unstubAllEnvs())

async function openAt(endpointUrl: string, account = '123456789012') {
  const connection = { endpointUrl, region: 'us-east-1', pathStyle: true }
  const control = await openS3Batch(
    { bucket: 'dst', prefix: '' },
    { connection, account, policy: POLICY, warn: () => undefined },
  )
  onTestFinished(() => control.close())
  return control
}

describe('what CreateJob is asked', () => {
  test('a copy that waits for a yes, with a report of its failures, in the partition of the role', () => {
    expect(jobInput(REQUEST)).toEqual({
      ...{ ConfirmationRequired: true, ClientRequestToken: 't', Description: 'd', Priority: 10, RoleArn: REQUEST.role },
      Operation: {
        S3PutObjectCopy: {
          ...{ TargetResource: 'arn:aws-cn:s3:::dst', TargetKeyPrefix: 'old/' },
          ...{ MetadataDirective: 'COPY', StorageClass: 'STANDARD_IA' },
        },
      },
      Manifest: {
        Spec: { Format: 'S3BatchOperations_CSV_20180820', Fields: ['Bucket', 'Key'] },
        Location: { ObjectArn: 'arn:aws-cn:s3:::own/in/manifest-1.csv', ETag: 'e' },
      },
      Report: {
        ...{ Enabled: true, Format: 'Report_CSV_20180820', ReportScope: 'FailedTasksOnly' },
        ...{ Bucket: 'arn:aws-cn:s3:::own', Prefix: 'in/reports' },
      },
    })
  })

  test('tags and access control lists that are asked for, and no prefix where there is none', () => {
    const copy = { ...REQUEST.copy, acl: 'private', tags: [['a b', 'c']] as const }
    const { Operation } = jobInput({ ...REQUEST, copy: { ...copy, destination: { bucket: 'dst', prefix: '' } } })
    expect(Operation?.S3PutObjectCopy).toEqual({
      ...{ TargetResource: 'arn:aws-cn:s3:::dst', MetadataDirective: 'COPY', StorageClass: 'STANDARD_IA' },
      ...{ CannedAccessControlList: 'private', NewObjectTagging: [{ Key: 'a b', Value: 'c' }] },
    })
    expect(jobInput({ ...REQUEST, copy: { ...copy, tags: [] } }).Operation?.S3PutObjectCopy?.NewObjectTagging).toEqual(
      [],
    )
  })
})

describe('what CreateJob is asked where tags are set', () => {
  test('the tags that all objects are to have, or that they are to have none', () => {
    const { copy: _, ...job } = REQUEST
    expect(jobInput({ ...job, tags: [['a b', 'ü&']] }).Operation).toEqual({
      S3PutObjectTagging: { TagSet: [{ Key: 'a b', Value: 'ü&' }] },
    })
    expect(jobInput({ ...job, tags: [] }).Operation).toEqual({ S3DeleteObjectTagging: {} })
  })
})

describe('what CreateJob is asked where checksums are computed', () => {
  const { copy: _copy, ...order } = REQUEST
  const request: BatchRequest = { ...order, checksum: { algorithm: 'SHA256', reportOwner: '123456789012' } }
  const expected = {
    ...{ ConfirmationRequired: true, ClientRequestToken: 't', Description: 'd', Priority: 10, RoleArn: REQUEST.role },
    Operation: { S3ComputeObjectChecksum: { ChecksumAlgorithm: 'SHA256', ChecksumType: 'FULL_OBJECT' } },
    Manifest: {
      Spec: { Format: 'S3BatchOperations_CSV_20180820', Fields: ['Bucket', 'Key', 'Ignore'] },
      Location: { ObjectArn: 'arn:aws-cn:s3:::own/in/manifest-1.csv', ETag: 'e' },
    },
    Report: {
      ...{ Enabled: true, Format: 'Report_CSV_20180820', ReportScope: 'AllTasks' },
      ...{ ExpectedBucketOwner: '123456789012', Bucket: 'arn:aws-cn:s3:::own', Prefix: 'in/reports' },
    },
  }

  test('those of whole objects, in a report of all of them, whose bucket must belong to the account', () => {
    expect(jobInput(request)).toEqual(expected)
  })
})

describe('what CreateJob is asked where objects are copied onto themselves', () => {
  const rewrite = (fields: readonly (readonly [string, string])[], unmodifiedSince?: string) =>
    jobInput({
      ...REQUEST,
      copy: { ...REQUEST.copy, destination: { bucket: 'dst', prefix: '' }, fields, unmodifiedSince },
    }).Operation?.S3PutObjectCopy

  test('all that the objects are to have, and nothing of what was written since', () => {
    const encryption = 'x-amz-server-side-encryption'
    const fields = [
      ...[['cache-control', 'no-cache'] as const, ['content-type', 'text/css'] as const],
      ...[['content-disposition', 'inline'] as const, ['content-encoding', 'gzip'] as const],
      ...[['content-language', 'de'] as const, ['expires', 'Thu, 01 Dec 2033 16:00:00 GMT'] as const],
      ...[['x-amz-meta-owner', 'web'] as const, ['x-amz-meta-__proto__', 'x'] as const],
      ...[[encryption, 'aws:kms'] as const, [`${encryption}-aws-kms-key-id`, 'arn:key'] as const],
      [`${encryption}-bucket-key-enabled`, 'true'] as const,
      ...[['x-amz-checksum-algorithm', 'SHA256'] as const, ['x-amz-website-redirect-location', '/b'] as const],
    ]
    expect(rewrite(fields, '2026-01-02T03:04:05.000Z')).toEqual({
      ...{ TargetResource: 'arn:aws-cn:s3:::dst', MetadataDirective: 'REPLACE', StorageClass: 'STANDARD_IA' },
      NewObjectMetadata: {
        ...{ CacheControl: 'no-cache', ContentType: 'text/css', ContentDisposition: 'inline' },
        ...{ ContentEncoding: 'gzip', ContentLanguage: 'de', HttpExpiresDate: new Date('2033-12-01T16:00:00Z') },
        SSEAlgorithm: 'KMS',
        UserMetadata: Object.fromEntries([
          ['owner', 'web'],
          ['__proto__', 'x'],
        ]),
      },
      ...{ SSEAwsKmsKeyId: 'arn:key', BucketKeyEnabled: true, ChecksumAlgorithm: 'SHA256', RedirectLocation: '/b' },
      UnModifiedSinceConstraint: new Date('2026-01-02T03:04:05Z'),
    })
  })

  test('no tags, which CopyObject keeps then, and no more metadata than there is', () => {
    expect(rewrite([['x-amz-server-side-encryption', 'AES256']])).toEqual({
      ...{ TargetResource: 'arn:aws-cn:s3:::dst', MetadataDirective: 'REPLACE', StorageClass: 'STANDARD_IA' },
      NewObjectMetadata: { SSEAlgorithm: 'AES256' },
    })
    expect(rewrite([])).toMatchObject({ MetadataDirective: 'REPLACE', NewObjectMetadata: {} })
  })
})

describe('S3 Control', () => {
  test('is asked again while it is throttled or silent, and makes one job all the same', async () => {
    const server = await startSandbox({
      buckets: ['dst', 'own'],
      faults: ['503=0.3@CreateJob', 'reset-after=0.3@CreateJob'],
      seed: 3,
    })
    onTestFinished(() => server.close())
    const control = await openAt(server.url)
    const request = { ...REQUEST, role: 'arn:aws:iam::123456789012:role/batch' }
    const made: string[] = []
    for (let n = 0; n < 8; n++) {
      made.push(await control.create({ ...request, token: `token ${n}`, description: `job ${n}` }))
    }
    expect(Object.keys(server.stats().faults).sort()).toEqual(['503', 'reset-after'])
    expect(await control.create({ ...request, token: 'token 0', description: 'job 0' })).toBe(made[0])
    const found = await control.find(new Set(['job 3', 'job 7', 'job 9']))
    expect([...found]).toEqual([
      ['job 3', made[3]],
      ['job 7', made[7]],
    ])
    expect(new Set(made).size).toBe(8)
    expect(await control.describe(made[1]!)).toEqual({
      ...{ id: made[1], status: 'Preparing', tasks: 0, succeeded: 0, failed: 0, reasons: [] },
    })
  })

  test('what it refuses is told with its code', async () => {
    const server = await startSandbox({ buckets: ['dst', 'own'] })
    onTestFinished(() => server.close())
    const control = await openAt(server.url, '000000000000')
    await expect(control.create(REQUEST)).rejects.toMatchObject({
      code: 'AccessDenied',
      operation: 'CreateJob',
      status: 403,
    })
    await expect(control.start('none')).rejects.toMatchObject({ operation: 'UpdateJobStatus' })
  })

  test('at an address the account is in a header, since it cannot stand in front of the host', async () => {
    const hosts: unknown[] = []
    const server = createServer(({ headers }, response) => {
      hosts.push([headers.host, headers['x-amz-account-id']])
      response.end('<ListJobsResult><Jobs/></ListJobsResult>')
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const { port } = server.address() as AddressInfo
    const control = await openAt(`http://127.0.0.1:${port}`)
    expect((await control.find(new Set())).size).toBe(0)
    expect(hosts).toEqual([[`127.0.0.1:${port}`, '123456789012']])
  })
})
