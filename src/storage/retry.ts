import { StorageError } from '../errors.js'
import type { Rewriting, Storage } from './storage.js'

/** Counts what a store was asked and how it took it. Shared by the stores of a run. */
export interface Meter {
  /** Requests sent, by operation. */
  readonly requests: Record<string, number>
  /** Answers that asked for fewer requests. */
  throttled: number
  /** Requests sent again. */
  retried: number
}

/** A meter at zero. */
export function createMeter(): Meter {
  return { requests: {}, throttled: 0, retried: 0 }
}

/** How stubborn to be. */
export interface RetryPolicy {
  /** How long one operation is tried again, in milliseconds after its first failure. */
  readonly retryFor: number
  /** When aborted, nothing is tried again and waits end at once: the last error is thrown. */
  readonly giveUp: AbortSignal
  /** A number in [0, 1) for the jitter. */
  readonly random?: () => number
}

/** First and longest pause between two tries, in milliseconds, before jitter. */
const FIRST_PAUSE = 100
const LONGEST_PAUSE = 20_000

/**
 * The same store, with every operation tried again while its error is `retry` or `throttle`: capped exponential
 * backoff with full jitter (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/), until
 * `policy.retryFor` is over. What is thrown then can no longer be cured by trying: its severity is `stop-run` where no
 * answer came or the operation is on the bucket, else `fail-object`.
 */
export function retrying(store: Storage, policy: RetryPolicy, meter: Meter): Storage {
  return {
    place: store.place,
    list: (from) => withRetries('ListObjectsV2', () => store.list(from), policy, meter),
    copyFrom: (source, object) => withRetries('CopyObject', () => store.copyFrom(source, object), policy, meter),
    ...(store.rewriting === undefined ? {} : { rewriting: retryingRewriting(store.rewriting, policy, meter) }),
  }
}

function retryingRewriting(rewriting: Rewriting, policy: RetryPolicy, meter: Meter): Rewriting {
  return {
    bucket: rewriting.bucket,
    dropsTags: rewriting.dropsTags,
    head: (key) => withRetries('HeadObject', () => rewriting.head(key), policy, meter),
    tagging: (key) => withRetries('GetObjectTagging', () => rewriting.tagging(key), policy, meter),
    digest: (key, object) => withRetries('GetObject', () => rewriting.digest(key, object), policy, meter),
    retag: (key, tagging) => withRetries('PutObjectTagging', () => rewriting.retag(key, tagging), policy, meter),
    grants: (key) => withRetries('GetObjectAcl', () => rewriting.grants(key), policy, meter),
    rewrite: (object, etag, fields) =>
      withRetries('CopyObject', () => rewriting.rewrite(object, etag, fields), policy, meter),
    beginParts: (key, fields) =>
      withRetries('CreateMultipartUpload', () => rewriting.beginParts(key, fields), policy, meter),
    copyPart: (object, etag, part) =>
      withRetries('UploadPartCopy', () => rewriting.copyPart(object, etag, part), policy, meter),
    completeParts: (key, etag, upload, parts) =>
      withRetries('CompleteMultipartUpload', () => rewriting.completeParts(key, etag, upload, parts), policy, meter),
    abortParts: (key, upload) =>
      withRetries('AbortMultipartUpload', () => rewriting.abortParts(key, upload), policy, meter),
  }
}

/** Runs `send` as `retrying` does, for an operation that is not of `Storage`. */
export function withRetries<T>(
  operation: string,
  send: () => Promise<T>,
  policy: RetryPolicy,
  meter: Meter,
): Promise<T> {
  count(meter, operation)
  // Nearly every operation succeeds at once, and then costs no more than this.
  return send().catch((error: unknown) => persist(error, operation, send, policy, meter))
}

async function persist<T>(
  error: unknown,
  operation: string,
  send: () => Promise<T>,
  policy: RetryPolicy,
  meter: Meter,
): Promise<T> {
  const since = performance.now()
  for (let attempt = 1; ; attempt++) {
    if (!(error instanceof StorageError)) throw error
    error.attempts = attempt
    if (error.severity === 'throttle') meter.throttled++
    if (error.severity !== 'retry' && error.severity !== 'throttle') throw error
    if (isAborted(policy.giveUp)) throw error
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1)) * (policy.random ?? Math.random)()
    if (performance.now() + pause - since > policy.retryFor) throw exhausted(error)
    await sleep(pause, policy.giveUp)
    // It was not cured and will not be tried again here, which is no verdict on the object.
    if (isAborted(policy.giveUp)) throw error
    meter.retried++
    count(meter, operation)
    try {
      return await send()
    } catch (again) {
      error = again
    }
  }
}

function count(meter: Meter, operation: string): void {
  meter.requests[operation] = (meter.requests[operation] ?? 0) + 1
}

function exhausted(error: StorageError): StorageError {
  return error.withSeverity(error.status === undefined || error.key === undefined ? 'stop-run' : 'fail-object')
}

// A call, because the compiler takes a property for unchanged over an await.
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted
}

function sleep(ms: number, until: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer)
      until.removeEventListener('abort', wake)
      resolve()
    }
    const timer = setTimeout(wake, ms)
    until.addEventListener('abort', wake)
  })
}
