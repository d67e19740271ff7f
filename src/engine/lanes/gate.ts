/** Where objects wait to be begun. */
export interface Valve {
  /** Begins nothing more. */
  pause(): void
  /** Begins a few, though it is paused. */
  probe(count: number): void
  /** Begins whatever there is. */
  resume(): void
}

/** Holds back all that begins objects, in whatever thread. */
export class Gate implements Valve {
  private readonly valves = new Set<Valve>()
  private paused = false

  /** Answers how to take it away again. */
  attach(valve: Valve): () => void {
    this.valves.add(valve)
    if (this.paused) valve.pause()
    return () => this.valves.delete(valve)
  }

  pause(): void {
    this.paused = true
    for (const valve of this.valves) valve.pause()
  }

  probe(count: number): void {
    for (const valve of this.valves) valve.probe(count)
  }

  resume(): void {
    this.paused = false
    for (const valve of this.valves) valve.resume()
  }
}

/** Lets through whoever asks, unless it is paused. */
export class Turnstile implements Valve {
  private paused = false
  private waiting: (() => void)[] = []

  /** Resolves when one may begin. */
  async pass(): Promise<void> {
    if (this.paused) await new Promise<void>((resolve) => this.waiting.push(resolve))
  }

  pause(): void {
    this.paused = true
  }

  probe(count: number): void {
    for (const pass of this.waiting.splice(0, count)) pass()
  }

  resume(): void {
    this.paused = false
    this.probe(Infinity)
  }
}
