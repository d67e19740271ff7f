import { LARGE } from '../../checkpoint/large-ledger.js'
import { LateLedger, type ObjectEntry } from '../../checkpoint/object-ledger.js'
import { largeRemaining, type LargeState, type LedgerPosition, type UploadState } from '../../checkpoint/checkpoint.js'
import type { LargeObject, Outcome } from '../../job/outcome.js'
import type { ObjectSummary } from '../../storage/storage.js'
import type { UploadLog } from '../actions/context.js'
import type { Action } from '../lanes/lane.js'

/** Large objects under way at once; each has several parts under way. */
const AT_ONCE = 4
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
  /** The action on an object, which keeps account of its upload. */
  readonly actFor: (uploads: UploadLog) => Action
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

/**
 * The large objects of a run. Lanes settle their keys at once, so that no checkpoint waits for hours; they are held until they are in a ledger
 * on the disk, as failures are, and then copied a few at a time, in the order of the ledger. What is left of them is a position and the few that are open.
 */
export class LargeObjects {
  private readonly open: Open[]
  private begun: LedgerPosition
  private readonly ledger: LateLedger<LargeObject>
  /** Settled in the ranges, and not on the disk yet. */
  private held: readonly LargeObject[] = []
  /** Nothing more will be held. */
  private last = false
  /** Read and not begun. */
  private read: ObjectEntry<LargeObject>[] = []
  private reading: Promise<void> | undefined
  private underWay = 0
  /** Nothing more will come into the ledger. */
  private closed = false
  private waiting: (() => void)[] = []

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

  /** Copies until there are and will be no more, or nothing is under way after `stop`. Never rejects. */
  async run(): Promise<void> {
    const { stop, fail } = this.options
    const wake = (): void => this.wake()
    stop.addEventListener('abort', wake, { once: true })
    try {
      if (this.ledger.position.bytes > 0) await this.ledger.open()
      const before = [...this.open]
      const worker = async (): Promise<void> => {
        for (let open = before.shift(); open !== undefined && !stop.aborted; open = before.shift())
          await this.again(open)
        for (let next = await this.next(); next !== undefined; next = await this.next()) await this.copy(...next)
      }
      await Promise.all(Array.from({ length: AT_ONCE }, worker))
    } catch (error) {
      fail(error)
    }
    stop.removeEventListener('abort', wake)
  }

  /** Closes the ledger and, when the run is `saved` without any that remain, removes it. */
  async end(saved: boolean): Promise<void> {
    await this.ledger.end(saved && this.remaining === 0)
  }

  private async again(open: Open): Promise<void> {
    const [entry] = await this.ledger.read(open.at, 1)
    if (entry !== undefined) await this.copy(open, entry)
  }

  private async next(): Promise<[Open, ObjectEntry<LargeObject>] | undefined> {
    for (;;) {
      if (this.options.stop.aborted) return undefined
      const entry = this.read.shift()
      if (entry !== undefined) {
        const open: Open = { at: entry.at, upload: undefined }
        this.open.push(open)
        this.begun = { bytes: entry.end, entries: this.begun.entries + 1 }
        return [open, entry]
      }
      if (this.begun.bytes < this.ledger.position.bytes) {
        this.reading ??= this.refill()
        await this.reading
      } else {
        if (this.closed) return undefined
        await new Promise<void>((resolve) => this.waiting.push(resolve))
      }
    }
  }

  private async refill(): Promise<void> {
    this.read = await this.ledger.read(this.begun.bytes, READ)
    this.reading = undefined
  }

  private async copy(open: Open, { object: { key, ...rest } }: ObjectEntry<LargeObject>): Promise<void> {
    const { actFor, prefix, save, settle, fail } = this.options
    const act = actFor({
      before: open.upload,
      begun: async (upload) => {
        open.upload = upload
        // A save that fails is the keeper's affair.
        await save().catch(() => undefined)
      },
    })
    const object: ObjectSummary = { key: key.slice(prefix.length), ...rest }
    this.underWay++
    try {
      const outcome = await act(object)
      if (outcome !== undefined) {
        this.open.splice(this.open.indexOf(open), 1)
        settle(object, outcome)
      }
    } catch (error) {
      fail(error)
    }
    this.underWay--
  }

  private wake(): void {
    const told = this.waiting
    this.waiting = []
    for (const resolve of told) resolve()
  }
}

function stateOf(at: number, upload: UploadState | undefined): LargeState['open'][number] {
  return upload === undefined ? { at } : { at, upload }
}
