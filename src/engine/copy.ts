import type { CopyJob, Outcome } from '../job.js'
import { able, type ObjectSummary } from '../storage/storage.js'
import { failed, outcomeOf } from './act.js'
import type { Ways } from './acts.js'
import type { Act } from './lane.js'

/** The largest object that one CopyObject request may copy. */
export const COPY_LIMIT = 5 * 1024 ** 3

const COPIED: Outcome = { kind: 'copied' }

/** Decides, without any request, what will not be copied and why; undefined for the objects to copy. */
export function refusal(
  job: CopyJob,
  object: ObjectSummary,
  { through = false, apart = false }: Partial<Ways> = {},
): Outcome | undefined {
  const { source, destination } = job
  if (object.size > COPY_LIMIT && !through) {
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
  if (!apart && source.bucket === destination.bucket && target.startsWith(source.prefix)) {
    return failed(source.prefix, object, {
      code: 'OverlapsSource',
      message: 'the copy would lie inside the source prefix, where it may replace an object that is still to be copied',
    })
  }
  return undefined
}

/** The action of `copy` on one object. */
export function copying(job: CopyJob, { source, destination }: Ways): Act {
  const copyFrom = able(destination.copyFrom, 'copy')
  return async (object) => {
    try {
      await copyFrom(source, object)
      return COPIED
    } catch (error) {
      return outcomeOf(error, job.source.prefix, object)
    }
  }
}
