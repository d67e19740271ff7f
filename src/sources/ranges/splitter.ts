import { compareKeys } from '../../keys.js'
import type { PageFacts } from '../page-facts.js'
import { commonLength, keyAt, placeIn, successor, type Frame } from './frame.js'
import { KeyModel } from './key-model.js'
import { levelAt, SLASH } from './key-shape.js'

/** What the splitter keeps of a range that is being listed. */
export interface RangeEstimate {
  /** The last key listed; absent before the first page. */
  cursor: string | undefined
  until: string | undefined
  /** Where it begins. */
  readonly after: string | undefined
  /** First keys of its latest pages, oldest first. */
  readonly recent: string[]
  pages: number
  /** Whether the folders in which its first page lies have been marked off, or need not be. */
  marked: boolean
  /** The end of the folder that its latest pages did not leave and that is not all of it, and for how many pages that is so. */
  folder: string | undefined
  inFolder: number
  /** Splits of it that gave away next to nothing, since the last that did not. */
  disappointments: number
  /** Ranges split off it whose first page has not come yet. */
  awaited: number
  /** Not to be split before it has this many pages. */
  restUntil: number
  /** The range that it was split off, until its first page has been judged. */
  parent: RangeEstimate | undefined
  /** It was made by marking off a folder: that it is empty says nothing against its parent. */
  structural: boolean
  /** The range whose end is its beginning, until its first page has been judged. */
  before: RangeEstimate | undefined
  /** Of those that were split off it together, the ones whose first page was worth its call. */
  worthwhile: number
  /** Pages that were expected of it when it was split off. */
  expected: number
  /** How often it was found to reach as far as had been estimated. */
  trust: number
  /** Pages that seem to remain; undefined when it must be estimated anew. */
  estimate: Estimate | undefined
}

/** A territory that begins behind `after`. */
export function territory(after: string | undefined, until: string | undefined): RangeEstimate {
  return {
    cursor: after,
    until,
    after,
    recent: [],
    pages: 0,
    marked: false,
    folder: undefined,
    inFolder: 0,
    disappointments: 0,
    awaited: 0,
    restUntil: 0,
    parent: undefined,
    structural: false,
    before: undefined,
    worthwhile: 0,
    expected: 0,
    trust: 0,
    estimate: undefined,
  }
}

/** Makes a cut: the range ends at the first mark, and others begin there. Answers those, which together have all that it gave away. */
export function parted({ territory: whole, marks, expected, folders }: Cut): RangeEstimate[] {
  const parts = marks.map((mark, i) => {
    const isLast = i + 1 === marks.length
    const part = territory(mark, marks[i + 1] ?? whole.until)
    part.parent = whole
    part.structural = i < folders
    part.marked = i + 1 !== folders && (!isLast || whole.until !== undefined)
    part.expected = expected[i] ?? 0
    if (isLast && !part.structural) part.trust = whole.trust + 1
    return part
  })
  for (const [i, part] of parts.entries()) if (!part.structural) part.before = i === 0 ? whole : parts[i - 1]
  whole.awaited += parts.length
  whole.until = marks[0]
  whole.estimate = undefined
  return parts
}

interface Estimate {
  readonly pages: number
  /** The ends of folders that are to be marked off, the innermost first. */
  readonly folders: readonly string[]
  /** A key that is `x` of the way from the cursor to the end; `x` in (0, 1). */
  readonly keyAt: (x: number) => string
  /** The reverse. */
  readonly placeOf: (key: string) => number
}

/** What to do: cut `territory` at `marks` (ascending, all between its cursor and its end). */
export interface Cut {
  readonly territory: RangeEstimate
  readonly marks: readonly string[]
  /** Pages that are expected behind each mark; empty when nothing is known of them, or nobody asks. */
  readonly expected: readonly number[]
  /** How many of the marks, the first, are the ends of folders. */
  readonly folders: number
}

/** A range is not split below this many pages: the half page that is lost at each end would cost more than it brings. */
const FLOOR = 4
/** A new range whose first page holds fewer objects than this was not worth its LIST call. */
const WORTHWHILE = 300
/** Calls that may be wasted on splits: at the start so many, or half as many as there are lanes; then this share of the pages, or that while most lanes are idle. */
const FREE_WASTE = 16
const WASTE_SHARE = 0.14
const IDLE_WASTE_SHARE = 0.2
/** What is left of a disappointment after another page. */
const FORGIVEN = 0.8
const MOST_MARKS = 12
const MOST_EQUAL_MARKS = 8
/** Where ranges are to be spread, none is cut while another, of which so many times as much is expected, has not shown its first page. */
const FAR_MORE = 2
/** A range that was found to be so long this often is cut into equal parts. */
const TRUSTED = 3
/** A range seems longer than it is while its end is unknown: above this many pages it is probed in growing steps. */
const SPARSE = 64

/**
 * Decides where ranges are cut when lanes have nothing to do (docs/design/listing.md tells how, and what it costs on which layout).
 *
 * First the folders in which a range's keys lie are marked off, which bounds it by what exists. Then the keys are read as
 * numbers whose digits are the bytes seen at each place of their names; where the pages of a range lie on that scale tells how
 * many remain, and where to cut. An estimate can be wrong by any factor, so cuts of a range that seems long are geometric: they find the
 * scale in one round trip. A cut that yields nothing costs one LIST call; their number is bounded.
 */
export class Splitter {
  private readonly model = new KeyModel()
  private pages = 0
  private wasted = 0

  /** `spread`: nothing is cut small as long as much more may lie elsewhere, so that ranges lie all over the keyspace. */
  constructor(private readonly spread = false) {}

  /** Takes in a page of a territory. */
  learn(territory: RangeEstimate, facts: PageFacts): void {
    this.pages++
    const { first, last } = facts
    this.learnEnd(territory, facts)
    this.judge(territory, facts.count)
    if (first === undefined || last === undefined) return
    this.model.learn(territory.pages === 0 ? facts.samples : [territory.cursor ?? '', ...facts.samples])
    if (territory.recent.push(first) > 3) territory.recent.shift()
    territory.pages++
    territory.disappointments *= FORGIVEN
    territory.cursor = last
    territory.estimate = undefined
    const outermost = this.folderMarks(territory).at(-1)
    territory.inFolder = outermost !== undefined && outermost === territory.folder ? territory.inFolder + 1 : 0
    territory.folder = outermost
  }

  /** A territory is worked on no more. Where that was before its first page, the one that it was split off need not wait for that. */
  givenBack(territory: RangeEstimate): void {
    const { parent } = territory
    if (parent === undefined) return
    territory.parent = undefined
    territory.before = undefined
    parent.awaited--
    // Whether the cut was good remains unknown.
    if (parent.awaited === 0) parent.worthwhile = 0
  }

  /** The best cut for `idle` lanes that have nothing to do, or undefined when none is worth its calls. */
  choose(territories: readonly RangeEstimate[], idle: number): Cut | undefined {
    const lanes = idle + territories.length
    const free = Math.max(FREE_WASTE, lanes / 2)
    const share = idle > lanes / 2 ? IDLE_WASTE_SHARE : WASTE_SHARE
    for (;;) {
      if (idle < 1 || this.wasted > free + share * this.pages) return undefined
      const best = this.richest(territories)
      if (best === undefined) return undefined
      const cut = this.cut(best, Math.ceil(idle / 2))
      best.marked = true
      best.estimate = undefined
      if (cut.marks.length > 0) return cut
      best.disappointments++
      best.restUntil = best.pages + 2 ** Math.min(best.disappointments, 5)
    }
  }

  /**
   * Pages that seem to remain of a territory, rather too many than too few: as far as its latest pages lie apart, or all of its pages, whichever says
   * more. Before its first page it is what was expected when it was split off.
   */
  remaining(territory: RangeEstimate): number {
    if (territory.pages === 0) return territory.expected
    return Math.max(this.estimate(territory).pages, this.remainingByDensity(territory))
  }

  private remainingByDensity({ cursor, until, after, recent, pages }: RangeEstimate): number {
    const here = Buffer.from(cursor ?? '')
    const end = until === undefined ? undefined : Buffer.from(until)
    const frame = this.model.frame(Buffer.from(after ?? recent[0] ?? ''), end, cursor ?? '')
    const [from, start] = [placeIn(frame, here), startOf(frame, after, here)]
    const to = frame.open || end === undefined ? 1 : placeIn(frame, end)
    return from > start ? Math.max(0, ((to - from) / (from - start)) * pages) : 0
  }

  private learnEnd({ after, until, parent }: RangeEstimate, { last, truncated }: PageFacts): void {
    if (truncated) return
    if (last !== undefined) this.model.learnGap(last, until ?? '')
    else if (after !== undefined && parent?.cursor !== undefined) this.model.learnNothing(after, until, parent.cursor)
  }

  private cut(territory: RangeEstimate, most: number): Cut {
    const { folders } = this.estimate(territory)
    const outermost = folders.at(-1)
    // Of the first folders nothing is known yet of how far it is from one to the next.
    const guessed = outermost !== undefined && territory.after === undefined ? [] : this.marks(territory, most)
    const beyond = outermost === undefined ? guessed : guessed.filter((mark) => compareKeys(mark, outermost) > 0)
    // Folders one after the other would be a round trip each, so where not all of it is possible the guesses come first.
    if (guessed.length > 0 && folders.length + beyond.length > most) {
      const expected = this.spread ? this.expected(territory, guessed) : []
      return { territory, marks: guessed, expected, folders: 0 }
    }
    const ends = fewer(folders, Math.min(most, MOST_MARKS))
    const expected = this.spread && ends.length === 0 ? this.expected(territory, beyond) : []
    return { territory, marks: [...ends, ...beyond], expected, folders: ends.length }
  }

  private judge(territory: RangeEstimate, found: number): void {
    const { parent, before } = territory
    if (parent === undefined) return
    territory.parent = undefined
    territory.before = undefined
    parent.awaited--
    if (found >= WORTHWHILE) {
      parent.worthwhile++
      // There are keys up to its end.
      if (before !== undefined) before.trust = TRUSTED
    } else {
      this.wasted++
      territory.trust = 0
    }
    if (parent.awaited > 0) return
    if (parent.worthwhile > 0) parent.disappointments = 0
    else if (!territory.structural) {
      parent.disappointments++
      parent.trust = 0
    }
    parent.worthwhile = 0
  }

  private richest(territories: Iterable<RangeEstimate>): RangeEstimate | undefined {
    let best: RangeEstimate | undefined
    let most = FLOOR
    if (this.spread) {
      for (const { pages, expected } of territories) if (pages === 0) most = Math.max(most, expected / FAR_MORE)
    }
    for (const territory of territories) {
      if (territory.pages === 0 || territory.awaited > 0 || territory.pages < territory.restUntil) continue
      const { pages, folders } = this.estimate(territory)
      // What has gone on for long will go on.
      const least = territory.marked ? territory.inFolder : territory.after === undefined ? Infinity : FLOOR
      const worth = Math.max(pages / 2 ** territory.disappointments, folders.length > 0 ? least : 0)
      if (worth >= most) {
        most = worth
        best = territory
      }
    }
    return best
  }

  private estimate(territory: RangeEstimate): Estimate {
    territory.estimate ??= this.measure(territory)
    return territory.estimate
  }

  private measure(territory: RangeEstimate): Estimate {
    const { after, recent, pages, cursor, until } = territory
    const here = Buffer.from(cursor ?? '')
    const keys = [...recent.map((key) => Buffer.from(key)), here]
    const low = keys[0] ?? here
    const end = until === undefined ? undefined : Buffer.from(until)
    const frame = this.model.frame(low, end, cursor ?? '')
    const from = placeIn(frame, here)
    const to = frame.open || end === undefined ? 1 : placeIn(frame, end)
    // The widest of the latest pages: the estimate is to be low rather than high, for a cut beyond the data is a wasted call.
    let width = 1 / frame.resolution
    let before: number | undefined
    for (const key of keys) {
      const place = placeIn(frame, key)
      if (before !== undefined) width = Math.max(width, place - before)
      before = place
    }
    // Folders side by side lie as far apart as those that it went through, however near to each other the keys in one are.
    if (here.includes(SLASH, frame.start)) width = Math.max(width, (from - startOf(frame, after, here)) / pages)
    return {
      pages: Math.max(0, (to - from) / width),
      folders: this.folderMarks(territory),
      keyAt: (x) => keyAt(frame, here, from + (to - from) * x, width / 8),
      placeOf: (key) => (placeIn(frame, Buffer.from(key)) - from) / (to - from),
    }
  }

  // The ends of the folders that hold both the first and the last key of the first page, or of two pages later on, which
  // may then hold many more: what comes behind each is looked for at once, and the range itself is bounded by the innermost.
  private folderMarks(territory: RangeEstimate): string[] {
    const cursor = Buffer.from(territory.cursor ?? '')
    const first = territory.recent.at(territory.marked ? -2 : -1)
    if (first === undefined) return []
    const shared = commonLength(Buffer.from(first), cursor)
    const marks: string[] = []
    let level = levelAt(cursor, shared)
    for (let i = shared - 1; i >= 0; i--) {
      if (cursor[i] !== SLASH) continue
      level--
      if (!this.model.mayFollow(territory.cursor ?? '', level)) continue
      const end = successor(cursor.subarray(0, i + 1))
      if (end !== undefined) marks.push(end)
    }
    return usable(territory, marks)
  }

  private expected(territory: RangeEstimate, marks: readonly string[]): number[] {
    const { pages, placeOf } = this.estimate(territory)
    const places = [...marks.map(placeOf), 1]
    return marks.map((_, i) => pages * ((places[i + 1] ?? 1) - (places[i] ?? 1)))
  }

  private marks(territory: RangeEstimate, most: number): string[] {
    const { pages, keyAt: at } = this.estimate(territory)
    const places: number[] = []
    if (pages > SPARSE && territory.trust < TRUSTED) {
      const steps = Math.min(most, MOST_MARKS, Math.max(1, Math.ceil(Math.log2(pages) / 2) - 1))
      for (let i = 1; i <= steps; i++) places.push(pages ** ((i / (steps + 1) - 1) / (1 + territory.trust)))
    } else {
      const steps = Math.min(most, MOST_EQUAL_MARKS, Math.max(1, Math.floor(pages / FLOOR)))
      for (let i = 1; i <= steps; i++) places.push(i / (steps + 1))
    }
    return usable(territory, places.map(at))
  }
}

// Where a range begins in a frame: at its beginning, when it lies before that.
function startOf(frame: Frame, after: string | undefined, here: Buffer): number {
  const start = Buffer.from(after ?? '')
  return commonLength(start, here) < frame.start ? 0 : placeIn(frame, start)
}

function fewer(marks: readonly string[], most: number): readonly string[] {
  const every = Math.ceil(marks.length / most)
  return every > 1 ? marks.filter((_, i) => i % every === 0) : marks
}

function usable({ cursor, until }: RangeEstimate, marks: readonly string[]): string[] {
  const low = Buffer.from(cursor ?? '')
  const high = until === undefined ? undefined : Buffer.from(until)
  return marks
    .map((mark) => Buffer.from(mark))
    .filter((mark) => Buffer.compare(mark, low) > 0 && (high === undefined || Buffer.compare(mark, high) < 0))
    .sort((a, b) => Buffer.compare(a, b))
    .filter((mark, i, all) => i === 0 || Buffer.compare(mark, all[i - 1] ?? mark) !== 0)
    .map((mark) => mark.toString())
}
