import type { ObjectHead } from '../storage/storage.js'
import type { Named } from '../work/named.js'
import { outcomeOf } from './act.js'
import type { Act } from './lane.js'

/** What of a store is needed to look up what is not known of an object. Errors are those of `Storage`. */
export interface LookUp {
  head(key: string, version?: string): Promise<Pick<ObjectHead, 'size' | 'etag' | 'lastModified' | 'storageClass'>>
}

/**
 * `act` for objects of which not all is known: they are looked at first, the version that is meant, and the size that this tells is the one
 * that counts. One that is not there any more is skipped. `prefix` is the source's.
 */
export function lookingUp(act: Act, prefix: string, store: LookUp): Act<Named> {
  return async (object) => {
    const { key, version, size, etag, lastModified, storageClass } = object
    if (size !== undefined && etag !== undefined && lastModified !== undefined && storageClass !== undefined) {
      return act({ ...object, size, etag, lastModified, storageClass })
    }
    let head
    try {
      head = await store.head(key, version)
    } catch (error) {
      return outcomeOf(error, prefix, object)
    }
    // All four, for what a list tells may be of what was there before.
    const outcome = await act({
      ...(version === undefined ? { key } : { key, version }),
      ...{ size: head.size, etag: head.etag, lastModified: head.lastModified, storageClass: head.storageClass },
    })
    return outcome?.kind === 'copied' ? { bytes: head.size, ...outcome } : outcome
  }
}
