import type { Outcome } from '../job.js'
import type { ObjectSummary } from '../storage/storage.js'

/**
 * The right to work on one range of keys. Its holder takes objects with `next`, acts on them in any order, and settles
 * them in the order in which they came.
 */
export interface Lease {
  /** The next objects, in order, possibly none; undefined when the range is at its end. Not to be called again before it has answered. */
  next(): Promise<readonly ObjectSummary[] | undefined>

  /** Says what became of the next unsettled object. Called once for each object, in the order in which `next` gave them. */
  settle(object: ObjectSummary, outcome: Outcome): void

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
