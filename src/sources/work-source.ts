import type { Deferral, Outcome } from '../job/outcome.js'
import type { ObjectSummary, Page } from '../storage/storage.js'
import type { Named } from './named-object.js'
import type { PageFacts } from './page-facts.js'

/** An object as work: what a listing shows of it, and what else is known by where it comes from. */
export interface WorkItem extends ObjectSummary {
  /** What the destination has under its name, where both sides are listed. */
  readonly there?: ObjectSummary | undefined
  /** Only the destination has it, and this is what it has. */
  readonly extra?: boolean
  /** The ETag of its copy, of which it was proven that it is one. */
  readonly copy?: string
  /** It failed before, in this operation: what is known of it may be out of date. */
  readonly failedIn?: string
  /** What became of it is known without acting on it; then the rest may not be. */
  readonly known?: Outcome
}

/**
 * The right to work on one range of keys. Its holder takes objects with `next`, acts on them in any order, and settles
 * them in the order in which they came.
 */
export interface Lease {
  /** The next objects, in order, possibly none; undefined when the range is at its end. Not to be called again before it has answered. */
  next(): Promise<readonly WorkItem[] | undefined>

  /** Says what became of the next unsettled object. Called once for each object, in the order in which `next` gave them. */
  settle(object: ObjectSummary, outcome: Outcome | Deferral): void

  /** Gives the lease back. What was not settled is work for somebody else, now or after a restart. */
  release(): void
}

/** Where lanes get their work. */
export interface WorkSource {
  /** Waits for work; undefined when there is and will be none, or once the source was closed. */
  claim(): Promise<Lease | undefined>

  /** Ends the handing out of work: pending and later claims answer undefined. */
  close(): void
}

/** What of a page belongs to the range that it was listed for. */
export interface PageVerdict {
  /** Nothing remains to be listed. */
  readonly ended: boolean
  /** Where the range ends by now. */
  readonly until: string | undefined
  /** The page reaches beyond that: the holder drops the keys behind it, and says so by `trimmed`. */
  readonly trim: boolean
}

/** Rows of one file of an inventory, all numbers from 0. */
export interface RowRange {
  readonly file: number
  /** The first of them. */
  readonly row: number
  /** The first behind them; absent for the end of the file. */
  readonly until?: number
}

/** Rows that are to be read, of a file that was proven. */
export interface GrantedRows extends RowRange {
  /** That of the file, as a `DataFile` has it. */
  readonly identity: string
}

/**
 * The right to list one range, without the means to: whoever has it lists from behind `after` and has each page accepted before
 * anything is done with it. May be held in another thread than that of the ranges.
 */
export interface RangeClaim {
  readonly after: string | undefined
  /** The page of objects behind `after`, where it was listed already. */
  readonly first?: Page | undefined
  /** What a list names, in place of a range: nothing is listed. */
  readonly named?: readonly Named[] | undefined
  /** The same, where its holder is to read what an inventory names. Rows are settled in place of keys, and facts tell how many the file has. */
  readonly rows?: GrantedRows | undefined
  /** Where the range ended when it was granted; it may have come nearer since. */
  readonly until: string | undefined
  accept(facts: PageFacts): PageVerdict | Promise<PageVerdict>
  /** Follows a verdict with `trim`: what is left of the page `from`. */
  trimmed(facts: PageFacts, from: PageFacts): void
  /** The next `count` unsettled keys are settled; `key` is the last of them. */
  settle(key: string, count: number): void
  /** Gives the range back. What was not settled is work for somebody else. May be repeated. */
  release(): void
}

/** Where grants come from. */
export interface ClaimableRanges {
  /** Waits for a range; undefined when there is and will be none, or after `close`. */
  claim(): Promise<RangeClaim | undefined>

  /** Ends the handing out: pending and later claims answer undefined. */
  close(): void
}

/** Ranges for hands that come and go. */
export interface KeptRanges extends ClaimableRanges {
  /** Who aborts `withdrawn` waits no more: it is answered undefined, or gives back what it was granted before. */
  claim(withdrawn?: AbortSignal): Promise<RangeClaim | undefined>

  /** Nothing is left that could be claimed, nor given back. */
  readonly done: boolean
}
