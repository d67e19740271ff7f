import type { LedgerPosition } from '../checkpoint/checkpoint.js'
import { readRemovals, type RemovalEntry } from '../checkpoint/deferred-delete-ledger.js'
import type { Deferral, Outcome } from '../job/outcome.js'
import type { ObjectSummary } from '../storage/storage.js'
import type { Tally } from './tally.js'
import type { Lease, WorkItem, WorkSource } from './work-source.js'

/** Objects handed out at once, as many as one request can delete. */
const PAGE = 1000

/**
 * Work read from a ledger of what is to be deleted, while it grows. There is one lease, in the order of the ledger, so that the part that
 * is done is always a beginning of the file. Nothing behind `allow` is handed out: a checkpoint must count on it first.
 */
export class RemovalWork implements WorkSource {
  private readonly handedOut: RemovalEntry[] = []
  private read: number
  private allowed: number
  private position: LedgerPosition
  private claimed = false
  private ended = false
  private wake: (() => void) | undefined

  constructor(
    private readonly path: string,
    start: LedgerPosition,
    private readonly prefix: string,
    private readonly tally: Tally,
  ) {
    this.position = start
    this.read = start.bytes
    this.allowed = start.bytes
  }

  /** How much of the ledger is done. */
  get done(): LedgerPosition {
    return this.position
  }

  /** Up to here the ledger may be handed out. */
  allow({ bytes }: LedgerPosition): void {
    this.allowed = bytes
    this.wake?.()
  }

  /** Nothing more is going to be allowed. */
  end(): void {
    this.ended = true
    this.wake?.()
  }

  /** Nothing of it is to be deleted. */
  forgo(ledger: LedgerPosition): void {
    this.position = ledger
    this.read = ledger.bytes
    this.end()
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
    this.allowed = this.read
    this.end()
  }

  private async next(): Promise<readonly WorkItem[] | undefined> {
    while (this.read >= this.allowed) {
      if (this.ended) return undefined
      await new Promise<void>((resolve) => (this.wake = resolve))
    }
    const objects: WorkItem[] = []
    for await (const entry of readRemovals(this.path, this.read, this.allowed)) {
      const { key, storageClass = 'STANDARD', ...rest } = entry.deferredDelete
      objects.push({ ...rest, storageClass, key: key.slice(this.prefix.length) })
      this.handedOut.push(entry)
      this.read = entry.end
      if (objects.length === PAGE) break
    }
    return objects
  }

  private settle(object: ObjectSummary, outcome: Outcome | Deferral): void {
    const entry = this.handedOut.shift()
    if (entry === undefined) throw new Error('an object was settled that was not handed out')
    this.tally.add(object, outcome)
    this.position = { bytes: entry.end, entries: this.position.entries + 1 }
  }
}
