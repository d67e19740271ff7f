import type { IncomingHttpHeaders } from 'node:http'
import { EXPRESS_CLASS } from '../buckets/directory-bucket.js'
import type { Bucket, Extras } from '../buckets/object.js'
import type { Operation } from '../wire/operation-names.js'
import { requestHeader, type S3Request } from '../wire/request.js'
import { invalidRequest, notImplemented, S3Error } from '../wire/s3-error.js'

const KNOWN: ReadonlySet<Operation> = new Set([
  ...([
    'CreateBucket',
    'DeleteBucket',
    'HeadBucket',
    'CreateSession',
    'ListObjectsV2',
    'ListMultipartUploads',
  ] as const),
  ...(['HeadObject', 'GetObject', 'PutObject', 'CopyObject', 'RenameObject', 'DeleteObject', 'DeleteObjects'] as const),
  ...(['CreateMultipartUpload', 'UploadPart', 'UploadPartCopy', 'CompleteMultipartUpload'] as const),
  ...(['AbortMultipartUpload', 'ListParts'] as const),
])

const REFUSED: readonly RegExp[] = [
  /^x-amz-acl$|^x-amz-grant-/,
  /^x-amz-object-lock-|^x-amz-bypass-governance-retention$|^x-amz-mfa$/,
  /^x-amz-server-side-encryption-customer-|^x-amz-website-redirect-location$/,
  /^x-amz-request-payer$|^x-amz-optional-object-attributes$/,
]

const refused = (what: string): S3Error =>
  new S3Error(501, 'NotImplemented', `A header you provided implies functionality that is not implemented: ${what}`)

/** Throws what a directory bucket does not take of a request. */
export function checkDirectoryRules(operation: Operation, { headers, query }: S3Request): void {
  if (!KNOWN.has(operation)) throw notImplemented()
  const header = Object.keys(headers).find((name) => REFUSED.some((one) => one.test(name)))
  if (header !== undefined) throw refused(header)
  const storageClass = requestHeader(headers, 'x-amz-storage-class')
  if (storageClass !== undefined && storageClass !== EXPRESS_CLASS) {
    throw new S3Error(400, 'InvalidStorageClass', 'The storage class you specified is not valid', {
      StorageClassRequested: storageClass,
    })
  }
  if (headers['content-md5'] !== undefined && operation !== 'DeleteObjects') {
    throw invalidRequest('This bucket does not support Content Md5 header.')
  }
  if ((query.get('versionId') ?? 'null') !== 'null') throw refused('versionId')
  if (requestHeader(headers, 'x-amz-object-annotation-directive') === 'COPY') {
    throw refused('x-amz-object-annotation-directive')
  }
  if ((requestHeader(headers, 'x-amz-tagging') ?? '') !== '') throw refused('x-amz-tagging')
  checkEncryption(operation, headers)
  if (operation === 'ListObjectsV2' || operation === 'ListMultipartUploads') checkListing(query)
}

// A session says how new objects are encrypted; copies do not go by one.
function checkEncryption(operation: Operation, headers: IncomingHttpHeaders): void {
  const algorithm = requestHeader(headers, 'x-amz-server-side-encryption')
  if (algorithm === undefined || algorithm === 'AES256') return
  if (algorithm === 'aws:kms' && operation === 'CopyObject') return
  throw invalidRequest('The encryption of a request must be that of its session.')
}

function checkListing(query: S3Request['query']): void {
  const prefix = query.get('prefix') ?? ''
  if (prefix !== '' && !prefix.endsWith('/')) {
    throw invalidRequest(
      'This bucket does not support a prefix that does not end in a delimiter. Specify a prefix path ending with a delimiter and try again.',
    )
  }
  if (!['', '/'].includes(query.get('delimiter') ?? '')) {
    throw invalidRequest('This bucket does not support a delimiter other than /.')
  }
  if ((query.get('start-after') ?? '') !== '') throw refused('start-after')
}

/** Throws 501 where what a copy would give to an object is nothing that an object of a directory bucket can have. */
export function checkDirectoryCopy({ directory }: Bucket, { tags, annotations }: Extras): void {
  if (directory && (tags.length > 0 || annotations.size > 0)) throw refused('x-amz-tagging-directive')
}
