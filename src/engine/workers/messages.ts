import { StorageError, UserError, type StorageErrorDetails } from '../../errors.js'
import type { Throttle } from '../../job/events.js'
import type { RunSettings } from '../../job/pace.js'
import type { Notice } from '../../storage/notice.js'
import type { StoreDescriptor } from '../../storage/backend.js'
import type { Meter } from '../../storage/retry.js'
import type { Credentials, Renewal } from '../../storage/credential-source.js'
import type { Cursor, RangeAnswer, RangeRequest } from '../../sources/ranges/remote-ranges.js'
import type { Refusals } from '../lanes/pacer.js'
import type { Task } from './worker-pool.js'

/** A store that a thread opens for itself, with what it needs and is never stored. */
export type StoreForThread = StoreDescriptor & { readonly credentials: Credentials | undefined }

/** What a thread opens: the sides of the job, and the store of the inventory that names its objects. */
export const STORES = ['source', 'destination', 'inventory'] as const

/** One of these. */
export type StoreRole = (typeof STORES)[number]

/** What a thread is to do. */
export interface ThreadStart {
  readonly type: 'start'
  readonly task: Task
  readonly source: StoreForThread
  readonly destination: StoreForThread | undefined
  readonly inventory: StoreForThread | undefined
  readonly settings: RunSettings
  /** How long what is settled may wait to be sent, in milliseconds, where that is not the thread's own affair. */
  readonly flushEvery: number | undefined
}

/** What a hand is told once it has a task, wherever it is. */
export type ToHand =
  | RangeAnswer
  /** A delivery was taken in. */
  | { readonly type: 'settled' }
  | { readonly type: 'drain' }
  /** For a `Gate`. */
  | { readonly type: 'gate'; readonly action: 'pause' | 'resume' }
  | { readonly type: 'probe'; readonly count: number }

/** What a thread is told. */
export type ToThread =
  | ThreadStart
  | ToHand
  | { readonly type: 'credentials'; readonly side: StoreRole; readonly current: Credentials }
  | { readonly type: 'refreshed'; readonly side: StoreRole; readonly renewal: Renewal }

/** What a hand tells. */
export type FromHand =
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
  /** Of a folder. */
  | { readonly type: 'notice'; readonly notice: Notice }
  | { readonly type: 'failed'; readonly error: ErrorImage }
  | { readonly type: 'ended' }

/** What a thread tells. */
export type FromThread = FromHand | { readonly type: 'refresh'; readonly side: StoreRole }

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
