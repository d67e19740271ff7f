import type { KeyRange } from '../keys.js'
import type { Outcome } from '../job.js'
import type { ObjectSummary, Storage } from '../storage/storage.js'
import { listingAfter, upTo } from './listing.js'
import { midKey } from './middle.js'
import type { Tally } from './tally.js'
import type { Lease, WorkSource } from './work.js'

/** A range somebody works on. `after` follows the settled keys, `cursor` the keys handed out; only this module moves either end. */
interface Held {
  after: string | undefined
  cursor: string | undefined
  until: string | undefined
  /** Keys handed out and not yet settled. */
  outstanding: number
  /** Nothing remains to be listed. */
  ended: boolean
  /** Pages to let pass before the range is split again: doubled whenever a split gave away nothing. */
  patience: number
  pause: number
}

/**
 * Work that lives in this process: the ranges of a keyspace. It begins with the ranges of a checkpoint (at first one,
 * which is everything), and when somebody waits for work, the holder of a range gives away its far part.
 *
 * A page takes effect when it is accepted, in one synchronous step: keys beyond the range's end (which may have moved
 * while the page was under way) are dropped from it, the cursor moves, and the range may be split behind the cursor. So
 * at every moment the ranges together cover every unsettled key, and no key belongs to two of them.
 */
export class LocalWork implements WorkSource {
  private readonly open: KeyRange[]
  private readonly held = new Set<Held>()
  private readonly waiting: ((lease: Lease | undefined) => void)[] = []
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
    if (this.closed) return Promise.resolve(undefined)
    const range = this.open.shift()
    if (range !== undefined) return Promise.resolve(this.hold(range))
    if (this.held.size === 0) return Promise.resolve(undefined)
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  close(): void {
    this.closed = true
    this.wake()
  }

  private hold(range: KeyRange, parent?: Held): Lease {
    const held: Held = {
      after: range.after,
      cursor: range.after,
      until: range.until,
      outstanding: 0,
      ended: false,
      patience: 1,
      pause: 0,
    }
    this.held.add(held)
    const listing = listingAfter(this.store, range.after)
    let first = true
    return {
      next: async () => {
        if (held.ended) return undefined
        const page = await listing.next()
        if (first && parent !== undefined) learn(parent, page.objects.length > 0)
        first = false
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
        this.wake()
      },
    }
  }

  private accept(held: Held, page: readonly ObjectSummary[], truncated: boolean): readonly ObjectSummary[] {
    const objects = upTo(page, held.until)
    const last = objects.at(-1)
    held.outstanding += objects.length
    this.listed += objects.length
    if (last !== undefined) held.cursor = last.key
    held.ended = !truncated || objects.length < page.length || (last !== undefined && last.key === held.until)
    if (held.pause > 0) held.pause--
    else if (!held.ended && this.waiting.length > 0 && !this.closed) this.split(held)
    return objects
  }

  private split(held: Held): void {
    const middle = midKey(held.cursor, held.until)
    if (middle === undefined) return
    const far = { after: middle, ...(held.until === undefined ? {} : { until: held.until }) }
    // The new range exists before the old one shrinks: at no moment is there a gap.
    const taker = this.waiting.shift()
    taker?.(this.hold(far, held))
    held.until = middle
  }

  private wake(): void {
    while (this.waiting.length > 0) {
      const range = this.closed ? undefined : this.open.shift()
      if (range === undefined && this.held.size > 0 && !this.closed) return
      this.waiting.shift()?.(range === undefined ? undefined : this.hold(range))
    }
  }
}

function learn(parent: Held, found: boolean): void {
  parent.patience = found ? 1 : Math.min(parent.patience * 2, 64)
  parent.pause = found ? 0 : parent.patience
}

function rangeOf(held: Held): KeyRange {
  return {
    ...(held.after === undefined ? {} : { after: held.after }),
    ...(held.until === undefined ? {} : { until: held.until }),
  }
}
