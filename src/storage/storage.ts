import type { Place } from '../job.js'

/** An object as a listing shows it. */
export interface ObjectSummary {
  /** Relative to the store's prefix. */
  readonly key: string
  readonly size: number
  /** Without the quotes. */
  readonly etag: string
  /** ISO 8601, as the store wrote it. */
  readonly lastModified: string
  readonly storageClass: string
  /** Where it is not the current version that is meant. */
  readonly version?: string
}

/** One LIST answer: at most 1,000 objects in UTF-8 byte order of their keys. May be empty and truncated at once. */
export interface Page {
  readonly objects: readonly ObjectSummary[]
  /** Whether there is more. The number of objects says nothing about that. */
  readonly truncated: boolean
  /** Where the store says the next page begins; needed only after an empty truncated page. */
  readonly token?: string
}

/** Where a listing goes on: after a key (relative, exclusive), or at a token of the page before. */
export interface ListFrom {
  readonly after?: string | undefined
  readonly token?: string | undefined
  /** Most objects wanted, 1 to 1,000 (the default). */
  readonly limit?: number
}

/** Header fields: [lower-case name, value], one byte a character. */
export type HeaderFields = readonly (readonly [name: string, value: string])[]

/** What HEAD tells of an object. */
export interface ObjectHead {
  readonly size: number
  /** Without the quotes. */
  readonly etag: string
  /** ISO 8601, or '' when the store does not tell. */
  readonly lastModified: string
  readonly storageClass: string
  /** Content-Type, Cache-Control and their kin, and user metadata (`x-amz-meta-*`), by lower-case name. */
  readonly headers: ReadonlyMap<string, string>
  /** Whatever else a rewrite loses unless it is sent again: storage class, encryption, lock, redirect, checksum algorithm; as fields of a request. */
  readonly carried: HeaderFields
  readonly tags: number
  /** Checksums of the whole content, by lower-case algorithm; those that are made of the checksums of parts are left out. */
  readonly checksums: ReadonlyMap<string, string>
  /** The ETag of an object in one part is the MD5 of its content: it is not encrypted with KMS, nor with a customer's key. */
  readonly plainEtag: boolean
  /** Entries of user metadata that the store has and cannot show over HTTP. */
  readonly unshown: number
  /** Its content must be restored before it can be read. */
  readonly archived: boolean
  /** Locked in compliance mode: what is locked cannot be removed by anybody. */
  readonly locked: boolean
}

/** The tags of an object, in the two forms in which S3 takes them. */
export interface Tagging {
  /** As a value of `x-amz-tagging`: URL-encoded. */
  readonly header: string
  /** As an XML element `TagSet`. */
  readonly xml: string
}

/** How objects of a store are looked at. */
interface Reading {
  /** HeadObject. An object that is gone is an error of severity `skip`; one encrypted with a customer's key has the code `SSE-C`. */
  head(key: string): Promise<ObjectHead>

  /** The tags of an object. */
  tagging(key: string): Promise<Tagging>

  /** The SHA-256 of the content, read to its end, in hexadecimal digits; an error of code `PreconditionFailed` if the ETag is no longer that of `object`. */
  digest(key: string, object: Pick<ObjectSummary, 'size' | 'etag'>): Promise<string>
}

/** How objects of a store are changed in place: S3 has no other way than to copy an object onto itself. */
export interface Rewriting extends Reading {
  readonly bucket: string

  /** A copy onto itself may lose the tags, even when they are sent with it. */
  readonly dropsTags: boolean

  /** Gives an object these tags and no others. */
  retag(key: string, tagging: Tagging): Promise<void>

  /** The fields that give a copy the access control list of the object; none when it is that of any new object. */
  grants(key: string): Promise<HeaderFields>

  /**
   * Copies the object onto itself with exactly `fields`, in any order, if its ETag is still `etag`; else an error of code
   * `PreconditionFailed`. May be repeated. Answers the ETag that it has now. For objects of at most 5 GiB.
   */
  rewrite(object: ObjectSummary, etag: string, fields: HeaderFields): Promise<string>

  /** Begins to write the object anew from parts, with `fields`; answers the upload, which is billed until it is completed or aborted. */
  beginParts(key: string, fields: HeaderFields): Promise<string>

  /** Makes part `number` (from 1) of the upload of bytes `first` to `last` of the object itself, if its ETag is still `etag`. */
  copyPart(object: ObjectSummary, etag: string, part: PartRange): Promise<Part>

  /** Puts all parts, in order, in the place of the object, if its ETag is still `etag`. Answers the ETag that it has now. */
  completeParts(key: string, etag: string, upload: string, parts: readonly Part[]): Promise<string>

  /** Gives up an upload; one that is gone is no error. */
  abortParts(key: string, upload: string): Promise<void>
}

/** Which bytes a part is made of, both ends included. */
interface PartRange {
  readonly upload: string
  readonly number: number
  readonly first: number
  readonly last: number
}

/** A part that is there. */
export interface Part {
  readonly etag: string
  /** Its checksum as an XML element, where the upload has an algorithm; '' otherwise. */
  readonly checksum: string
}

/**
 * A bucket and a prefix. Keys are relative to the prefix; that is all the renaming there is.
 * Each method fails with a `StorageError` whose severity says what that means for the run.
 */
export interface Storage {
  readonly place: Place

  /** The first page of objects after `from`. A page that is not in byte order is an error that stops the run. */
  list(from: ListFrom): Promise<Page>

  /**
   * Makes the object `key` of this store equal to the object of the same name in `source`, without its bytes passing
   * through this machine: content, headers, user metadata, tags and storage class; not the ACL. It replaces what is there and may be
   * repeated. A source object that is gone is an error of severity `skip`.
   */
  copyFrom(source: Storage, object: ObjectSummary): Promise<void>

  /** Absent when nothing can be changed in place. */
  readonly rewriting?: Rewriting | undefined
}

/** What the settings of a bucket mean for its objects. */
export interface BucketTraits {
  /** Whether objects have access control lists of their own; undefined when the store does not tell. */
  readonly acls: boolean | undefined
  /** Whether a write keeps what it replaces; undefined when the store does not tell. */
  readonly versioned: boolean | undefined
}
