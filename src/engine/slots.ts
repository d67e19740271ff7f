import PQueue from 'p-queue'

/** How many objects a lane may add each time there is room. */
const GRANT = 16

/**
 * The object operations in flight, over all lanes: at most `concurrency` at once. Lanes wait for room before they add
 * more, so that what waits in the queue is bounded too, and room goes to the lanes in turn.
 */
export class Slots {
  private readonly queue: PQueue
  private readonly backlog: number
  private readonly waiting: (() => void)[] = []

  constructor(concurrency: number) {
    this.queue = new PQueue({ concurrency })
    this.backlog = Math.max(concurrency, GRANT)
  }

  /** Operations being carried out now. */
  get busy(): number {
    return this.queue.pending
  }

  /** Waits for room; answers how many operations may be added before asking again. */
  async room(): Promise<number> {
    if (this.waiting.length > 0 || !this.roomy()) await new Promise<void>((resolve) => this.waiting.push(resolve))
    return GRANT
  }

  /** Carries out `operation` when its turn comes. It must not reject. */
  add(operation: () => Promise<void>): void {
    void this.queue.add(async () => {
      await operation()
      this.wake()
    })
  }

  private wake(): void {
    if (this.waiting.length === 0 || !this.roomy()) return
    this.waiting.shift()?.()
    // When the run is ending, whoever is woken adds nothing: the others must not wait for an operation that never comes.
    if (this.waiting.length > 0) setImmediate(() => this.wake())
  }

  private roomy(): boolean {
    return this.queue.size <= this.backlog - GRANT
  }
}
