import { compareKeys } from '../keys.js'
import type { ObjectSummary, Storage } from '../storage/storage.js'

/** What a page taught about the keys behind it. */
interface Listed {
  readonly objects: readonly ObjectSummary[]
  /** Whether the store has keys behind these (it says so; the count is no sign). */
  readonly truncated: boolean
}

/** The pages behind a key, in order. Not to be asked again before it has answered. */
export interface Listing {
  next(): Promise<Listed>
}

/** Pages through `store` from behind `after`. */
export function listingAfter(store: Storage, after: string | undefined): Listing {
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
export function upTo(objects: readonly ObjectSummary[], until: string | undefined): readonly ObjectSummary[] {
  if (until === undefined) return objects
  let end = objects.length
  for (let last = objects[end - 1]; last !== undefined && compareKeys(last.key, until) > 0; last = objects[end - 1])
    end--
  return end === objects.length ? objects : objects.slice(0, end)
}
