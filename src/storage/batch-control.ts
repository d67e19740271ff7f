import { UserError } from '../errors.js'
import type { Connection } from '../job/connection.js'
import { placeUrl, type Place } from '../job/place.js'
import { backendOf } from './backends.js'
import type { RetryPolicy } from './retry.js'
import type { HeaderFields } from './storage.js'

/** An object, and the ETag that proves which one it is. */
interface BatchManifest extends Place {
  readonly etag: string
}

/** What a job changes of each object: it copies it, or gives it these tags in place of its own. */
export type BatchChange =
  { readonly copy: BatchCopy } | { readonly tags: readonly (readonly [name: string, value: string])[] }

/** What a job does to each object. */
export type BatchTask = BatchChange | { readonly checksum: BatchChecksum }

/** A Batch Operations job that does something to what its manifest names. */
export type BatchRequest = RequestedJob & BatchTask

interface RequestedJob {
  /** The same for the same job: asked again, it is made once. At most 64 characters. */
  readonly token: string
  /** At most 256 characters. */
  readonly description: string
  /** The ARN of the role that it has. */
  readonly role: string
  /** CSV without a header: bucket and URL-encoded key, and of checksums what S3 is to ignore. The prefix is the whole key. */
  readonly manifest: BatchManifest
  /** Where its report goes: below `PREFIX/job-ID/`. Of checksums it is of all objects, else of those that failed. */
  readonly report: Place
}

/** That a job computes the checksum of all bytes of each object, however many parts it was written in, and tells it in its report. */
export interface BatchChecksum {
  /** As `CHECKSUM_ALGORITHMS` has it. */
  readonly algorithm: string
  /** The account that the bucket of the report must belong to. */
  readonly reportOwner: string
}

/** What a job makes of each object; what is absent is as CopyObject has it: metadata and tags are those of the object. */
export interface BatchCopy {
  /** The bucket of the copies; their names are those of the objects, with `prefix` put in front. */
  readonly destination: Place
  readonly storageClass: string | undefined
  readonly acl?: string | undefined
  readonly checksumAlgorithm?: string | undefined
  /** In place of all metadata: header fields as CopyObject takes them, names in lower case. */
  readonly fields?: HeaderFields | undefined
  /** ISO 8601: objects that were written later fail. */
  readonly unmodifiedSince?: string | undefined
  /** In place of the tags of the objects. */
  readonly tags?: readonly (readonly [key: string, value: string])[] | undefined
}

/** A job as it is now. */
export interface BatchView {
  readonly id: string
  /** As S3 has it: New, Preparing, Suspended, Ready, Active, …. */
  readonly status: string
  readonly tasks: number
  readonly succeeded: number
  readonly failed: number
  /** Why it failed, code and sentence each. */
  readonly reasons: readonly string[]
}

/** The jobs of S3 Batch Operations of one account in one region. Each rejects with a `StorageError`, and is tried again where that may help. */
export interface BatchControl {
  /** Makes a job that waits for `start`. Answers its id. */
  create(request: BatchRequest): Promise<string>
  describe(id: string): Promise<BatchView>
  /** The ids of the jobs of these descriptions, by description. */
  find(descriptions: ReadonlySet<string>): Promise<ReadonlyMap<string, string>>
  /** Starts a job that is suspended. */
  start(id: string): Promise<void>
  /** Ends a job that has not ended; what it has copied stays. */
  cancel(id: string): Promise<void>
  close(): void
}

/** How jobs are reached. */
export interface BatchOptions {
  /** That of the destination, whose region jobs belong to. */
  readonly connection: Connection
  /** 12 digits. */
  readonly account: string
  readonly policy: RetryPolicy
  /** Told what a person should know. */
  readonly warn: (message: string) => void
}

/** Opens the jobs whose copies go to `place`. Asks nothing yet. */
export async function openBatchControl(place: Place, options: BatchOptions): Promise<BatchControl> {
  const { batch } = backendOf(place)
  if (batch === undefined) {
    throw new UserError(
      `${placeUrl(place)} is no bucket, and S3 Batch Operations knows only buckets`,
      'use s3move copy',
    )
  }
  return await batch(place, options)
}
