import { StorageError } from '../errors.js'
import type { CopyJob, Failure, Outcome } from '../job.js'
import type { ObjectSummary, Storage } from '../storage/storage.js'
import { named, type Named } from '../work/named.js'
import type { Act } from './lane.js'

/** The largest object that one CopyObject request may copy. */
export const COPY_LIMIT = 5 * 1024 ** 3

const COPIED: Outcome = { kind: 'copied' }

/** Decides, without any request, what will not be copied and why; undefined for the objects to copy. */
export function refusal(job: CopyJob, object: ObjectSummary): Outcome | undefined {
  const { source, destination } = job
  if (object.size > COPY_LIMIT) {
    return failed(source.prefix, object, {
      code: 'EntityTooLarge',
      message: `the object has ${object.size} bytes, and a copy in one request is limited to 5 GiB (${COPY_LIMIT} bytes)`,
    })
  }
  const target = destination.prefix + object.key
  if (target === '') {
    // A folder marker says only that its folder exists, and the destination is the folder here.
    return object.size === 0
      ? { kind: 'skipped', reason: 'prefix-marker' }
      : failed(source.prefix, object, {
          code: 'NoNameLeft',
          message: 'the object is named like the source prefix, so nothing is left for its name at the destination',
        })
  }
  if (source.bucket === destination.bucket && target.startsWith(source.prefix)) {
    return failed(source.prefix, object, {
      code: 'OverlapsSource',
      message: 'the copy would lie inside the source prefix, where it may replace an object that is still to be copied',
    })
  }
  return undefined
}

/** The action of `copy` on one object. */
export function copying(job: CopyJob, source: Storage, destination: Storage): Act {
  return async (object) => {
    const refused = refusal(job, object)
    if (refused !== undefined) return refused
    try {
      await destination.copyFrom(source, object)
      return COPIED
    } catch (error) {
      return outcomeOf(error, job.source.prefix, object)
    }
  }
}

/**
 * What the error of a storage operation means for its object: an outcome, or undefined when the run is ending and nothing can be said.
 * What ends the run is thrown on.
 */
export function outcomeOf(error: unknown, prefix: string, object: Named): Outcome | undefined {
  if (!(error instanceof StorageError)) throw error
  switch (error.severity) {
    case 'skip':
      return { kind: 'skipped', reason: 'gone' }
    case 'fail-object':
      return failed(prefix, object, error)
    case 'retry':
    case 'throttle':
      // Only thrown while the run is ending: nobody tries it again now.
      return undefined
    case 'stop-run':
      throw error
  }
}

/** What is known of a failure beside its object. */
export type Cause = Pick<Failure, 'code' | 'message'> &
  Partial<Pick<StorageError, 'status' | 'requestId' | 'attempts' | 'operation'>>

/** The outcome of an object that failed. */
export function failed(prefix: string, object: Named, cause: Cause): Outcome {
  const failure: Failure = {
    ...named(prefix + object.key, object),
    operation: cause.operation ?? 'CopyObject',
    ...(cause.status === undefined ? {} : { status: cause.status }),
    code: cause.code,
    message: cause.message,
    ...(cause.requestId === undefined ? {} : { requestId: cause.requestId }),
    // Refused without a request: none was sent.
    attempts: cause.attempts ?? 0,
    time: new Date().toISOString(),
  }
  return { kind: 'failed', failure }
}
