import { createHash } from 'node:crypto'
import { ownOf } from './own.js'
import { checkWrite, unchangedSince } from './conditions.js'
import { checkCustomerKey, encryptionHeaders } from './encryption.js'
import { extrasToStore, headersToStore } from './headers.js'
import { findObject, versionHeader, type FoundObject } from './lookup.js'
import { StoredObject } from '../buckets/ordinary-bucket.js'
import { emptyReply, type Reply } from '../wire/reply.js'
import { requestHeader, type S3Request } from '../wire/request.js'
import { checkReadable, restoreHeader } from './restore.js'
import { accessDenied, S3Error } from '../wire/s3-error.js'
import { uploadedContent } from '../wire/upload-body.js'
import { bucketOf, checkKey, keepsChunked, nowInSeconds, type World } from './world.js'

function describe({ object, versionId }: FoundObject): string[] {
  const { extras } = object
  const headers = ['Last-Modified', new Date(object.seconds * 1000).toUTCString(), 'ETag', `"${object.etag}"`]
  headers.push('Accept-Ranges', 'bytes', ...encryptionHeaders(object), ...object.headers)
  if (extras.storageClass !== 'STANDARD') headers.push('x-amz-storage-class', extras.storageClass)
  if (extras.tags.length > 0) headers.push('x-amz-tagging-count', String(extras.tags.length))
  if (extras.websiteRedirect !== undefined) headers.push('x-amz-website-redirect-location', extras.websiteRedirect)
  const restored = restoreHeader(object)
  if (restored !== undefined) headers.push('x-amz-restore', restored)
  if (versionId !== undefined) headers.push('x-amz-version-id', versionId)
  return headers
}

/** Reads `Range: bytes=...` with one range; undefined for all other forms, which are ignored as HTTP allows. */
function readRange(range: string | undefined, size: number): { start: number; end: number } | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(range ?? '')
  if (match === null || range === undefined) return undefined
  const [, first = '', last = ''] = match
  if (first === '' && last === '') return undefined
  if (first !== '' && last !== '' && Number(first) > Number(last)) return undefined
  const start = first === '' ? Math.max(size - Number(last), 0) : Number(first)
  const end = first === '' || last === '' ? size : Math.min(Number(last) + 1, size)
  if (start >= end) {
    throw new S3Error(416, 'InvalidRange', 'The requested range is not satisfiable', {
      RangeRequested: range,
      ActualObjectSize: size,
    })
  }
  return { start, end }
}

function read(
  found: FoundObject,
  request: S3Request,
): { status: number; headers: string[]; start: number; end: number } {
  const { object } = found
  const headers = describe(found)
  if (unchangedSince(request.headers, object)) return { status: 304, headers, start: 0, end: 0 }
  const range = readRange(requestHeader(request.headers, 'range'), object.size)
  if (range === undefined) return { status: 200, headers, start: 0, end: object.size }
  headers.push('Content-Range', `bytes ${range.start}-${range.end - 1}/${object.size}`)
  return { status: 206, headers, ...range }
}

export function headObject(world: World, request: S3Request): Reply {
  const found = findObject(world, request)
  checkCustomerKey(request.headers, found.object)
  const { status, headers, start, end } = read(found, request)
  return status === 304 ? { status, headers } : { status, headers, length: end - start }
}

export function getObject(world: World, request: S3Request): Reply {
  const found = findObject(world, request)
  const { object } = found
  if (object.denied) throw accessDenied()
  checkReadable(object)
  checkCustomerKey(request.headers, object)
  const { status, headers, start, end } = read(found, request)
  if (status === 304) return { status, headers }
  return { status, headers, stream: { content: object.content(), start, end } }
}

export function putObject(world: World, request: S3Request): Reply {
  const key = request.key ?? ''
  const bucket = bucketOf(world, request.bucket)
  checkKey(key)
  if (bucket.readOnly) throw accessDenied()
  const content = uploadedContent(request)
  const extras = extrasToStore(request.headers, ownOf(request.headers, bucket))
  checkWrite(request.headers, bucket, key)
  const object = new StoredObject(
    content,
    content.digest(),
    nowInSeconds(),
    headersToStore(request.headers, keepsChunked(world)),
    extras,
  )
  const versionId = bucket.put(key, object)
  const { etag } = bucket.get(key) ?? object
  const headers = ['ETag', `"${etag}"`, ...encryptionHeaders(object), ...versionHeader(versionId)]
  return emptyReply(200, headers)
}

/** The MD5 of digests, as it stands in the ETag of a multipart object. */
export function digestOfDigests(digests: readonly string[]): string {
  const hash = createHash('md5')
  for (const digest of digests) hash.update(digest, 'hex')
  return `${hash.digest('hex')}-${digests.length}`
}
