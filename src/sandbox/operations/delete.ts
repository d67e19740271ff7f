import { etagAsUnderstood } from '../wire/as-dialect.js'
import { checkDeletion, checkMatch } from './conditions.js'
import type { Dialect } from '../wire/dialects.js'
import { isVersionId, versionIdIn } from './lookup.js'
import type { Bucket } from '../buckets/object.js'
import { emptyReply, xmlReply, type Reply } from '../wire/reply.js'
import { requestHeader, type S3Request } from '../wire/request.js'
import { accessDenied, malformedXml, noSuchVersion, notImplemented, S3Error } from '../wire/s3-error.js'
import { uploadedBytes } from '../wire/upload-body.js'
import { bucketOf, checkKey, type World } from './world.js'
import { childrenOf, element, parseXml, textOf, xmlNamespace, type XmlElement } from '../wire/xml.js'

const mostDeleted = 1000

/** What a deletion did, as its answer tells it. */
interface Deletion {
  /** The version that was asked for. */
  readonly versionId: string | undefined
  /** The id of the delete marker that was made or removed. */
  readonly marker: string | undefined
}

/** Deletes a key or one version of it. What is not there was deleted already: no error. Throws AccessDenied. */
function carryOut(bucket: Bucket, key: string, versionId: string | undefined): Deletion {
  if (versionId === undefined) {
    if (bucket.get(key)?.denied === true) throw accessDenied()
    return { versionId, marker: bucket.delete(key)?.id }
  }
  const version = bucket.versions(key).find(({ id }) => id === versionId)
  if (version?.object?.denied === true) throw accessDenied()
  if (version !== undefined) bucket.remove(key, versionId)
  return { versionId, marker: version !== undefined && version.object === undefined ? version.id : undefined }
}

export function deleteObject(world: World, request: S3Request): Reply {
  const key = request.key ?? ''
  const bucket = bucketOf(world, request.bucket)
  checkKey(key)
  const wanted = versionIdIn(request)
  checkMatch(request.headers['if-match'], bucket, key)
  const [time, size] = ['x-amz-if-match-last-modified-time', 'x-amz-if-match-size'].map((name) =>
    requestHeader(request.headers, name),
  )
  if (bucket.directory) checkDeletion(time, size, bucket.get(key))
  else if (time !== undefined || size !== undefined) throw notImplemented()
  const { versionId, marker } = carryOut(bucket, key, wanted)
  const id = versionId ?? marker
  return emptyReply(204, [
    ...(marker === undefined ? [] : ['x-amz-delete-marker', 'true']),
    ...(id === undefined ? [] : ['x-amz-version-id', id]),
  ])
}

/** Deletes what one element of a DeleteObjects request names. Throws what stands in its place in the answer. */
function deleteNamed(bucket: Bucket, key: string, object: XmlElement, dialect: Dialect): Deletion {
  const versionId = textOf(object, 'VersionId')
  checkKey(key)
  if (versionId !== undefined && !isVersionId(versionId)) throw noSuchVersion(key, versionId)
  // Only directory buckets know these two conditions.
  const [time, size] = [textOf(object, 'LastModifiedTime'), textOf(object, 'Size')]
  if (!bucket.directory && (time !== undefined || size !== undefined)) throw notImplemented()
  const etag = etagAsUnderstood(dialect, textOf(object, 'ETag'))
  if (!dialect.has.has('ignores-delete-conditions')) checkMatch(etag, bucket, key)
  if (bucket.directory) checkDeletion(time, size, bucket.get(key))
  return carryOut(bucket, key, versionId)
}

export function deleteObjects(world: World, request: S3Request): Reply {
  const bucket = bucketOf(world, request.bucket)
  const { headers } = request
  if (headers['content-md5'] === undefined && !Object.keys(headers).some(isChecksum)) {
    throw new S3Error(400, 'InvalidRequest', 'Missing required header for this request: Content-MD5')
  }
  const document = parseXml(uploadedBytes(request))
  const objects = childrenOf(document, 'Object').map((object) => [textOf(object, 'Key') ?? '', object] as const)
  if (document.name !== 'Delete' || objects.length === 0 || objects.length > mostDeleted) throw malformedXml()
  if (objects.some(([key]) => key === '')) throw malformedXml()
  const quiet = textOf(document, 'Quiet')?.trim() === 'true'
  let result = ''
  for (const [key, object] of objects) {
    try {
      const deletion = deleteNamed(bucket, key, object, world.dialect)
      if (!quiet) result += `<Deleted>${element('Key', key)}${describe(deletion)}</Deleted>`
    } catch (error) {
      if (!(error instanceof S3Error)) throw error
      const versionId = textOf(object, 'VersionId')
      result +=
        `<Error>${element('Key', key)}${versionId === undefined ? '' : element('VersionId', versionId)}` +
        `${element('Code', error.code)}${element('Message', error.message)}</Error>`
    }
  }
  return xmlReply(`<DeleteResult ${xmlNamespace}>${result}</DeleteResult>`)
}

function describe({ versionId, marker }: Deletion): string {
  return (
    (versionId === undefined ? '' : element('VersionId', versionId)) +
    (marker === undefined ? '' : `<DeleteMarker>true</DeleteMarker>${element('DeleteMarkerVersionId', marker)}`)
  )
}

function isChecksum(header: string): boolean {
  return (header.startsWith('x-amz-checksum-') && header !== 'x-amz-checksum-mode') || header === 'x-amz-trailer'
}
