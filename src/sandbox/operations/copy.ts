import { ownOf } from './own.js'
import { checkSource, checkWrite } from './conditions.js'
import { checkDirectoryCopy } from './directory-rules.js'
import { checkCustomerKey, encryptionHeaders } from './encryption.js'
import { extrasToStore, headersToStore } from './headers.js'
import { findSource, versionHeader, type FoundObject } from './lookup.js'
import type { Bucket, S3Object } from '../buckets/object.js'
import { StoredObject } from '../buckets/ordinary-bucket.js'
import { xmlReply, type Reply } from '../wire/reply.js'
import { requestHeader, percentDecode, type S3Request } from '../wire/request.js'
import { checkReadable } from './restore.js'
import { accessDenied, invalidArgument, invalidRequest } from '../wire/s3-error.js'
import { referenceTo } from '../buckets/synthetic-bucket.js'
import { bucketOf, checkKey, isoOf, keepsChunked, nowInSeconds, type World } from './world.js'
import { xmlNamespace } from '../wire/xml.js'

/** The most bytes that one CopyObject or UploadPartCopy copies. */
export const mostCopied = 5 * 2 ** 30

/**
 * Finds the source of a copy and judges whether it may be read: NoSuchBucket, NoSuchKey, NoSuchVersion, AccessDenied,
 * InvalidObjectState, PreconditionFailed.
 */
export function sourceOf(world: World, request: S3Request): FoundObject {
  const header = requestHeader(request.headers, 'x-amz-copy-source') ?? ''
  const version = header.indexOf('?versionId=')
  const path = percentDecode(version === -1 ? header : header.slice(0, version)).replace(/^\//, '')
  const slash = path.indexOf('/')
  if (slash < 1 || slash === path.length - 1) {
    throw invalidArgument(
      'Copy Source must mention the source bucket and key: sourcebucket/sourcekey',
      'x-amz-copy-source',
      header,
    )
  }
  const versionId = version === -1 ? undefined : percentDecode(header.slice(version + '?versionId='.length))
  const found = findSource(bucketOf(world, path.slice(0, slash)), path.slice(slash + 1), versionId)
  const { object } = found
  if (object.denied) throw accessDenied()
  checkReadable(object)
  checkCustomerKey(request.headers, object, true)
  checkSource(request.headers, object)
  return found
}

/** The refusal of a source that one request cannot copy. */
export function tooLargeToCopy(): Error {
  return invalidRequest(
    `The specified copy source is larger than the maximum allowable size for a copy source: ${mostCopied}`,
  )
}

function directive(request: S3Request, name: string): boolean {
  const value = requestHeader(request.headers, name)
  if (value === undefined || value === 'COPY') return false
  if (value === 'REPLACE') return true
  throw invalidArgument(`Unknown ${name.slice(6).replaceAll('-', ' ')}.`, name, value)
}

function excludesAnnotations({ dialect }: World, { headers }: S3Request): boolean {
  if (dialect.has.has('ignores-annotations')) return true
  const value = requestHeader(headers, ANNOTATIONS)
  if (value === undefined || value === 'COPY') return false
  if (value === 'EXCLUDE') return true
  throw invalidArgument('Unknown object annotation directive.', ANNOTATIONS, value)
}

const ANNOTATIONS = 'x-amz-object-annotation-directive'

const attributes = ['x-amz-storage-class', 'x-amz-website-redirect-location', 'x-amz-server-side-encryption']

export function copyObject(world: World, request: S3Request): Reply {
  const { headers, bucket: bucketName, key = '' } = request
  const bucket = bucketOf(world, bucketName)
  checkKey(key)
  const source = sourceOf(world, request)
  const replace = directive(request, 'x-amz-metadata-directive')
  const replaceTags = directive(request, 'x-amz-tagging-directive')
  const ontoItself = source.bucket === bucket && source.key === key
  const present = bucket.get(key)
  // An older version brought back is a change.
  const same = ontoItself && source.versionId === newestOf(bucket, key)
  if (same && !replace && !attributes.some((name) => headers[name] !== undefined)) {
    throw invalidRequest(
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
    )
  }
  if (source.object.size > mostCopied) throw tooLargeToCopy()
  checkWrite(headers, bucket, key)

  const { has } = world.dialect
  const ofSource = source.object.extras.tags
  const tags = has.has('drops-tags') ? (replace ? [] : ofSource) : replaceTags ? undefined : ofSource
  const annotations = excludesAnnotations(world, request) ? undefined : source.object.extras.annotations
  const extras = extrasToStore(headers, ownOf(headers, bucket), tags, annotations)
  checkDirectoryCopy(bucket, extras)
  const own = replace ? headersToStore(headers, keepsChunked(world)) : undefined
  const seconds = nowInSeconds()
  let copy: S3Object
  let versionId: string | undefined
  if (ontoItself && bucket.readOnly) {
    copy = bucket.rewrite(key, own ?? source.object.headers, extras, seconds)
  } else {
    const content =
      referenceTo(source.object, seconds, own, extras) ??
      duplicate(source.object, seconds, own, extras, has.has('lists-other-etag'))
    versionId = bucket.put(key, content)
    copy = bucket.get(key) ?? content
  }
  world.stats.copied(bucketName, present !== undefined)
  return xmlReply(
    `<CopyObjectResult ${xmlNamespace}><LastModified>${isoOf(copy.seconds)}</LastModified>` +
      `<ETag>&quot;${copy.etag}&quot;</ETag></CopyObjectResult>`,
    [
      ...[...encryptionHeaders(copy), ...versionHeader(versionId)],
      ...versionHeader(source.versionId, 'x-amz-copy-source-version-id'),
    ],
  )
}

function newestOf(bucket: Bucket, key: string): string | undefined {
  return bucket.versioning === undefined ? undefined : bucket.versions(key)[0]?.id
}

function duplicate(
  source: S3Object,
  seconds: number,
  headers: readonly string[] | undefined,
  extras: S3Object['extras'],
  keepsEtag: boolean,
): S3Object {
  const content = source.content()
  // A copy is an object of a single part, whatever its source was.
  const etag = source.opaque === true || source.etag.includes('-') ? content.digest() : source.etag
  if (keepsEtag) return new StoredObject(content, source.etag, seconds, headers ?? source.headers, extras, etag)
  return new StoredObject(content, etag, seconds, headers ?? source.headers, extras)
}
