import type { UserError } from '../errors.js'
import type { Connection } from '../job/connection.js'
import type { Finding } from '../job/finding.js'
import type { WriteJob } from '../job/kinds.js'
import type { AskedSettings, RunSettings } from '../job/pace.js'
import type { FolderIdentity, Place, Side } from '../job/place.js'
import type { BatchControl, BatchOptions } from './batch-control.js'
import type { CredentialSource } from './credential-source.js'
import type { DataFiles } from './data-files.js'
import type { ExamineOptions } from './examination.js'
import type { Notice } from './notice.js'
import type { ObjectUpload, UploadOptions } from './object-upload.js'
import type { OpenOptions } from './open.js'
import type { Meter, RetryPolicy, StoreFor } from './retry.js'
import type { TimedRequests } from './timed-requests.js'
import type { MeasuredPlace } from './timed-writes.js'
import type { BucketTraits, Page, Software, Storage } from './storage.js'

/** A kind of store: all that the rest of the program knows of it, beside what is a `Storage`. */
export interface Backend {
  /** What a place of it is called: `a folder`. */
  readonly called: string
  opens(place: Place): boolean
  /** What can be asked of copies and its places do not have. */
  readonly refused: readonly RefusedFlag[]
  /** Whether a file of this machine, which need not be there yet, would be an object of a place. */
  readonly holds?: (place: Place, path: string) => Promise<boolean>
  /** Begins to open those sides of a job that are places of it. */
  open(sides: Sides, options: OpenOptions, tools: OpeningTools): Promise<Opening>
  /** Where the one object is that a place names by its whole key, or path. What cannot be told is a `UserError`. */
  locate(place: Place): Promise<ObjectLocation>
  /** What `examination` finds out about sides that are places of it. */
  examine(sides: Sides, options: ExamineOptions): Promise<readonly Finding[]>
  /** Opens an object to be written as a stream; absent where there are none. */
  readonly upload?: (place: Place, options: UploadOptions) => Promise<ObjectUpload>
  /** Opens the Batch Operations jobs whose copies go to a place; absent where there are none. */
  readonly batch?: (place: Place, options: BatchOptions) => Promise<BatchControl>
  /** Loads what opens a store again by its descriptor, in another thread. */
  loadStores(): Promise<FromDescriptor>
}

/** An object, and the place to open for it. */
export interface ObjectLocation {
  readonly place: Place
  /** Relative to the place. */
  readonly key: string
}

/** A flag for what places of a backend do not have. */
export interface RefusedFlag {
  readonly flag: string
  readonly side: Side
  readonly isAsked: (job: WriteJob) => boolean
}

/** Sides of a job. */
export interface Sides {
  readonly source?: Place | undefined
  readonly destination?: Place | undefined
}

/** What those share who open a store. */
export interface OpeningTools {
  readonly policy: RetryPolicy
  /** For first requests: a person waits for them. */
  readonly patience: RetryPolicy
  readonly meter: Meter
  readonly notice: (notice: Notice) => void
}

/** Sides of a job on their way to be opened. */
export interface Opening {
  /** Asks the place something harmless. The source comes first. What is wrong is a `UserError`. */
  open(side: Side, place: Place): Promise<OpenStore>
  /** What both sides are to each other, once they are open. */
  pair(): Promise<Pick<RunSettings, 'streamed' | 'distinctBuckets'>>
  /** Whether the destination allows still what it allowed then, as far as that can be told. */
  stillAllowed(): Promise<boolean>
  /** The connection asked for, completed by what was found out. */
  completed(connection: Connection): Connection
  close(): void
}

/** A place that answered, with retries built in. */
export interface OpenStore {
  readonly store: Storage
  /** The same for one who wants to feel its pressure. */
  readonly storeFor: StoreFor
  readonly route: StoreDescriptor
  readonly credentials: CredentialSource | undefined
  /** The first page of a source, as it was listed to see whether it can be. */
  readonly first?: Page | undefined
  /** Which folder a source is; absent where it is a bucket. */
  readonly folder?: FolderIdentity
  /** Why nothing can be written to it, though it could be opened. */
  readonly unwritable?: UserError | undefined
  /** Whose software it is, where that has Swift's API as well. */
  readonly software?: Software | undefined
  /** What its bucket's settings mean; whether objects can be locked only where `locks` are asked for. */
  traits(locks?: boolean): Promise<BucketTraits>
  /** Whether objects that are written there can have tags; undefined where that is not known. */
  keepsTags(): Promise<boolean | undefined>
  /** Whether objects there can have annotations; undefined where that is not known yet. */
  readonly keepsAnnotations: boolean | undefined
  /** Requests to a bucket that are sent once and timed. Absent for a folder. */
  readonly timed?: TimedRequests
  /** Opens another place of the bucket, to be written to and measured. Absent for a folder. */
  readonly beside?: (prefix: string, policy: RetryPolicy) => MeasuredPlace
}

/** Files that are objects of a store. */
export interface StoredFiles extends DataFiles {
  readonly store: OpenStore
}

/**
 * How a store is opened once it is known where it is; what it holds beside its place, only its backend knows. Plain data, to be sent between threads;
 * keys in it are secrets and never stored.
 */
export interface StoreDescriptor {
  readonly place: Place
}

/** Opens a store, without asking it anything. `notice` is told of what a person should know of it; after `stop` what is read is not waited for. */
export type FromDescriptor = (
  descriptor: StoreDescriptor,
  credentials: Pick<CredentialSource, 'current' | 'refresh'>,
  settings: AskedSettings,
  notice: (notice: Notice) => void,
  stop: AbortSignal,
) => Storage
