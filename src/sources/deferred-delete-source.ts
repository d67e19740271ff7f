import type { LedgerPosition } from '../checkpoint/checkpoint.js'
import { readRemovals, type RemovalEntry } from '../checkpoint/deferred-delete-ledger.js'
import type { Deferral, Outcome } from '../job/outcome.js'
import type { ObjectSummary } from '../storage/storage.js'
import { OrderedSource, PAGE } from './ordered-source.js'
import type { Tally } from './tally.js'
import type { WorkItem } from './work-source.js'

/**
 * Work read from a ledger of what is to be deleted, in its order and while it grows. Nothing behind `allow` is handed out: a checkpoint must count on it first.
 */
export class DeferredDeleteSource extends OrderedSource<RemovalEntry> {
  private read: number
  private allowed: number
  private position: LedgerPosition
  private ended = false
  private wake: (() => void) | undefined

  constructor(
    private readonly path: string,
    start: LedgerPosition,
    private readonly prefix: string,
    private readonly tally: Tally,
  ) {
    super()
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

  override close(): void {
    super.close()
    this.allowed = this.read
    this.end()
  }

  protected async next(): Promise<readonly WorkItem[] | undefined> {
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

  protected passed({ end }: RemovalEntry, object: ObjectSummary, outcome: Outcome | Deferral): void {
    this.tally.add(object, outcome)
    this.position = { bytes: end, entries: this.position.entries + 1 }
  }
}
