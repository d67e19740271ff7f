import type { Throttle } from '../job.js'

/** How long objects are counted before the rate is judged, in milliseconds. */
const WINDOW = 500
const SHORTEST_WINDOW = 100
/** Of what succeeded while some was refused, the part that is asked for next. */
const BELOW = 0.99
/** By how much the rate grows after a window without refusals: little at first, for the limit is near, then more and more. */
const FIRST_STEP = 0.005
const LARGEST_STEP = 0.12
const STEP_GROWTH = 1.5
/** The first step from a rate that is only a guess. */
const GUESS_STEP = 0.25
/** A window in which less than this part of the rate was made use of says nothing about a higher one. */
const USED = 0.7
/** Objects a second that a lane may begin whatever happens. */
const LEAST_RATE = 1
/** What a refusal takes from the rate at once: so many objects a second, or such a part of it. */
const CUT = 10
const LARGEST_CUT = 0.1
/** How many seconds what is to be sent again waits for its turn, at most: the rate may be another by then. */
const LONGEST_TURN = 5
/** How much unused time may be made up for at once, in milliseconds: timers are no finer. */
const SLACK = 20

/**
 * How fast one lane begins objects. A lane is a range of keys, and S3 limits the rate of ranges of keys (it calls them partitions of a
 * bucket), so a lane is where to feel the limit. There is none until the store refuses a request (503 SlowDown). From then on
 * the rate is what succeeded while some was refused, less one percent, and it grows again in steps that begin small and double: it stays just
 * below the limit, and finds a higher one within seconds, as S3 raises it only under sustained pressure. Several lanes on one
 * partition need not know of each other: each is refused, and holds, its share.
 */
export class Pacer {
  /** The key that the lane is at. */
  key = ''
  private rate = Infinity
  /** Objects that may be begun; negative after requests that could not be held back. */
  private balance = 0
  private filledAt = 0
  private windowFrom: number
  private done = 0
  private turnedAway = 0
  private step = FIRST_STEP

  /** `busy` are the pacers of the lanes that have a range, over all lanes among which what is held back is shared. */
  constructor(
    private readonly busy: Set<Pacer> = new Set(),
    private readonly now: () => number = () => performance.now(),
  ) {
    this.windowFrom = now()
  }

  /** Objects a second that may be begun; undefined when there is no limit. */
  get limit(): number | undefined {
    return this.rate === Infinity ? undefined : this.rate
  }

  /** The pacer of one more lane, among those of this one. */
  another(): Pacer {
    return new Pacer(this.busy, this.now)
  }

  /** Takes leave to begin an object: 0, or the milliseconds after which to ask again. */
  admit(): number {
    if (this.rate === Infinity) return 0
    const now = this.now()
    this.judge(now)
    this.fill(now)
    if (this.balance >= 1) {
      this.balance--
      return 0
    }
    return Math.max(1, ((1 - this.balance) * 1000) / this.rate)
  }

  /**
   * The lane begins a range, at `key`. It was most likely split from the range whose keys are nearest, so the two share what that one
   * had; where they are wrong about it, both find out.
   */
  enter(key: string): void {
    this.key = key
    const nearest = this.nearest()
    this.busy.add(this)
    this.begin(this.now())
    if (nearest === undefined || nearest.rate === Infinity) return
    nearest.rate = Math.max(LEAST_RATE, nearest.rate / 2)
    nearest.step = GUESS_STEP
    this.rate = nearest.rate
    this.filledAt = this.now()
    this.balance = 0
    this.step = GUESS_STEP
  }

  /** The range has come to its end. What its partition bears is free for the range whose keys are nearest. */
  leave(): void {
    this.busy.delete(this)
    const nearest = this.nearest()
    if (nearest !== undefined && this.rate !== Infinity) nearest.rate += this.rate
    this.rate = Infinity
  }

  /** A request is to be sent again that was refused: it takes the place of an object. Answers in how many milliseconds its turn comes. */
  again(): number {
    if (this.rate === Infinity) return 0
    this.fill(this.now())
    this.balance = Math.max(this.balance - 1, -this.rate * LONGEST_TURN)
    return Math.max(0, (-this.balance * 1000) / this.rate)
  }

  /** An object was done. */
  succeeded(): void {
    this.done++
    if (this.rate === Infinity && (this.done & 63) === 0) this.forget(this.now())
  }

  /** The store refused a request because there were too many. */
  refused(): void {
    this.turnedAway++
    const now = this.now()
    if (this.rate === Infinity) {
      this.hold(now)
      return
    }
    // At once, for until the window is over many more would be refused.
    this.rate = Math.max(LEAST_RATE, this.rate - Math.min(CUT, this.rate * LARGEST_CUT))
    this.step = FIRST_STEP
    this.judge(now)
  }

  private judge(now: number): void {
    const elapsed = now - this.windowFrom
    const { done, turnedAway } = this
    if (elapsed < WINDOW) return
    if (turnedAway > 0) {
      this.rate = Math.max(this.rate, (BELOW * done * 1000) / elapsed)
      this.begin(now)
      return
    }
    if ((done * 1000) / elapsed >= USED * this.rate) {
      this.rate *= 1 + this.step
      this.step = Math.max(this.step, Math.min(LARGEST_STEP, this.step * STEP_GROWTH))
    }
    this.begin(now)
  }

  // The first refusal: what succeeded is what may be had.
  private hold(now: number): void {
    const elapsed = Math.max(now - this.windowFrom, SHORTEST_WINDOW)
    this.rate = Math.max(LEAST_RATE, (BELOW * this.done * 1000) / elapsed)
    this.filledAt = now
    this.step = FIRST_STEP
    this.begin(now)
  }

  private nearest(): Pacer | undefined {
    let nearest: Pacer | undefined
    let longest = -1
    for (const other of this.busy) {
      const common = commonLength(other.key, this.key)
      if (common <= longest) continue
      longest = common
      nearest = other
    }
    return nearest
  }

  private begin(now: number): void {
    this.windowFrom = now
    this.done = 0
    this.turnedAway = 0
  }

  // Without a limit only what was done of late counts.
  private forget(now: number): void {
    if (now - this.windowFrom >= WINDOW) this.begin(now)
  }

  private fill(now: number): void {
    const most = Math.max(1, (this.rate * SLACK) / 1000)
    this.balance = Math.min(most, this.balance + ((now - this.filledAt) * this.rate) / 1000)
    this.filledAt = now
  }
}

/** Pacers for so many lanes, which share what they are held to. */
export function pacersFor(lanes: number): Pacer[] {
  const busy = new Set<Pacer>()
  return Array.from({ length: lanes }, () => new Pacer(busy))
}

/** What the lanes of `pacers` are held to; undefined when none is. */
export function heldBack(pacers: readonly Pacer[]): Throttle | undefined {
  let held: Throttle | undefined
  for (const { limit, key } of pacers) {
    if (limit !== undefined) held = together(held, { lanes: 1, rate: limit, prefix: key })
  }
  return held
}

/** Two of them as one. */
export function together(one: Throttle | undefined, other: Throttle | undefined): Throttle | undefined {
  if (one === undefined || other === undefined) return one ?? other
  const prefix = one.prefix.slice(0, commonLength(one.prefix, other.prefix))
  return { lanes: one.lanes + other.lanes, rate: one.rate + other.rate, prefix }
}

function commonLength(one: string, other: string): number {
  let common = 0
  while (common < one.length && one[common] === other[common]) common++
  return common
}
