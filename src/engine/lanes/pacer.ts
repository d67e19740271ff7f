import type { Throttle } from '../../job/events.js'
import { ChanceRefusals } from './chance-refusals.js'

/** How long objects are counted before the rate is judged, in milliseconds. */
const WINDOW = 500
const SHORTEST_WINDOW = 100
/** Of what succeeded while some was refused, the part that is asked for next. */
const BELOW = 0.99
/**
 * The rate has doubled so many milliseconds after the last refusal. It grows with the third power of the time: hardly at first, for the limit is
 * near, then faster and faster.
 */
const DOUBLING = 9_000
/** The same for a rate that is only a guess. */
const GUESS_DOUBLING = 1_500
/** A low rate does not double in that time but grows by so many objects a second: it may have been an outage that brought it down. */
const LEAST_GROWTH = 20
/** A window in which less than this part of the rate was made use of says nothing about a higher one. */
const USED = 0.7
/** Objects a second that a lane may begin whatever happens. */
const LEAST_RATE = 1
/** The part of what succeeded that is asked for after the first refusals. */
const FIRST = 0.5
/** What a refusal takes from the rate at once: so many objects a second, or such a part of it. */
const CUT = 20
const LARGEST_CUT = 0.2
/**
 * The part of the rate that all refusals of one window leave. Those of requests that were sent before there was a limit come in hundreds, and
 * say nothing of how low it is.
 */
const LEAST_LEFT = 0.5
/** For so many milliseconds after the first refusals more of them say nothing new. */
const LATE = 100
/** How many seconds what is to be sent again waits for its turn, at most: the rate may be another by then. */
const LONGEST_TURN = 5
/** Refusals that may be put down to chance at once. */
const MOST_CREDIT = 2
/** The part of its requests, beyond those, that a lane must be refused before it is held back. */
const SIGN = 0.02
/** How many standard deviations above that it must be. */
const DEVIATIONS = 3
/** And so many refusals at the least: of few requests one that is refused by chance is a large part. */
const LEAST_REFUSED = 4
/** How much unused time may be made up for at once, in milliseconds: timers are no finer. */
const SLACK = 20

/** Keys near which requests were refused, and how often. */
export type Refusals = readonly (readonly [key: string, times: number])[]

/** The lanes among which what is held back is shared, as they work for one run in one thread. */
export class PacerGroup {
  /** The pacers of the lanes that have a range. */
  readonly busy = new Set<Pacer>()
  readonly noise: ChanceRefusals

  constructor(readonly now: () => number = () => performance.now()) {
    this.noise = new ChanceRefusals(now, () => {
      for (const pacer of this.busy) pacer.quicken()
    })
  }
}

/**
 * How fast one lane begins objects. A lane is a range of keys, and S3 limits the rate of ranges of keys (it calls them partitions of a
 * bucket), so a lane is where to feel the limit. There is none until the store refuses more requests (503 SlowDown) than chance explains. From
 * then on the rate is what succeeded while some was refused, less one percent, and it grows again, the faster the longer nothing is refused: it stays just
 * below the limit, and finds a higher one within seconds, as S3 raises it only under sustained pressure. Several lanes on one
 * partition need not know of each other: each is refused, and holds, its share.
 */
export class Pacer {
  /** The key that the lane is at. */
  key = ''
  /** Requests that were refused since somebody last asked. */
  private refusals = 0
  private rate = Infinity
  /** What the rate was when it began to grow, at `since`; and in which time it doubles. */
  private base = Infinity
  private since = 0
  private doubling = DOUBLING
  /** Objects that may be begun; negative after requests that could not be held back. */
  private balance = 0
  private filledAt = 0
  /** What is refused until then was most likely sent before there was a limit. */
  private deafUntil = 0
  private windowFrom: number
  /** What the rate was when the window began. */
  private rateBefore = Infinity
  private done = 0
  private accepted = 0
  private turnedAway = 0
  /** What was done in the window before, and in how many milliseconds. */
  private before = { done: 0, accepted: 0, elapsed: 0 }
  /** Refusals that would be put down to chance. */
  private credit = MOST_CREDIT

  constructor(private readonly fleet: PacerGroup = new PacerGroup()) {
    this.windowFrom = fleet.now()
  }

  /** Objects a second that may be begun; undefined when there is no limit. */
  get limit(): number | undefined {
    return this.rate === Infinity ? undefined : this.rate
  }

  /** The pacer of one more lane, among those of this one. */
  another(): Pacer {
    return new Pacer(this.fleet)
  }

  /** Takes leave to begin an object: 0, or the milliseconds after which to ask again. */
  admit(): number {
    if (this.rate === Infinity) return 0
    const now = this.fleet.now()
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
    this.fleet.busy.add(this)
    const now = this.fleet.now()
    if (nearest !== undefined && nearest.rate !== Infinity) {
      nearest.hold(nearest.rate / 2, now, GUESS_DOUBLING)
      this.hold(nearest.rate, now, GUESS_DOUBLING)
      this.filledAt = now
      this.balance = 0
    }
    this.begin(now)
  }

  /** The range has come to its end. What its partition bears is free for the range whose keys are nearest. */
  leave(): void {
    this.fleet.busy.delete(this)
    const nearest = this.nearest()
    if (nearest !== undefined && this.rate !== Infinity)
      nearest.hold(nearest.rate + this.rate, this.fleet.now(), nearest.doubling)
    this.rate = Infinity
    this.before = { done: 0, accepted: 0, elapsed: 0 }
  }

  /** What it was held to may have been nothing but chance. */
  quicken(): void {
    if (this.rate !== Infinity) this.hold(this.rate, this.fleet.now(), GUESS_DOUBLING)
  }

  /** A request is to be sent again that was refused: it takes the place of an object. Answers in how many milliseconds its turn comes. */
  again(): number {
    if (this.rate === Infinity) return 0
    this.fill(this.fleet.now())
    this.balance = Math.max(this.balance - 1, -this.rate * LONGEST_TURN)
    return Math.max(0, (-this.balance * 1000) / this.rate)
  }

  /** The store did as it was asked. An object may take several requests, and each may be refused by chance. */
  granted(): void {
    this.accepted++
    this.fleet.noise.granted(this.rate === Infinity)
    const { tolerated, found } = this.fleet.noise
    this.credit = Math.min(MOST_CREDIT + found * this.accepted, this.credit + tolerated)
  }

  /** An object was done. */
  succeeded(): void {
    this.done++
    if (this.rate === Infinity && (this.done & 63) === 0) this.forget(this.fleet.now())
  }

  /** How often the lane was refused since the last call. */
  takeRefusals(): number {
    const taken = this.refusals
    this.refusals = 0
    return taken
  }

  /** The store refused a request because there were too many. */
  refused(): void {
    this.refusals++
    this.fleet.noise.refused(this.rate === Infinity)
    if (this.credit >= 1) {
      this.credit--
      return
    }
    this.turnedAway++
    const now = this.fleet.now()
    if (this.rate === Infinity) {
      const elapsed = now - this.windowFrom + this.before.elapsed
      const done = this.done + this.before.done
      const tolerable = SIGN * (this.accepted + this.before.accepted + this.turnedAway)
      const sign = Math.max(LEAST_REFUSED, tolerable + DEVIATIONS * Math.sqrt(tolerable))
      if (elapsed < SHORTEST_WINDOW || this.turnedAway < sign) return
      // What succeeded is more than may be had: what had been saved up of the limit is in it.
      this.hold((FIRST * done * 1000) / elapsed, now)
      this.fleet.noise.changed()
      this.filledAt = now
      this.deafUntil = now + LATE
      this.begin(now)
      return
    }
    if (now < this.deafUntil) return
    // At once, for until the window is over many more would be refused.
    const cut = this.rate - Math.min(CUT, this.rate * LARGEST_CUT)
    this.hold(Math.max(cut, Math.min(this.rate, this.rateBefore * LEAST_LEFT)), now)
    this.judge(now)
  }

  private judge(now: number): void {
    const elapsed = now - this.windowFrom
    if (elapsed < WINDOW) return
    const rate = (this.done * 1000) / elapsed
    if (this.turnedAway > 0) this.hold(Math.max(this.rate, BELOW * rate), now)
    // An object more or less says nothing where there are few.
    else if (this.done + 1 >= (USED * this.rate * elapsed) / 1000) {
      this.rate = Math.max(
        this.rate,
        this.base + Math.max(this.base, LEAST_GROWTH) * ((now - this.since) / this.doubling) ** 3,
      )
    } else this.since += elapsed
    this.begin(now)
  }

  private hold(rate: number, now: number, doubling = DOUBLING): void {
    this.rate = Math.max(LEAST_RATE, rate)
    this.base = this.rate
    this.since = now
    this.doubling = doubling
  }

  private nearest(): Pacer | undefined {
    let nearest: Pacer | undefined
    let longest = -1
    for (const other of this.fleet.busy) {
      const common = commonLength(other.key, this.key)
      if (common <= longest) continue
      longest = common
      nearest = other
    }
    return nearest
  }

  private begin(now: number): void {
    this.windowFrom = now
    this.rateBefore = this.rate
    this.done = 0
    this.accepted = 0
    this.turnedAway = 0
  }

  // Without a limit only what was done of late counts.
  private forget(now: number): void {
    const elapsed = now - this.windowFrom
    if (elapsed < WINDOW) return
    this.before = { done: this.done, accepted: this.accepted, elapsed }
    this.begin(now)
  }

  private fill(now: number): void {
    const most = Math.max(1, (this.rate * SLACK) / 1000)
    this.balance = Math.min(most, this.balance + ((now - this.filledAt) * this.rate) / 1000)
    this.filledAt = now
  }
}

/** Pacers for so many lanes, which share what they are held to. */
export function pacersFor(lanes: number): Pacer[] {
  const fleet = new PacerGroup()
  return Array.from({ length: lanes }, () => new Pacer(fleet))
}

/** Where the lanes of `pacers` are that were refused since the last call, and how often; undefined when none was. */
export function refusalsOf(pacers: readonly Pacer[]): Refusals | undefined {
  let refused: (readonly [string, number])[] | undefined
  for (const pacer of pacers) {
    const times = pacer.takeRefusals()
    if (times > 0) (refused ??= []).push([pacer.key, times])
  }
  return refused
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
