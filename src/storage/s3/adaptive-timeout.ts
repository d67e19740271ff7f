/** How long an answer is waited for, in milliseconds; may become more or less while it is. */
export interface Timeout {
  /** While nothing comes. */
  readonly ms: number
  /** Until all of it has come, however steadily it does. */
  readonly whole: number
  /** While nothing has come over the connection yet, not even an earlier answer; `ms`, if it is not said. */
  readonly first?: number
}

/** However quick a server usually is, it is given this many milliseconds. */
const LEAST = 1_000
/**
 * One of which nothing is known is given so many at first: it may be slow, and the request may be lost. So is each new connection: a server
 * may answer those that it has thousands of times before it accepts the next one (Node.js since 20.3 accepts one in each turn of its event loop).
 */
const UNKNOWN = 5_000
/** How many times longer than nearly all answers take an answer may take. */
const MARGIN = 20
/** Steps of the estimate. */
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
 * A slow answer, or a request that hung, says nothing of the server when there were so many answers for it, and so many times more each time that
 * the same one hangs again. All that are under way may be slow together, so that many answers may be saved up.
 */
const ANSWERS_FOR_ONE = 20
const SAVED = 20_000
/** The estimate goes down while at least this part of the answers is saved up. */
const WELL_OFF = 0.1
/** By how much more patience there is with a request each time it was given up. */
const MORE = 2
/** How many times longer than the server may be silent a whole answer may take: a copy is kept alive by a space now and then. */
const WHOLE = 5

/**
 * How long the answers to one operation are waited for. A server that never answers is noticed after twenty times the time in which
 * nineteen of twenty answers come, and not after the minute that a slow one may need; what was given up before is given twice as long each
 * time. Never longer than `most`. The estimate rises when answers that are slow, or never come, are more than one in twenty. They
 * are counted against all answers of before, since those that are slow come together and late: at the end of a run alone, and they must not be what all
 * else is judged by.
 */
export class AdaptiveTimeout {
  private nearlyAll: number
  private answers = 0
  /** Answers that nothing slow has used up yet. */
  private credit = 0
  /** Requests that were given up, by whatever names them, and how often. */
  private readonly late = new Map<string, number>()

  /**
   * `most` in milliseconds. It begins with five seconds, if that is less, and learns; or with what another one has `inherited`. What is
   * `read` comes at once or not at all: it is asked for anew rather than waited for while it trickles, unless that was tried before.
   */
  constructor(
    private readonly most: number,
    private readonly inherited?: number,
    private readonly read = false,
  ) {
    this.nearlyAll = inherited ?? Math.min(most, UNKNOWN) / MARGIN
  }

  /** How long nearly all answers take, in milliseconds; undefined when there was none yet. */
  get learned(): number | undefined {
    return this.answers > 0 ? this.nearlyAll : this.inherited
  }

  /** Milliseconds that a request may take that was not given up before. */
  get ms(): number {
    return Math.min(this.most, Math.max(LEAST, MARGIN * this.nearlyAll))
  }

  /** Milliseconds in which all of its answer must have come. */
  get whole(): number {
    return this.wholeIn(this.ms)
  }

  /** Milliseconds for a request that is the first one of its connection. */
  get first(): number {
    return this.firstIn(this.ms)
  }

  /** For one request, which may take `extra` milliseconds beyond the usual. */
  for(name: string, extra: number): Timeout {
    if (extra === 0 && this.late.size === 0) return this
    const factor = MORE ** (this.late.get(name) ?? 0)
    const usual = (): number => Math.min(this.most, this.ms * factor)
    const wholeIn = this.wholeIn.bind(this)
    const firstIn = this.firstIn.bind(this)
    return {
      get ms() {
        return usual() + extra
      },
      get whole() {
        return wholeIn(usual() + extra)
      },
      get first() {
        return firstIn(usual()) + extra
      },
    }
  }

  /** An answer came after `ms`, of which `extra` were to be expected. */
  answered(name: string, ms: number, extra: number): void {
    this.answers++
    this.credit = Math.min(SAVED, this.credit + 1)
    if (this.late.size > 0) this.late.delete(name)
    if (this.answers === 1 && this.inherited === undefined) {
      this.nearlyAll = Math.min(this.most / MARGIN, Math.max(FIRST * ms, FIRST_LEAST))
    } else if (ms - extra > this.nearlyAll) this.slow(ANSWERS_FOR_ONE)
    else if (this.credit >= WELL_OFF * Math.min(SAVED, this.answers)) {
      const step = this.inherited === undefined ? Math.max(DOWN, 1 / (this.answers + FROM_FIRST - 1)) : DOWN
      this.nearlyAll = Math.max(LEAST / MARGIN, this.nearlyAll * (1 - step))
    }
  }

  /** A request was given up. */
  gaveUp(name: string): void {
    const before = this.late.get(name) ?? 0
    this.late.set(name, before + 1)
    this.slow(ANSWERS_FOR_ONE ** (before + 1))
  }

  private wholeIn(ms: number): number {
    return this.read && ms < this.most ? Math.min(WHOLE * ms, Math.max(UNKNOWN, ms)) : WHOLE * ms
  }

  private firstIn(ms: number): number {
    return Math.max(ms, Math.min(this.most, UNKNOWN))
  }

  private slow(price: number): void {
    if (this.credit >= price) this.credit -= price
    else this.nearlyAll = Math.min(this.most / MARGIN, this.nearlyAll * (1 + UP))
  }
}

/** The time-outs of a store: one for each operation. */
export class OperationTimeouts {
  private readonly known = new Map<string, AdaptiveTimeout>()

  /** `most` as that of each; `inherited` is what another instance for the same store has learned. */
  constructor(
    private readonly most: number,
    private readonly inherited: Readonly<Record<string, number>> | undefined,
  ) {}

  of(operation: string, method: string): AdaptiveTimeout {
    let timeout = this.known.get(operation)
    if (timeout === undefined) {
      timeout = new AdaptiveTimeout(this.most, this.inherited?.[operation], method === 'GET' || method === 'HEAD')
      this.known.set(operation, timeout)
    }
    return timeout
  }

  /** How long nearly all answers to an operation took so far, in milliseconds. */
  get usual(): Readonly<Record<string, number>> {
    const usual: Record<string, number> = {}
    for (const [operation, { learned }] of this.known) if (learned !== undefined) usual[operation] = learned
    return usual
  }
}
