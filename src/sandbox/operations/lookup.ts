import type { Bucket, S3Object, Version } from '../buckets/object.js'
import type { S3Request } from '../wire/request.js'
import { invalidArgument, invalidRequest, noSuchKey, noSuchVersion, S3Error } from '../wire/s3-error.js'
import { orderOf } from '../buckets/version-id.js'
import { bucketOf, checkKey, type World } from './world.js'

/** An object that a request names, and which version of it that is. */
export interface FoundObject {
  readonly bucket: Bucket
  readonly key: string
  readonly object: S3Object
  /** Undefined in a bucket without versioning. */
  readonly versionId: string | undefined
}

/** The version id of the query, undefined when there is none. Throws InvalidArgument when it can be no version's. */
export function versionIdIn(request: S3Request): string | undefined {
  const versionId = request.query.get('versionId')
  if (versionId === undefined || isVersionId(versionId)) return versionId
  const message = versionId === '' ? 'Version id cannot be the empty string' : 'Invalid version id specified'
  throw invalidArgument(message, 'versionId', versionId)
}

/** True for what can be the id of a version, whether there is one or not. */
export function isVersionId(text: string): boolean {
  return text === 'null' || orderOf(text) !== undefined
}

function versionOf(bucket: Bucket, key: string, versionId: string | undefined): Version | undefined {
  const versions = bucket.versions(key)
  if (versionId === undefined) return versions[0]
  const version = versions.find(({ id }) => id === versionId)
  if (version === undefined) throw noSuchVersion(key, versionId)
  return version
}

const markerHeaders = (versionId: string) => ['x-amz-delete-marker', 'true', 'x-amz-version-id', versionId]

/** What a delete marker answers when it is asked for by its own id. */
function isMarker(method: string, { id, seconds }: Version): S3Error {
  return new S3Error(
    405,
    'MethodNotAllowed',
    'The specified method is not allowed against this resource.',
    { Method: method, ResourceType: 'DeleteMarker' },
    [...markerHeaders(id), 'Allow', 'DELETE', 'Last-Modified', new Date(seconds * 1000).toUTCString()],
  )
}

/**
 * The object that the request names, with its `versionId` if it has one. Throws NoSuchBucket, NoSuchKey (also where
 * the newest version is a delete marker), NoSuchVersion, InvalidArgument, MethodNotAllowed, KeyTooLongError.
 */
export function findObject(world: World, request: S3Request): FoundObject {
  const key = request.key ?? ''
  const bucket = bucketOf(world, request.bucket)
  checkKey(key)
  const wanted = versionIdIn(request)
  if (wanted === undefined && bucket.versioning === undefined) return findCurrent(bucket, key)
  const version = versionOf(bucket, key, wanted)
  if (version === undefined) throw noSuchKey(key)
  const { id, object } = version
  if (object === undefined)
    throw wanted === undefined ? noSuchKey(key, markerHeaders(id)) : isMarker(request.method, version)
  return { bucket, key, object, versionId: bucket.versioning === undefined ? undefined : id }
}

function findCurrent(bucket: Bucket, key: string): FoundObject {
  const object = bucket.get(key)
  if (object === undefined) throw noSuchKey(key)
  return { bucket, key, object, versionId: undefined }
}

/** The object that a copy reads; as `findObject`, but a delete marker asked for by its id is InvalidRequest. */
export function findSource(bucket: Bucket, key: string, wanted: string | undefined): FoundObject {
  checkKey(key)
  if (wanted === undefined && bucket.versioning === undefined) return findCurrent(bucket, key)
  if (wanted !== undefined && !isVersionId(wanted)) {
    throw invalidArgument('Invalid version id specified', 'x-amz-copy-source', wanted)
  }
  const version = versionOf(bucket, key, wanted)
  if (version === undefined) throw noSuchKey(key)
  if (version.object === undefined) {
    if (wanted === undefined) throw noSuchKey(key)
    throw invalidRequest('The source of a copy request may not specifically refer to a delete marker by version id.')
  }
  return { bucket, key, object: version.object, versionId: bucket.versioning === undefined ? undefined : version.id }
}

/** The header that tells which version it is, where there are versions. */
export function versionHeader(versionId: string | undefined, name = 'x-amz-version-id'): string[] {
  return versionId === undefined ? [] : [name, versionId]
}
