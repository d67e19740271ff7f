import type { ObjectSummary, Storage } from '../storage/storage.js'
import { pagesOf } from '../work/leases.js'
import type { Grant, Ranges } from '../work/work.js'

/** What lanes need that only read: whole pages are taken in, and no object is worked on by itself. */
export interface PagesOptions {
  readonly ranges: Ranges
  readonly store: Storage
  readonly lanes: number
  /** Takes in a page that is not empty; the grant is told that it is settled right after. */
  readonly take: (objects: readonly ObjectSummary[]) => void
  /** Called after a page was taken in and settled. */
  readonly taken: () => void
  /** Waits until there is room for what another page yields. */
  readonly room: () => Promise<void> | undefined
  /** Aborted when no further page is to be taken in. */
  readonly stop: AbortSignal
  /** Called, perhaps several times, with what makes it impossible to go on. The caller aborts `stop`. */
  readonly fail: (error: unknown) => void
}

/** Reads all ranges to their end, or until `stop` aborts. Never rejects. */
export async function runPages(options: PagesOptions): Promise<void> {
  const { ranges, lanes, stop, fail } = options
  const close = (): void => ranges.close()
  if (stop.aborted) close()
  else stop.addEventListener('abort', close, { once: true })
  const lane = async (): Promise<void> => {
    try {
      for (let grant = await ranges.claim(); grant !== undefined; grant = await ranges.claim()) {
        try {
          await read(grant, options)
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

async function read(grant: Grant, { store, take, taken, room, stop }: PagesOptions): Promise<void> {
  const next = pagesOf(store, grant)
  let upcoming = next()
  for (;;) {
    const objects = await upcoming
    if (objects === undefined || stop.aborted) return
    await room()
    // While this page is taken in the next one is already on its way.
    upcoming = next()
    // It is awaited after this page, or not at all when the run stops meanwhile.
    upcoming.catch(() => undefined)
    const last = objects.at(-1)
    if (last === undefined) continue
    take(objects)
    grant.settle(last.key, objects.length)
    taken()
  }
}
