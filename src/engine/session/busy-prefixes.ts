import type { PrefixActivity } from '../../job/events.js'

/** How long what is settled counts for the rate, in milliseconds. */
const WINDOW = 5_000
/** Prefixes that are kept, at most; beyond, the least busy half is forgotten. */
const MOST = 1_000

interface Activity {
  /** Objects settled in the window before, and in this one. */
  before: number
  now: number
  failed: number
  throttled: number
}

/**
 * What goes on where, by prefix: where the keys seen so far differ, up to the next `/`, or by one character where there is none. Memory is bounded, and
 * each call costs about as much as a look into a map.
 */
export class BusyPrefixes {
  // What all keys have in common.
  private common: string | undefined
  private activities = new Map<string, Activity>()
  private readonly began: number
  private windowFrom: number

  constructor(private readonly clock: () => number = () => performance.now()) {
    this.began = this.windowFrom = clock()
  }

  /** `count` objects were settled, of which `key` is the last. */
  settled(key: string, count: number): void {
    this.roll()
    this.at(key).now += count
  }

  failed(key: string): void {
    this.at(key).failed++
  }

  /** The store asked for fewer requests so often, near `key`. */
  refused(key: string, times: number): void {
    this.at(key).throttled += times
  }

  /** The `most` busiest, the busiest first; none at which nothing was done, failed or throttled. */
  busiest(most: number): readonly PrefixActivity[] {
    return this.byRate().slice(0, most)
  }

  /** The `most` slowest of all but the `busiest`, the slowest first. */
  slowest(most: number, busiest: number): readonly PrefixActivity[] {
    return this.byRate().slice(busiest).slice(-most).reverse()
  }

  private byRate(): PrefixActivity[] {
    this.roll()
    const now = this.clock()
    const rate = this.rateAt(now)
    const all = [...this.activities].map(([prefix, activity]): PrefixActivity => {
      const { failed, throttled } = activity
      return { prefix, perSecond: rate(activity), throttled, failed }
    })
    return all
      .filter(({ perSecond, throttled, failed }) => perSecond > 0 || throttled > 0 || failed > 0)
      .sort((a, b) => b.perSecond - a.perSecond || b.failed + b.throttled - a.failed - a.throttled)
  }

  // In the first window there is nothing before it.
  private rateAt(now: number): (activity: Activity) => number {
    const sinceBegin = now - this.began
    if (sinceBegin < WINDOW) return (activity) => (activity.now * 1000) / Math.max(sinceBegin, 1)
    const left = Math.max(0, 1 - (now - this.windowFrom) / WINDOW)
    return (activity) => ((activity.before * left + activity.now) * 1000) / WINDOW
  }

  private roll(): void {
    const now = this.clock()
    const windows = Math.floor((now - this.windowFrom) / WINDOW)
    if (windows === 0) return
    this.windowFrom += windows * WINDOW
    for (const [prefix, activity] of this.activities) {
      activity.before = windows === 1 ? activity.now : 0
      activity.now = 0
      if (activity.before + activity.failed + activity.throttled === 0) this.activities.delete(prefix)
    }
  }

  private at(key: string): Activity {
    if (this.common === undefined) this.common = key
    else if (!key.startsWith(this.common)) this.widen(key, this.common)
    const prefix = prefixOf(key, this.common.length)
    const known = this.activities.get(prefix)
    if (known !== undefined) return known
    if (this.activities.size >= MOST) this.forget()
    const activity: Activity = { before: 0, now: 0, failed: 0, throttled: 0 }
    this.activities.set(prefix, activity)
    return activity
  }

  // Keys have less in common than was known: prefixes are those of a higher level from now on.
  private widen(key: string, before: string): void {
    let length = 0
    while (key.charCodeAt(length) === before.charCodeAt(length)) length++
    // No half of a character.
    if (length > 0 && isHighSurrogate(before.charCodeAt(length - 1))) length--
    this.common = before.slice(0, length)
    const activities = new Map<string, Activity>()
    for (const [prefix, activity] of this.activities) {
      const wider = prefixOf(prefix, length)
      const there = activities.get(wider)
      if (there === undefined) activities.set(wider, activity)
      else add(there, activity)
    }
    this.activities = activities
  }

  private forget(): void {
    const busiest = [...this.activities].sort(([, a], [, b]) => weight(b) - weight(a))
    this.activities = new Map(busiest.slice(0, MOST / 2))
  }
}

function prefixOf(key: string, common: number): string {
  const slash = key.indexOf('/', common)
  if (slash >= 0) return key.slice(0, slash + 1)
  const next = key.codePointAt(common)
  return next === undefined ? key : key.slice(0, common) + String.fromCodePoint(next)
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code < 0xdc00
}

function add(there: Activity, more: Activity): void {
  there.before += more.before
  there.now += more.now
  there.failed += more.failed
  there.throttled += more.throttled
}

function weight({ before, now, failed, throttled }: Activity): number {
  return before + now + failed + throttled
}
