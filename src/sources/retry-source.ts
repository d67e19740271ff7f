import { join } from 'node:path'
import type { RetryState } from '../checkpoint/checkpoint.js'
import { readFailures, type LedgerEntry } from '../checkpoint/failure-ledger.js'
import { RETRYING } from '../checkpoint/ledger-file.js'
import { UserError } from '../errors.js'
import { NAMES_COLLIDE, type Deferral, type Failure, type Outcome } from '../job/outcome.js'
import type { ObjectSummary } from '../storage/storage.js'
import { named, type Complete, type Named } from './named-object.js'
import { OrderedSource, PAGE } from './ordered-source.js'
import { addTo, type Tally } from './tally.js'
import type { WorkItem } from './work-source.js'

interface Entry {
  readonly failure: Failure
  readonly end: number
  /** Not to be tried again: it stands as it is as soon as all before it are settled. */
  readonly kept: boolean
}

/**
 * Work read from a failure ledger that was set aside to be tried again, in its order. An entry leaves the totals of the failed when it is
 * settled anew.
 */
export class RetrySource extends OrderedSource<Entry> {
  private readonly entries: AsyncGenerator<LedgerEntry, void, undefined>
  private state: RetryState
  private ended = false

  constructor(
    folder: string,
    start: RetryState,
    private readonly sourcePrefix: string,
    private readonly tally: Tally,
    private readonly complete: Complete,
  ) {
    super()
    this.state = start
    this.entries = readFailures(join(folder, RETRYING), start.bytes)
  }

  /** How far the ledger is settled; undefined once it is wholly. */
  remaining(): RetryState | undefined {
    return this.ended && this.handedOut.length === 0 ? undefined : this.state
  }

  /** Entries that are not settled anew. */
  untried(): number {
    return this.state.of - this.state.entries
  }

  protected async next(): Promise<readonly WorkItem[] | undefined> {
    if (this.ended) return undefined
    const objects: Named[] = []
    while (objects.length < PAGE) {
      const { value: entry } = await this.entries.next()
      if (entry === undefined) {
        this.checkCount()
        this.ended = true
        break
      }
      const { failure, end } = entry
      const { code } = failure
      const kept = code === NAMES_COLLIDE || this.state.codes?.includes(code) === false
      this.handedOut.push({ failure, end, kept })
      if (kept) {
        this.passKept()
        continue
      }
      objects.push(named(failure, this.sourcePrefix))
    }
    return await this.complete(objects)
  }

  // A file that lost whole lines reads well, and their keys would be lost with them.
  private checkCount(): void {
    const read = this.state.entries + this.handedOut.length
    if (read === this.state.of) return
    throw new UserError(
      `${RETRYING} has ${read} entries where the checkpoint counts ${this.state.of}: it was edited`,
      'restore the file from a copy',
    )
  }

  protected passed(entry: Entry, object: ObjectSummary, outcome: Outcome | Deferral): void {
    addTo(this.tally.totals.failed, entry.failure.code, -1)
    this.tally.add(object, outcome)
    this.advance(entry)
    this.passKept()
  }

  private passKept(): void {
    for (let entry = this.handedOut[0]; entry?.kept === true; entry = this.handedOut[0]) {
      this.handedOut.shift()
      addTo(this.tally.totals.failed, entry.failure.code, -1)
      this.tally.keep(entry.failure)
      this.advance(entry)
    }
  }

  private advance({ end }: Entry): void {
    this.state = { ...this.state, bytes: end, entries: this.state.entries + 1 }
  }
}
