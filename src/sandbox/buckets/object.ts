import type { ObjectBytes } from '../wire/content.js'

export type Tags = readonly (readonly [key: string, value: string])[]

/** A text that is attached to an object, by its name. */
export type Annotations = ReadonlyMap<string, Annotation>

export interface Annotation {
  readonly text: Buffer
  /** Without quotes. */
  readonly etag: string
  /** Last-Modified in whole seconds since 1970. */
  readonly seconds: number
}

/** Who may do what: `grantee` is a canonical user id, or the URI of a group. */
export interface AclGrant {
  readonly grantee: string
  readonly permission: string
}

/** A temporary copy of an archived object. */
export interface Restoration {
  /** Milliseconds since 1970; before, the restoration is under way. */
  readonly readyAt: number
  /** Seconds since 1970 at which the copy expires. */
  readonly until: number
}

/** How an object is encrypted that is not by S3 itself. */
export interface Encryption {
  readonly algorithm: 'none' | 'aws:kms' | 'aws:kms:dsse' | 'SSE-C'
  readonly kmsKeyId?: string
  readonly bucketKey?: boolean
  /** The MD5 of a key of the customer's, as requests have it. */
  readonly customerKey?: string
}

/** What few objects have; shared by those that have none of it. */
export interface Extras {
  readonly storageClass: string
  readonly tags: Tags
  /** Undefined: the owner has full control, nobody else anything. */
  readonly grants: readonly AclGrant[] | undefined
  readonly websiteRedirect: string | undefined
  readonly restoration: Restoration | undefined
  readonly annotations: Annotations
  /** Undefined: by S3 itself (AES256). */
  readonly encryption: Encryption | undefined
}

export const noExtras: Extras = {
  storageClass: 'STANDARD',
  tags: [],
  grants: undefined,
  websiteRedirect: undefined,
  restoration: undefined,
  annotations: new Map(),
  encryption: undefined,
}

/** An object as HEAD, GET, LIST and COPY see it. */
export interface S3Object {
  readonly size: number
  /** Without quotes. */
  readonly etag: string
  /** Whether the ETag says nothing of the content. */
  readonly opaque?: boolean
  /** As it is listed, where that is another. */
  readonly listedEtag?: string
  /** Last-Modified in whole seconds since 1970. */
  readonly seconds: number
  /** Names and values, alternating: the system headers that were set, and the user metadata (`x-amz-meta-*`). */
  readonly headers: readonly string[]
  readonly extras: Extras
  content(): ObjectBytes
  /** True when copying and reading are forbidden. */
  readonly denied: boolean
}

/** One of the versions of a key. */
export interface Version {
  /** `null` for what was written while versioning was off or suspended. */
  readonly id: string
  /** Later versions have higher numbers. */
  readonly order: number
  /** Undefined for a delete marker. */
  readonly object: S3Object | undefined
  /** Last-Modified in whole seconds since 1970. */
  readonly seconds: number
}

/** A bucket's keys in order; positions stay what they are until something is written. */
export interface KeyIndex {
  /** Another one after keys were added or taken out; deletions alone may not do that. */
  readonly revision: number
  readonly count: number
  keyAt(position: number): string
  /** Undefined where an object has been deleted. */
  objectAt(position: number): S3Object | undefined
  /** Newest first; none where nothing is left. */
  versionsAt(position: number): readonly Version[]
}

export interface Bucket {
  readonly name: string
  /** In whole seconds since 1970. */
  readonly created: number
  /** Whether it is a directory bucket (S3 Express One Zone). */
  readonly directory: boolean
  /** ACLs are refused unless this is false (BucketOwnerEnforced, as S3 does for new buckets). */
  ownerEnforced: boolean
  /** Conditions on writes and deletions are ignored, as some stores do; those on reads, and on the source of a copy, are not. */
  readonly unconditional: boolean
  /** What is written without a word about encryption has none, as on AWS before 2023. */
  readonly unencrypted: boolean
  /** Throws AccessDenied when the bucket takes no such write. */
  readonly readOnly: boolean
  /** Undefined until it is enabled; then it can be suspended, but never be undefined again. */
  readonly versioning: 'Enabled' | 'Suspended' | undefined
  /** Throws NotImplemented in a synthetic bucket. */
  setVersioning(status: 'Enabled' | 'Suspended'): void
  /** The newest version, unless it is a delete marker. */
  get(key: string): S3Object | undefined
  /** Newest first; a key that was never versioned has one version, `null`. */
  versions(key: string): readonly Version[]
  /**
   * Stores an object made from bytes or from another object; returns its version id, undefined without versioning.
   * Throws AccessDenied in a synthetic bucket.
   */
  put(key: string, object: S3Object): string | undefined
  /** Gives a present object (the newest, or that version) other headers and extras; makes no new version. */
  rewrite(key: string, headers: readonly string[], extras: Extras, seconds: number, versionId?: string): S3Object
  /** Deletes the object if it is there. With versioning it puts a delete marker on top instead, and returns that. */
  delete(key: string): Version | undefined
  /** Removes a version for good and returns it; undefined when there is none. */
  remove(key: string, versionId: string): Version | undefined
  index(): KeyIndex
  /** True when there is no object and no version. */
  isEmpty(): boolean
}
