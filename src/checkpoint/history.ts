import { timeOf } from '../times.js'
import type { RateSample } from './checkpoint.js'

/** The most samples that are kept. */
export const HISTORY_LENGTH = 120

/** The shortest time between two samples, in milliseconds. */
const FIRST_INTERVAL = 1000

/**
 * Adds a sample if it is due, else gives the history back as it is. Samples come evenly over the whole run in at most 120
 * places: when they are full every second one is dropped and the interval doubles. Call it as often as convenient.
 *
 * The interval is not stored: it is 1 s times the power of two nearest to the smallest gap. A sample is due when three
 * quarters of it have passed, which rounds to the same power, so that a timer's jitter neither loses samples nor shrinks it.
 */
export function addSample(history: readonly RateSample[], sample: RateSample): readonly RateSample[] {
  const last = history.at(-1)
  if (last === undefined) return [sample]
  const kept = history.length < HISTORY_LENGTH ? history : history.filter((_, index) => index % 2 === 0)
  const elapsed = timeOf(sample.at) - timeOf((kept.at(-1) ?? last).at)
  // A clock that was set back must not silence the history until it has caught up.
  if (elapsed >= 0 && elapsed < 0.75 * interval(kept)) return history
  return [...kept, sample]
}

function interval(history: readonly RateSample[]): number {
  let smallest = Infinity
  let previous: number | undefined
  for (const { at } of history) {
    const now = timeOf(at)
    if (previous !== undefined && now > previous) smallest = Math.min(smallest, now - previous)
    previous = now
  }
  if (smallest === Infinity) return FIRST_INTERVAL
  return FIRST_INTERVAL * 2 ** Math.max(0, Math.round(Math.log2(smallest / FIRST_INTERVAL)))
}
