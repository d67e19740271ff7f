/** Why an object was passed over on purpose. */
export type SkipReason =
  /** It was listed, and deleted before its turn. */
  | 'gone'
  /** The folder marker named exactly like the source prefix: nothing of its name is left at the destination. */
  | 'prefix-marker'
  /** Everything is as it was asked for. */
  | 'unchanged'
  /** No rule is for it. */
  | 'no-rule'
  /** Its content is archived, and must be restored before it can be rewritten. */
  | 'archived'
  /** It is encrypted with a key of the customer's. */
  | 'sse-c'
  /** It is locked in compliance mode. */
  | 'locked'
  /** It is locked by Object Lock, in whatever way. */
  | 'object-lock'
  /** It is not encrypted by the store, and can only be by a rewrite. */
  | 'unencrypted'
  /** It is encrypted twice (DSSE-KMS), and can only be otherwise by a rewrite. */
  | 'dsse-kms'
  /** What is wanted takes a rewrite. */
  | 'needs-rewrite'
  /** It only marks a folder. */
  | 'folder-marker'
  /** It is in the folder that is read, and is no object and can be none: a link, a FIFO, a name that is not UTF-8. */
  | 'NotAKey'
  /** Only the destination has it. */
  | 'extra'
  /** Only the destination had it when it was listed, and now the source has it too. */
  | 'appeared'
  /** It is not among the objects that were asked for. */
  | 'filtered'
  /** Its key begins with the prefix, and is not in the folder of that name. */
  | 'outside-folder'
  /** The destination has an object of its name, and nothing is to be replaced. */
  | 'exists'
  /** Somebody else has written it at the destination since, and it is newer than the source's, or the source has none. */
  | 'newer'

/** An object that could not be done, as written to the failure ledger: one JSON object a line. No secrets. */
export interface Failure {
  /** Full key in the source bucket. */
  readonly key: string
  /** Where a list named it; where all versions of an object are copied, the one that failed: older ones are there. */
  readonly version?: string
  /** These four are absent where nobody has told them: a list named the object, and it could not be looked at. */
  readonly size?: number
  readonly etag?: string
  readonly storageClass?: string
  /** ISO 8601. */
  readonly lastModified?: string
  readonly operation: string
  readonly status?: number
  readonly code: string
  readonly message: string
  readonly requestId?: string
  /** How often the request was sent; 0 when it was known beforehand that it cannot succeed. */
  readonly attempts: number
  /** When it was given up, ISO 8601. */
  readonly time: string
}

/** The code of a failure that time cures: the object is archived, and is being restored. */
export const RESTORE_REQUESTED = 'RestoreRequested'

/** The code of what S3 Batch Operations cannot copy: s3move does it itself when the jobs have ended. */
export const NOT_FOR_BATCH = 'NotForBatch'

/** The code of objects that would get one name. Only another `--map` can help, so they are not tried again: one by one they would replace each other. */
export const NAMES_COLLIDE = 'NamesCollide'

/** An object that waits for its turn because it is too large for one request, as written to a ledger: one JSON object a line. */
export type LargeObject = Required<Pick<Failure, 'key' | 'size' | 'etag' | 'lastModified' | 'storageClass'>>

/**
 * An object that is to be deleted as soon as that is on the disk: one line of `moved.ndjson` (with the copy that was proven), or of
 * `extra.ndjson`. No secrets.
 */
export interface DeferredDelete {
  /** Full key in the bucket in which it is to be deleted. */
  readonly key: string
  readonly size: number
  /** Deleted only while it has this ETag. */
  readonly etag: string
  /** ISO 8601. */
  readonly lastModified: string
  /** Absent for STANDARD. */
  readonly storageClass?: string
  /** The ETag of its copy. */
  readonly copy?: string
}

/** The content to which a large object of Swift's API points, as HEAD told it. */
type ContentOfManifest = Required<Pick<Failure, 'size' | 'etag' | 'lastModified'>>

/** What became of one object. */
export type Outcome =
  /** Copied to its destination or, where headers or tags are set, changed in place; with the ETag that it has there, where one was told; and what of it was copied, where the listing showed only a manifest. */
  | { readonly kind: 'copied'; readonly etag?: string; readonly manifest?: ContentOfManifest }
  | { readonly kind: 'deleted' }
  /** It has an outcome only once it is deleted. */
  | { readonly kind: 'delete-deferred'; readonly deferredDelete: DeferredDelete }
  | { readonly kind: 'skipped'; readonly reason: SkipReason }
  /** With `later` it is none yet: the trouble may pass, and the object is to be set aside and tried again. With `restoring` S3 has begun to restore it, and bills that. */
  | { readonly kind: 'failed'; readonly failure: Failure; readonly later?: boolean; readonly restoring?: true }

/** An object that was set aside to be tried again, as written to a ledger: its latest failure. */
export interface WaitingObject extends Failure {
  /** The ETag of its copy, where only its deletion is still to be done. */
  readonly copy?: string
}

/** In place of an outcome: the object goes into a ledger of those that are done apart, as it is large, or as it is to be tried again. */
export type Deferral =
  | { readonly kind: 'deferred'; readonly object: LargeObject }
  | { readonly kind: 'waiting'; readonly object: WaitingObject }
