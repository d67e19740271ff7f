import { randomUUID } from 'node:crypto'
import { xmlReply, type Reply } from '../wire/reply.js'
import { requestHeader, type S3Request } from '../wire/request.js'
import { malformedXml, notImplemented, S3Error } from '../wire/s3-error.js'
import { childrenOf, element, parseXml, textOf, type XmlElement } from '../wire/xml.js'
import { canCompute, computed } from './batch-checksums.js'
import { carryOut, isKnown, readManifest, writeReport, type TaskResult } from './batch-tasks.js'
import { bucketOf, type World } from './world.js'

const CHECKSUM = 'S3ComputeObjectChecksum'

const namespace = 'xmlns="http://awss3control.amazonaws.com/doc/2018-08-20/"'

/** The account that jobs belong to, as the buckets do. */
const account = '123456789012'

/** Tasks that a job carries out each time that it is looked at. */
const TASKS_A_LOOK = 1000

/** From so many tasks on a job fails when more than half of them did. */
const LEAST_TO_FAIL = 1000

type JobStatus =
  | 'New'
  | 'Preparing'
  | 'Suspended'
  | 'Ready'
  | 'Active'
  | 'Completing'
  | 'Complete'
  | 'Cancelling'
  | 'Cancelled'
  | 'Failing'
  | 'Failed'

/** A Batch Operations job. It goes a step further each time that it is looked at. */
interface BatchJob {
  readonly id: string
  readonly account: string
  /** The request that made it. */
  readonly request: Buffer
  readonly asked: XmlElement
  readonly created: string
  status: JobStatus
  /** The rows of its manifest, as they stand there, once it was prepared. */
  rows: readonly (readonly string[])[]
  done: number
  readonly results: TaskResult[]
  failure: { readonly code: string; readonly reason: string } | undefined
}

/** Jobs by their ids, and by the tokens of the requests that made them. */
export interface BatchJobs {
  readonly byId: Map<string, BatchJob>
  readonly byToken: Map<string, BatchJob>
}

/** Those of a server that has none. */
export function noJobs(): BatchJobs {
  return { byId: new Map(), byToken: new Map() }
}

const invalid = (message: string) => new S3Error(400, 'InvalidRequest', message)

/** The one element of that name; throws MalformedXML. */
function inside(parent: XmlElement, name: string): XmlElement {
  const [found] = childrenOf(parent, name)
  if (found === undefined) throw malformedXml()
  return found
}

function needed(parent: XmlElement, name: string): string {
  const text = textOf(parent, name)
  if (text === undefined || text === '') throw malformedXml()
  return text
}

/** The bucket, and the key if there is one, that an ARN names. */
function parseArn(arn: string): { readonly bucket: string; readonly key: string } {
  const [, bucket = '', key = ''] = /^arn:[^:]*:s3:::([^/]+)(?:\/(.*))?$/s.exec(arn) ?? []
  if (bucket === '') throw invalid(`Invalid ARN: ${arn}`)
  return { bucket, key }
}

function accountIn(request: S3Request): string {
  const id = requestHeader(request.headers, 'x-amz-account-id') ?? ''
  if (id !== account) throw new S3Error(403, 'AccessDenied', 'Access Denied')
  return id
}

/** Repeating a request by its token answers with the job that it made; another request with the same token is refused. */
export function createJob(world: World, request: S3Request): Reply {
  const id = accountIn(request)
  const asked = parseXml(request.body)
  if (asked.name !== 'CreateJobRequest') throw malformedXml()
  const token = needed(asked, 'ClientRequestToken')
  const known = world.jobs.byToken.get(`${id} ${token}`)
  if (known !== undefined) {
    if (!known.request.equals(request.body)) {
      throw new S3Error(400, 'IdempotencyException', 'The request token was used for another request')
    }
    return created(known.id)
  }
  if (token.length > 64) throw invalid('ClientRequestToken is longer than 64 characters')
  if ((textOf(asked, 'Description') ?? '').length > 256) throw invalid('Description is longer than 256 characters')
  if (!/^arn:[^:]+:iam::\d{12}:role\/.+$/.test(needed(asked, 'RoleArn'))) throw invalid('RoleArn is not that of a role')
  const priority = Number(needed(asked, 'Priority'))
  if (!(Number.isInteger(priority) && priority >= 0 && priority < 2 ** 31)) throw invalid('Priority is out of range')
  const manifest = inside(asked, 'Manifest')
  needed(inside(manifest, 'Location'), 'ETag')
  parseArn(needed(inside(manifest, 'Location'), 'ObjectArn'))
  if (needed(inside(manifest, 'Spec'), 'Format') !== 'S3BatchOperations_CSV_20180820') throw notImplemented()
  const [operation, ...others] = inside(asked, 'Operation').children
  if (operation === undefined || others.length > 0) throw notImplemented()
  const report = inside(asked, 'Report')
  if (operation.name === 'S3PutObjectCopy') bucketOf(world, parseArn(needed(operation, 'TargetResource')).bucket)
  else if (operation.name === CHECKSUM) checkChecksum(operation, report)
  else if (!isKnown(operation)) throw notImplemented()
  if (needed(report, 'Enabled') === 'true') bucketOf(world, parseArn(needed(report, 'Bucket')).bucket)
  const job: BatchJob = {
    ...{
      id: randomUUID(),
      account: id,
      request: request.body,
      asked,
      created: new Date().toISOString(),
      status: 'New',
    },
    ...{ rows: [], done: 0, results: [], failure: undefined },
  }
  world.jobs.byId.set(job.id, job)
  world.jobs.byToken.set(`${id} ${token}`, job)
  return created(job.id)
}

function checkChecksum(operation: XmlElement, report: XmlElement): void {
  if (!canCompute(operation)) throw notImplemented()
  const owner = textOf(report, 'ExpectedBucketOwner')
  if (owner !== account) throw invalid('ExpectedBucketOwner is not the account that owns the bucket of the report')
}

function created(id: string): Reply {
  return xmlReply(`<CreateJobResult ${namespace}>${element('JobId', id)}</CreateJobResult>`)
}

function jobOf(world: World, request: S3Request): BatchJob {
  const id = accountIn(request)
  const [, name = ''] = /^jobs\/([^/]+)/.exec(request.key ?? '') ?? []
  const job = world.jobs.byId.get(name)
  if (job === undefined || job.account !== id) {
    throw new S3Error(404, 'NoSuchJob', 'The specified job does not exist.')
  }
  return job
}

export function describeJob(world: World, request: S3Request): Reply {
  const job = jobOf(world, request)
  advance(world, job)
  const { asked, failure } = job
  const reasons =
    failure === undefined
      ? ''
      : `<FailureReasons><member>${element('FailureCode', failure.code)}${element('FailureReason', failure.reason)}</member></FailureReasons>`
  const parts = ['Manifest', 'Operation', 'Report'].map((name) => written(inside(asked, name)))
  return xmlReply(
    `<DescribeJobResult ${namespace}><Job>${summaryOf(job)}${reasons}${parts.join('')}` +
      element('RoleArn', needed(asked, 'RoleArn')) +
      `${element('ConfirmationRequired', textOf(asked, 'ConfirmationRequired') ?? 'false')}</Job></DescribeJobResult>`,
  )
}

/** All jobs, at most `maxResults` an answer. */
export function listBatchJobs(world: World, request: S3Request): Reply {
  const id = accountIn(request)
  if (request.query.has('jobStatuses')) throw notImplemented()
  const most = Math.min(Number(request.query.get('maxResults') ?? 1000), 1000)
  const from = Number(request.query.get('nextToken') ?? 0)
  const jobs = [...world.jobs.byId.values()].filter((job) => job.account === id)
  const page = jobs.slice(from, from + most)
  const next = from + most < jobs.length ? element('NextToken', from + most) : ''
  return xmlReply(
    `<ListJobsResult ${namespace}>${next}<Jobs>${page.map((job) => `<member>${summaryOf(job)}</member>`).join('')}</Jobs></ListJobsResult>`,
  )
}

/** Takes Ready for a job that is suspended, and Cancelled for one that has not ended. */
export function updateJobStatus(world: World, request: S3Request): Reply {
  const job = jobOf(world, request)
  const wanted = request.query.get('requestedJobStatus')
  const { status } = job
  if (wanted === 'Ready' && status === 'Suspended') job.status = 'Ready'
  else if (wanted === 'Cancelled' && !ENDED.has(status)) job.status = 'Cancelling'
  else {
    throw new S3Error(
      400,
      'JobStatusException',
      `The requested status ${String(wanted)} cannot follow the status ${status}`,
    )
  }
  return xmlReply(
    `<UpdateJobStatusResult ${namespace}>${element('JobId', job.id)}${element('Status', job.status)}</UpdateJobStatusResult>`,
  )
}

const ENDED: ReadonlySet<JobStatus> = new Set(['Complete', 'Cancelled', 'Failed', 'Completing', 'Failing'])

/** Goes one step further. */
function advance(world: World, job: BatchJob): void {
  switch (job.status) {
    case 'New':
      job.status = 'Preparing'
      return
    case 'Preparing':
      prepare(world, job)
      return
    case 'Ready':
      job.status = 'Active'
      return
    case 'Active':
      work(world, job)
      return
    case 'Completing':
      report(world, job, 'Complete')
      return
    case 'Failing':
      report(world, job, 'Failed')
      return
    case 'Cancelling':
      report(world, job, 'Cancelled')
      return
    case 'Suspended':
    case 'Complete':
    case 'Cancelled':
    case 'Failed':
      return
  }
}

function prepare(world: World, job: BatchJob): void {
  const manifest = inside(job.asked, 'Manifest')
  const location = inside(manifest, 'Location')
  const fields = childrenOf(inside(inside(manifest, 'Spec'), 'Fields'), 'member').map(({ text }) => text)
  try {
    const { bucket, key } = parseArn(needed(location, 'ObjectArn'))
    job.rows = readManifest(world, { bucket, key, etag: needed(location, 'ETag'), fields })
  } catch (error) {
    if (!(error instanceof S3Error)) throw error
    job.failure = { code: error.code, reason: error.message }
    job.status = 'Failed'
    return
  }
  job.status = textOf(job.asked, 'ConfirmationRequired') === 'true' ? 'Suspended' : 'Ready'
}

function work(world: World, job: BatchJob): void {
  const { results, rows } = job
  const [operation] = inside(job.asked, 'Operation').children
  if (operation === undefined) throw malformedXml()
  const target = textOf(operation, 'TargetResource')
  const until = Math.min(rows.length, job.done + TASKS_A_LOOK)
  for (; job.done < until; job.done++) {
    const row = rows[job.done]
    if (row === undefined) continue
    results.push(
      operation.name === CHECKSUM
        ? computed(world, row, operation)
        : carryOut(world, row, operation, target === undefined ? '' : parseArn(target).bucket),
    )
  }
  const failed = failedIn(job)
  if (job.done >= LEAST_TO_FAIL && failed > job.done / 2) {
    job.failure = { code: 'FailureThresholdExceeded', reason: 'More than 50% of the tasks have failed' }
    job.status = 'Failing'
  } else if (job.done === rows.length) job.status = 'Completing'
}

function report(world: World, job: BatchJob, status: JobStatus): void {
  const asked = inside(job.asked, 'Report')
  if (textOf(asked, 'Enabled') === 'true') {
    const scope = textOf(asked, 'ReportScope')
    writeReport(world, {
      bucket: parseArn(needed(asked, 'Bucket')).bucket,
      prefix: textOf(asked, 'Prefix') ?? '',
      job: job.id,
      results: scope === 'FailedTasksOnly' ? job.results.filter(({ failed }) => failed) : job.results,
    })
  }
  job.status = status
}

function failedIn({ results }: BatchJob): number {
  return results.reduce((sum, { failed }) => sum + (failed ? 1 : 0), 0)
}

function summaryOf(job: BatchJob): string {
  const failed = failedIn(job)
  return (
    element('JobId', job.id) +
    element('Description', textOf(job.asked, 'Description') ?? '') +
    element('JobArn', `arn:aws:s3:us-east-1:${job.account}:job/${job.id}`) +
    element('Status', job.status) +
    element('Priority', needed(job.asked, 'Priority')) +
    element('CreationTime', job.created) +
    '<ProgressSummary>' +
    element('TotalNumberOfTasks', job.rows.length) +
    element('NumberOfTasksSucceeded', job.results.length - failed) +
    element('NumberOfTasksFailed', failed) +
    '</ProgressSummary>'
  )
}

function written({ name, text, children }: XmlElement): string {
  return children.length === 0 ? element(name, text) : `<${name}>${children.map(written).join('')}</${name}>`
}
