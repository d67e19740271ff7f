import { LARGE } from '../../checkpoint/large-ledger.js'
import { LateLedger, type ObjectEntry } from '../../checkpoint/object-ledger.js'
import { largeRemaining, type LargeState, type LedgerPosition, type UploadState } from '../../checkpoint/checkpoint.js'
import type { LargeObject, Outcome } from '../../job/outcome.js'
import type { ObjectSummary } from '../../storage/storage.js'
import type { LargeHand, LargeQueue } from '../workers/large-hand.js'

/** Entries of the ledger that are read at once. */
const READ = 1000

const NOWHERE: LedgerPosition = { bytes: 0, entries: 0 }

/** What is needed to copy large objects. */
export interface LargeOptions {
  /** Of the run. */
  readonly folder: string
  /** What remained when the checkpoint was saved; absent for nothing. */
  readonly start: LargeState | undefined
  /** What the keys of the ledger begin with, and objects are named without. */
  readonly prefix: string
  /** The one of this process; absent where only others copy them. */
  readonly own: LargeHand | undefined
  /** Resolves when one may be begun. */
  readonly pass: () => Promise<void>
  /** Told of each outcome. */
  readonly settle: (object: ObjectSummary, outcome: Outcome) => void
  /** Saves the run; an upload is written down before there is anything in it. */
  readonly save: () => Promise<void>
  /** Aborted when nothing further is to be begun. */
  readonly stop: AbortSignal
  /** Called, perhaps several times, with what makes it impossible to go on. */
  readonly fail: (error: unknown) => void
}

/** An object that was begun and is not settled. */
interface Open {
  readonly at: number
  upload: UploadState | undefined
}

/** One that can be copied at once. */
interface Ready {
  readonly open: Open
  readonly object: LargeObject
}

/**
 * The large objects of a run. Lanes settle their keys at once, so that no checkpoint waits for hours; they are held until they are in a ledger
 * on the disk, as failures are, and then copied a few at a time, in the order of the ledger, by whoever has least to do. What is left of them is a
 * position and the few that are open: those stay open, with their uploads, when who copied them is gone.
 */
export class LargeObjects implements LargeQueue {
  private readonly open: Open[]
  private begun: LedgerPosition
  private readonly ledger: LateLedger<LargeObject>
  /** Settled in the ranges, and not on the disk yet. */
  private held: readonly LargeObject[] = []
  /** Nothing more will be held. */
  private last = false
  /** Read and not begun. */
  private read: ObjectEntry<LargeObject>[] = []
  /** Begun in an earlier session, and not read. */
  private before: Open[] = []
  /** Begun before by somebody who is gone. */
  private readonly givenBack: Ready[] = []
  /** Who copies them, and how many each has in hand. */
  private readonly hands = new Map<LargeHand, number>()
  private underWay = 0
  /** Nothing more will come into the ledger. */
  private closed = false
  /** Something may be to do that was not before. */
  private isStale = false
  private look: (() => void) | undefined

  constructor(private readonly options: LargeOptions) {
    const { start } = options
    this.open = start?.open.map(({ at, upload }) => ({ at, upload })) ?? []
    this.begun = start?.begun ?? NOWHERE
    this.ledger = new LateLedger(LARGE, options.folder, start?.ledger ?? NOWHERE)
  }

  /** Objects that are not settled. */
  get remaining(): number {
    return largeRemaining(this.state()) + this.held.length
  }

  /** How many are being copied and how many wait; undefined when there are none. */
  get counts(): { readonly underWay: number; readonly waiting: number } | undefined {
    const { remaining, underWay } = this
    return remaining === 0 ? undefined : { underWay, waiting: remaining - underWay }
  }

  /** What remains, of the ledger as it is on the disk. */
  state(): LargeState {
    return {
      ledger: this.ledger.position,
      begun: this.begun,
      open: this.open.map(({ at, upload }) => stateOf(at, upload)),
    }
  }

  /** Takes over objects that a checkpoint passes, to be written down before it; `last`: there will be no more. */
  hold(objects: readonly LargeObject[], last: boolean): void {
    if (objects.length > 0) this.held = [...this.held, ...objects]
    this.last = last
  }

  /** Writes down what is held; from then on it may be begun. Rejects with a CheckpointError, and holds it still. Answers where the ledger ends. */
  async flush(): Promise<LedgerPosition> {
    const { held, last } = this
    await this.ledger.append(held)
    this.held = this.held.slice(held.length)
    this.closed = last
    this.wake()
    return this.ledger.position
  }

  join(hand: LargeHand): () => void {
    this.hands.set(hand, 0)
    this.wake()
    return () => void this.hands.delete(hand)
  }

  /** Has them copied until there are and will be no more, or nothing is under way after `stop`. Never rejects. */
  async run(): Promise<void> {
    const { own, stop, fail } = this.options
    const wake = (): void => this.wake()
    stop.addEventListener('abort', wake, { once: true })
    if (own !== undefined) this.join(own)
    try {
      if (this.ledger.position.bytes > 0) await this.ledger.open()
      this.before = [...this.open]
      for (;;) {
        await this.giveOut()
        if (stop.aborted || this.isOver) break
        await this.changed()
      }
    } catch (error) {
      fail(error)
    }
    while (this.underWay > 0) await this.changed()
    stop.removeEventListener('abort', wake)
  }

  /** Closes the ledger and, when the run is `saved` without any that remain, removes it. */
  async end(saved: boolean): Promise<void> {
    await this.ledger.end(saved && this.remaining === 0)
  }

  /** Nothing is left to be copied, and nothing will come: neither from the lanes nor back from a hand. */
  private get isOver(): boolean {
    return this.closed && this.underWay === 0 && !this.isAnyRead && !this.isAnyUnread
  }

  private get isAnyRead(): boolean {
    return this.givenBack.length + this.read.length > 0
  }

  private get isAnyUnread(): boolean {
    return this.before.length > 0 || this.begun.bytes < this.ledger.position.bytes
  }

  /** Gives out what there is, as long as somebody has room for it. */
  private async giveOut(): Promise<void> {
    while (!this.options.stop.aborted && this.freest() !== undefined) {
      while (!this.isAnyRead && this.isAnyUnread) await this.refill()
      // It may have gone meanwhile.
      const hand = this.freest()
      const ready = hand === undefined ? undefined : this.next()
      if (hand === undefined || ready === undefined) return
      void this.copy(hand, ready)
    }
  }

  /** Who has room, and least to do. */
  private freest(): LargeHand | undefined {
    let [found, least] = [undefined as LargeHand | undefined, Infinity]
    for (const [hand, busy] of this.hands) if (busy < Math.min(hand.atOnce, least)) [found, least] = [hand, busy]
    return found
  }

  private next(): Ready | undefined {
    const ready = this.givenBack.shift()
    if (ready !== undefined) return ready
    const entry = this.read.shift()
    if (entry === undefined) return undefined
    const open: Open = { at: entry.at, upload: undefined }
    this.open.push(open)
    this.begun = { bytes: entry.end, entries: this.begun.entries + 1 }
    return { open, object: entry.object }
  }

  private async refill(): Promise<void> {
    const open = this.before.shift()
    if (open === undefined) {
      this.read = await this.ledger.read(this.begun.bytes, READ)
      return
    }
    const [entry] = await this.ledger.read(open.at, 1)
    if (entry !== undefined) this.givenBack.push({ open, object: entry.object })
  }

  private async copy(hand: LargeHand, ready: Ready): Promise<void> {
    const { prefix, pass, save, settle, stop, fail } = this.options
    const { open } = ready
    const { key, ...rest } = ready.object
    const object: ObjectSummary = { key: key.slice(prefix.length), ...rest }
    const begun = async (upload: UploadState): Promise<void> => {
      open.upload = upload
      // A save that fails is the keeper's affair.
      await save().catch(() => undefined)
    }
    this.busy(hand, 1)
    try {
      await pass()
      const outcome = stop.aborted
        ? undefined
        : await hand.copy({ at: open.at, object, uploads: { before: open.upload, begun } })
      if (outcome === undefined) this.givenBack.push(ready)
      else {
        this.open.splice(this.open.indexOf(open), 1)
        settle(object, outcome)
      }
    } catch (error) {
      fail(error)
    }
    this.busy(hand, -1)
    this.wake()
  }

  private busy(hand: LargeHand, more: 1 | -1): void {
    this.underWay += more
    const busy = this.hands.get(hand)
    if (busy !== undefined) this.hands.set(hand, busy + more)
  }

  private wake(): void {
    this.isStale = true
    this.look?.()
  }

  private async changed(): Promise<void> {
    if (!this.isStale) await new Promise<void>((resolve) => (this.look = resolve))
    this.isStale = false
  }
}

function stateOf(at: number, upload: UploadState | undefined): LargeState['open'][number] {
  return upload === undefined ? { at } : { at, upload }
}
