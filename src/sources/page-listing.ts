import { StorageError } from '../errors.js'
import { compareKeys, printable } from '../keys.js'
import type { ObjectSummary, Page, Storage } from '../storage/storage.js'
import type { Keyed } from './page-facts.js'

/** What a page taught about the keys behind it. */
interface Listed<T extends Keyed> {
  readonly objects: readonly T[]
  /** Whether the store has keys behind these (it says so; the count is no sign), or may have some. */
  readonly truncated: boolean
  /** The store says that it has none, and is asked once more. */
  readonly inDoubt?: boolean
}

/** The pages behind a key, in order. Not to be asked again before it has answered. */
export interface Listing<T extends Keyed> {
  /** Nobody wants what lies behind `until`, though a page may hold some of it. */
  next(until?: string): Promise<Listed<T>>
}

/** A page that says it is the last is asked once more when it has so many objects: as many as were asked for, which is no reason to end there. */
export const FULL_PAGE = 1_000

/**
 * Pages through `store` from behind `after`, where `first` was listed already. A store that contradicts itself is an error that stops the run: one that goes back, or that leads in a
 * circle. One that ends at a full page is asked whether that is so; where a listing ends that costs a request once in a thousand times.
 */
export function listingAfter(store: Lister, after: string | undefined, first?: Page): Listing<ObjectSummary> {
  let from: { after?: string | undefined; token?: string | undefined } = { after }
  let last = after
  let known = first
  let circle = new Circle()
  return {
    async next(until) {
      const page = known ?? (await store.list(from))
      known = undefined
      const { objects, truncated, token } = page
      const first = objects[0]
      const end = objects.at(-1)
      if (first !== undefined && last !== undefined && compareKeys(first.key, last) <= 0) {
        throw contradiction(store, `${printable(first.key)} is listed behind ${printable(last)}`)
      }
      // Going on behind the last key needs no state of the server. Only a page that is empty and yet truncated has
      // no last key, and the server's own token is the way past it.
      if (end !== undefined) {
        from = { after: end.key }
        last = end.key
        circle = new Circle()
      } else if (truncated) {
        if (token === undefined || circle.closes(token)) {
          throw contradiction(store, 'empty pages say that there is more, and lead back to where they began')
        }
        from = { token }
      }
      if (truncated || end === undefined || objects.length < FULL_PAGE) return { objects, truncated }
      if (until !== undefined && compareKeys(end.key, until) >= 0) return { objects, truncated }
      return { objects, truncated: true, inDoubt: true }
    },
  }
}

type Lister = Pick<Storage, 'list'> & Partial<Pick<Storage, 'place'>>

/** Tells when a sequence of names comes back to where it was, in constant memory (R. P. Brent, An improved Monte Carlo factorization algorithm, 1980). */
export class Circle {
  private kept: string | undefined
  private steps = 0
  private most = 1

  /** Whether this name was kept before: in a circle, that is so after three times its length at most. */
  closes(name: string): boolean {
    if (name === this.kept) return true
    this.steps++
    if (this.steps === this.most) {
      this.kept = name
      this.steps = 0
      this.most *= 2
    }
    return false
  }
}

/** The error of a store whose listing contradicts itself. */
export function contradiction(
  { place }: Partial<Pick<Storage, 'place'>>,
  message: string,
  operation = 'ListObjectsV2',
): StorageError {
  return new StorageError(`the listing contradicts itself: ${message}`, {
    ...{ severity: 'stop-run', code: 'ContradictoryListing', operation, bucket: place?.bucket ?? '' },
    hint: 'this store does not list as S3 does, so s3move cannot promise that no key is lost; nothing further was done',
  })
}

/** The objects of a page (in order) whose keys are at or below `until`. */
export function upTo<T extends Keyed>(objects: readonly T[], until: string | undefined): readonly T[] {
  if (until === undefined) return objects
  let end = objects.length
  for (let last = objects[end - 1]; last !== undefined && compareKeys(last.key, until) > 0; last = objects[end - 1])
    end--
  return end === objects.length ? objects : objects.slice(0, end)
}
