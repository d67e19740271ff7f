import { isAborted, sleep } from '../abort.js'
import { StorageError } from '../errors.js'
import { around, type Wrap } from './around.js'
import { blamesObject } from './error-codes.js'
import type { SetAside, Trouble } from './set-aside.js'
import { OPERATIONS, type Removal, type Removing, type Storage } from './storage.js'

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

/** Counts what another meter has counted. */
export function addMeter(meter: Meter, gain: Meter): void {
  meter.throttled += gain.throttled
  meter.retried += gain.retried
  for (const [operation, count] of Object.entries(gain.requests)) {
    meter.requests[operation] = (meter.requests[operation] ?? 0) + count
  }
}

/** Feels how much the store bears: whoever paces requests. */
export interface Pressure {
  /** The store did as it was asked. */
  granted(): void
  /** The store refused a request because there were too many. */
  refused(): void
  /** Such a request is to be sent again. Answers in how many milliseconds, at the earliest. */
  again(): number
}

/**
 * A store with its retries, as one who wants to feel its pressure sees it. With `setAside` what it sets aside fails with severity `later`; without,
 * everything is tried again on the spot.
 */
export type StoreFor = (pressure?: Pressure, setAside?: SetAside) => Storage

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
 * answer came or the operation is on the bucket, else `fail-object`. What `setAside` says is the object's own trouble is thrown earlier, as `later`.
 */
export function retrying(
  store: Storage,
  policy: RetryPolicy,
  meter: Meter,
  pressure?: Pressure,
  setAside?: SetAside,
): Storage {
  const trying: Wrap = (operation, send) => withRetries(operation, send, policy, meter, pressure, setAside)
  const once: Wrap = (operation, send) => {
    count(meter, operation)
    return setAside === undefined ? send() : toldOf(send(), operation, setAside)
  }
  return {
    ...everyOperation(store, trying, setAside),
    tries: {
      once: everyOperation(store, once),
      // Its requests are counted one by one.
      again: (work) => withRetries(undefined, work, policy, meter, pressure, setAside),
    },
  }
}

async function toldOf<T>(sent: Promise<T>, operation: string, setAside: SetAside): Promise<T> {
  const answer = await sent
  setAside.succeeded(operation)
  return answer
}

function everyOperation(store: Storage, trying: Wrap, setAside?: SetAside): Storage {
  const { removing } = store
  return {
    ...around(store, trying),
    ...(removing === undefined ? {} : { removing: persistent(removing, trying, setAside) }),
  }
}

// An answer to DeleteObjects tells of each object, and what may pass for one is tried again for that one alone.
function persistent(removing: Removing, trying: Wrap, setAside: SetAside | undefined): Removing {
  const remove = async (objects: readonly Removal[]): Promise<(StorageError | undefined)[]> => {
    const errors: (StorageError | undefined)[] = objects.map(() => undefined)
    let left = [...objects.keys()]
    let unsettled: StorageError | undefined
    let attempts = 0
    let trouble: Trouble | undefined
    let since = 0
    const attempt = async (): Promise<void> => {
      attempts++
      unsettled = undefined
      const asked = left
      const answers = await removing.remove(asked.flatMap((index) => objects[index] ?? []))
      for (const [at, index] of asked.entries()) errors[index] = answers[at]
      left = asked.filter((_, at) => maySucceed(answers[at]))
      unsettled = answers.find(maySucceed)
      if (unsettled !== undefined && attempts === 1) {
        trouble = setAside?.failing(OF_ONE)
        since = performance.now()
      }
      // With what the same requests removed the others are compared.
      if (asked.length > left.length) setAside?.succeeded(OF_ONE, asked.length - left.length)
      if (unsettled === undefined) return
      const isSetAside = trouble?.isSetAside(attempts, performance.now() - since) === true
      throw isSetAside ? unsettled.with({ severity: 'later' }) : unsettled
    }
    try {
      await trying(OF_MANY, attempt)
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      if (unsettled !== undefined) {
        for (const index of left) errors[index] = judged(errors[index], error)
        return errors
      }
      // Of the request as a whole, or of what a person must mend.
      if (error.severity !== 'later') throw error
      // One of the objects may be why all are refused.
      const middle = left.length >>> 1
      for (const half of [left.slice(0, middle), left.slice(middle)]) {
        const answers =
          middle === 0 ? half.map(() => error) : await remove(half.flatMap((index) => objects[index] ?? []))
        for (const [at, index] of half.entries()) errors[index] = answers[at]
      }
    }
    return errors
  }
  return { remove }
}

// What is said of an object by its own error, with the verdict of whoever tried again.
function judged(error: StorageError | undefined, { severity, attempts }: StorageError): StorageError | undefined {
  const verdict = error?.with({ severity })
  if (verdict !== undefined) verdict.attempts = attempts
  return verdict
}

function maySucceed(error: StorageError | undefined): boolean {
  return error?.severity === 'retry' || error?.severity === 'throttle'
}

/** The request that is about many objects. */
const OF_MANY = OPERATIONS.removing.remove
/** One of the objects of such a request. */
const OF_ONE = 'DeleteObjects: object'

/** Runs `send` as `retrying` does, for an operation that is not of `Storage`; without a name its tries are not counted as requests. */
export function withRetries<T>(
  operation: string | undefined,
  send: () => Promise<T>,
  policy: RetryPolicy,
  meter: Meter,
  pressure?: Pressure,
  setAside?: SetAside,
): Promise<T> {
  count(meter, operation)
  // Nearly every operation succeeds at once, and then costs no more than this.
  return send().then(
    (answer) => {
      pressure?.granted()
      if (operation !== undefined) setAside?.succeeded(operation)
      return answer
    },
    (error: unknown) => persist(error, operation, send, policy, meter, pressure, setAside),
  )
}

async function persist<T>(
  error: unknown,
  operation: string | undefined,
  send: () => Promise<T>,
  policy: RetryPolicy,
  meter: Meter,
  pressure: Pressure | undefined,
  setAside: SetAside | undefined,
): Promise<T> {
  const since = performance.now()
  let trouble: Trouble | undefined
  for (let attempt = 1; ; attempt++) {
    if (!(error instanceof StorageError)) throw error
    error.attempts = attempt
    const throttled = error.severity === 'throttle'
    const mayPass = throttled || error.severity === 'retry'
    if (attempt === 1 && mayPass) trouble = setAside?.failing(operation ?? error.operation)
    if (throttled) {
      meter.throttled++
      if (trouble?.isAlone(attempt) !== true) pressure?.refused()
    }
    if (!mayPass || isAborted(policy.giveUp)) throw error
    if (
      (blamesObject(error) || operation === OF_MANY) &&
      trouble?.isSetAside(attempt, performance.now() - since) === true
    ) {
      throw error.with({ severity: 'later' })
    }
    const backoff = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1)) * (policy.random ?? Math.random)()
    const pause = throttled ? Math.max(backoff, pressure?.again() ?? 0) : backoff
    if (performance.now() + pause - since > policy.retryFor) throw exhausted(error)
    await sleep(pause, policy.giveUp)
    // It was not cured and will not be tried again here, which is no verdict on the object.
    if (isAborted(policy.giveUp)) throw error
    meter.retried++
    count(meter, operation)
    try {
      const answer = await send()
      pressure?.granted()
      if (operation !== undefined) setAside?.succeeded(operation)
      return answer
    } catch (again) {
      error = again
    }
  }
}

function count(meter: Meter, operation: string | undefined): void {
  if (operation === undefined) return
  meter.requests[operation] = (meter.requests[operation] ?? 0) + 1
}

function exhausted(error: StorageError): StorageError {
  return error.with({ severity: error.status !== undefined && blamesObject(error) ? 'fail-object' : 'stop-run' })
}
