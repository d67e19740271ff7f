import { byStart, compareKeys, type KeyRange } from '../../keys.js'
import type { PageFacts } from '../page-facts.js'
import { parted, Splitter, territory, type RangeEstimate } from './splitter.js'
import type { RangeClaim, KeptRanges, PageVerdict } from '../work-source.js'

/** A range somebody works on. `after` follows the settled keys, the territory's cursor those accepted. */
interface Held {
  readonly grant: RangeClaim
  after: string | undefined
  readonly territory: RangeEstimate
  /** Keys accepted and not yet settled. */
  outstanding: number
  /** Of these, those of a page of which its holder is still to say how many are its own. */
  untrimmed: number
  /** Nothing remains to be listed. */
  ended: boolean
  /** Nothing may remain to be listed: it is not worth a cut. */
  inDoubt: boolean
}

/** How to hand out work whose results must be settled in the order of the keys. */
export interface InOrder {
  /** How many lanes there are. */
  readonly lanes: number
  /** Called when another range may have become the first. */
  readonly moved: () => void
}

/** What matters about who works where. */
export interface Arrangement {
  /** Work is handed out near the first range, and nobody gets far ahead of it. */
  readonly inOrder?: InOrder
  /** Ranges that are worked on at once are to lie all over the keyspace, even if the lanes have to wait for them. */
  readonly spread?: boolean
  /** The first page of all objects, where it was listed already. */
  readonly first?: RangeClaim['first']
}

/** Pages that may be accepted and unsettled before those in front of them, when keys are settled in order. */
const PAGES_AHEAD = 256
/** A page, in keys. */
const PAGE = 1000

/**
 * The ranges of a keyspace, and who works on them. It begins with the ranges of a checkpoint (at first one, which is
 * everything), and when lanes wait for work, the ranges that seem longest give away their far parts.
 *
 * A page takes effect when it is accepted, in one synchronous step: keys beyond the range's end (which may have moved
 * while the page was under way) are not the holder's, and the cursor moves. A cut is one synchronous step too, always behind the
 * cursor. So at every moment the ranges together cover every unsettled key, and no key belongs to two of them.
 */
export class Keyspace implements KeptRanges {
  private readonly open: KeyRange[]
  private readonly held = new Set<Held>()
  private readonly waiting: ((grant: RangeClaim | undefined) => void)[] = []
  private readonly splitter: Splitter
  private readonly inOrder: InOrder | undefined
  private first: RangeClaim['first']
  private closed = false
  /** What was expected when so many keys had been accepted. */
  private reckoned: { readonly at: number; readonly inAll: number } | undefined
  /** Keys accepted so far, without those that were given back unsettled. */
  listed = 0
  /** Keys settled so far. */
  settled = 0

  constructor(ranges: readonly KeyRange[], { inOrder, spread = false, first }: Arrangement = {}) {
    this.open = [...ranges]
    this.inOrder = inOrder
    this.first = first
    this.splitter = new Splitter(spread)
  }

  /** Who holds the first of all ranges that have unsettled keys; undefined when nobody does. */
  front(): RangeClaim | undefined {
    const held = this.firstHeld()
    if (held === undefined) return undefined
    return this.open.some((range) => startsBefore(range.after, held.after)) ? undefined : held.grant
  }

  /** The ranges that hold every unsettled key, each reaching from the last settled key to its end, in the order of their keys. */
  remaining(): KeyRange[] {
    const ranges = [...this.open]
    for (const held of this.held) {
      if (!held.ended || held.outstanding > 0) ranges.push(rangeOf(held))
    }
    return ranges.sort(byStart)
  }

  /**
   * How many keys there seem to be in all, those of other sessions left out: what was accepted, and what the splitter expects of the rest. It can be
   * wrong by any factor, above all in the beginning. Undefined while there are ranges that nobody has looked into.
   */
  expected(): number | undefined {
    if (this.open.length > 0) return undefined
    // Reckoning is dear, so it is done anew with each hundredth more: however large the bucket, some two thousand times in all.
    if (this.reckoned === undefined || this.listed > this.reckoned.at * 1.01) {
      let pages = 0
      for (const { ended, territory: land } of this.held) if (!ended) pages += this.splitter.remaining(land)
      this.reckoned = { at: this.listed, inAll: this.listed + Math.round(pages * PAGE) }
    }
    return Math.max(this.listed, this.reckoned.inAll)
  }

  /** Whether every key has been accepted. */
  get listingEnded(): boolean {
    if (this.open.length > 0) return false
    for (const held of this.held) if (!held.ended) return false
    return true
  }

  get done(): boolean {
    return this.open.length === 0 && this.held.size === 0
  }

  claim(withdrawn?: AbortSignal): Promise<RangeClaim | undefined> {
    return new Promise((resolve) => {
      const answer = (grant: RangeClaim | undefined): void => {
        withdrawn?.removeEventListener('abort', withdraw)
        resolve(grant)
      }
      // Else ranges would be cut for a lane that is no more.
      const withdraw = (): void => {
        this.waiting.splice(this.waiting.indexOf(answer), 1)
        answer(undefined)
      }
      withdrawn?.addEventListener('abort', withdraw)
      this.waiting.push(answer)
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
      const range = this.closed ? undefined : this.nextOpen()
      if (range !== undefined) this.waiting.shift()?.(this.holdOpen(range))
      else if (this.closed || this.held.size === 0) this.waiting.shift()?.(undefined)
      else if (!this.cut()) return
    }
  }

  // A page is old once it was handed out, and whoever lists behind it then lists anew.
  private holdOpen({ after, until }: KeyRange): RangeClaim {
    const first = after === undefined ? this.first : undefined
    if (after === undefined) this.first = undefined
    return this.hold(after, territory(after, until), first)
  }

  private hold(after: string | undefined, land: RangeEstimate, first?: RangeClaim['first']): RangeClaim {
    const grant: RangeClaim = {
      after,
      first,
      until: land.until,
      accept: (facts) => this.accept(held, facts),
      trimmed: (facts, from) => {
        held.outstanding -= from.count
        held.untrimmed = 0
        this.take(held, facts)
        this.inOrder?.moved()
      },
      settle: (key, count) => {
        held.after = key
        held.outstanding -= count
        this.settled += count
      },
      release: () => {
        if (!this.held.delete(held)) return
        this.splitter.givenBack(land)
        // Somebody else accepts them anew.
        if (!this.closed) this.listed -= held.outstanding - held.untrimmed
        if (!held.ended || held.outstanding > 0) this.open.push(rangeOf(held))
        this.serve()
        this.inOrder?.moved()
      },
    }
    const none = { outstanding: 0, untrimmed: 0, ended: false, inDoubt: false }
    const held: Held = { grant, after, territory: land, ...none }
    this.held.add(held)
    return grant
  }

  private accept(held: Held, facts: PageFacts): PageVerdict {
    const { until } = held.territory
    const order = facts.last === undefined || until === undefined ? -1 : compareKeys(facts.last, until)
    if (order > 0) {
      held.ended = true
      // Until the holder says how many of them are its own, all of them are unsettled.
      held.outstanding += facts.count
      held.untrimmed = facts.count
      return { ended: true, until, trim: true }
    }
    held.ended = !facts.truncated || order === 0
    held.inDoubt = facts.inDoubt
    this.take(held, facts)
    if (this.inOrder !== undefined) this.holdBack(held, this.inOrder)
    return { ended: held.ended, until: held.territory.until, trim: false }
  }

  // Whoever is far enough ahead of the first range leaves the rest of its own to be listed later.
  private holdBack(held: Held, { lanes, moved }: InOrder): void {
    const { territory: land, outstanding } = held
    const ahead = Math.max(2, Math.floor(PAGES_AHEAD / lanes)) * PAGE
    if (!held.ended && outstanding >= ahead && held !== this.firstHeld()) {
      this.open.push({
        ...(land.cursor === undefined ? {} : { after: land.cursor }),
        ...(land.until === undefined ? {} : { until: land.until }),
      })
      land.until = land.cursor
      held.ended = true
      this.serve()
    }
    moved()
  }

  private firstHeld(): Held | undefined {
    let first: Held | undefined
    for (const held of this.held) {
      if (held.ended && held.outstanding === 0) continue
      if (first === undefined || startsBefore(held.after, first.after)) first = held
    }
    return first
  }

  // The range to hand out next, or none when it is not to be listed yet.
  private nextOpen(): KeyRange | undefined {
    if (this.inOrder === undefined) return this.open.shift()
    let best = 0
    for (const [i, range] of this.open.entries()) if (startsBefore(range.after, this.open[best]?.after)) best = i
    const range = this.open[best]
    if (range === undefined) return undefined
    const first = this.firstHeld()
    const isFront = first === undefined || startsBefore(range.after, first.after)
    if (!isFront && this.unsettled() >= PAGES_AHEAD * PAGE) return undefined
    this.open.splice(best, 1)
    return range
  }

  private unsettled(): number {
    let sum = 0
    for (const held of this.held) sum += held.outstanding
    return sum
  }

  private take(held: Held, facts: PageFacts): void {
    held.outstanding += facts.count
    this.listed += facts.count
    this.splitter.learn(held.territory, facts)
    this.serve()
  }

  // False when nothing is worth cutting.
  private cut(): boolean {
    const cut = this.splitter.choose(this.divisible(), this.waiting.length)
    if (cut === undefined) return false
    const [parts, lanes] = [cut.marks.length, this.waiting.length]
    // Before anything is cut: a part that nobody takes would be lost, and all of its keys with it.
    if (parts > lanes) throw new Error(`a range was to be cut into ${parts} parts more, for ${lanes} lanes that wait`)
    for (const part of parted(cut)) this.waiting.shift()?.(this.hold(part.cursor, part))
    return true
  }

  private divisible(): readonly RangeEstimate[] {
    const divisible = [...this.held].filter((held) => !held.ended && !held.inDoubt)
    if (this.inOrder !== undefined && this.unsettled() >= (PAGES_AHEAD / 2) * PAGE) {
      // There is enough in hand: more of it is only of use where it is waited for.
      const first = this.firstHeld()
      return divisible.filter((held) => held === first).map((held) => held.territory)
    }
    return divisible.map((held) => held.territory)
  }
}

// Whether one beginning of a range lies before another.
function startsBefore(after: string | undefined, other: string | undefined): boolean {
  if (other === undefined) return false
  return after === undefined || compareKeys(after, other) < 0
}

function rangeOf({ after, territory: { until } }: Held): KeyRange {
  return { ...(after === undefined ? {} : { after }), ...(until === undefined ? {} : { until }) }
}
