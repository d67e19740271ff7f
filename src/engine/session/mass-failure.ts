import type { Failure } from '../../job/outcome.js'
import { meaningOf } from '../../storage/error-codes.js'

/** When nearly all of so many objects failed alike, so would the others. */
const WINDOW = 1_000
/** After a pause that ended with few successes so many are enough. */
const AGAIN = 100
/** The part of them that is nearly all. */
const NEARLY_ALL = 0.95
/** Milliseconds from a pause to the first try, and from one to the next at most. */
const FIRST_TRY = 1_000
const LONGEST = 60_000
/** When nothing has succeeded yet in a session, it is tried for so long whether other objects would. */
const PATIENCE_AT_FIRST = 3_000
const FIRST_TRY_AT_FIRST = 100
/** Objects that are tried at once, of each thread; more of them at first, when they are to come from all over the keyspace. */
const TRIES = 4
const TRIES_AT_FIRST = 32
/** So many objects later it is asked again whether all is still allowed. */
const ASK_AGAIN = 10_000

/** What nearly all objects failed of. */
export interface Alike {
  readonly code: string
  readonly failed: number
  readonly of: number
}

/**
 * What is to be done:
 * - `ask`: whether the store still allows what was allowed at the start, and tell the answer by `allowed`
 * - `pause`: begin nothing more; `quietly` when that is over in some seconds
 * - `probe`: begin so many objects of each thread, though it is paused
 * - `resume`: go on
 * - `stop`: end the run; `first` when nothing has succeeded in the session
 */
export type Advice =
  | { readonly kind: 'ask' }
  | { readonly kind: 'pause'; readonly alike: Alike; readonly quietly: boolean }
  | { readonly kind: 'probe'; readonly count: number }
  | { readonly kind: 'resume'; readonly after: number; readonly quietly: boolean }
  | { readonly kind: 'stop'; readonly alike: Alike; readonly first: boolean; readonly after: number }

interface Pause {
  readonly alike: Alike
  readonly since: number
  readonly first: boolean
  next: number
  interval: number
  tried: boolean
  /** An object has succeeded since it was tried. */
  succeeded: boolean
}

/** Outcomes that came together. */
interface Chunk {
  readonly failed: ReadonlyMap<string, number>
  readonly size: number
}

/**
 * Watches what becomes of objects, for the moment from which on every one fails alike: a quota is used up, permissions are taken away. Then the run
 * is paused as in an outage, and a few objects are tried now and then. Objects of which many fail for a reason of their own, such as those of one
 * prefix that may not be read, are none of that: no object has it by itself that there is no room; and when access is denied the store is asked whether
 * what was allowed at the start is allowed still.
 */
export class MassFailure {
  private chunks: Chunk[] = []
  private size = 0
  private readonly failed = new Map<string, number>()
  /** In the session: objects with any outcome, those that succeeded, and those that a request failed of. */
  private all = { outcomes: 0, succeeded: 0, failed: 0 }
  private paused: Pause | undefined
  private asking = false
  private askAgainAt = 0
  private askedOf: Alike | undefined
  private denied = false
  private sincePause = Infinity

  /** `retryFor` in milliseconds: how long a pause may last. */
  constructor(private readonly retryFor: number) {}

  /** What it is paused for, if it is, and a person should know. */
  get cause(): Alike | undefined {
    return this.paused?.first === false ? this.paused.alike : undefined
  }

  /** Takes in what became of objects: how many outcomes, of which so many succeeded, and those failures that a request was sent for. */
  observe(outcomes: number, succeeded: number, failures: readonly Pick<Failure, 'code'>[]): void {
    if (outcomes === 0 && succeeded === 0 && failures.length === 0) return
    this.all.outcomes += outcomes
    this.all.succeeded += succeeded
    this.all.failed += failures.length
    this.sincePause += succeeded
    if (this.paused !== undefined && succeeded > 0 && (this.paused.tried || this.paused.first)) {
      this.paused.succeeded = true
    }
    const failed = new Map<string, number>()
    for (const { code } of failures) failed.set(code, (failed.get(code) ?? 0) + 1)
    this.push({ failed, size: succeeded + failures.length })
  }

  /** The answer to `ask`. */
  allowed(answer: boolean): void {
    this.asking = false
    if (answer) this.askAgainAt = this.all.failed + ASK_AGAIN
    else this.denied = true
  }

  /** What is to be done at this moment, in milliseconds of a clock that is never set. To be asked several times a second. */
  advise(now: number): Advice | undefined {
    return this.paused === undefined ? this.judge(now) : this.wait(this.paused, now)
  }

  private judge(now: number): Advice | undefined {
    if (this.denied && this.askedOf !== undefined) {
      this.denied = false
      return this.pause(this.askedOf, now, false)
    }
    const alike = this.alike()
    if (alike === undefined) return undefined
    if (this.all.succeeded === 0 && this.all.failed === this.all.outcomes && this.failed.size === 1) {
      return this.pause(alike, now, true)
    }
    const all = meaningOf(alike.code)?.all
    if (all === 'full') return this.pause(alike, now, false)
    if (all === undefined || this.asking || this.all.failed < this.askAgainAt) return undefined
    this.asking = true
    this.askedOf = alike
    return { kind: 'ask' }
  }

  private wait(paused: Pause, now: number): Advice | undefined {
    const { alike, first, since } = paused
    const after = now - since
    if (paused.succeeded) {
      this.paused = undefined
      this.forget()
      this.sincePause = 0
      return { kind: 'resume', after, quietly: first }
    }
    if (after >= (first ? Math.min(PATIENCE_AT_FIRST, this.retryFor) : this.retryFor)) {
      const all = first ? { ...alike, failed: this.all.failed, of: this.all.failed } : alike
      return { kind: 'stop', alike: all, first, after }
    }
    if (now < paused.next) return undefined
    paused.tried = true
    paused.interval = Math.min(LONGEST, paused.interval * 2)
    paused.next = now + paused.interval
    return { kind: 'probe', count: first ? TRIES_AT_FIRST : TRIES }
  }

  private pause(alike: Alike, now: number, first: boolean): Advice {
    const interval = first ? FIRST_TRY_AT_FIRST : FIRST_TRY
    this.paused = { alike, since: now, first, interval, next: now + interval, tried: false, succeeded: false }
    return { kind: 'pause', alike, quietly: first }
  }

  // What nearly all of the latest objects failed of, once they are enough.
  private alike(): Alike | undefined {
    if (this.size < (this.sincePause < WINDOW ? AGAIN : WINDOW)) return undefined
    for (const [code, failed] of this.failed) {
      if (failed >= NEARLY_ALL * this.size) return { code, failed, of: this.size }
    }
    return undefined
  }

  private push(chunk: Chunk): void {
    this.chunks.push(chunk)
    this.count(chunk, 1)
    for (
      let [oldest] = this.chunks;
      oldest !== undefined && this.size - oldest.size >= WINDOW;
      [oldest] = this.chunks
    ) {
      this.chunks.shift()
      this.count(oldest, -1)
    }
  }

  private count({ failed, size }: Chunk, sign: 1 | -1): void {
    this.size += sign * size
    for (const [code, count] of failed) {
      const left = (this.failed.get(code) ?? 0) + sign * count
      if (left > 0) this.failed.set(code, left)
      else this.failed.delete(code)
    }
  }

  private forget(): void {
    this.chunks = []
    this.size = 0
    this.failed.clear()
  }
}
