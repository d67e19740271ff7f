import type { IncomingHttpHeaders } from 'node:http'
import { timeOf } from '../../times.js'
import type { Bucket, S3Object } from '../buckets/object.js'
import { requestHeader } from '../wire/request.js'
import { noSuchKey, notImplemented, preconditionFailed } from '../wire/s3-error.js'

function names(list: string, etag: string): boolean {
  return list.split(',').some((item) => {
    const value = item.trim().replace(/^W\//, '')
    return value === '*' || value === etag || value === `"${etag}"`
  })
}

/** Seconds since 1970 of an HTTP date; undefined when there is none or it is unreadable, which S3 ignores. */
function dateOf(headers: IncomingHttpHeaders, name: string): number | undefined {
  const value = requestHeader(headers, name)
  const time = value === undefined ? NaN : timeOf(value)
  return Number.isNaN(time) ? undefined : Math.floor(time / 1000)
}

/**
 * Judges If-Match and its three kin. `prefix` is `x-amz-copy-source-` for those of a copy's source.
 * Returns true when the answer is 304 Not Modified; throws PreconditionFailed.
 */
export function unchangedSince(headers: IncomingHttpHeaders, object: S3Object, prefix = ''): boolean {
  const ifMatch = requestHeader(headers, `${prefix}if-match`)
  if (ifMatch !== undefined) {
    if (!names(ifMatch, object.etag)) throw preconditionFailed(`${prefix}If-Match`)
  } else {
    const since = dateOf(headers, `${prefix}if-unmodified-since`)
    if (since !== undefined && object.seconds > since) throw preconditionFailed(`${prefix}If-Unmodified-Since`)
  }
  const ifNoneMatch = requestHeader(headers, `${prefix}if-none-match`)
  if (ifNoneMatch !== undefined) return names(ifNoneMatch, object.etag)
  const since = dateOf(headers, `${prefix}if-modified-since`)
  return since !== undefined && object.seconds <= since
}

/** Judges `x-amz-object-if-match`, on the object to which an annotation belongs. */
export function checkObjectMatch(headers: IncomingHttpHeaders, object: S3Object): void {
  const ifMatch = requestHeader(headers, 'x-amz-object-if-match')
  if (ifMatch !== undefined && !names(ifMatch, object.etag)) throw preconditionFailed('x-amz-object-if-match')
}

/** Judges the conditions on the source of a copy, or of a rename by its `prefix`: what would be 304 for GET is 412 here. */
export function checkSource(headers: IncomingHttpHeaders, source: S3Object, prefix = 'x-amz-copy-source-'): void {
  if (unchangedSince(headers, source, prefix)) throw preconditionFailed(`${prefix}If-None-Match`)
}

/** Judges what DeleteObject knows for directory buckets alone: how large the object is to be, and when written. What is not there is deleted. */
export function checkDeletion(time: string | undefined, size: string | undefined, present: S3Object | undefined): void {
  if (present === undefined) return
  if (size !== undefined && Number(size) !== present.size) throw preconditionFailed('x-amz-if-match-size')
  const wanted = time === undefined ? NaN : timeOf(time)
  if (time !== undefined && Math.floor(wanted / 1000) !== present.seconds) {
    throw preconditionFailed('x-amz-if-match-last-modified-time')
  }
}

/** Judges `If-None-Match: *` and `If-Match: ETAG` of a write. */
export function checkWrite(headers: IncomingHttpHeaders, bucket: Bucket, key: string): void {
  if (bucket.unconditional) return
  const ifNoneMatch = requestHeader(headers, 'if-none-match')
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch !== '*') throw notImplemented()
    if (bucket.get(key) !== undefined) throw preconditionFailed('If-None-Match')
  }
  checkMatch(requestHeader(headers, 'if-match'), bucket, key)
}

/** Judges an `If-Match` (an ETag, or `*`) of a write or deletion. Throws NoSuchKey, PreconditionFailed. */
export function checkMatch(ifMatch: string | undefined, bucket: Bucket, key: string): void {
  if (ifMatch === undefined || bucket.unconditional) return
  const present = bucket.get(key)
  if (present === undefined) throw noSuchKey(key)
  if (!names(ifMatch, present.etag)) throw preconditionFailed('If-Match')
}
