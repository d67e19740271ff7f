import type { Readable } from 'node:stream'
import { UserError } from '../errors.js'
import type { Connection } from '../job/connection.js'
import { placeUrl, type Place } from '../job/place.js'
import { backendOf } from './backends.js'
import type { RetryPolicy } from './retry.js'

/** One object that is written as a stream: all of it or nothing, in the place of what has its name. */
export interface ObjectUpload {
  /**
   * Writes the object, and answers its ETag without the quotes; nothing of it is left in the store when that fails. Rejects with a `StorageError`, with whatever `begun` does, or, once
   * `signal` is aborted, with any error. A stream is read no further then, but not closed.
   */
  send(body: Readable, options: SendOptions): Promise<string>
  /** Drops what `begun` told of, in this process or before; what is no more is no error. */
  abort(id: string): Promise<void>
  close(): void
}

/** How an object is written. */
export interface SendOptions {
  /** In bytes, where it is known. */
  readonly size?: number
  readonly contentType: string | undefined
  /** Told the id of an upload in parts before its first part is sent, and waited for. */
  readonly begun?: (id: string) => Promise<void>
  readonly signal: AbortSignal
}

/** How such an object is reached. */
export interface UploadOptions {
  readonly connection: Connection
  readonly policy: RetryPolicy
  /** Told what a person should know. */
  readonly warn: (message: string) => void
}

/** Opens an object, whose whole key is the prefix of `place`, to be written. That it may not be written is a `UserError`, by a request that writes nothing. */
export async function openObjectUpload(place: Place, options: UploadOptions): Promise<ObjectUpload> {
  const { upload } = backendOf(place)
  if (upload === undefined) throw new UserError(`${placeUrl(place)} is no object`, 'write s3://bucket/key')
  return await upload(place, options)
}
