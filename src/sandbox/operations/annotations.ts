import { compareByUtf8 } from '../buckets/order.js'
import type { Annotation, Annotations } from '../buckets/object.js'
import { emptyReply, xmlReply, type Reply } from '../wire/reply.js'
import type { S3Request } from '../wire/request.js'
import { accessDenied, invalidArgument, invalidRequest, S3Error } from '../wire/s3-error.js'
import { uploadedContent } from '../wire/upload-body.js'
import { element, xmlNamespace } from '../wire/xml.js'
import { checkObjectMatch } from './conditions.js'
import { findObject, versionHeader, type FoundObject } from './lookup.js'
import { isoOf, nowInSeconds, type World } from './world.js'

const mostAnnotations = 1000
const longestName = 512
const longestText = 2 ** 20

function nameIn({ query }: S3Request): string {
  const name = query.get('annotationName') ?? ''
  const length = Buffer.byteLength(name)
  if (length > longestName) {
    throw new S3Error(400, 'AnnotationNameTooLong', 'The annotation name exceeds 512 bytes.', { Size: length })
  }
  if (name === '' || /^(?:aws|s3)/i.test(name)) {
    throw new S3Error(400, 'InvalidAnnotationName', 'The annotation name you provided is invalid.')
  }
  return name
}

const ofObject = ({ versionId }: FoundObject): string[] => versionHeader(versionId, 'x-amz-object-version-id')

function readable(world: World, request: S3Request): FoundObject {
  const found = findObject(world, request)
  if (found.object.denied) throw accessDenied()
  return found
}

export function listObjectAnnotations(world: World, request: S3Request): Reply {
  const found = readable(world, request)
  const { query } = request
  const prefix = query.get('annotation-prefix') ?? ''
  const token = query.get('continuation-token')
  const limit = Number(query.get('max-annotation-results') ?? mostAnnotations)
  if (!Number.isInteger(limit) || limit < 1 || limit > mostAnnotations) {
    throw invalidArgument('The number of results must be from 1 to 1000', 'max-annotation-results', String(limit))
  }
  const after = token === undefined ? undefined : Buffer.from(token, 'base64url').toString()
  const all = [...found.object.extras.annotations]
    .filter(([name]) => name.startsWith(prefix) && (after === undefined || compareByUtf8(name, after) > 0))
    .sort(([a], [b]) => compareByUtf8(a, b))
  const page = all.slice(0, limit)
  const last = page.length < all.length ? page.at(-1)?.[0] : undefined
  const entries = page.map(
    ([name, { text, etag, seconds }]) =>
      `<AnnotationEntry>${element('AnnotationName', name)}${element('LastModified', isoOf(seconds))}` +
      `${element('Size', text.length)}<ETag>&quot;${etag}&quot;</ETag></AnnotationEntry>`,
  )
  return xmlReply(
    `<ListObjectAnnotationsResult ${xmlNamespace}><Annotations>${entries.join('')}</Annotations>` +
      `${element('Bucket', request.bucket)}${element('Key', found.key)}${element('AnnotationPrefix', prefix)}` +
      `${element('MaxAnnotationResults', limit)}${element('AnnotationCount', page.length)}` +
      (token === undefined ? '' : element('ContinuationToken', token)) +
      (last === undefined ? '' : element('NextContinuationToken', Buffer.from(last).toString('base64url'))) +
      '</ListObjectAnnotationsResult>',
    ofObject(found),
  )
}

export function getObjectAnnotation(world: World, request: S3Request): Reply {
  const name = nameIn(request)
  const found = readable(world, request)
  const { text, etag, seconds } = present(found, name)
  return {
    status: 200,
    headers: [
      ...['Content-Type', 'text/plain; charset=utf-8', 'ETag', `"${etag}"`],
      ...['Last-Modified', new Date(seconds * 1000).toUTCString(), 'x-amz-server-side-encryption', 'AES256'],
      ...ofObject(found),
    ],
    body: text,
  }
}

function present({ object }: FoundObject, name: string): Annotation {
  const annotation = object.extras.annotations.get(name)
  if (annotation !== undefined) return annotation
  const message = 'The specified annotation does not exist on this object.'
  throw new S3Error(404, 'NoSuchAnnotation', message, { AnnotationName: name })
}

export function putObjectAnnotation(world: World, request: S3Request): Reply {
  const name = nameIn(request)
  const content = uploadedContent(request)
  const text = content.bytes
  if (text.length === 0) throw invalidRequest('An annotation must have at least one byte.')
  if (text.length > longestText) {
    const message = 'Your proposed upload exceeds the maximum allowed size'
    throw new S3Error(400, 'EntityTooLarge', message, { ProposedSize: text.length, MaxSizeAllowed: longestText })
  }
  if (!isUtf8(text)) {
    throw new S3Error(415, 'UnsupportedMediaType', 'The annotation payload is not valid UTF-8 encoded text.')
  }
  const found = findObject(world, request)
  if (found.bucket.readOnly) throw accessDenied()
  checkObjectMatch(request.headers, found.object)
  const before = found.object.extras.annotations
  if (before.size >= mostAnnotations && !before.has(name)) {
    const message = 'The request would exceed the maximum number of annotations allowed per object.'
    throw new S3Error(400, 'AnnotationLimitExceeded', message)
  }
  const etag = content.digest()
  annotate(found, new Map(before).set(name, { text, etag, seconds: nowInSeconds() }))
  return xmlReply(
    `<PutObjectAnnotationResult ${xmlNamespace}>${element('Key', found.key)}${element('AnnotationName', name)}` +
      '</PutObjectAnnotationResult>',
    ['ETag', `"${etag}"`, 'x-amz-server-side-encryption', 'AES256', ...ofObject(found)],
  )
}

export function deleteObjectAnnotation(world: World, request: S3Request): Reply {
  const name = nameIn(request)
  const found = findObject(world, request)
  if (found.bucket.readOnly) throw accessDenied()
  checkObjectMatch(request.headers, found.object)
  const rest = new Map(found.object.extras.annotations)
  if (rest.delete(name)) annotate(found, rest)
  return emptyReply(204, ofObject(found))
}

// They are no part of a version: none is made when they change, and its date stays.
function annotate({ bucket, key, object, versionId }: FoundObject, annotations: Annotations): void {
  bucket.rewrite(key, object.headers, { ...object.extras, annotations }, object.seconds, versionId)
}

function isUtf8(bytes: Buffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return true
  } catch {
    return false
  }
}
