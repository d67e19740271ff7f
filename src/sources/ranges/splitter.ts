import { parentFolder, type PageFacts } from '../page-facts.js'
import { commonLength, keyAt, KeyModel, placeIn, SLASH, successor } from './key-model.js'

/** What the splitter keeps of a range that is being listed. */
export interface RangeEstimate {
  /** The last key listed; absent before the first page. */
  cursor: string | undefined
  until: string | undefined
  /** First keys of its latest pages, oldest first. */
  readonly recent: string[]
  pages: number
  /** The folder of the cursor, and how many of its keys were listed here. */
  folder: string
  inFolder: number
  /** Whether the folders in which its keys lie have been marked off. */
  marked: boolean
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
  /** The end of the outermost folder that was marked off before it, and how far those before that were of its kind. */
  outer: string
  alike: number
  /** Pages that seem to remain; undefined when it must be estimated anew. */
  estimate: Estimate | undefined
}

/** A territory that begins behind `after`. */
export function territory(after: string | undefined, until: string | undefined): RangeEstimate {
  return {
    cursor: after,
    until,
    recent: [],
    pages: 0,
    folder: '',
    inFolder: 0,
    marked: false,
    disappointments: 0,
    awaited: 0,
    restUntil: 0,
    parent: undefined,
    structural: false,
    before: undefined,
    worthwhile: 0,
    expected: 0,
    trust: 0,
    outer: '',
    alike: 0,
    estimate: undefined,
  }
}

/** Makes a cut: the range ends at the first mark, and others begin there. Answers those, which together have all that it gave away. */
export function parted({ territory: whole, marks, expected, structural }: Cut): RangeEstimate[] {
  const parts = marks.map((mark, i) => {
    const isLast = i + 1 === marks.length
    const part = territory(mark, marks[i + 1] ?? whole.until)
    part.parent = whole
    part.structural = structural
    part.marked = !isLast || (!structural && whole.until !== undefined)
    part.expected = expected[i] ?? 0
    if (isLast) {
      part.outer = whole.outer
      part.alike = whole.alike
      if (!structural) part.trust = whole.trust + 1
    }
    return part
  })
  if (!structural) for (const [i, part] of parts.entries()) part.before = i === 0 ? whole : parts[i - 1]
  whole.awaited += parts.length
  whole.until = marks[0]
  whole.estimate = undefined
  return parts
}

interface Estimate {
  readonly pages: number
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
  /** The marks are the ends of folders. */
  readonly structural: boolean
}

/** A range is not split below this many pages: the half page that is lost at each end would cost more than it brings. */
const FLOOR = 6
/** A new range whose first page holds fewer objects than this was not worth its LIST call. */
const WORTHWHILE = 300
/** Calls that may be wasted on splits: a few at the start, then this share of the pages. */
const FREE_WASTE = 16
const WASTE_SHARE = 0.14
const MOST_MARKS = 12
const MOST_EQUAL_MARKS = 8
/** Where ranges are to be spread, none is cut while another, of which so many times as much is expected, has not shown its first page. */
const FAR_MORE = 2
/** A range that was found to be so long this often is cut into equal parts. */
const TRUSTED = 3
/** Folders side by side are marked off one after the other until they are so much alike; then what lies behind them is estimated. */
const ALIKE = 8
/** A range seems longer than it is while its end is unknown: above this many pages it is probed in growing steps. */
const SPARSE = 64

/**
 * Decides where ranges are cut when lanes have nothing to do (docs/design/listing.md tells how, and what it costs on which layout).
 *
 * First the folders in which a range's keys lie are marked off, which bounds it by what exists. Then the keys are read as
 * numbers whose digits are the bytes seen at each position; where the pages of a range lie on that scale tells how many
 * remain, and where to cut. An estimate can be wrong by any factor, so cuts of a range that seems long are geometric: they find the
 * scale in one round trip. A cut that yields nothing costs one LIST call; their number is bounded.
 */
export class Splitter {
  private readonly model = new KeyModel()
  private pages = 0
  private wasted = 0
  /** By folder level: the most keys found in a folder that was listed to its end. */
  private readonly largest: number[] = []

  /** `spread`: nothing is cut small as long as much more may lie elsewhere, so that ranges lie all over the keyspace. */
  constructor(private readonly spread = false) {}

  /** Takes in a page of a territory. */
  learn(territory: RangeEstimate, facts: PageFacts): void {
    this.pages++
    this.judge(territory, facts.count)
    const { first, last } = facts
    if (first === undefined || last === undefined) return
    for (const sample of facts.samples) this.model.learn(sample)
    this.measureFolders(territory, facts, last)
    if (territory.recent.push(first) > 3) territory.recent.shift()
    territory.pages++
    territory.cursor = last
    territory.estimate = undefined
  }

  /** The best cut for `idle` lanes that have nothing to do, or undefined when none is worth its calls. */
  choose(territories: Iterable<RangeEstimate>, idle: number): Cut | undefined {
    for (;;) {
      if (idle < 1 || this.wasted > FREE_WASTE + WASTE_SHARE * this.pages) return undefined
      const best = this.richest(territories)
      if (best === undefined) return undefined
      const most = Math.ceil(idle / 2)
      const folders = best.marked ? [] : folderMarks(best, most)
      compareFolders(best, folders.at(-1))
      const structural = !best.marked && best.alike < ALIKE
      const marks = structural ? folders : this.marks(best, most)
      best.marked = true
      if (marks.length > 0) {
        const expected = structural || !this.spread ? [] : this.expected(best, marks)
        return { territory: best, marks, expected, structural }
      }
      if (!structural) {
        best.disappointments++
        best.restUntil = best.pages + 2 ** Math.min(best.disappointments, 5)
      }
    }
  }

  // Notes how large folders get: those that were listed to their end, by level.
  private measureFolders(territory: RangeEstimate, facts: PageFacts, last: string): void {
    const folder = parentFolder(last)
    if (folder === territory.folder) {
      territory.inFolder += facts.inFolder
      return
    }
    const level = levelOf(territory.folder)
    this.largest[level] = Math.max(this.largest[level] ?? 0, territory.inFolder + facts.inFolderBefore)
    territory.folder = folder
    territory.inFolder = facts.inFolder
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
      const worth = territory.marked ? this.estimate(territory).pages / 2 ** territory.disappointments : Infinity
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

  private measure({ recent, cursor, until, folder, inFolder }: RangeEstimate): Estimate {
    const here = Buffer.from(cursor ?? '')
    const keys = [...recent.map((key) => Buffer.from(key)), here]
    const low = keys[0] ?? here
    const end = until === undefined ? undefined : Buffer.from(until)
    // A counter may go on for as long as its digits allow, unless other folders of its kind have shown where it ends.
    const mayGrow = inFolder > (this.largest[levelOf(folder)] ?? 0)
    const frame = this.model.frame(low, end, mayGrow ? Infinity : Buffer.byteLength(folder))
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
    return {
      pages: Math.max(0, (to - from) / width),
      keyAt: (x) => keyAt(frame, here, from + (to - from) * x, width / 8),
      placeOf: (key) => (placeIn(frame, Buffer.from(key)) - from) / (to - from),
    }
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

// The ends of the folders that hold both the first and the last key of the latest page: what comes behind each is
// looked for at once, and the range itself is bounded by the innermost.
function folderMarks(territory: RangeEstimate, most: number): string[] {
  const cursor = Buffer.from(territory.cursor ?? '')
  const shared = commonLength(Buffer.from(territory.recent.at(-1) ?? ''), cursor)
  const marks: string[] = []
  for (let i = shared - 1; i >= 0; i--) {
    if (cursor[i] !== SLASH) continue
    const end = successor(cursor.subarray(0, i + 1))
    if (end !== undefined) marks.push(end)
  }
  const every = Math.ceil(marks.length / Math.min(most, MOST_MARKS))
  return usable(territory, every > 1 ? marks.filter((_, i) => i % every === 0) : marks)
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

// Folders of one level are alike, and the more so when only numbers tell their names apart.
function compareFolders(territory: RangeEstimate, outer: string | undefined): void {
  if (outer === undefined) return
  const { outer: before } = territory
  if (levelOf(outer) !== levelOf(before)) territory.alike = 0
  else territory.alike += formOf(outer) === formOf(before) ? 4 : 1
  territory.outer = outer
}

function formOf(path: string): string {
  return path.replace(/[0-9]+/g, '0')
}

function levelOf(path: string): number {
  let level = 0
  for (let i = path.indexOf('/'); i >= 0; i = path.indexOf('/', i + 1)) level++
  return level
}
