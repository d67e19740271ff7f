import PQueue from 'p-queue'
import type { RunSettings } from '../../job/pace.js'
import type { Valve } from './gate.js'
import { SlotLoans } from './slot-loans.js'

/** How many objects a lane may add each time there is room. */
const GRANT = 16

/** A thread that has fewer slots than it may have looks again so soon, in milliseconds: what ends in another thread wakes nobody here. */
const LOOK_AGAIN = 2

/**
 * The object operations in flight, over all lanes: at most `concurrency` at once. Lanes wait for room before they add
 * more, so that what waits in the queue is bounded too, and room goes to the lanes in turn.
 */
export class ConcurrencyLimit implements Valve {
  private readonly queue: PQueue<Fifo>
  private readonly backlog: number
  private readonly waiting: (() => void)[] = []

  private readonly waitsInQueue: Fifo[] = []
  private readonly loans: SlotLoans | undefined
  private readonly ceiling: Int32Array<SharedArrayBuffer> | undefined
  private look: NodeJS.Timeout | undefined

  /** With `slots`, `concurrency` is the share of them that nobody keeps from it; with `ceiling` alone, what that says at the start. */
  constructor(
    private readonly concurrency: number,
    { slots, ceiling }: Partial<Pick<RunSettings, 'slots' | 'ceiling'>> = {},
  ) {
    this.loans = slots === undefined ? undefined : new SlotLoans(slots)
    this.ceiling = ceiling === undefined || slots !== undefined ? undefined : new Int32Array(ceiling)
    const queues = this.waitsInQueue
    class Mine extends Fifo {
      constructor() {
        super()
        queues.push(this)
      }
    }
    this.queue = new PQueue<Fifo>({ concurrency: this.loans?.held ?? concurrency, queueClass: Mine })
    this.backlog = Math.max(concurrency, GRANT)
  }

  /** Operations being carried out now. */
  get busy(): number {
    return this.queue.pending
  }

  /** Whether half of the operations that may be in flight are not, and none waits. */
  get idle(): boolean {
    return this.queue.size === 0 && this.queue.pending * 2 < this.concurrency
  }

  /** Waits for room; answers how many operations may be added before asking again. */
  async room(): Promise<number> {
    if (this.waiting.length > 0 || !this.roomy()) await new Promise<void>((resolve) => this.waiting.push(resolve))
    return GRANT
  }

  /** Carries out `operation` when its turn comes. It must not reject, and calls `ended` as the last thing it does. */
  add(operation: () => Promise<void>): void {
    void this.queue.add(operation)
    this.borrow()
  }

  /** Lets a waiting lane go on, if there is room. */
  ended(): void {
    if (this.waiting.length > 0) this.wake()
    // The queue counts what ends now as under way still.
    this.borrow(this.queue.pending - 1)
  }

  /** Carries out nothing more but what is under way; what is added waits. */
  pause(): void {
    this.queue.pause()
  }

  /** Carries out a few of those that wait, of as many lanes as there are. */
  probe(count: number): void {
    for (const queue of this.waitsInQueue) queue.bringForward(count, GRANT)
    // The queue begins what it may in the very call.
    const { concurrency } = this.queue
    this.queue.concurrency = this.queue.pending + count
    this.queue.start().pause()
    this.queue.concurrency = concurrency
  }

  resume(): void {
    this.queue.start()
  }

  private wake(): void {
    if (this.waiting.length === 0 || !this.roomy()) return
    this.waiting.shift()?.()
    // When the run is ending, whoever is woken adds nothing: the others must not wait for an operation that never comes.
    if (this.waiting.length > 0) setImmediate(() => this.wake())
  }

  // Slots go where there is work.
  private borrow(busy = this.queue.pending): void {
    const { loans, ceiling, queue } = this
    const lacking = loans?.adjust(busy + queue.size, busy) ?? false
    const allowed = loans?.held ?? (ceiling && Atomics.load(ceiling, 0))
    // To set it is to look for work.
    if (allowed !== undefined && allowed !== queue.concurrency) queue.concurrency = allowed
    if (lacking && this.look === undefined) {
      this.look = setTimeout(() => {
        this.look = undefined
        this.borrow()
      }, LOOK_AGAIN).unref()
    }
  }

  private roomy(): boolean {
    return this.queue.size <= this.backlog - GRANT
  }
}

type Run = () => Promise<unknown>

/** First in, first out: nothing here has a priority, and p-queue's own queue pays for being able to. */
class Fifo {
  private items: Run[] = []
  private first = 0

  get size(): number {
    return this.items.length - this.first
  }

  filter(): Run[] {
    return this.items.slice(this.first)
  }

  enqueue(run: Run): void {
    this.items.push(run)
  }

  dequeue(): Run | undefined {
    const run = this.items[this.first]
    this.first++
    if (this.first >= 1024 || this.first >= this.items.length) {
      this.items = this.items.slice(this.first)
      this.first = 0
    }
    return run
  }

  /** The first of each so many come first, `count` of them at most: a lane adds so many at a time, and its first one is to be done first. */
  bringForward(count: number, each: number): void {
    const waiting = this.items.slice(this.first)
    const chosen = new Set(waiting.filter((_, index) => index % each === 0).slice(0, count))
    this.items = [...chosen, ...waiting.filter((run) => !chosen.has(run))]
    this.first = 0
  }

  // Part of p-queue's interface; without priorities there is nothing to set.
  setPriority(): void {
    return
  }
}
