import type { Keyed } from '../../sources/page-facts.js'
import { unlessAborted } from '../../abort.js'
import { pagesOf, type ListRange } from '../../sources/listing-source.js'
import type { RangeClaim, ClaimableRanges } from '../../sources/work-source.js'

/** What lanes need that take in whole pages. */
export interface PagesOptions<T extends Keyed> {
  readonly ranges: ClaimableRanges
  /** Lists from behind a key. */
  readonly listing: ListRange<T>
  readonly lanes: number
  /**
   * Takes in a page that is not empty, and tells by `settle` how many of its objects are done, in their order. Whoever takes time answers
   * with a promise, which does not reject; what is not settled by then is left to a later session.
   */
  readonly take: (objects: readonly T[], settle: (count: number) => void) => Promise<void> | undefined
  /** Called after a page was taken in. */
  readonly taken: () => void
  /** Waits until there is room for what another page yields. */
  readonly room: () => Promise<void> | undefined
  /** Aborted when no further page is to be taken in. */
  readonly stop: AbortSignal
  /** Called, perhaps several times, with what makes it impossible to go on. The caller aborts `stop`. */
  readonly fail: (error: unknown) => void
}

/** Reads all ranges to their end, or until `stop` aborts. Never rejects. */
export async function runPages<T extends Keyed>(options: PagesOptions<T>): Promise<void> {
  await runClaims(options, (grant) => readPages(grant, options))
}

/** Has lanes claim ranges and read each, until there is none or `stop` aborts. Never rejects. */
export async function runClaims(
  { ranges, lanes, stop, fail }: Pick<PagesOptions<Keyed>, 'ranges' | 'lanes' | 'stop' | 'fail'>,
  read: (grant: RangeClaim) => Promise<void>,
): Promise<void> {
  const close = (): void => ranges.close()
  if (stop.aborted) close()
  else stop.addEventListener('abort', close, { once: true })
  const lane = async (): Promise<void> => {
    try {
      for (let grant = await ranges.claim(); grant !== undefined; grant = await ranges.claim()) {
        try {
          await read(grant)
        } finally {
          grant.release()
        }
      }
    } catch (error) {
      fail(error)
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  stop.removeEventListener('abort', close)
}

async function readPages<T extends Keyed>(grant: RangeClaim, options: PagesOptions<T>): Promise<void> {
  const { listing, take, taken, room, stop } = options
  const next = pagesOf(listing(grant.after, grant.first), grant)
  let upcoming = next()
  for (;;) {
    const objects = await unlessAborted(upcoming, stop)
    if (objects === undefined || stop.aborted) return
    await room()
    // While this page is taken in the next one is already on its way.
    upcoming = next()
    // It is awaited after this page, or not at all when the run stops meanwhile.
    upcoming.catch(() => undefined)
    if (objects.length === 0) continue
    let settled = 0
    const working = take(objects, (count) => {
      settled += count
      const last = objects[settled - 1]
      if (last !== undefined) grant.settle(last.key, count)
    })
    if (working !== undefined) await working
    taken()
  }
}
