import type { KeyRange } from '../keys.js'
import type { Outcome } from '../job.js'
import type { ObjectSummary, Storage } from '../storage/storage.js'
import { listingAfter, upTo } from './listing.js'
import { Splitter, territory, type Territory } from './splitter.js'
import type { Tally } from './tally.js'
import type { Lease, WorkSource } from './work.js'

/** A range somebody works on. `after` follows the settled keys, the territory's cursor those handed out. */
interface Held {
  after: string | undefined
  readonly territory: Territory
  /** Keys handed out and not yet settled. */
  outstanding: number
  /** Nothing remains to be listed. */
  ended: boolean
}

/**
 * Work that lives in this process: the ranges of a keyspace. It begins with the ranges of a checkpoint (at first one,
 * which is everything), and when lanes wait for work, the ranges that seem longest give away their far parts.
 *
 * A page takes effect when it is accepted, in one synchronous step: keys beyond the range's end (which may have moved
 * while the page was under way) are dropped from it, and the cursor moves. A cut is one synchronous step too, always behind the
 * cursor. So at every moment the ranges together cover every unsettled key, and no key belongs to two of them.
 */
export class LocalWork implements WorkSource {
  private readonly open: KeyRange[]
  private readonly held = new Set<Held>()
  private readonly waiting: ((lease: Lease | undefined) => void)[] = []
  private readonly splitter = new Splitter()
  private closed = false
  /** Keys handed out so far. */
  listed = 0

  constructor(
    private readonly store: Storage,
    ranges: readonly KeyRange[],
    private readonly tally: Tally,
  ) {
    this.open = [...ranges]
  }

  /** The ranges that hold every unsettled key, each reaching from the last settled key to its end. */
  remaining(): KeyRange[] {
    const ranges = [...this.open]
    for (const held of this.held) {
      if (!held.ended || held.outstanding > 0) ranges.push(rangeOf(held))
    }
    return ranges
  }

  /** Whether every key has been handed out. */
  get listingEnded(): boolean {
    if (this.open.length > 0) return false
    for (const held of this.held) if (!held.ended) return false
    return true
  }

  claim(): Promise<Lease | undefined> {
    return new Promise((resolve) => {
      this.waiting.push(resolve)
      this.serve()
    })
  }

  close(): void {
    this.closed = true
    this.serve()
  }

  // Gives everybody who waits what there is: an open range, a part of somebody's, or the news that all is done.
  private serve(): void {
    while (this.waiting.length > 0) {
      const range = this.closed ? undefined : this.open.shift()
      if (range !== undefined) this.waiting.shift()?.(this.hold(range.after, territory(range.after, range.until)))
      else if (this.closed || this.held.size === 0) this.waiting.shift()?.(undefined)
      else if (!this.cut()) return
    }
  }

  private hold(after: string | undefined, land: Territory): Lease {
    const held: Held = { after, territory: land, outstanding: 0, ended: false }
    this.held.add(held)
    const listing = listingAfter(this.store, after)
    return {
      next: async () => {
        if (held.ended) return undefined
        const page = await listing.next()
        return this.accept(held, page.objects, page.truncated)
      },
      settle: (object: ObjectSummary, outcome: Outcome) => {
        held.after = object.key
        held.outstanding--
        this.tally.add(object, outcome)
      },
      release: () => {
        this.held.delete(held)
        if (!held.ended || held.outstanding > 0) this.open.push(rangeOf(held))
        this.serve()
      },
    }
  }

  private accept(held: Held, page: readonly ObjectSummary[], truncated: boolean): readonly ObjectSummary[] {
    const { territory: land } = held
    const objects = upTo(page, land.until)
    const last = objects.at(-1)
    held.outstanding += objects.length
    this.listed += objects.length
    held.ended = !truncated || objects.length < page.length || (last !== undefined && last.key === land.until)
    this.splitter.learn(land, objects)
    this.serve()
    return objects
  }

  // False when nothing is worth cutting.
  private cut(): boolean {
    const cut = this.splitter.choose(this.divisible(), this.waiting.length)
    if (cut === undefined) return false
    const { territory: land, marks, structural } = cut
    // The new ranges exist before the old one shrinks: at no moment is there a gap.
    for (const [i, mark] of marks.entries()) {
      const until = marks[i + 1] ?? land.until
      const part = territory(mark, until)
      part.parent = land
      part.structural = structural
      part.marked = i + 1 < marks.length || (!structural && until !== undefined)
      land.awaited++
      this.waiting.shift()?.(this.hold(mark, part))
    }
    land.until = marks[0]
    land.estimate = undefined
    return true
  }

  private *divisible(): Iterable<Territory> {
    for (const held of this.held) if (!held.ended) yield held.territory
  }
}

function rangeOf({ after, territory: { until } }: Held): KeyRange {
  return { ...(after === undefined ? {} : { after }), ...(until === undefined ? {} : { until }) }
}
