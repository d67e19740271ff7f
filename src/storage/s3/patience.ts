/** How long an answer is waited for, in milliseconds; may become more or less while it is. */
export interface Silence {
  readonly ms: number
}

/** However quick a server usually is, it is given this many milliseconds. */
const LEAST = 1_000
/** One of which nothing is known is given so many at first: it may be slow, and the request may be lost. */
const UNKNOWN = 5_000
/** How many times longer than nearly all answers take an answer may take. */
const MARGIN = 20
/** Steps of the estimate: one in twenty answers takes longer than where up and down are in balance. */
const UP = 0.38
const DOWN = 0.02
/** After the first answer the steps down are larger, as those of a mean: after twenty answers that came at once there is a fifth of it left. */
const FROM_FIRST = 5
/**
 * After the first answer nearly all are taken to need so many times as long as it, and so many milliseconds, at most: one answer, perhaps
 * to a smaller request than those to come, says little.
 */
const FIRST = 4
const FIRST_LEAST = 250
/**
 * A request that hung says nothing of the server when there were so many answers for it, and so many times more each time that it is the
 * same one again: that is chance even more rarely. All that are under way may hang together, so that many answers may be saved up.
 */
const ANSWERS_FOR_ONE = 20
const SAVED = 20_000
/** By how much more patience there is with a request each time it was given up. */
const MORE = 2

/**
 * How long the answers to one operation are waited for. A server that never answers is noticed after twenty times the time in which
 * nineteen of twenty answers came, and not after the minute that a slow one may need: the estimate rises fast when answers become slow, and
 * what was given up before is given twice as long each time. Never longer than `most`. Requests that are given up count as slow answers when
 * they are more than one in twenty: those that hang come together and late, at the end of a run alone, and must not be what all else is judged by.
 */
export class Patience {
  private nearlyAll: number
  /** Answers so far, those of the one included that this one has learned from. */
  private answers: number
  /** Answers that no request given up has used up yet. */
  private credit = 0
  /** Requests that were given up, by whatever names them, and how often. */
  private readonly late = new Map<string, number>()

  /** `most` in milliseconds. It begins with five seconds, if that is less, and learns; or with what another one has learned. */
  constructor(
    private readonly most: number,
    learned?: number,
  ) {
    this.nearlyAll = learned ?? Math.min(most, UNKNOWN) / MARGIN
    this.answers = learned === undefined ? 0 : Infinity
  }

  /** How long nearly all answers take, in milliseconds; undefined when there was none yet. */
  get learned(): number | undefined {
    return this.answers > 0 ? this.nearlyAll : undefined
  }

  /** Milliseconds that a request may take that was not given up before. */
  get ms(): number {
    return Math.min(this.most, Math.max(LEAST, MARGIN * this.nearlyAll))
  }

  /** For one request, which may take `extra` milliseconds beyond the usual. */
  for(name: string, extra: number): Silence {
    if (extra === 0 && this.late.size === 0) return this
    const factor = MORE ** (this.late.get(name) ?? 0)
    const ms = (): number => Math.min(this.most, this.ms * factor) + extra
    return {
      get ms() {
        return ms()
      },
    }
  }

  /** An answer came after `ms`, of which `extra` were to be expected. */
  answered(name: string, ms: number, extra: number): void {
    if (this.answers === 0) this.nearlyAll = Math.min(this.most / MARGIN, Math.max(FIRST * ms, FIRST_LEAST))
    else this.learn(ms - extra > this.nearlyAll)
    this.answers++
    this.credit = Math.min(SAVED, this.credit + 1)
    if (this.late.size > 0) this.late.delete(name)
  }

  /** A request was given up. */
  gaveUp(name: string): void {
    const before = this.late.get(name) ?? 0
    this.late.set(name, before + 1)
    const price = ANSWERS_FOR_ONE ** (before + 1)
    if (this.credit >= price) this.credit -= price
    else this.learn(true)
  }

  private learn(slow: boolean): void {
    const down = Math.max(DOWN, 1 / (this.answers + FROM_FIRST))
    this.nearlyAll = Math.min(this.most / MARGIN, this.nearlyAll * (slow ? 1 + UP : 1 - down))
  }
}
