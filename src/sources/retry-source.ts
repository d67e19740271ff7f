import { join } from 'node:path'
import type { RetryState } from '../checkpoint/checkpoint.js'
import { readFailures, type LedgerEntry } from '../checkpoint/failure-ledger.js'
import { RETRYING } from '../checkpoint/ledger-file.js'
import { UserError } from '../errors.js'
import { NAMES_COLLIDE, type Deferral, type Failure, type Outcome } from '../job/outcome.js'
import type { ObjectSummary } from '../storage/storage.js'
import { named, type Complete, type Named } from './named-object.js'
import { addTo, type Tally } from './tally.js'
import type { Lease, WorkItem, WorkSource } from './work-source.js'

/** Objects handed out at once, as many as a page of a listing has. */
const PAGE = 1000

interface Entry {
  readonly failure: Failure
  readonly end: number
  /** Not to be tried again: it stands as it is as soon as all before it are settled. */
  readonly kept: boolean
}

/**
 * Work read from a failure ledger that was set aside to be tried again. There is one lease, in the order of the ledger,
 * so that the part that is settled is always a beginning of the file. An entry leaves the totals of the failed when it is
 * settled anew.
 */
export class LedgerWork implements WorkSource {
  private readonly entries: AsyncGenerator<LedgerEntry, void, undefined>
  /** What was handed out and is not settled, oldest first. */
  private readonly handedOut: Entry[] = []
  private state: RetryState
  private claimed = false
  private ended = false

  constructor(
    folder: string,
    start: RetryState,
    private readonly sourcePrefix: string,
    private readonly tally: Tally,
    private readonly complete: Complete,
  ) {
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

  claim(): Promise<Lease | undefined> {
    if (this.claimed) return Promise.resolve(undefined)
    this.claimed = true
    return Promise.resolve({
      next: () => this.next(),
      settle: (object: ObjectSummary, outcome: Outcome | Deferral) => this.settle(object, outcome),
      release: () => undefined,
    })
  }

  close(): void {
    this.claimed = true
  }

  private async next(): Promise<readonly WorkItem[] | undefined> {
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

  private settle(object: ObjectSummary, outcome: Outcome | Deferral): void {
    const entry = this.handedOut.shift()
    if (entry === undefined) throw new Error('an object was settled that was not handed out')
    addTo(this.tally.totals.failed, entry.failure.code, -1)
    this.tally.add(object, outcome)
    this.passed(entry)
    this.passKept()
  }

  private passKept(): void {
    for (let entry = this.handedOut[0]; entry?.kept === true; entry = this.handedOut[0]) {
      this.handedOut.shift()
      addTo(this.tally.totals.failed, entry.failure.code, -1)
      this.tally.keep(entry.failure)
      this.passed(entry)
    }
  }

  private passed({ end }: Entry): void {
    this.state = { ...this.state, bytes: end, entries: this.state.entries + 1 }
  }
}
