import { count, duration } from './format.js'
import type { Expected } from '../job/events.js'

/** How far the work has come, as far as that can be told before the total is known. */
export interface Outlook {
  /** Between 0 and 1, and never 1. */
  readonly share: number
  /** In milliseconds; absent while nothing moves. */
  readonly left?: number
}

/** Where the work is at one moment. */
export interface Standing {
  readonly expected: Expected | undefined
  /** Objects that are done, and of those the ones of this session. */
  readonly done: number
  readonly doneHere: number
  /** Milliseconds of this session. */
  readonly elapsed: number
  /** Objects a second of late. */
  readonly perSecond: number
}

/** An estimate is told when it has stayed within these bounds for so long: in the beginning it can be wrong by any factor. */
const STEADY_FOR = 20_000
const STEADY_WITHIN = 1.25
/** The most of 100 % that an estimate is good for. */
const MOST = 0.99

/**
 * Tells how much is left, by what was told of the total or, once that is steady, by estimates of it. It is rather too much than too little: the largest
 * of the latest estimates, at the lower of the rate of late and that of the session.
 */
export class TimeLeft {
  #estimates: { readonly elapsed: number; readonly objects: number }[] = []

  /** Takes in where the work is, which must be no older than the last time. Undefined when nothing can be told. */
  look({ expected, done, doneHere, elapsed, perSecond }: Standing): Outlook | undefined {
    const total = this.#total(expected, elapsed)
    if (total === undefined || total <= 0) return undefined
    const share = Math.min(MOST, done / total)
    const rate = Math.min(perSecond, elapsed > 0 ? (doneHere * 1000) / elapsed : 0)
    return rate > 0 && share < MOST ? { share, left: ((total - done) * 1000) / rate } : { share }
  }

  #total(expected: Expected | undefined, elapsed: number): number | undefined {
    if (expected === undefined || expected.told) {
      this.#estimates = []
      return expected?.objects
    }
    this.#estimates.push({ elapsed, objects: expected.objects })
    const start = this.#estimates.findLastIndex((one) => one.elapsed <= elapsed - STEADY_FOR)
    if (start < 0) return undefined
    this.#estimates.splice(0, start)
    const objects = this.#estimates.map((one) => one.objects)
    const most = Math.max(...objects)
    return most <= Math.min(...objects) * STEADY_WITHIN ? most : undefined
  }
}

/** A share that is not certain: `about 12%`. */
export function aboutShare({ share }: Outlook): string {
  return `about ${count(Math.floor(share * 100))}%`
}

/** A time left, as `aboutTime` tells it: `about 21 h left`. */
export function aboutLeft(left: number): string {
  return `${aboutTime(left)} left`
}

/** A time that is not certain, in milliseconds, in one unit, rounded up: `about 21 h`. */
export function aboutTime(time: number): string {
  for (const [unit, ms] of UNITS) if (time > ms * 2) return `about ${count(Math.ceil(time / ms))} ${unit}`
  return `about ${duration(Math.ceil(time / 1000) * 1000).replace('.0', '')}`
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
] as const
