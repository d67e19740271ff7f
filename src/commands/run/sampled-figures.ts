import type { Figure, SampledFigures } from '../../engine/session/object-sampling.js'
import { bytes, count, objects } from '../../report/format.js'

/** What a sample tells, as fields of the record of a plan. */
export function sampledFields(figures: SampledFigures): object {
  const { listed, objects, bytes, seen, looked, lists } = figures
  const whole = ({ estimate, low, high }: Figure): Figure => ({
    ...{ estimate: Math.round(estimate), low: Math.floor(low), high: Math.ceil(high) },
  })
  const { low, high } = timesOf(figures)
  return {
    ...{ listed: whole(listed), objects: whole(objects), bytes: whole(bytes), seen, looked, lists },
    times: { low: Number(low.toFixed(3)), high: Number(high.toFixed(3)) },
  }
}

/** How many objects and bytes, in words: `about 1,020,000,000 objects (930,000,000 to 1,100,000,000), 9.5 TiB (8.7 TiB to 10.4 TiB)`. */
export function aboutInWords({ objects: number, bytes: size }: SampledFigures): string {
  const between = ({ low, high }: Figure, words: (n: number) => string): string => `(${words(low)} to ${words(high)})`
  return `about ${objects(digits(number.estimate))} ${between(number, counted)}, ${bytes(size.estimate)} ${between(size, bytes)}`
}

/** What the sample was, and what it cannot tell. */
export function sampleInWords({ listed, looked, seen, lists }: SampledFigures): string[] {
  return [
    `sample       ${objects(looked)} of about ${counted(listed.estimate)} (${counted(listed.low)} to ${counted(listed.high)}) there; ${count(seen)} were seen by ${count(lists)} LIST requests`,
    '             there is more where a folder far larger than others like it was missed',
  ]
}

/** What a figure that grows with the objects or their bytes may be. */
export function timesInWords(figures: SampledFigures): string {
  const { low, high } = timesOf(figures)
  return ` (${low.toFixed(2)} to ${high.toFixed(2)} times that)`
}

function timesOf({ objects, bytes }: SampledFigures): { readonly low: number; readonly high: number } {
  const times = (of: 'low' | 'high'): number[] =>
    [objects, bytes].map((figure) => (figure.estimate === 0 ? 1 : figure[of] / figure.estimate))
  return { low: Math.min(...times('low')), high: Math.max(...times('high')) }
}

function counted(n: number): string {
  return count(digits(n))
}

// More than three would claim to know it.
function digits(n: number): number {
  return Number(n.toPrecision(3))
}
