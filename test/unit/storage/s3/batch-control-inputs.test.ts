import {
  CreateJobCommand,
  DescribeJobCommand,
  ListJobsCommand,
  S3ControlClient,
  TooManyRequestsException,
  UpdateJobStatusCommand,
  type JobStatus,
} from '@aws-sdk/client-s3-control'
import { mockClient } from 'aws-sdk-client-mock'
import { afterAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { BatchRequest } from '../../../../src/storage/batch-control.js'
import { jobInput, openS3Batch } from '../../../../src/storage/s3/batch-control.js'

const AccountId = '123456789012'
const REQUEST: BatchRequest = {
  ...{ token: 't', description: 'd', role: `arn:aws:iam::${AccountId}:role/batch` },
  manifest: { bucket: 'own', prefix: 'in/manifest-1.csv', etag: 'e' },
  report: { bucket: 'own', prefix: 'in/reports' },
  checksum: { algorithm: 'SHA256', reportOwner: AccountId },
}

const sdk = mockClient(S3ControlClient)
beforeEach(() => {
  sdk.reset()
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'any')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'any')
})
afterAll(() => {
  sdk.restore()
  vi.unstubAllEnvs()
})

async function opened() {
  const connection = { endpointUrl: 'http://127.0.0.1:9', region: 'us-east-1', pathStyle: true }
  const policy = { retryFor: 5_000, giveUp: new AbortController().signal, random: () => 0 }
  const control = await openS3Batch(
    { bucket: 'dst', prefix: '' },
    { connection, account: AccountId, policy, warn: () => undefined },
  )
  onTestFinished(() => control.close())
  return control
}

const throttled = () =>
  new TooManyRequestsException({ message: 'slow down', $metadata: { httpStatusCode: 429, requestId: 'r' } })

describe('what the client of S3 Control is asked', () => {
  test('a job as it is meant, and the very same again after it was throttled', async () => {
    sdk.on(CreateJobCommand).rejectsOnce(throttled()).resolvesOnce({ JobId: 'j1' })
    expect(await (await opened()).create(REQUEST)).toBe('j1')
    const inputs = sdk.commandCalls(CreateJobCommand).map(({ args }) => args[0].input)
    expect(inputs).toEqual([
      { AccountId, ...jobInput(REQUEST) },
      { AccountId, ...jobInput(REQUEST) },
    ])
    expect(inputs[0]).toMatchObject({ ClientRequestToken: 't', ConfirmationRequired: true })
  })

  test('that it starts a job, and that it cancels one', async () => {
    sdk.on(UpdateJobStatusCommand).resolves({})
    const control = await opened()
    await control.start('j1')
    await control.cancel('j2')
    expect(sdk.commandCalls(UpdateJobStatusCommand).map(({ args }) => args[0].input)).toEqual([
      { AccountId, JobId: 'j1', RequestedJobStatus: 'Ready' },
      { AccountId, JobId: 'j2', RequestedJobStatus: 'Cancelled' },
    ])
  })

  test('for jobs by their descriptions, page after page, until all are found', async () => {
    const page = (...names: string[]) => names.map((name) => ({ JobId: `id of ${name}`, Description: name }))
    sdk
      .on(ListJobsCommand, { AccountId, NextToken: undefined })
      .resolves({ Jobs: page('a', 'other'), NextToken: '2' })
      .on(ListJobsCommand, { AccountId, NextToken: '2' })
      .resolves({ Jobs: page('b'), NextToken: '3' })
    const found = await (await opened()).find(new Set(['a', 'b']))
    expect([...found]).toEqual([
      ['a', 'id of a'],
      ['b', 'id of b'],
    ])
    expect(sdk.commandCalls(ListJobsCommand)).toHaveLength(2)
  })
})

describe('what a job is told to be at', () => {
  const STATES: readonly JobStatus[] = [
    ...(['New', 'Preparing', 'Suspended', 'Ready', 'Active', 'Pausing', 'Paused'] as const),
    ...(['Completing', 'Complete', 'Cancelling', 'Cancelled', 'Failing', 'Failed'] as const),
  ]

  test.each(STATES)('%s', async (Status) => {
    const ProgressSummary = { TotalNumberOfTasks: 9, NumberOfTasksSucceeded: 5, NumberOfTasksFailed: 2 }
    const failed = Status.startsWith('Fail')
    const FailureReasons = failed ? [{ FailureCode: 'TooManyTasksFailed', FailureReason: 'half of them' }] : []
    sdk
      .on(DescribeJobCommand, { AccountId, JobId: 'j1' })
      .resolves({ Job: { Status, ProgressSummary, FailureReasons } })
    expect(await (await opened()).describe('j1')).toEqual({
      ...{ id: 'j1', status: Status, tasks: 9, succeeded: 5, failed: 2 },
      reasons: failed ? ['TooManyTasksFailed: half of them'] : [],
    })
  })

  test('failed before its manifest was read, without a count', async () => {
    const FailureReasons = [{ FailureCode: 'ManifestNotFound', FailureReason: 'there is none' }]
    sdk.on(DescribeJobCommand).resolves({ Job: { Status: 'Failed', FailureReasons } })
    expect(await (await opened()).describe('j1')).toEqual({
      ...{ id: 'j1', status: 'Failed', tasks: 0, succeeded: 0, failed: 0 },
      reasons: ['ManifestNotFound: there is none'],
    })
  })
})

test('a token that was used for another job, and a role that may not, are told with their codes', async () => {
  const refused = (name: string, httpStatusCode: number) =>
    Object.assign(new Error('no'), { name, $fault: 'client', $metadata: { httpStatusCode } })
  sdk.on(CreateJobCommand).rejectsOnce(refused('IdempotencyException', 400)).rejectsOnce(refused('AccessDenied', 403))
  const control = await opened()
  await expect(control.create(REQUEST)).rejects.toMatchObject({ code: 'IdempotencyException', operation: 'CreateJob' })
  await expect(control.create(REQUEST)).rejects.toMatchObject({ code: 'AccessDenied', status: 403 })
  expect(sdk.commandCalls(CreateJobCommand)).toHaveLength(2)
})
