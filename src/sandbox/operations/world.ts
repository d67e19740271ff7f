import type { Dialect } from '../wire/dialects.js'
import type { BatchJobs } from './batch-jobs.js'
import type { Renames } from './rename.js'
import type { Sessions } from './sessions.js'
import type { Uploads } from './multipart.js'
import type { Bucket } from '../buckets/object.js'
import { noSuchBucket, S3Error } from '../wire/s3-error.js'
import type { Stats } from '../wire/stats.js'

/** What all operations share. */
export interface World {
  readonly region: string
  readonly buckets: Map<string, Bucket>
  readonly uploads: Uploads
  readonly jobs: BatchJobs
  readonly sessions: Sessions
  readonly renames: Renames
  readonly stats: Stats
  /** How long archived objects take to be restored. */
  readonly restoreSeconds: number
  readonly dialect: Dialect
}

/** The time in whole seconds since 1970, which is all that Last-Modified can say. */
export function nowInSeconds(): number {
  return Math.floor(Date.now() / 1000)
}

let lastSeconds = NaN
let lastTime = ''

/** `2024-05-25T13:00:00.000Z`. */
export function isoOf(seconds: number): string {
  if (seconds !== lastSeconds) {
    lastSeconds = seconds
    lastTime = new Date(seconds * 1000).toISOString()
  }
  return lastTime
}

/** Whether Content-Encoding keeps `aws-chunked`. */
export function keepsChunked({ dialect }: World): boolean {
  return dialect.has.has('keeps-aws-chunked')
}

/** The bucket of that name; throws NoSuchBucket. */
export function bucketOf(world: World, name: string): Bucket {
  const bucket = world.buckets.get(name)
  if (bucket === undefined) throw noSuchBucket(name)
  return bucket
}

/** Throws KeyTooLongError when the key has more than 1,024 bytes. */
export function checkKey(key: string): void {
  if (key.length <= 341) return
  const size = Buffer.byteLength(key)
  if (size > 1024) {
    throw new S3Error(400, 'KeyTooLongError', 'Your key is too long', { Size: size, MaxSizeAllowed: 1024 })
  }
}
