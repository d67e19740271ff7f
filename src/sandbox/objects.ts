import { createHash } from 'node:crypto'
import { grantsOf } from './acl.js'
import { checkWrite, unchangedSince } from './conditions.js'
import { HeldContent } from './content.js'
import { extrasToStore, headersToStore } from './headers.js'
import type { S3Object, Tags } from './object.js'
import { StoredObject } from './ordinary-bucket.js'
import { emptyReply, xmlReply, type Reply } from './reply.js'
import { headerOf, type S3Request } from './request.js'
import { accessDenied, malformedXml, noSuchKey, S3Error } from './s3-error.js'
import { uploadedBytes } from './upload-body.js'
import { bucketOf, checkKey, nowInSeconds, type World } from './world.js'
import { childrenOf, element, parseXml, textOf, xmlNamespace } from './xml.js'

function find(world: World, request: S3Request): S3Object {
  const key = request.key ?? ''
  const bucket = bucketOf(world, request.bucket)
  checkKey(key)
  const object = bucket.get(key)
  if (object === undefined) throw noSuchKey(key)
  return object
}

function describe(object: S3Object): string[] {
  const { extras } = object
  const headers = ['Last-Modified', new Date(object.seconds * 1000).toUTCString(), 'ETag', `"${object.etag}"`]
  headers.push('Accept-Ranges', 'bytes', 'x-amz-server-side-encryption', 'AES256', ...object.headers)
  if (extras.storageClass !== 'STANDARD') headers.push('x-amz-storage-class', extras.storageClass)
  if (extras.tags.length > 0) headers.push('x-amz-tagging-count', String(extras.tags.length))
  if (extras.websiteRedirect !== undefined) headers.push('x-amz-website-redirect-location', extras.websiteRedirect)
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

function read(object: S3Object, request: S3Request): { status: number; headers: string[]; start: number; end: number } {
  const headers = describe(object)
  if (unchangedSince(request.headers, object)) return { status: 304, headers, start: 0, end: 0 }
  const range = readRange(headerOf(request.headers, 'range'), object.size)
  if (range === undefined) return { status: 200, headers, start: 0, end: object.size }
  headers.push('Content-Range', `bytes ${range.start}-${range.end - 1}/${object.size}`)
  return { status: 206, headers, ...range }
}

export function headObject(world: World, request: S3Request): Reply {
  const { status, headers, start, end } = read(find(world, request), request)
  return status === 304 ? { status, headers } : { status, headers, length: end - start }
}

export function getObject(world: World, request: S3Request): Reply {
  const object = find(world, request)
  if (object.denied) throw accessDenied()
  const { storageClass } = object.extras
  if (storageClass === 'GLACIER' || storageClass === 'DEEP_ARCHIVE') throw invalidObjectState(storageClass)
  const { status, headers, start, end } = read(object, request)
  if (status === 304) return { status, headers }
  return { status, headers, stream: { content: object.content(), start, end } }
}

/** The refusal to read what must be restored first. */
export function invalidObjectState(storageClass: string): S3Error {
  const message = "The operation is not valid for the object's storage class"
  return new S3Error(403, 'InvalidObjectState', message, { StorageClass: storageClass })
}

export function putObject(world: World, request: S3Request): Reply {
  const key = request.key ?? ''
  const bucket = bucketOf(world, request.bucket)
  checkKey(key)
  if (bucket.readOnly) throw accessDenied()
  const bytes = uploadedBytes(request)
  const extras = extrasToStore(request.headers, grantsOf(request.headers, bucket))
  checkWrite(request.headers, bucket.get(key), key)
  const content = new HeldContent(bytes)
  const object = new StoredObject(content, content.digest(), nowInSeconds(), headersToStore(request.headers), extras)
  bucket.put(key, object)
  return emptyReply(200, ['ETag', `"${object.etag}"`, 'x-amz-server-side-encryption', 'AES256'])
}

export function deleteObject(world: World, request: S3Request): Reply {
  const bucket = bucketOf(world, request.bucket)
  checkKey(request.key ?? '')
  bucket.delete(request.key ?? '')
  return emptyReply(204)
}

export function deleteObjects(world: World, request: S3Request): Reply {
  const bucket = bucketOf(world, request.bucket)
  const { headers } = request
  if (headers['content-md5'] === undefined && !Object.keys(headers).some(isChecksum)) {
    throw new S3Error(400, 'InvalidRequest', 'Missing required header for this request: Content-MD5')
  }
  const document = parseXml(uploadedBytes(request))
  const objects = childrenOf(document, 'Object')
  if (document.name !== 'Delete' || objects.length === 0 || objects.length > 1000) throw malformedXml()
  const quiet = textOf(document, 'Quiet')?.trim() === 'true'
  let result = ''
  for (const object of objects) {
    const key = textOf(object, 'Key')
    if (key === undefined || key === '') throw malformedXml()
    if (Buffer.byteLength(key) > 1024) {
      result += `<Error>${element('Key', key)}<Code>KeyTooLongError</Code><Message>Your key is too long</Message></Error>`
    } else if (bucket.get(key)?.denied === true) {
      result += `<Error>${element('Key', key)}<Code>AccessDenied</Code><Message>Access Denied</Message></Error>`
    } else {
      bucket.delete(key)
      if (!quiet) result += `<Deleted>${element('Key', key)}</Deleted>`
    }
  }
  return xmlReply(`<DeleteResult ${xmlNamespace}>${result}</DeleteResult>`)
}

function isChecksum(header: string): boolean {
  return (header.startsWith('x-amz-checksum-') && header !== 'x-amz-checksum-mode') || header === 'x-amz-trailer'
}

export function getObjectTagging(world: World, request: S3Request): Reply {
  const tags = find(world, request).extras.tags.map(
    ([key, value]) => `<Tag>${element('Key', key)}${element('Value', value)}</Tag>`,
  )
  return xmlReply(`<Tagging ${xmlNamespace}><TagSet>${tags.join('')}</TagSet></Tagging>`)
}

function setTags(world: World, request: S3Request, tags: Tags): void {
  const object = find(world, request)
  const bucket = bucketOf(world, request.bucket)
  if (bucket.readOnly) throw accessDenied()
  bucket.rewrite(request.key ?? '', object.headers, { ...object.extras, tags }, object.seconds)
}

export function putObjectTagging(world: World, request: S3Request): Reply {
  const tagSet = childrenOf(parseXml(uploadedBytes(request)), 'TagSet')[0]
  if (tagSet === undefined) throw malformedXml()
  const tags = childrenOf(tagSet, 'Tag').map((tag) => {
    const key = textOf(tag, 'Key')
    if (key === undefined) throw malformedXml()
    return [key, textOf(tag, 'Value') ?? ''] as const
  })
  if (tags.length > 10) throw new S3Error(400, 'BadRequest', 'Object tags cannot be greater than 10')
  if (new Set(tags.map(([key]) => key)).size < tags.length) {
    throw new S3Error(400, 'InvalidTag', 'Cannot provide multiple Tags with the same key')
  }
  setTags(world, request, tags)
  return emptyReply(200)
}

export function deleteObjectTagging(world: World, request: S3Request): Reply {
  setTags(world, request, [])
  return emptyReply(204)
}

/** The MD5 of digests, as it stands in the ETag of a multipart object. */
export function digestOfDigests(digests: readonly string[]): string {
  const hash = createHash('md5')
  for (const digest of digests) hash.update(digest, 'hex')
  return `${hash.digest('hex')}-${digests.length}`
}
