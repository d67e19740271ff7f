import type { Deferral, Outcome } from '../job/outcome.js'
import type { ObjectSummary } from '../storage/storage.js'
import type { Lease, WorkItem, WorkSource } from './work-source.js'

/** Objects handed out at once, as many as a page of a listing has, and as one request can delete. */
export const PAGE = 1000

/** Work that is read in one order. There is one lease, in that order, so that the part that is settled is always a beginning of it. */
export abstract class OrderedSource<Entry> implements WorkSource {
  /** What was handed out and is not settled, oldest first. */
  protected readonly handedOut: Entry[] = []
  protected closed = false
  private claimed = false

  claim(): Promise<Lease | undefined> {
    if (this.claimed || this.closed) return Promise.resolve(undefined)
    this.claimed = true
    return Promise.resolve({
      next: () => this.next(),
      settle: (object: ObjectSummary, outcome: Outcome | Deferral) => this.settle(object, outcome),
      release: () => this.released(),
    })
  }

  close(): void {
    this.closed = true
  }

  /** As `next` of a lease; what it hands out it adds to `handedOut`. */
  protected abstract next(): Promise<readonly WorkItem[] | undefined>

  /** Takes in what became of the oldest entry that was handed out. */
  protected abstract passed(entry: Entry, object: ObjectSummary, outcome: Outcome | Deferral): void

  protected released(): void {
    // Most have nothing to give back.
  }

  private settle(object: ObjectSummary, outcome: Outcome | Deferral): void {
    const entry = this.handedOut.shift()
    if (entry === undefined) throw new Error('an object was settled that was not handed out')
    this.passed(entry, object, outcome)
  }
}
