import type { SharedSlots } from '../../job/pace.js'

const TAKEN = 0
const FIRST_WANT = 1

/** Every thread keeps so many slots, whatever it does with them. */
const KEPT = 1

/** What `threads` threads share that have as many slots between them as `ceiling` says, one 32-bit integer that may change; at least one each. */
export function sharedSlots(ceiling: SharedArrayBuffer, threads: number): Omit<SharedSlots, 'index'> {
  const shared = new SharedArrayBuffer((FIRST_WANT + threads) * Int32Array.BYTES_PER_ELEMENT)
  new Int32Array(shared)[TAKEN] = threads * KEPT
  return { shared, ceiling, threads }
}

/** What of a total falls to one of several, at least one. */
export function shareOf(total: number, parts: number, index: number): number {
  return Math.max(1, Math.floor((total + index) / parts))
}

/**
 * The slots of one thread of several. One that has work takes those that others have no use for; one that has work again gets its share back as what is
 * in flight elsewhere ends. All together never hold more than there are.
 */
export class SlotLoans {
  private readonly cells: Int32Array<SharedArrayBuffer>
  private readonly ceiling: Int32Array<SharedArrayBuffer>
  private current = KEPT

  constructor(private readonly slots: SharedSlots) {
    this.cells = new Int32Array(slots.shared)
    this.ceiling = new Int32Array(slots.ceiling)
  }

  private get total(): number {
    return Math.max(Atomics.load(this.ceiling, 0), this.slots.threads * KEPT)
  }

  /** How many slots the thread holds. */
  get held(): number {
    return this.current
  }

  /** Takes or gives back slots, for a thread that could use `want` of them, of which `busy` are in use. True when it has less than it may have. */
  adjust(want: number, busy: number): boolean {
    const { cells, slots, total } = this
    Atomics.store(cells, FIRST_WANT + slots.index, want)
    const share = shareOf(total, slots.threads, slots.index)
    const target = Math.max(KEPT, want > share ? this.allotted(total) : want)
    if (target > this.current) this.current += this.take(target - this.current, total)
    else {
      const spare = this.current - Math.max(target, busy)
      if (spare > 0) {
        Atomics.sub(cells, TAKEN, spare)
        this.current -= spare
      }
    }
    return this.current < target
  }

  // Each has what it wants up to its share, and what is over goes in equal parts to those that want more. Every thread that looks finds the same.
  private allotted(total: number): number {
    const { threads, index } = this.slots
    const wantOf = (thread: number): number => Math.max(KEPT, Atomics.load(this.cells, FIRST_WANT + thread))
    let mine = shareOf(total, threads, index)
    let over = total
    for (let thread = 0; thread < threads; thread++) over -= Math.min(wantOf(thread), shareOf(total, threads, thread))
    if (over <= 0) return mine
    let hungry: { readonly thread: number; readonly wants: number }[] = []
    for (let thread = 0; thread < threads; thread++) {
      const wants = wantOf(thread) - shareOf(total, threads, thread)
      if (wants > 0) hungry.push({ thread, wants })
    }
    while (over > 0 && hungry.length > 0) {
      const each = Math.max(1, Math.floor(over / hungry.length))
      const next: typeof hungry = []
      for (const { thread, wants } of hungry) {
        const given = Math.min(each, wants, over)
        over -= given
        if (thread === index) mine += given
        if (wants > given) next.push({ thread, wants: wants - given })
      }
      hungry = next
    }
    return mine
  }

  private take(wanted: number, total: number): number {
    for (;;) {
      const before = Atomics.load(this.cells, TAKEN)
      const taken = Math.min(total - before, wanted)
      if (taken <= 0) return 0
      if (Atomics.compareExchange(this.cells, TAKEN, before, before + taken) === before) return taken
    }
  }
}
