/** Bytes that may be in memory at once. Whoever wants some waits for them in turn, and gets all of them or none. */
export class MemoryBudget {
  private left: number
  private readonly waiting: { readonly bytes: number; readonly grant: () => void }[] = []

  constructor(readonly capacity: number) {
    this.left = capacity
  }

  /** Runs `work` while it holds `bytes`, or all there are when it wants more. */
  async holding<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    const wanted = Math.min(bytes, this.capacity)
    if (this.waiting.length > 0 || wanted > this.left) {
      await new Promise<void>((grant) => this.waiting.push({ bytes: wanted, grant }))
    } else this.left -= wanted
    try {
      return await work()
    } finally {
      this.left += wanted
      this.serve()
    }
  }

  private serve(): void {
    for (let [first] = this.waiting; first !== undefined && first.bytes <= this.left; [first] = this.waiting) {
      this.waiting.shift()
      this.left -= first.bytes
      first.grant()
    }
  }
}
