import type { StorageError } from '../errors.js'
import type { Place } from '../job/place.js'
import type { Restore } from '../job/transfer.js'
import type { Versions } from './object-versions.js'
import type { Uploading } from './parts.js'

/** An object as a listing shows it. */
export interface ObjectSummary {
  /** Relative to the store's prefix. */
  readonly key: string
  readonly size: number
  /** Without the quotes; '' when the store does not tell, which is equal to no other. */
  readonly etag: string
  /** ISO 8601, as the store wrote it; '' when it does not tell. */
  readonly lastModified: string
  readonly storageClass: string
  /** Where it is not the current version that is meant. */
  readonly version?: string
  /** As a list says, where it does; listings of stores do not. */
  readonly encryption?: ListedEncryption
  /**
   * It is a large object of Swift's API: a manifest, which names the objects that its content is in. `size` and `etag` are those of the content then;
   * the ETag is no MD5, and stores know no condition on it.
   */
  readonly manifest?: true
  /** It is no object, and can be none. Only folders list such, where they are asked to. */
  readonly notAKey?: NotAKey
}

/** How a list says that an object is encrypted: S3 Inventory, or the tables of S3 Metadata. */
export interface ListedEncryption {
  readonly status: 'SSE-S3' | 'SSE-KMS' | 'DSSE-KMS' | 'SSE-C' | 'NOT-SSE'
  /** What an inventory does not tell. */
  readonly kmsKeyArn?: string
  readonly bucketKey?: boolean
}

/** What is in a folder and is no object: a link, a FIFO, a name that is not UTF-8. */
export interface NotAKey {
  /** Which, and why, for a person: a whole sentence without its end. */
  readonly why: string
  /** The folder in which it is. */
  readonly within: string
  /** What it would be if it could: an object of its name, a folder of objects, or nobody knows which. */
  readonly standsFor: 'object' | 'folder' | 'either'
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
  /** Only keys that begin with this; not known to folders. */
  readonly within?: string | undefined
}

/** One LIST answer of a level of names: what goes on behind a `/` is shown as a folder, once. At most 1,000 names, each list in UTF-8 byte order. */
export interface LevelPage extends Page {
  /** Relative to the store's prefix; each ends in its only `/`. */
  readonly folders: readonly string[]
}

/** A name of one level: an object, or a folder, of which keys go on behind its `/`. */
export type LevelEntry = { readonly folder: string } | { readonly object: ObjectSummary }

/** How the names of one level are listed. */
export interface Levels {
  /** The first page after `after` (which may be shown again where it is a folder), or at the token of the page before. */
  list(from: Pick<ListFrom, 'after' | 'token'>): Promise<LevelPage>
}

/** How all objects are listed that come in no order. */
export interface Unordered {
  /** The first page, or that at the token of the page before. Each object that is there all the time comes once. */
  list(token?: string): Promise<Page>
}

/** Header fields: [lower-case name, value], one byte a character. */
export type HeaderFields = readonly (readonly [name: string, value: string])[]

/** What HEAD tells of an object. */
export interface ObjectHead {
  /** What the store says that it is: where HEAD is silent, found out in another way. */
  readonly size: number
  /** Without the quotes. */
  readonly etag: string
  /** ISO 8601, or '' when the store does not tell. */
  readonly lastModified: string
  /** Its version, where the store keeps versions and tells. */
  readonly versionId?: string | undefined
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
  /** It is a manifest of Swift's API, as that of `ObjectSummary`. */
  readonly manifest?: true
  /** Its content must be restored before it can be read; of stores other than AWS only a refusal tells that. */
  readonly archived: boolean
  /** Locked in compliance mode: what is locked cannot be removed by anybody. */
  readonly locked: boolean
  /** The store says that it is encrypted with a customer's key (SSE-C). */
  readonly customerKey?: boolean | undefined
}

/** The access control list of an object. */
export interface Acl {
  /** The id of who owns it; '' where the store does not tell. */
  readonly owner: string
  /** Who may do what, such as `http://acs.amazonaws.com/groups/global/AllUsers READ`: the URI or id of a grantee, and a permission. */
  readonly grants: readonly string[]
}

/** The tags of an object, in the two forms in which S3 takes them. */
export interface Tagging {
  /** As a value of `x-amz-tagging`: URL-encoded. */
  readonly header: string
  /** As an XML element `TagSet`. */
  readonly xml: string
}

/** An object that was read as a whole. */
interface Opened {
  readonly head: ObjectHead
  readonly bytes: Buffer
}

/** How objects of a store are looked at. `version` names one that is not the current one. */
export interface Reading {
  /**
   * HeadObject. An object that is gone is an error of severity `skip`; one encrypted with a customer's key has the code `SSE-C`. What a listing
   * said counts for what HEAD is silent about, as long as the ETag is the same; what they contradict each other in is asked with a GET.
   */
  head(key: string, version?: string, listed?: Pick<ObjectSummary, 'size' | 'etag'>): Promise<ObjectHead>

  /** The tags of an object; an error of code `TagsNotSupported` where the store does not know the question. */
  tagging(key: string, version?: string): Promise<Tagging>

  /** The fields that give a copy the access control list of the object; none when it is that of any new object. */
  grants(key: string, version?: string): Promise<HeaderFields>

  /** Its access control list, as the store shows it. Absent where there are none. */
  readonly acl?: ((key: string, version?: string) => Promise<Acl>) | undefined

  /** Whether these credentials may not see whether the object is locked: then a head without a lock says nothing. Absent where there are no locks. */
  readonly hidesLock?: ((key: string, version?: string) => Promise<boolean>) | undefined

  /** The SHA-256 of the content, read to its end, in hexadecimal digits; an error of code `PreconditionFailed` if the ETag is no longer that of `object`. */
  digest(key: string, object: Pick<ObjectSummary, 'size' | 'etag' | 'manifest'>): Promise<string>

  /**
   * What HEAD tells, and all of the content, which is not empty; an error of code `PreconditionFailed` if the ETag is no longer that of `object`. The
   * bytes lie in `room` where it is given, which is as long as they are.
   */
  open(object: Pick<ObjectSummary, 'key' | 'size' | 'etag' | 'version' | 'manifest'>, room?: Buffer): Promise<Opened>

  /** Bytes `first` to `last` of the content, both included; an error of code `PreconditionFailed` if the ETag is no longer that of `object`. They lie in `room`, too. */
  read(
    object: Pick<ObjectSummary, 'key' | 'etag' | 'version' | 'manifest'>,
    first: number,
    last: number,
    room?: Buffer,
  ): Promise<Buffer>
}

/** What a copy inside the store is to be, where it is not simply equal to its source. */
export interface CopyWish {
  /** Its name, where it differs. */
  readonly key?: string | undefined
  /** What is sent with it: directives, headers, conditions. With them nothing is sent by itself, the storage class neither. */
  readonly fields: HeaderFields
  /** Only while the source has this ETag; else an error of code `PreconditionFailed`. */
  readonly etag?: string | undefined
}

/** How objects of a store are changed in place: their tags, and what S3 changes only by a copy of an object onto itself. */
export interface Rewriting {
  /** A copy onto itself may lose the tags, even when they are sent with it. */
  readonly dropsTags: boolean

  /** Gives an object these tags and no others. `version` names one that is not the current one. */
  retag(key: string, tagging: Tagging, version?: string): Promise<void>

  /** Takes all of its tags away. */
  untag(key: string, version?: string): Promise<void>

  /**
   * UpdateObjectEncryption: has the store encrypt the key of the object's data with another KMS key; content, ETag, date and class stay. May be repeated.
   * Only to be called where the store is known to have it: another one may take the request for the content of the object.
   */
  updateEncryption(
    key: string,
    wanted: { readonly kmsKeyArn: string; readonly bucketKey: boolean },
    version?: string,
  ): Promise<void>

  /**
   * Copies the object onto itself with exactly `fields`, in any order, if its ETag is still `etag`; else an error of code
   * `PreconditionFailed`. May be repeated. Answers the ETag that it has now. For objects of at most 5 GiB.
   */
  rewrite(object: ObjectSummary, etag: string, fields: HeaderFields): Promise<string>
}

/** What is to be written: its pieces, in order, anew for each try. A piece is whole until the next is asked for, and the last until it is written. */
export interface ObjectContent {
  readonly size: number
  /** The MD5 that it is to have, which the store compares. */
  readonly md5?: Buffer | undefined
  /** Without an MD5, they fail at the end with the code `BrokenContent` when they are not what they are to be. */
  pieces(): AsyncIterable<Buffer>
}

/** How objects get into a store through this machine. */
export interface Writing {
  /**
   * Writes an object, whole or not at all, in the place of what is there; `fields` as those of PutObject. `lastModified` is kept where a store
   * can. Fails with the code `BrokenContent` when the content is longer, shorter or other than it is to be, or the store says that it has other
   * bytes. May be repeated. Answers its ETag.
   */
  write(key: string, content: ObjectContent, fields: HeaderFields, lastModified: string): Promise<string>
}

/** What a rename rests on. */
interface RenameWish {
  /** Full, in the same bucket. */
  readonly from: string
  /** Relative to the store. */
  readonly key: string
  /** Only while the object has this ETag. */
  readonly etag: string
  /** Whether what has the new name already is replaced. */
  readonly replaces: boolean
  /** The same for all tries of one rename, and for no other. */
  readonly token: string
}

/** How objects of a store get other names, without a copy. */
export interface Renaming {
  /**
   * RenameObject: gives an object another name within its bucket, at once; all else of it stays, the ETag too. May be repeated with one token. An object that
   * is not there is an error of severity `skip`; one of code `PreconditionFailed` where the object has another ETag, or the name is taken.
   */
  rename(wish: RenameWish): Promise<void>
}

/** An object to be removed. */
export interface Removal {
  readonly key: string
  /** This version; else the current one, in place of which a store with versions puts a delete marker. */
  readonly version?: string | undefined
  /** Only while it has this ETag, where the store can tell. */
  readonly etag?: string | undefined
  /**
   * Asked right before each request that would name it, also before one that is sent again: false leaves it out, and then nothing is wrong with
   * it. Its requests are sent once: a rejection is that of the object.
   */
  readonly look?: (() => Promise<boolean>) | undefined
}

/** The lock of an object. */
interface ObjectLock {
  readonly mode: string
  /** As the store wrote it. */
  readonly until: string
}

/** The parts that an object was sent in. */
interface SentParts {
  readonly count: number
  /** Bytes of the first. */
  readonly first: number
}

/** All that a store tells of an object, for a person. `version` names one that is not the current one. */
export interface Describing {
  /** What HEAD says of the object, in its order and not of the connection. An object that is gone is an error of severity `skip`. */
  fields(key: string, version?: string): Promise<HeaderFields>
  /** Undefined where it was sent as a whole, or the store does not tell. */
  readonly parts?: ((key: string, version?: string) => Promise<SentParts | undefined>) | undefined
  /** Undefined where there is none, or the store knows of none. */
  readonly retention?: ((key: string, version?: string) => Promise<ObjectLock | undefined>) | undefined
  /** `ON` or `OFF`. */
  readonly legalHold?: ((key: string, version?: string) => Promise<string | undefined>) | undefined
}

/** How objects of a store are removed. */
export interface Removing {
  /** At most 1,000. What is not there counts as removed. Answers, in their order, an error for each that was not. */
  remove(objects: readonly Removal[]): Promise<readonly (StorageError | undefined)[]>
}

/** How archived objects are brought back. */
export interface Restoring {
  /**
   * Asks for a copy of the content for so many days; without days for the content itself, which the archive tiers of INTELLIGENT_TIERING give
   * back for good. Answers whether that begins with it: one that is under way, or done, is no error.
   */
  restore(
    key: string,
    wanted: { readonly days: number | undefined; readonly tier: Restore['tier'] },
    version?: string,
  ): Promise<boolean>
}

/** An annotation as the listing of those of its object shows it. */
export interface AnnotationSummary {
  readonly name: string
  /** In bytes. */
  readonly size: number
  /** Without the quotes; an MD5 where the object is not encrypted with KMS. '' when the store does not tell. */
  readonly etag: string
}

/** Annotations: texts of up to 1 MiB, attached to an object by names, of which neither HEAD nor a listing of objects tells. */
export interface Annotating {
  /** Whether objects of the store can have some, once `list` has found that out. */
  readonly known: () => boolean | undefined

  /** Those of an object, in any order; none where the store knows of none. */
  list(key: string, version?: string): Promise<readonly AnnotationSummary[]>

  /** The text of one; undefined where the object has none of the name. */
  read(key: string, name: string, version?: string): Promise<Buffer | undefined>

  /**
   * Gives an object an annotation, in the place of one of its name, while its ETag is `etag`; else an error of code `PreconditionFailed`. May be
   * repeated. Only to be called where annotations are `known`: another store would take the text for the content of the object.
   */
  write(key: string, name: string, text: Buffer, etag: string): Promise<void>
}

/** How the operations of a store are tried again. */
interface Tries {
  /** The same store, with each request sent once. */
  readonly once: Storage
  /** Does `work` again, from its beginning, as long as its error may pass. */
  again<T>(work: () => Promise<T>): Promise<T>
}

/**
 * A bucket and a prefix, or a folder of the local disk. Keys are relative to the prefix; that is all the renaming there is.
 * Each method fails with a `StorageError` whose severity says what that means for the run. What a store cannot do is absent.
 */
export interface Storage {
  readonly place: Place

  /** The server that it is on, as people know it: host and port. Absent for a folder. */
  readonly host?: string | undefined

  /** It is known to honour conditions on writes and removals: `If-None-Match`, the ETag of a removal. Another may ignore them. */
  readonly conditional?: boolean | undefined

  /** Objects may be manifests of Swift's API, which a copy inside the store would copy as such. AWS has none. */
  readonly manifests?: boolean | undefined

  /** The first page of objects after `from`. A page that is not in byte order is an error that stops the run. */
  list(from: ListFrom): Promise<Page>

  /**
   * The listing as it comes, where that has no order: of a directory bucket, whose `list` answers only what needs none: the first objects, `limit` of them,
   * and whether there is an object of one key (`within`, `limit` 1).
   */
  readonly unordered?: Unordered | undefined

  /** Absent where `list` costs no more. */
  readonly levels?: Levels | undefined

  readonly reading: Reading
  readonly describing?: Describing | undefined

  /** What is no object in the folder of a key and in those above it: objects that it stands for may be missing there. Only folders have such. */
  readonly notKeysAbove?: ((key: string) => Promise<readonly ObjectSummary[]>) | undefined

  /**
   * Makes the object `key` of this store equal to the object of the same name in `source`, without its bytes passing
   * through this machine: content, headers, user metadata, tags and storage class; not the ACL. It replaces what is there and may be
   * repeated. A source object that is gone is an error of severity `skip`. Answers the ETag of the copy.
   */
  readonly copyFrom?: ((source: Storage, object: ObjectSummary, wish?: CopyWish) => Promise<string>) | undefined

  readonly uploading?: Uploading | undefined
  readonly rewriting?: Rewriting | undefined
  readonly writing?: Writing | undefined
  /** Present for a directory bucket. */
  readonly renaming?: Renaming | undefined
  readonly removing?: Removing | undefined
  readonly versions?: Versions | undefined
  readonly restoring?: Restoring | undefined
  readonly annotating?: Annotating | undefined

  /** Where operations are tried again: how several of them are, as one. */
  readonly tries?: Tries | undefined

  /** The time of the store's own clock, in milliseconds since 1970, as far as its answers tell; never ahead of it by more than this machine is. */
  readonly clock?: (() => number) | undefined
}

type Operations<Part> = {
  readonly [Name in keyof Part as NonNullable<Part[Name]> extends Operation ? Name : never]-?: string
}

type Operation = (...given: never[]) => Promise<unknown>

/** What of a store is no operation. */
export const FACTS = ['place', 'host', 'conditional', 'manifests', 'clock', 'tries'] as const

/** The S3 operation of each method of a store. */
export const OPERATIONS: {
  readonly [Member in Exclude<keyof Storage, (typeof FACTS)[number] | 'notKeysAbove'>]-?: NonNullable<
    Storage[Member]
  > extends Operation
    ? string
    : Operations<NonNullable<Storage[Member]>>
} = {
  list: 'ListObjectsV2',
  unordered: { list: 'ListObjectsV2' },
  levels: { list: 'ListObjectsV2' },
  copyFrom: 'CopyObject',
  reading: {
    ...{ head: 'HeadObject', tagging: 'GetObjectTagging', grants: 'GetObjectAcl', acl: 'GetObjectAcl' },
    ...{ hidesLock: 'GetObjectRetention', digest: 'GetObject', open: 'GetObject', read: 'GetObject' },
  },
  describing: {
    ...{ fields: 'HeadObject', parts: 'HeadObject', retention: 'GetObjectRetention', legalHold: 'GetObjectLegalHold' },
  },
  uploading: {
    ...{ begin: 'CreateMultipartUpload', copyPart: 'UploadPartCopy', sendPart: 'UploadPart', streamPart: 'UploadPart' },
    ...{ parts: 'ListParts', complete: 'CompleteMultipartUpload', abort: 'AbortMultipartUpload' },
  },
  rewriting: {
    ...{ retag: 'PutObjectTagging', untag: 'DeleteObjectTagging', updateEncryption: 'UpdateObjectEncryption' },
    rewrite: 'CopyObject',
  },
  writing: { write: 'PutObject' },
  renaming: { rename: 'RenameObject' },
  removing: { remove: 'DeleteObjects' },
  versions: { list: 'ListObjectVersions' },
  restoring: { restore: 'RestoreObject' },
  annotating: { list: 'ListObjectAnnotations', read: 'GetObjectAnnotation', write: 'PutObjectAnnotation' },
}

/** The part of a store that does what an operation needs. A store that lacks it was to be refused before. */
export function able<T>(part: T | undefined, what: string): T {
  if (part === undefined) throw new Error(`the store cannot ${what}`)
  return part
}

/** Software of stores that have Swift's API beside that of S3. */
export type Software = 'Swift' | 'Ceph'

/** What the settings of a bucket mean for its objects. */
export interface BucketTraits {
  /** Whether objects have access control lists of their own; undefined when the store does not tell. */
  readonly acls: boolean | undefined
  /** Whether a write keeps what it replaces; undefined when the store does not tell. */
  readonly versioned: boolean | undefined
  /** It keeps those that it has, and none of what is written since its versioning was suspended. */
  readonly suspended?: true
  /** Whether objects can be locked (Object Lock); undefined when the store does not tell, or was not asked. */
  readonly locks?: boolean | undefined
  /** How whatever is written is locked by itself, such as `COMPLIANCE for 30 days`. Absent where it is not, or that is not known. */
  readonly defaultRetention?: string | undefined
  /** Versions can only be deleted with a second factor (MFA Delete). */
  readonly mfaDelete?: true
}
