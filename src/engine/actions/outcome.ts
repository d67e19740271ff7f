import { StorageError } from '../../errors.js'
import type { Failure, Outcome } from '../../job/outcome.js'
import type { ObjectSummary, Storage } from '../../storage/storage.js'

/**
 * What the error of a storage operation means for its object: an outcome, or undefined when the run is ending and nothing can be said.
 * What ends the run is thrown on.
 */
export function outcomeOf(error: unknown, prefix: string, object: ObjectSummary): Outcome | undefined {
  if (!(error instanceof StorageError)) throw error
  switch (error.severity) {
    case 'skip':
      return { kind: 'skipped', reason: 'gone' }
    case 'fail-object':
    case 'later':
      return failed(prefix, object, error)
    case 'retry':
    case 'throttle':
      // Only thrown while the run is ending: nobody tries it again now.
      return undefined
    case 'stop-run':
      throw error
  }
}

/** The answer, or undefined when the object is gone. */
export async function unlessGone<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof StorageError && error.severity === 'skip') return undefined
    throw error
  }
}

function told({ size, etag, storageClass, lastModified }: ObjectSummary) {
  return { size, etag, storageClass, lastModified }
}

/** Whether there is an object of the name. */
export async function exists({ reading }: Storage, key: string): Promise<boolean> {
  try {
    return (await unlessGone(reading.head(key))) !== undefined
  } catch (error) {
    // It cannot be looked at without its key, but it is there.
    if (error instanceof StorageError && error.code === 'SSE-C') return true
    throw error
  }
}

/** The outcome of what was not asked for. */
export const FILTERED: Outcome = { kind: 'skipped', reason: 'filtered' }

/** The code of a write that found its name taken, and was to replace nothing. */
export const TAKEN = 'DestinationExists'

/** How S3 refuses to read what is archived; the second is that of the archive tiers of INTELLIGENT_TIERING. */
const OF_ARCHIVES: ReadonlySet<string> = new Set(['InvalidObjectState', 'ObjectNotInActiveTierError'])

/** Whether an object was refused because its content is archived. Its class alone does not tell: it may be restored, or be only a name. */
export function isArchived({ code }: Pick<Failure, 'code'>): boolean {
  return OF_ARCHIVES.has(code)
}

/** What is known of a failure beside its object. */
export type Cause = Pick<Failure, 'code' | 'message'> &
  Partial<Pick<StorageError, 'status' | 'requestId' | 'attempts' | 'operation' | 'severity'>>

/** The outcome of an object that failed. */
export function failed(prefix: string, object: ObjectSummary, cause: Cause): Extract<Outcome, { kind: 'failed' }> {
  const failure: Failure = {
    key: prefix + object.key,
    ...(object.version === undefined ? {} : { version: object.version }),
    ...(object.etag === '' ? {} : told(object)),
    operation: cause.operation ?? 'CopyObject',
    ...(cause.status === undefined ? {} : { status: cause.status }),
    code: cause.code,
    message: cause.message,
    ...(cause.requestId === undefined ? {} : { requestId: cause.requestId }),
    // Refused without a request: none was sent.
    attempts: cause.attempts ?? 0,
    time: new Date().toISOString(),
  }
  return cause.severity === 'later' ? { kind: 'failed', failure, later: true } : { kind: 'failed', failure }
}
