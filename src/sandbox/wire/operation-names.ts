import type { IncomingHttpHeaders } from 'node:http'
import type { RequestTarget } from './request.js'
import { invalidArgument, methodNotAllowed, notImplemented } from './s3-error.js'

/** The operations served, with the latency class of each. */
export const operations = {
  ListBuckets: 'other',
  CreateBucket: 'other',
  DeleteBucket: 'other',
  HeadBucket: 'other',
  CreateSession: 'other',
  GetBucketLocation: 'other',
  GetBucketVersioning: 'other',
  PutBucketVersioning: 'other',
  GetBucketOwnershipControls: 'other',
  PutBucketOwnershipControls: 'other',
  ListMultipartUploads: 'other',
  ListObjects: 'list',
  ListObjectsV2: 'list',
  ListObjectVersions: 'list',
  DeleteObjects: 'delete',
  HeadObject: 'head',
  GetObject: 'get',
  PutObject: 'put',
  CopyObject: 'copy',
  RenameObject: 'copy',
  DeleteObject: 'delete',
  RestoreObject: 'other',
  CreateMultipartUpload: 'other',
  UploadPart: 'put',
  UploadPartCopy: 'copy',
  CompleteMultipartUpload: 'other',
  AbortMultipartUpload: 'other',
  ListParts: 'other',
  GetObjectTagging: 'other',
  PutObjectTagging: 'other',
  DeleteObjectTagging: 'other',
  UpdateObjectEncryption: 'other',
  GetObjectAcl: 'other',
  PutObjectAcl: 'other',
  ListObjectAnnotations: 'other',
  GetObjectAnnotation: 'other',
  PutObjectAnnotation: 'other',
  DeleteObjectAnnotation: 'other',
  CreateJob: 'other',
  DescribeJob: 'other',
  ListJobs: 'other',
  UpdateJobStatus: 'other',
} as const

export type Operation = keyof typeof operations
export type LatencyClass = (typeof operations)[Operation]

export const operationNames = Object.keys(operations) as Operation[]
export const latencyClasses = [...new Set(Object.values(operations))] as LatencyClass[]

/** Query parameters that name another resource than the bucket or object itself. */
const subresources = [
  ...[
    'abac',
    'accelerate',
    'acl',
    'analytics',
    'annotation',
    'attributes',
    'cors',
    'delete',
    'encryption',
    'intelligent-tiering',
  ],
  ...[
    'inventory',
    'legal-hold',
    'lifecycle',
    'location',
    'logging',
    'metadataConfiguration',
    'metadataTable',
    'metrics',
  ],
  ...[
    'notification',
    'object-lock',
    'ownershipControls',
    'policy',
    'policyStatus',
    'publicAccessBlock',
    'renameObject',
    'replication',
  ],
  ...[
    'requestPayment',
    'restore',
    'retention',
    'select',
    'session',
    'tagging',
    'torrent',
    'uploadId',
    'uploads',
    'versioning',
  ],
  ...['versions', 'website'],
]

const ofBucket: Readonly<Record<string, Operation>> = {
  'PUT ': 'CreateBucket',
  'DELETE ': 'DeleteBucket',
  'HEAD ': 'HeadBucket',
  'GET ': 'ListObjects',
  'GET location': 'GetBucketLocation',
  'GET session': 'CreateSession',
  'GET versioning': 'GetBucketVersioning',
  'PUT versioning': 'PutBucketVersioning',
  'GET versions': 'ListObjectVersions',
  'GET ownershipControls': 'GetBucketOwnershipControls',
  'PUT ownershipControls': 'PutBucketOwnershipControls',
  'GET uploads': 'ListMultipartUploads',
  'POST delete': 'DeleteObjects',
}

const ofObject: Readonly<Record<string, Operation>> = {
  'GET ': 'GetObject',
  'HEAD ': 'HeadObject',
  'PUT ': 'PutObject',
  'DELETE ': 'DeleteObject',
  'GET tagging': 'GetObjectTagging',
  'PUT tagging': 'PutObjectTagging',
  'PUT renameObject': 'RenameObject',
  'DELETE tagging': 'DeleteObjectTagging',
  'PUT encryption': 'UpdateObjectEncryption',
  'GET acl': 'GetObjectAcl',
  'PUT acl': 'PutObjectAcl',
  'GET annotation': 'ListObjectAnnotations',
  'PUT annotation': 'PutObjectAnnotation',
  'DELETE annotation': 'DeleteObjectAnnotation',
  'GET uploadId': 'ListParts',
  'PUT uploadId': 'UploadPart',
  'POST uploadId': 'CompleteMultipartUpload',
  'DELETE uploadId': 'AbortMultipartUpload',
  'POST uploads': 'CreateMultipartUpload',
  'POST restore': 'RestoreObject',
}

/** What stands in the place of a bucket in requests to S3 Control: the version of its API. */
const CONTROL = 'v20180820'

function controlOperation(method: string, key = ''): Operation {
  if (key === 'jobs' && method === 'POST') return 'CreateJob'
  if (key === 'jobs' && method === 'GET') return 'ListJobs'
  if (/^jobs\/[^/]+$/.test(key) && method === 'GET') return 'DescribeJob'
  if (/^jobs\/[^/]+\/status$/.test(key) && method === 'POST') return 'UpdateJobStatus'
  throw notImplemented()
}

/** Tells which operation a request is. Throws 405 MethodNotAllowed or 501 NotImplemented. */
export function operationOf(method: string, target: RequestTarget, headers: IncomingHttpHeaders): Operation {
  const { bucket, key, query } = target
  if (bucket === '') {
    if (method === 'GET') return 'ListBuckets'
    throw methodNotAllowed(method)
  }
  if (bucket === CONTROL && headers['x-amz-account-id'] !== undefined) return controlOperation(method, key)
  const subresource = query.size === 0 ? '' : (subresources.find((name) => query.has(name)) ?? '')
  if (key === undefined) {
    if (method === 'GET' && subresource === '' && query.get('list-type') === '2') return 'ListObjectsV2'
    const operation = ofBucket[`${method} ${subresource}`]
    const listType = query.get('list-type')
    if (operation === 'ListObjects' && listType !== undefined) {
      throw invalidArgument('Invalid List Type specified in Request', 'list-type', listType)
    }
    if (operation === undefined) throw notImplemented()
    return operation
  }
  const operation = ofObject[`${method} ${subresource}`]
  if (operation === undefined)
    throw subresource === '' && method !== 'POST' ? methodNotAllowed(method) : notImplemented()
  if (operation === 'ListObjectAnnotations' && query.has('annotationName')) return 'GetObjectAnnotation'
  if (headers['x-amz-copy-source'] === undefined) return operation
  if (operation === 'PutObject') return 'CopyObject'
  return operation === 'UploadPart' ? 'UploadPartCopy' : operation
}
