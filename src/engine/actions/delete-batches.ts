import type { ObjectSummary, Removal, Removing } from '../../storage/storage.js'
import type { CheckRemoved, Removed } from './still-listed.js'

/** What one DeleteObjects request may name. */
const MOST = 1_000
/** How long nothing more must have come before a batch that is not full is sent, in milliseconds. */
const QUIET = 5

/** Removes one object, which was `listed` so. Rejects with what the store says against it. */
export type Remove = (object: Removal, listed?: ObjectSummary) => Promise<void>

/**
 * Removals of single objects, sent together: when there are as many as one request takes, or when nothing more has come for some
 * milliseconds. As long as a request is under way what is not full waits for its answer, so that batches are as full as there are objects in
 * flight. What the store answers that it removed is then looked for by `check`.
 */
export function removingTogether({ remove }: Pick<Removing, 'remove'>, check?: CheckRemoved): Remove {
  let waiting: Waiting[] = []
  let underWay = 0
  let quiet: NodeJS.Timeout | undefined

  const send = async (batch: readonly Waiting[]): Promise<void> => {
    underWay++
    try {
      const errors = await remove(batch.map(({ object }) => object))
      const removed = batch.filter(({ named }, index) => named && errors[index] === undefined)
      const kept = removed.length === 0 ? undefined : await check?.(removed.map(removedOf))
      let next = 0
      for (const [index, { named, resolve, reject }] of batch.entries()) {
        const error = errors[index] ?? (named ? kept?.get(next++) : undefined)
        if (error === undefined) resolve()
        else reject(error)
      }
    } catch (error) {
      for (const { reject } of batch) reject(error as Error)
    } finally {
      underWay--
      expectMore()
    }
  }
  const flush = (): void => {
    clearTimeout(quiet)
    const batch = waiting
    waiting = []
    if (batch.length > 0) void send(batch)
  }
  const expectMore = (): void => {
    if (waiting.length === 0 || underWay > 0) return
    clearTimeout(quiet)
    quiet = setTimeout(flush, QUIET)
  }
  return (object, listed) =>
    new Promise<void>((resolve, reject) => {
      const { look } = object
      const entry: Waiting = { object, listed, named: true, resolve, reject }
      if (look !== undefined) entry.object = { ...object, look: async () => (entry.named = await look()) }
      waiting.push(entry)
      if (waiting.length >= MOST) flush()
      else expectMore()
    })
}

interface Waiting {
  object: Removal
  readonly listed: ObjectSummary | undefined
  /** A request to remove it is sent: it was not left out by its look. */
  named: boolean
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

function removedOf({ object: { key, version }, listed }: Waiting): Removed {
  // Of what a list named nothing else may be known.
  return { key, version, listed: listed?.etag === '' && listed.lastModified === '' ? undefined : listed }
}
