import { sharedMemory } from '../../hashing.js'

/** Bytes of the memory, from `first` on and before `end`. */
interface Range {
  first: number
  readonly end: number
}

/**
 * Memory of so many bytes. Whoever wants some of it waits in turn, and gets all of that or none. It is one block that is used again and again: memory
 * that is new for each object costs as much in page faults, and in the collector's rounds, as its bytes cost to be read.
 */
export class MemoryBudget {
  private memory: Buffer | undefined
  /** What nobody holds, in order; no two touch each other. */
  private readonly free: Range[]
  private readonly waiting: { readonly bytes: number; readonly grant: (first: number) => void }[] = []

  constructor(readonly capacity: number) {
    this.free = [{ first: 0, end: capacity }]
  }

  /**
   * Runs `work` with room for `bytes`, which nobody else writes to until it has ended. Work that wants more than there is holds all of it, and its room
   * lies elsewhere.
   */
  async holding<T>(bytes: number, work: (room: Buffer) => Promise<T>): Promise<T> {
    const wanted = Math.min(bytes, this.capacity)
    const first =
      (this.waiting.length > 0 ? undefined : this.take(wanted)) ??
      (await new Promise<number>((grant) => this.waiting.push({ bytes: wanted, grant })))
    try {
      return await work(this.room(first, bytes))
    } finally {
      this.giveBack(first, wanted)
      this.serve()
    }
  }

  private room(first: number, bytes: number): Buffer {
    if (bytes > this.capacity) return Buffer.allocUnsafeSlow(bytes)
    this.memory ??= sharedMemory(this.capacity)
    return this.memory.subarray(first, first + bytes)
  }

  // The first that fits: what was used lately is used again, and memory that is not needed is never touched.
  private take(bytes: number): number | undefined {
    if (bytes === 0) return 0
    const at = this.free.findIndex(({ first, end }) => end - first >= bytes)
    const range = this.free[at]
    if (range === undefined) return undefined
    const { first } = range
    range.first += bytes
    if (range.first === range.end) this.free.splice(at, 1)
    return first
  }

  private giveBack(first: number, bytes: number): void {
    if (bytes === 0) return
    const behind = this.free.findIndex((range) => range.first > first)
    const at = behind < 0 ? this.free.length : behind
    const [before, after] = [this.free[at - 1], this.free[at]]
    const joinsBefore = before?.end === first
    const joinsAfter = after?.first === first + bytes
    const joined = {
      first: joinsBefore ? before.first : first,
      end: joinsAfter ? after.end : first + bytes,
    }
    this.free.splice(joinsBefore ? at - 1 : at, Number(joinsBefore) + Number(joinsAfter), joined)
  }

  private serve(): void {
    for (let [next] = this.waiting; next !== undefined; [next] = this.waiting) {
      const first = this.take(next.bytes)
      if (first === undefined) return
      this.waiting.shift()
      next.grant(first)
    }
  }
}
