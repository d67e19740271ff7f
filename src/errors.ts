/**
 * A mistake that the person at the keyboard can mend: bad usage, a missing bucket, a broken checkpoint.
 * Shown as one line (`message`), then `hint` as the next thing to do; never with a stack trace. Exit code 2.
 */
export class UserError extends Error {
  override readonly name = 'UserError'

  constructor(
    message: string,
    readonly hint?: string,
  ) {
    super(message)
  }
}

/** What affects every object ended the work when it had begun. Shown as a `UserError`, and as one it may be mended; exit code 4. */
export class StoppedError extends UserError {}

/**
 * What an error of a storage operation means for the run, decided once, in storage:
 * - `skip`: nothing to do for this object (it is gone), which is a stated reason and no failure
 * - `retry`: transient; the same request may succeed
 * - `throttle`: as `retry`, and the store asks for fewer requests
 * - `later`: as `retry`, but the trouble is this object's own, as others succeed: it is set aside and tried again apart from them
 * - `fail-object`: this object cannot succeed; it belongs in the failure ledger
 * - `stop-run`: no object can succeed until a person changes something
 */
export type Severity = 'skip' | 'retry' | 'throttle' | 'later' | 'fail-object' | 'stop-run'

/** Where and how a storage operation failed; `code` is the store's own word, or the connection's (`ECONNRESET`). */
export interface StorageErrorDetails {
  readonly severity: Severity
  readonly code: string
  readonly operation: string
  readonly bucket: string
  /** Full key in the bucket, absent for operations on the bucket. */
  readonly key?: string | undefined
  /** HTTP status, absent when no answer came. */
  readonly status?: number | undefined
  readonly requestId?: string | undefined
  /** What a person can do about it. */
  readonly hint?: string | undefined
  /** The region in which the store says the bucket lives. */
  readonly region?: string | undefined
}

/** A storage operation that failed. `message` is the store's sentence; whoever shows it must escape it. */
export class StorageError extends Error {
  override readonly name = 'StorageError'
  readonly severity: Severity
  readonly code: string
  readonly operation: string
  readonly bucket: string
  readonly key: string | undefined
  readonly status: number | undefined
  readonly requestId: string | undefined
  readonly hint: string | undefined
  readonly region: string | undefined
  /** How often the request was sent, counted by whoever retries. */
  attempts = 1

  constructor(message: string, details: StorageErrorDetails, options?: ErrorOptions) {
    super(message, options)
    this.severity = details.severity
    this.code = details.code
    this.operation = details.operation
    this.bucket = details.bucket
    this.key = details.key
    this.status = details.status
    this.requestId = details.requestId
    this.hint = details.hint
    this.region = details.region
  }

  get details(): StorageErrorDetails {
    const { severity, code, operation, bucket, key, status, requestId, hint, region } = this
    return { severity, code, operation, bucket, key, status, requestId, hint, region }
  }

  /** The same error, judged or told in another way. */
  with({
    message = this.message,
    ...changed
  }: Partial<StorageErrorDetails> & { readonly message?: string }): StorageError {
    const error = new StorageError(message, { ...this.details, ...changed }, { cause: this })
    error.attempts = this.attempts
    return error
  }
}
