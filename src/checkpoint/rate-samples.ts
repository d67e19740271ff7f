import type { Expected } from '../job/events.js'
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
  const elapsed = sample.activeMs - (kept.at(-1) ?? last).activeMs
  return elapsed < 0.75 * interval(kept) ? history : [...kept, sample]
}

/** What a sample says of how much is expected. */
export function sampleOf(expected: Expected | undefined): Pick<RateSample, 'expected'> {
  return expected === undefined || expected.told ? {} : { expected: expected.objects }
}

function interval(history: readonly RateSample[]): number {
  let smallest = Infinity
  let previous: number | undefined
  for (const { activeMs } of history) {
    if (previous !== undefined && activeMs > previous) smallest = Math.min(smallest, activeMs - previous)
    previous = activeMs
  }
  if (smallest === Infinity) return FIRST_INTERVAL
  return FIRST_INTERVAL * 2 ** Math.max(0, Math.round(Math.log2(smallest / FIRST_INTERVAL)))
}
