/**
 * Where connections are between two requests. One whose answer has ended stays aside until the event loop has looked once more at what came in: bytes
 * behind the end of the answer, which were on their way already, show then that they are nobody's, and are not taken for the beginning of the next.
 */
export class RestingPlace<T> {
  private readonly rested: T[] = []
  /** Those since the last look, and since the one before. */
  private newest: T[] = []
  private older: T[] = []
  private waiting: ((one: T | undefined) => void)[] = []
  private turning = false

  /** Puts one aside. */
  rest(one: T): void {
    this.newest.push(one)
    if (this.turning) return
    this.turning = true
    setImmediate(this.turn)
  }

  /** One that has rested, the latest. */
  take(): T | undefined {
    return this.rested.pop()
  }

  /** One that is resting, as soon as it has; undefined when it is gone by then. Nothing when each is waited for already. */
  next(): Promise<T | undefined> | undefined {
    if (this.newest.length + this.older.length <= this.waiting.length) return undefined
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  remove(one: T): void {
    for (const place of [this.rested, this.newest, this.older]) {
      const at = place.indexOf(one)
      if (at >= 0) place.splice(at, 1)
    }
  }

  // The first turn comes before the event loop looks at what came in, the second behind.
  private readonly turn = (): void => {
    const ready = this.older
    this.older = this.newest
    this.newest = []
    if (this.older.length > 0) setImmediate(this.turn)
    else this.turning = false
    const { waiting } = this
    let served = 0
    for (; served < waiting.length && ready.length > 0; served++) waiting[served]?.(ready.pop())
    this.rested.push(...ready)
    // What was waited for may be gone.
    for (; waiting.length - served > this.older.length; served++) waiting[served]?.(undefined)
    this.waiting = waiting.slice(served)
  }
}
