import { compareKeys } from '../keys.js'
import type { ObjectSummary, Storage } from '../storage/storage.js'
import type { Keyed } from './facts.js'

/** What a page taught about the keys behind it. */
interface Listed<T extends Keyed> {
  readonly objects: readonly T[]
  /** Whether the store has keys behind these (it says so; the count is no sign). */
  readonly truncated: boolean
}

/** The pages behind a key, in order. Not to be asked again before it has answered. */
export interface Listing<T extends Keyed> {
  /** Nobody wants what lies behind `until`, though a page may hold some of it. */
  next(until?: string): Promise<Listed<T>>
}

/** Pages through `store` from behind `after`. */
export function listingAfter(store: Pick<Storage, 'list'>, after: string | undefined): Listing<ObjectSummary> {
  let from: { after?: string | undefined; token?: string | undefined } = { after }
  return {
    async next() {
      const page = await store.list(from)
      const last = page.objects.at(-1)
      // Going on behind the last key needs no state of the server. Only a page that is empty and yet truncated has
      // no last key, and the server's own token is the way past it.
      if (last !== undefined) from = { after: last.key }
      else if (page.token !== undefined) from = { token: page.token }
      return { objects: page.objects, truncated: page.truncated }
    },
  }
}

/** The objects of a page (in order) whose keys are at or below `until`. */
export function upTo<T extends Keyed>(objects: readonly T[], until: string | undefined): readonly T[] {
  if (until === undefined) return objects
  let end = objects.length
  for (let last = objects[end - 1]; last !== undefined && compareKeys(last.key, until) > 0; last = objects[end - 1])
    end--
  return end === objects.length ? objects : objects.slice(0, end)
}
