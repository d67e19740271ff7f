import { createHash } from 'node:crypto'
import type { ObjectBytes } from '../wire/content.js'
import type { Extras, S3Object } from './object.js'
import { OrdinaryBucket, StoredObject } from './ordinary-bucket.js'
import type { SyntheticBucket } from './synthetic-bucket.js'

/** The one storage class of directory buckets in Availability Zones. */
export const EXPRESS_CLASS = 'EXPRESS_ONEZONE'

/** True for the names that S3 gives to directory buckets. */
export function isDirectoryName(name: string): boolean {
  return /^[a-z0-9][a-z0-9-]*--[a-z0-9-]+--x-s3$/.test(name)
}

let written = 0

/** An object of a directory bucket. Its ETag looks like an MD5, and is that of nothing: whoever takes it for one is to be found out. */
class ZonalObject implements S3Object {
  readonly denied = false
  readonly opaque = true
  readonly extras: Extras

  constructor(
    private readonly source: S3Object,
    readonly etag: string,
  ) {
    this.extras = { ...source.extras, storageClass: EXPRESS_CLASS }
  }

  get size(): number {
    return this.source.size
  }

  get seconds(): number {
    return this.source.seconds
  }

  get headers(): readonly string[] {
    return this.source.headers
  }

  content(): ObjectBytes {
    return this.source.content()
  }
}

/** The place of a name in a listing: any, and always the same. */
export function listingRank(name: string): string {
  return createHash('sha1').update(name).digest('base64url').slice(0, 12)
}

/** A bucket of S3 Express One Zone: it gives ETags of its own, and lists in no order that anybody knows. */
export class DirectoryBucket extends OrdinaryBucket {
  override readonly directory = true
  private known: { readonly keys: readonly string[]; readonly revision: number } | undefined

  /** A directory bucket that has what a synthetic one would have. */
  static filledWith(source: SyntheticBucket): DirectoryBucket {
    const bucket = new DirectoryBucket(source.name, source.created)
    const index = source.index()
    for (let position = 0; position < index.count; position++) {
      const object = index.objectAt(position)
      // The content is computed when it is asked for, so nothing of it is held.
      if (object !== undefined) bucket.put(index.keyAt(position), heldBy(object))
    }
    return bucket
  }

  override put(key: string, object: S3Object): undefined {
    super.put(key, new ZonalObject(object, createHash('md5').update(`${this.name} ${++written}`).digest('hex')))
    return undefined
  }

  /** Puts an object as it is: with its ETag, which a new name does not change. */
  move(from: string, to: string): void {
    const object = this.get(from)
    if (object === undefined) return
    super.delete(from)
    super.put(to, object)
  }

  /** All keys in the order in which they are listed. */
  shuffled(): readonly string[] {
    const index = this.index()
    const { count, revision } = index
    if (this.known?.revision === revision) return this.known.keys
    const ranked = Array.from({ length: count }, (_, position) => {
      const key = index.keyAt(position)
      return [listingRank(key), key] as const
    })
    const keys = ranked.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, key]) => key)
    this.known = { keys, revision }
    return keys
  }
}

function heldBy(object: S3Object): StoredObject {
  return new StoredObject(object.content(), object.etag, object.seconds, object.headers, object.extras)
}
