import type { ByteWriter } from './byte-writer.js'
import type { Content } from './content.js'

export type Tags = readonly (readonly [key: string, value: string])[]

/** Who may do what: `grantee` is a canonical user id, or the URI of a group. */
export interface Grant {
  readonly grantee: string
  readonly permission: string
}

/** What few objects have; shared by those that have none of it. */
export interface Extras {
  readonly storageClass: string
  readonly tags: Tags
  /** Undefined: the owner has full control, nobody else anything. */
  readonly grants: readonly Grant[] | undefined
  readonly websiteRedirect: string | undefined
}

export const noExtras: Extras = { storageClass: 'STANDARD', tags: [], grants: undefined, websiteRedirect: undefined }

/** An object as HEAD, GET, LIST and COPY see it. */
export interface S3Object {
  readonly size: number
  /** Without quotes. */
  readonly etag: string
  /** Writes the same to a page of a listing. */
  writeEtag(page: ByteWriter): void
  /** Last-Modified in whole seconds since 1970. */
  readonly seconds: number
  /** Names and values, alternating: the system headers that were set, and the user metadata (`x-amz-meta-*`). */
  readonly headers: readonly string[]
  readonly extras: Extras
  content(): Content
  /** True when copying and reading are forbidden. */
  readonly denied: boolean
}

/** A bucket's objects in key order; positions stay what they are until something is written. */
export interface KeyIndex {
  readonly count: number
  keyAt(position: number): string
  /** Undefined where an object has been deleted. */
  objectAt(position: number): S3Object | undefined
}

export interface Bucket {
  readonly name: string
  /** In whole seconds since 1970. */
  readonly created: number
  /** ACLs are refused unless this is false (BucketOwnerEnforced, as S3 does for new buckets). */
  ownerEnforced: boolean
  /** Throws AccessDenied when the bucket takes no such write. */
  readonly readOnly: boolean
  get(key: string): S3Object | undefined
  /** Stores an object made from bytes or from another object. Throws AccessDenied in a synthetic bucket. */
  put(key: string, object: S3Object): void
  /** Gives a present object other headers and extras: a copy of it onto itself. */
  rewrite(key: string, headers: readonly string[], extras: Extras, seconds: number): S3Object
  /** Deletes the object if it is there. */
  delete(key: string): void
  index(): KeyIndex
  /** True when there is no object. */
  isEmpty(): boolean
}
