import type { Place } from '../job/place.js'

/** A field of a request: its name in lower case, and its value. */
export type RequestField = readonly [name: string, value: string]

/** An object that was read whole. */
interface ReadObject {
  readonly bytes: Buffer
  /** Without the quotes. */
  readonly etag: string
}

/** The objects below a prefix of a bucket, in which a run is kept. Keys are relative to it. What fails rejects with a `StorageError`. */
export interface RunObjects {
  readonly place: Place
  /** Undefined where there is none. Tried again. */
  read(key: string): Promise<ReadObject | undefined>
  /** Writes an object in one request, sent once. Answers its ETag, without the quotes. */
  write(key: string, bytes: Buffer, fields: readonly RequestField[]): Promise<string>
  /** What is not there counts as removed. Tried again. */
  remove(keys: readonly string[]): Promise<void>
  /** The keys that begin with `within`. */
  names(within: string): AsyncIterable<string>
  /** Does `work` again, from its beginning, as long as its error may pass and that does not take too long. */
  again<T>(work: () => Promise<T>): Promise<T>
}
