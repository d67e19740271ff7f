/**
 * Does work for several at once that costs about as much as for one, such as waiting for a disk. While a batch is worked on the next one gathers. `work`
 * answers an error, or undefined, for each item in order; when it rejects, that is each one's error.
 */
export class GroupCommit<T> {
  private waiting: Waiting<T>[] = []
  private working = false

  constructor(private readonly work: (batch: readonly T[]) => Promise<readonly unknown[]>) {}

  /** Resolves once the work for `item` is done, or rejects with its error. */
  async add(item: T): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.waiting.push({ item, resolve, reject })
      if (this.working) return
      this.working = true
      // Whoever else is ready in this turn comes along.
      setImmediate(() => void this.workOff())
    })
  }

  private async workOff(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting
      this.waiting = []
      const errors = await this.errorsOf(batch)
      for (const [index, { resolve, reject }] of batch.entries()) {
        if (errors[index] === undefined) resolve()
        else reject(errors[index])
      }
    }
    this.working = false
  }

  private async errorsOf(batch: readonly Waiting<T>[]): Promise<readonly unknown[]> {
    try {
      return await this.work(batch.map(({ item }) => item))
    } catch (error) {
      return batch.map(() => error)
    }
  }
}

interface Waiting<T> {
  readonly item: T
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}
