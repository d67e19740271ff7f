import type { Outcome } from '../job/outcome.js'
import { compareKeys } from '../keys.js'
import type { ObjectSummary, Storage } from '../storage/storage.js'
import type { Keyed } from './page-facts.js'
import { listingAfter, type Listing } from './page-listing.js'
import type { WorkItem } from './work-source.js'

/** The objects of one name, relative to the prefix, in two stores: at least one of them is there. */
export interface Pair extends Keyed {
  readonly source: ObjectSummary | undefined
  readonly destination: ObjectSummary | undefined
  /** What the object is called at the destination, where names are others there. */
  readonly name?: string
  /** Why it can have no name there. */
  readonly misnamed?: { readonly code: string; readonly message: string }
  /** Nobody has looked yet what the destination has. */
  readonly unseen?: boolean
  /** What became of the look at the source, where that is known. */
  readonly known?: Outcome | undefined
}

/**
 * Pages through two stores at once from behind `after`: every name that either has, in order. A page reaches as far as both sides are known;
 * what was listed beyond that waits for the next one, so nothing is listed twice, and less than two pages of each side are held.
 */
export function pairsAfter(
  source: Pick<Storage, 'list'>,
  destination: Pick<Storage, 'list'>,
  after: string | undefined,
): Listing<Pair> {
  const left = new Side(source, after)
  const right = new Side(destination, after)
  return {
    async next(until) {
      await Promise.all([left.fill(until), right.fill(until)])
      const bound = lesser(left.bound, right.bound)
      return {
        objects: merged(left.take(bound), right.take(bound)),
        // Unless more is to come from a side, both were handed out to their ends.
        truncated: left.truncated || right.truncated,
      }
    },
  }
}

/** The same as work: what the source has, with what the destination has; of what only the destination has, that. */
export function itemsAfter(...[source, destination, after]: Parameters<typeof pairsAfter>): Listing<WorkItem> {
  const pairs = pairsAfter(source, destination, after)
  return {
    async next(until) {
      const { objects, truncated } = await pairs.next(until)
      return { objects: objects.flatMap(itemOf), truncated }
    },
  }
}

function itemOf({ source, destination }: Pair): WorkItem | [] {
  if (source !== undefined) return { ...source, there: destination }
  return destination === undefined ? [] : { ...destination, extra: true }
}

/** How far a side is known: up to a key, not at all, or to its end. */
type Bound = { readonly key: string } | 'nothing' | 'everything'

/** One side of a pair listing, and what of it was listed and not handed out. */
class Side {
  private readonly listing: Listing<ObjectSummary>
  private waiting: readonly ObjectSummary[] = []
  private at = 0
  /** How many the latest page held. */
  private page = 0
  truncated = true

  constructor(store: Pick<Storage, 'list'>, after: string | undefined) {
    this.listing = listingAfter(store, after)
  }

  // When less than a page waits the next is asked for, so that both sides move on in the same round trip though their pages end at
  // different keys.
  async fill(until: string | undefined): Promise<void> {
    const last = this.waiting.at(-1)
    const waits = this.waiting.length - this.at
    if (!this.truncated || (waits > 0 && waits >= this.page)) return
    if (waits > 0 && last !== undefined && until !== undefined && compareKeys(last.key, until) >= 0) return
    const { objects, truncated } = await this.listing.next(until)
    this.waiting = waits === 0 ? objects : [...this.waiting.slice(this.at), ...objects]
    this.at = 0
    this.page = objects.length
    this.truncated = truncated
  }

  get bound(): Bound {
    if (!this.truncated) return 'everything'
    const last = this.at < this.waiting.length ? this.waiting.at(-1) : undefined
    return last === undefined ? 'nothing' : { key: last.key }
  }

  /** What waits at or below `bound`, which then waits no more. */
  take(bound: Bound): readonly ObjectSummary[] {
    const from = this.at
    this.at = this.endOf(bound)
    return this.waiting.slice(from, this.at)
  }

  private endOf(bound: Bound): number {
    if (bound === 'nothing') return this.at
    if (bound === 'everything') return this.waiting.length
    let [low, high] = [this.at, this.waiting.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      const key = this.waiting[middle]?.key
      if (key !== undefined && compareKeys(key, bound.key) <= 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

function merged(left: readonly ObjectSummary[], right: readonly ObjectSummary[]): Pair[] {
  const pairs: Pair[] = []
  let [i, j] = [0, 0]
  for (;;) {
    const source = left[i]
    const destination = right[j]
    if (source === undefined && destination === undefined) return pairs
    const order = orderOf(source, destination)
    if (order <= 0) i++
    if (order >= 0) j++
    pairs.push({
      key: (order <= 0 ? source : destination)?.key ?? '',
      source: order <= 0 ? source : undefined,
      destination: order >= 0 ? destination : undefined,
    })
  }
}

function orderOf(source: ObjectSummary | undefined, destination: ObjectSummary | undefined): number {
  if (destination === undefined) return -1
  if (source === undefined) return 1
  // Mostly they are equal, and that is told at once.
  return source.key === destination.key ? 0 : compareKeys(source.key, destination.key)
}

function lesser(a: Bound, b: Bound): Bound {
  if (a === 'nothing' || b === 'everything') return a
  if (b === 'nothing' || a === 'everything') return b
  return compareKeys(a.key, b.key) <= 0 ? a : b
}
