import { isAbsolute } from 'node:path'
import { printable } from './keys.js'

/**
 * A bucket and a prefix in it. The prefix is a string as in the S3 API, not a folder; it may be empty.
 * On the local disk the bucket is the absolute path of a folder, and the prefix is empty.
 */
export interface Place {
  readonly bucket: string
  readonly prefix: string
}

/** Whether a place is a folder of the local disk. No bucket has a name that is an absolute path. */
export function isFolder({ bucket }: Pick<Place, 'bucket'>): boolean {
  return isAbsolute(bucket)
}

/** Which folder it was that a run works on. */
export interface FolderIdentity {
  /**
   * How keys are names below it:
   * - `literal`: as they are; a folder that somebody else made
   * - `exact`: what no file system or terminal bears is encoded
   * - `folded`: so is what a file system changes, or holds to be equal: capitals, all that is not ASCII, what Windows forbids
   */
  readonly names: 'literal' | 'exact' | 'folded'
  /** The numbers of its device and of itself, in decimal digits: they may be beyond 2^53. */
  readonly device: string
  readonly inode: string
}

/**
 * A place as people write it, fit to be shown: `s3://bucket/prefix`, `file:///folder`. It is that of an object where `prefix` is the full key, and
 * that of all of a bucket without.
 */
export function placeUrl(place: Pick<Place, 'bucket'> & { readonly prefix?: string | undefined }): string {
  const { bucket, prefix } = place
  const within = prefix === undefined || (isFolder(place) && prefix === '') ? '' : `/${prefix}`
  return printable(`${isFolder(place) ? 'file' : 's3'}://${bucket}${within}`)
}

/** How one side is reached. */
export interface EndConnection {
  readonly endpointUrl?: string
  readonly region?: string
  readonly profile?: string
  readonly pathStyle?: boolean
  readonly noSignRequest?: boolean
  /** The account that the bucket must belong to. */
  readonly expectedOwner?: string
}

/** How the stores are reached. Kept in the checkpoint so that `resume` needs only the folder; it holds no secrets. */
export interface Connection extends EndConnection {
  /** Where one side is reached in another way. */
  readonly source?: EndConnection
  readonly destination?: EndConnection
  readonly requestPayer?: boolean
  /** Path of a file of PEM certificates to trust instead of the system's. */
  readonly caBundle?: string
  readonly noVerifySsl?: boolean
  /** How long a connection may take to be established, and how long a server may stay silent, in milliseconds. */
  readonly connectTimeout?: number
  readonly readTimeout?: number
  /** Bytes a second at which content must come, on average over `readTimeout`; 0 for as few as may be. */
  readonly minRate?: number
}

/** The two sides of a job. */
export type Side = 'source' | 'destination'

/** How one side is reached, all told. */
export function connectionOf({ source, destination, ...both }: Connection, side: Side): Connection {
  return { ...both, ...(side === 'source' ? source : destination) }
}

/** Something of an object beside its content that a copy may keep. */
export type Trait = 'acl' | 'encryption' | 'lock' | 'metadata' | 'redirect' | 'storage-class' | 'tags'

/** What copies are to have that their sources do not, or are to keep or lose against S3's habit. */
export interface Attributes {
  /** Kept beside what S3 keeps by itself: metadata, storage class, tags. */
  readonly preserve?: readonly Trait[]
  /** Not kept though S3 would keep it. */
  readonly drop?: readonly Trait[]
  readonly storageClass?: string
  /** A canned access control list. */
  readonly acl?: string
  /** `AES256`, `aws:kms` or `aws:kms:dsse`. */
  readonly encryption?: string
  readonly kmsKeyId?: string
  readonly bucketKey?: boolean
  readonly checksumAlgorithm?: string
  /** Tags for all, as a value of `x-amz-tagging`. */
  readonly tagging?: string
  /** Headers and user metadata to be set, by lower-case name, and to be taken away; the others stay. */
  readonly set?: readonly (readonly [name: string, value: string])[]
  readonly remove?: readonly string[]
  /** Absolute paths of the files with the keys of the customer's (SSE-C); the keys themselves are never stored. */
  readonly sourceKeyFile?: string
  readonly keyFile?: string
}

/** Which objects a job is for: all for which every condition that is there holds. Plain data, kept in the checkpoint. */
export interface Selection {
  /** On keys relative to the source prefix. The last that matches decides, as in the AWS CLI; what none matches is in. */
  readonly globs?: readonly (readonly [verdict: 'include' | 'exclude', glob: string])[]
  /** RE2's syntax, searched in the relative key; all must be found. */
  readonly regex?: readonly string[]
  /** Least and largest size, in bytes. */
  readonly minSize?: number
  readonly maxSize?: number
  /** ISO 8601: last modified at this moment or later, and before this moment. */
  readonly modifiedSince?: string
  readonly modifiedBefore?: string
  /** One of these, in capitals or not. */
  readonly storageClasses?: readonly string[]
  /** Full keys: those after `after`, which is not among them, up to `until`, which is. */
  readonly after?: string
  readonly until?: string
}

/** Where a job finds the names of its objects instead of in a listing. */
export interface KeyList {
  /** An absolute path. */
  readonly file: string
  /**
   * - `keys`: one raw key a line, so no key with a line feed, or a carriage return at its end
   * - `ndjson`: one JSON object with a `key` a line
   * - `csv`: with a header, or bucket, key and perhaps version with keys URL-encoded
   * - `inventory`: the `manifest.json` of an S3 Inventory in CSV
   */
  readonly format: 'keys' | 'ndjson' | 'csv' | 'inventory'
  /** What separates the fields of `csv`; a comma when absent. */
  readonly delimiter?: string
  /**
   * How the text of `keys` and `csv` is escaped:
   * - `double`: a quote in quotes is written twice, as RFC 4180 has it; lines of `keys` are as they are
   * - `backslash`: as MySQL and PostgreSQL do it
   *
   * Absent means what a survey finds in a job that was not begun yet, and `double` afterwards.
   */
  readonly escape?: 'double' | 'backslash'
  /** Where a backslash escapes, quotes are characters like others. */
  readonly rawQuotes?: boolean
  /** The column of `csv` that has the keys, by its name in the header, or where there is none by its number, from 1. */
  readonly column?: string | number
}

/** What all jobs have that make objects at `destination` of those at `source`. */
interface Transfer {
  readonly source: Place
  readonly destination: Place
  readonly attributes?: Attributes
  /** Wanted size of the parts of large objects, in bytes. */
  readonly partSize?: number
  readonly select?: Selection
  /** Have archived objects restored; else they are passed over. */
  readonly restore?: Restore
}

/** For how many days the content of archived objects is to be there, and how fast it is to come. */
export interface Restore {
  readonly days: number
  readonly tier: 'standard' | 'bulk' | 'expedited'
}

/** Copy every object below `source` to `destination`, the source's prefix replaced by the destination's. */
export interface CopyJob extends Transfer {
  readonly kind: 'copy'
  readonly list?: KeyList
  /** `s/regex/replacement/`: what copies are called, one after the other, relative to the prefixes. */
  readonly map?: readonly string[]
  /** Each object with all of its versions, in their order, and not only as it is now. */
  readonly versions?: boolean
  /** Replace nothing: what the destination has under the name is left as it is. */
  readonly noClobber?: boolean
}

/** How `sync` tells whether a copy is needed: by what the listings tell of the content, by size alone, or by Last-Modified alone. */
export type SyncBy = 'content' | 'size' | 'time'

/** Copy to `destination` what is missing there or different. */
export interface SyncJob extends Transfer {
  readonly kind: 'sync'
  readonly by: SyncBy
  /** As that of a `DeleteJob`, on both sides. */
  readonly prefixAs?: 'folder'
  /** Delete what only the destination has, if these are no more than so many. */
  readonly delete?: { readonly most?: number }
}

/** Copy every object below `source` to `destination`, and delete each at the source once its copy is proven. */
export interface RelocateJob extends Transfer {
  readonly kind: 'move'
  /** As that of a `DeleteJob`. */
  readonly prefixAs?: 'folder'
  readonly list?: KeyList
  readonly map?: readonly string[]
}

/** Which objects a rule is for. Every condition that is there must hold; of a list, one of its items. */
export interface ObjectMatch {
  /** Globs on the full key. */
  readonly key?: readonly string[]
  readonly contentType?: readonly string[]
  readonly storageClass?: readonly string[]
  /** Least and largest size, in bytes. */
  readonly minSize?: number
  readonly maxSize?: number
  /** ISO 8601: last modified at this moment or later, and before this moment. */
  readonly modifiedSince?: string
  readonly modifiedBefore?: string
  /** Headers that are there with a value that the glob matches. */
  readonly has?: readonly (readonly [name: string, glob: string])[]
  /** Headers that are not there. */
  readonly lacks?: readonly string[]
}

/** What to change on the objects that it matches. Headers by lower-case name; user metadata is `x-amz-meta-NAME`. */
export interface HeaderRule {
  readonly match?: ObjectMatch
  readonly set: readonly (readonly [name: string, value: string])[]
  readonly remove: readonly string[]
  /** Set only what is not there. */
  readonly ifUnset?: boolean
}

/** Change headers of every object below `source`, in place. */
export interface SetHeadersJob {
  readonly kind: 'set-headers'
  readonly source: Place
  readonly list?: KeyList
  /** The first that matches an object is applied; an object that none matches is skipped. */
  readonly rules: readonly HeaderRule[]
  /** Set Content-Type by the key's extension: where it is missing or says nothing, or everywhere. */
  readonly guess?: 'missing' | 'always'
  /** Change folder markers too: empty objects whose key ends in a slash. */
  readonly folderMarkers: boolean
  /** Access control lists: `preserve` them, let S3 `reset` them, or a canned list for all; absent where the bucket has none. */
  readonly acl?: string
}

/** Delete every object below `source`. */
export interface DeleteJob {
  readonly kind: 'delete'
  readonly source: Place
  /**
   * The prefix has no slash at its end and is the name of an object or of a folder: keys that go on with anything but a slash are left alone. Else
   * it is text, and stands for all keys that begin with it.
   */
  readonly prefixAs?: 'folder'
  readonly list?: KeyList
  readonly select?: Selection
  /** Each object with all of its versions and delete markers, so that nothing is left of it. */
  readonly versions?: boolean
}

/** A job that changes objects. */
export type WriteJob = CopyJob | SetHeadersJob | DeleteJob | SyncJob | RelocateJob

/** The list that names the objects of a job, if there is one. */
export function listOf(job: WriteJob): KeyList | undefined {
  return job.kind === 'sync' ? undefined : job.list
}

/** The job with its list read in another way. */
export function withList(job: WriteJob, list: KeyList): WriteJob {
  return job.kind === 'sync' ? job : { ...job, list }
}

/** How keys are written by `ls`. */
export type LineFormat = 'text' | 'json' | 'csv'

/** Write every key below `source`, with what a listing tells of it. */
export interface LsJob {
  readonly kind: 'ls'
  readonly source: Place
  readonly format: LineFormat
  /** In byte order; else as they come. */
  readonly sorted: boolean
  /** The file to write, an absolute path; standard output when absent. */
  readonly to?: string
}

/** How the result of `du` is told. */
export interface DuReport {
  readonly format: 'text' | 'json' | 'csv'
  readonly dates: 'year' | 'month' | 'day'
}

/** Count the objects below `source` and their bytes, by several traits. */
export interface DuJob {
  readonly kind: 'du'
  readonly source: Place
  /** By how many folder levels; 0: not by folder. */
  readonly depth: number
  readonly report: DuReport
}

/** Compare the objects below `source` with those of the same names below `destination`. */
export interface VerifyJob {
  readonly kind: 'verify'
  readonly source: Place
  readonly destination: Place
  /** Headers, metadata and tags too. */
  readonly deep: boolean
  /** Read the content of both. */
  readonly bytes: boolean
  /** Copy what is missing or different. */
  readonly fix: boolean
  /** Tell also of objects of which only the size could be compared. */
  readonly verbose: boolean
  /** Access control lists too. */
  readonly acl?: boolean
  /** The file to write the differences to, an absolute path; standard output when absent. */
  readonly to?: string
}

/**
 * How two objects of a name compare: `same-size` when no content was compared, `missing` at the destination, `extra` there,
 * `unknown` when they could not be looked at.
 */
export type Likeness = 'same' | 'same-size' | 'different' | 'missing' | 'extra' | 'unknown'

/** How many names had which likeness, and how many of these differences were mended since. */
export type Likenesses = Readonly<Record<Likeness | 'fixed', number>>

/** Likenesses of nothing. */
export const NO_LIKENESSES: Likenesses = {
  ...{ same: 0, 'same-size': 0, different: 0, missing: 0, extra: 0, unknown: 0, fixed: 0 },
}

/** The sum of two. */
export function addLikenesses(a: Likenesses, b: Likenesses): Likenesses {
  return {
    same: a.same + b.same,
    'same-size': a['same-size'] + b['same-size'],
    different: a.different + b.different,
    missing: a.missing + b.missing,
    extra: a.extra + b.extra,
    unknown: a.unknown + b.unknown,
    fixed: a.fixed + b.fixed,
  }
}

/** Names that differ, or may: all but those that are the same, have the same size, or were mended. */
export function differing({ different, missing, extra, unknown, fixed }: Likenesses): number {
  return different + missing + extra + unknown - fixed
}

/** A job whose result is what was read. */
export type ScanJob = LsJob | DuJob | VerifyJob

/** What is to be done. Fixed for a run: a checkpoint belongs to one job. */
export type MoveJob = WriteJob | ScanJob

/** How fast it is to be done, and how much failure is borne. Free to change on resume. */
export interface Pace {
  /** Objects in flight at once. */
  readonly concurrency: number
  /** Ranges listed at once. */
  readonly lanes: number
  /** Worker threads; absent for as many as the machine and the rest of the pace can use. */
  readonly threads?: number
  /** Stop the run when more objects than this have failed. */
  readonly maxErrors?: number
  /** How long what may pass is tried again before it counts as failed, in milliseconds. */
  readonly retryFor?: number
  /** Most bytes of content that may pass through this machine each way, a second. */
  readonly bandwidth?: number
  /** An object that a look shows to lack what it was to have is a failure, and the end of the session; else it is only told. */
  readonly onLoss?: 'fail'
}

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

/** The code of objects that would get one name. Only another `--map` can help, so they are not tried again: one by one they would replace each other. */
export const NAMES_COLLIDE = 'NamesCollide'

/** An object that waits for its turn because it is too large for one request, as written to a ledger: one JSON object a line. */
export type LargeObject = Required<Pick<Failure, 'key' | 'size' | 'etag' | 'lastModified' | 'storageClass'>>

/**
 * An object that is to be deleted as soon as that is on the disk: one line of `moved.ndjson` (with the copy that was proven), or of
 * `extra.ndjson`. No secrets.
 */
export interface Departure {
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
  /** Copied to its destination or, where headers are set, onto itself; with the ETag that it has there, where one was told; and what of it was copied, where the listing showed only a manifest. */
  | { readonly kind: 'copied'; readonly etag?: string; readonly manifest?: ContentOfManifest }
  | { readonly kind: 'deleted' }
  /** It has an outcome only once it is deleted. */
  | { readonly kind: 'leaving'; readonly departure: Departure }
  | { readonly kind: 'skipped'; readonly reason: SkipReason }
  /** With `later` it is none yet: the trouble may pass, and the object is to be set aside and tried again. */
  | { readonly kind: 'failed'; readonly failure: Failure; readonly later?: boolean }

/** An object that was set aside to be tried again, as written to a ledger: its latest failure. */
export interface WaitingObject extends Failure {
  /** The ETag of its copy, where only its deletion is still to be done. */
  readonly copy?: string
}

/** In place of an outcome: the object goes into a ledger of those that are done apart, as it is large, or as it is to be tried again. */
export type Deferral =
  | { readonly kind: 'deferred'; readonly object: LargeObject }
  | { readonly kind: 'waiting'; readonly object: WaitingObject }

/** Objects settled so far, each counted once however often a run was resumed. */
export interface Totals {
  /** Copied, rewritten where headers are set, or moved. */
  copied: number
  /** Bytes of the objects copied. */
  bytes: number
  /** Absent when none was deleted. */
  deleted?: number
  /** Bytes of the objects deleted. */
  freed?: number
  skipped: Partial<Record<SkipReason, number>>
  /** By error code. */
  failed: Record<string, number>
}

/** Totals of a run that has done nothing yet. */
export function noTotals(): Totals {
  return { copied: 0, bytes: 0, skipped: {}, failed: {} }
}

/** Objects that the totals count: copied, deleted, skipped or failed. */
export function settled(totals: Readonly<Totals>): number {
  return totals.copied + (totals.deleted ?? 0) + sum(totals.skipped) + sum(totals.failed)
}

/** The sum of counts by name, such as `totals.skipped`. */
export function sum(counts: Readonly<Record<string, number | undefined>>): number {
  let total = 0
  for (const count of Object.values(counts)) total += count ?? 0
  return total
}

/** Lanes that are held back at one moment, because the store refuses more. */
export interface Throttle {
  readonly lanes: number
  /** Objects a second that these may begin, together. */
  readonly rate: number
  /** What the keys have in common that they are at. */
  readonly prefix: string
}

/** Objects that failed while others succeeded, and are tried again. */
export interface Waiting {
  readonly objects: number
  /** By status and code of their first failure, such as `500 InternalError`. */
  readonly errors: Readonly<Record<string, number>>
}

/** Numbers of a run at one moment, for progress. Times in milliseconds. */
export interface Snapshot {
  readonly totals: Readonly<Totals>
  /** Keys seen in listings so far, those of earlier sessions included. */
  readonly listed: number
  /** Whether all of the keyspace has been listed, so that `listed` is the total. */
  readonly listingEnded: boolean
  /** Objects being worked on now. */
  readonly inFlight: number
  /** Large objects: how many of these are being copied in parts, and how many wait for that; absent when there are none. */
  readonly large?: { readonly underWay: number; readonly waiting: number } | undefined
  /** Objects that were set aside to be tried again; absent when there are none. */
  readonly waiting?: Waiting | undefined
  /** Answers of this session that asked for fewer requests (503 SlowDown and the like). */
  readonly throttled: number
  /** What is held back for it now; absent when nothing is. */
  readonly held?: Throttle | undefined
  /** The code that nearly every object failed of, while nothing more is begun for that. */
  readonly paused?: string
  /** Requests sent again in this session, throttled ones included. */
  readonly retried: number
  /** Requests sent in this session, by S3 operation. */
  readonly requests: Readonly<Record<string, number>>
  /** Objects settled in this session, for rates. */
  readonly settledHere: number
  /** How long this session has run. */
  readonly elapsed: number
}

/** What an object is called that a job has done. */
export type DoneWord = 'copied' | 'rewritten' | 'deleted' | 'moved'

/** What happened in a run, told as it happens. The engine emits events, commands draw them. */
export type MoveEvent =
  | {
      readonly type: 'start'
      readonly job: MoveJob
      readonly checkpoint: string
      readonly resumed: boolean
      readonly pace: Pace
    }
  /** What an object is going to be called: full keys, and in a folder relative ones. */
  | { readonly type: 'example'; readonly key: string; readonly to: string }
  | { readonly type: 'note'; readonly level: 'info' | 'warning'; readonly message: string }
  | { readonly type: 'progress'; readonly snapshot: Snapshot }
  | { readonly type: 'failed'; readonly failure: Failure }
  /** It failed while others succeeded, and is tried again. */
  | { readonly type: 'waiting'; readonly failure: Failure }
  /** Only such objects are left, which are tried again until then (ISO 8601) at the latest. */
  | { readonly type: 'only-waiting'; readonly waiting: Waiting; readonly until: string }
  | { readonly type: 'skipped'; readonly key: string; readonly reason: SkipReason }
  | { readonly type: DoneWord; readonly key: string; readonly bytes: number }
  | { readonly type: 'stopping'; readonly reason: string }
  | {
      readonly type: 'summary'
      readonly end: 'finished' | 'interrupted' | 'stopped'
      readonly snapshot: Snapshot
      readonly checkpoint: string
      readonly ledger: string
      /** Why it stopped, when it did not finish by itself. */
      readonly reason?: string
      readonly hint?: string
    }
