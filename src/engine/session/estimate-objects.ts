import { StoppedError } from '../../errors.js'
import type { KeyRange } from '../../keys.js'
import { estimateKeys, type KeyEstimate } from '../../sources/estimate/key-estimate.js'
import { listingAfter } from '../../sources/page-listing.js'
import type { Storage } from '../../storage/storage.js'
import { stopReason } from './stop-reason.js'

/** At most so many pages are listed to estimate how many objects there are. */
export const ESTIMATE_REQUESTS = 4_500
/** So many places are drawn, at each of which a page is listed once more to look at some of its objects. */
export const ESTIMATE_PLACES = 500
/** Pages that are listed at once. */
const AT_ONCE = 64

/**
 * Estimates how many objects are in ranges of a store, which are in order, by at most `requests` pages. Undefined where they did not suffice. Rejects with
 * a `StoppedError` where it cannot be listed, and once `stop` aborts.
 */
export async function estimateObjects(
  store: Pick<Storage, 'list' | 'place'>,
  ranges: readonly KeyRange[],
  stop: AbortSignal,
  requests = ESTIMATE_REQUESTS,
): Promise<KeyEstimate | undefined> {
  const list = async (after: string | undefined): Promise<{ keys: readonly string[]; more: boolean }> => {
    const listing = listingAfter(store, after)
    for (;;) {
      stop.throwIfAborted()
      const { objects, truncated } = await listing.next()
      if (objects.length > 0 || !truncated) return { keys: objects.map(({ key }) => key), more: truncated }
    }
  }
  try {
    return await estimateKeys({
      ...{ list, ranges, requests, atOnce: AT_ONCE, windows: ESTIMATE_PLACES },
      random: Math.random,
    })
  } catch (error) {
    const { reason, hint } = stopReason(error)
    throw new StoppedError(reason, hint)
  }
}
