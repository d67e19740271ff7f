import type { AnswerTime, TimedRequests } from './timed-requests.js'
import type { HeaderFields, Storage } from './storage.js'

/** How long a request that writes took; its bytes are those that were sent. */
export interface WriteTime extends AnswerTime {
  /** Without the quotes; '' where the store does not tell. */
  readonly etag: string
  /** The version that it made, where the store keeps versions and tells. */
  readonly version?: string
}

/** Content, and its MD5. */
export interface SentContent {
  readonly bytes: Buffer
  readonly md5: Buffer
}

/** Requests that write to a bucket, are sent once, and timed. Each fails with a `StorageError`. Keys are relative to the place. */
export interface TimedWrites {
  put(key: string, content: SentContent, fields?: HeaderFields): Promise<WriteTime>
  copy(from: string, key: string, fields?: HeaderFields): Promise<WriteTime>
  /** Begins an upload in parts, which is billed until it is completed or aborted. */
  begin(key: string): Promise<AnswerTime & { readonly upload: string }>
  /** Sends the first part of an upload. */
  part(key: string, upload: string, content: SentContent): Promise<WriteTime>
  /** Makes the object of its first part alone. */
  complete(key: string, upload: string, etag: string, fields?: HeaderFields): Promise<WriteTime>
  abort(key: string, upload: string): Promise<AnswerTime>
  /** Removes one version, or what has no versions. */
  remove(key: string, version: string | undefined, fields?: HeaderFields): Promise<AnswerTime>
}

/** An upload in parts that is neither completed nor aborted. */
export interface OpenUpload {
  readonly key: string
  readonly upload: string
  /** ISO 8601, or '' where the store does not tell. */
  readonly began: string
}

/** Another place of a bucket that is open, to be written to and measured. */
export interface MeasuredPlace {
  /** With retries. */
  readonly store: Storage
  readonly reads: TimedRequests
  readonly writes: TimedWrites
  /** Those of the place, with retries. */
  openUploads(): Promise<readonly OpenUpload[]>
  close(): void
}
