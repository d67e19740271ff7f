import { sleep } from '../abort.js'

/** A line that is refused again and again waits up to so many times as long. */
const LONGEST = 16

/** How long one who asks waits after refusals because there were too many: twice as long after each, until one is granted. */
export class Backoff {
  #next: number

  /** `first` is in milliseconds. */
  constructor(
    private readonly first: number,
    private readonly stop: AbortSignal,
  ) {
    this.#next = first
  }

  granted(): void {
    this.#next = this.first
  }

  async refused(): Promise<void> {
    const now = this.#next
    this.#next = Math.min(LONGEST * this.first, 2 * now)
    await sleep(now, this.stop)
  }
}
