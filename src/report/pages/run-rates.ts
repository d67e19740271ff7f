import type { RateSample } from '../../checkpoint/checkpoint.js'
import { bytes, count, duration, rate } from '../format.js'
import { lineChart, type Point } from './charts.js'

/** How a run went over its time at work: objects, bytes, refusals and failures. Charts as markup; empty before there are two samples. */
export function rateCharts(history: readonly RateSample[]): string {
  const charts = MEASURES.flatMap(({ title, inWords, value, always }) => {
    const points = pointsOf(history, value)
    const some = points.length > 1 && (always === true || points.some((point) => point.value > 0))
    return some ? [lineChart({ title, points, inWords, timeInWords: duration })] : []
  })
  return charts.length === 0 ? '' : `<div class="charts">${charts.join('')}</div>`
}

/** What was done a second over one part of a run. */
export interface RateRow {
  /** Time at work at its end, in milliseconds. */
  readonly activeMs: number
  readonly objects: number
  readonly bytes: number
  readonly throttled: number
}

/** The same as numbers, in at most so many parts of about the same length; none before there are two samples. */
export function ratesOf(history: readonly RateSample[], most: number): RateRow[] {
  const step = Math.max(1, Math.ceil((history.length - 1) / most))
  const kept = history.filter((_, index) => (history.length - 1 - index) % step === 0)
  return kept.slice(1).map((sample, index) => {
    const before = kept[index] ?? sample
    return {
      activeMs: sample.activeMs,
      objects: OBJECTS(sample, before) ?? 0,
      bytes: BYTES(sample, before) ?? 0,
      throttled: THROTTLED(sample, before) ?? 0,
    }
  })
}

interface Measure {
  readonly title: string
  readonly inWords: (value: number) => string
  /** Between a sample and the one before; undefined where these do not tell. */
  readonly value: (sample: RateSample, before: RateSample) => number | undefined
  /** Shown also where it was always zero. */
  readonly always?: boolean
}

// Of a total there is less when failures are tried again; what a session counts from zero begins anew with it.
const OBJECTS = gained(({ settled }) => settled, 'total')
const BYTES = gained((sample) => sample.bytes, 'total')
const THROTTLED = gained(({ throttled }) => throttled, 'total')

const MEASURES: readonly Measure[] = [
  { title: 'objects a second', inWords: rate, value: OBJECTS, always: true },
  { title: 'bytes a second', inWords: (value) => `${bytes(value)}/s`, value: BYTES },
  { title: 'in flight', inWords: count, value: ({ inFlight }) => inFlight },
  { title: 'throttled a second', inWords: rate, value: THROTTLED },
  { title: 'requests sent again a second', inWords: rate, value: gained(({ retried }) => retried, 'session') },
  { title: 'failed', inWords: count, value: ({ failed }) => failed },
]

function gained(of: (sample: RateSample) => number | undefined, over: 'total' | 'session'): Measure['value'] {
  return (sample, before) => {
    const [now, then] = [of(sample), of(before)]
    const ms = sample.activeMs - before.activeMs
    if (now === undefined || then === undefined || ms <= 0) return undefined
    const fewer = over === 'session' ? now : 0
    return ((now < then ? fewer : now - then) * 1000) / ms
  }
}

function pointsOf(history: readonly RateSample[], value: Measure['value']): Point[] {
  return history.flatMap((sample, index) => {
    const before = history[index - 1]
    const found = before === undefined ? undefined : value(sample, before)
    return found === undefined ? [] : [{ at: sample.activeMs, value: found }]
  })
}
