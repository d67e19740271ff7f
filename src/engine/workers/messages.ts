import { StorageError, UserError, type StorageErrorDetails } from '../../errors.js'
import type { Throttle } from '../../job/events.js'
import type { RunSettings } from '../../job/pace.js'
import type { Side } from '../../job/place.js'
import type { Notice } from '../../storage/notice.js'
import type { StoreDescriptor } from '../../storage/backend.js'
import type { Meter } from '../../storage/retry.js'
import type { Credentials, Renewal } from '../../storage/credential-source.js'
import type { Cursor, RangeAnswer, RangeRequest } from '../../sources/ranges/remote-ranges.js'
import type { Refusals } from '../lanes/pacer.js'
import type { Task } from './worker-pool.js'

/** A store that a thread opens for itself, with what it needs and is never stored. */
export type StoreForThread = StoreDescriptor & { readonly credentials: Credentials | undefined }

/** What a thread is to do. */
export interface ThreadStart {
  readonly type: 'start'
  readonly task: Task
  readonly source: StoreForThread
  readonly destination: StoreForThread | undefined
  readonly settings: RunSettings
}

/** What a thread is told. */
export type ToThread =
  | ThreadStart
  | RangeAnswer
  /** A delivery was taken in. */
  | { readonly type: 'settled' }
  | { readonly type: 'drain' }
  /** For a `Gate`. */
  | { readonly type: 'gate'; readonly action: 'pause' | 'resume' }
  | { readonly type: 'probe'; readonly count: number }
  | { readonly type: 'credentials'; readonly side: Side; readonly current: Credentials }
  | { readonly type: 'refreshed'; readonly side: Side; readonly renewal: Renewal }

/** What a thread tells. */
export type FromThread =
  | RangeRequest
  | { readonly type: 'delivery'; readonly cursors: readonly Cursor[]; readonly product: unknown }
  /** What the meter has counted since the last time. */
  | {
      readonly type: 'pulse'
      readonly meter: Meter
      readonly inFlight: number
      readonly held: Throttle | undefined
      readonly refused: Refusals | undefined
    }
  | { readonly type: 'refresh'; readonly side: Side }
  /** Of a folder. */
  | { readonly type: 'notice'; readonly notice: Notice }
  | { readonly type: 'failed'; readonly error: ErrorImage }
  | { readonly type: 'ended' }

/** An error as it crosses between threads. */
export type ErrorImage =
  | {
      readonly kind: 'storage'
      readonly message: string
      readonly details: StorageErrorDetails
      readonly attempts: number
    }
  | { readonly kind: 'user'; readonly message: string; readonly hint: string | undefined }
  | { readonly kind: 'defect'; readonly message: string; readonly stack: string | undefined }

/** The image of an error. */
export function toImage(error: unknown): ErrorImage {
  if (error instanceof StorageError) {
    const { message, details, attempts } = error
    return { kind: 'storage', message, details, attempts }
  }
  if (error instanceof UserError) return { kind: 'user', message: error.message, hint: error.hint }
  if (error instanceof Error) return { kind: 'defect', message: error.message, stack: error.stack }
  return { kind: 'defect', message: String(error), stack: undefined }
}

/** The error of an image. */
export function fromImage(image: ErrorImage): Error {
  switch (image.kind) {
    case 'storage': {
      const error = new StorageError(image.message, image.details)
      error.attempts = image.attempts
      return error
    }
    case 'user':
      return new UserError(image.message, image.hint)
    case 'defect': {
      const error = new Error(image.message)
      if (image.stack !== undefined) error.stack = image.stack
      return error
    }
  }
}
