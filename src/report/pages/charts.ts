import { escaped } from './html.js'

/** One bar, and what is told of it. */
export interface Bar {
  readonly label: string
  /** Not negative. */
  readonly value: number
  /** The value for people. */
  readonly text: string
}

/** Bars with their labels and values as text; empty where none has a length. */
export function barChart(all: readonly Bar[]): string {
  const bars = all.filter(({ value }) => value > 0)
  const most = Math.max(...bars.map(({ value }) => value))
  const rows = bars.map(({ label, value, text }) => {
    const width = Math.max(0.3, (value / most) * 100).toFixed(1)
    const bar = `<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect width="${width}" height="10"/></svg>`
    return `<tr><th scope="row">${escaped(label)}</th><td class="b">${bar}</td><td class="n">${escaped(text)}</td></tr>`
  })
  return rows.length === 0 ? '' : `<div class="wide" tabindex="0"><table>${rows.join('')}</table></div>`
}

/** A value at one moment. */
export interface Point {
  /** Milliseconds since the left edge. */
  readonly at: number
  /** Not negative. */
  readonly value: number
}

/** A line over time. */
export interface LineChart {
  readonly title: string
  readonly points: readonly Point[]
  /** A value, and a time, for people. */
  readonly inWords: (value: number) => string
  readonly timeInWords: (ms: number) => string
}

const PLOT = { width: 600, height: 100 }

/** The chart as a figure: its numbers are in its caption, and at its edges. */
export function lineChart({ title, points, inWords, timeInWords }: LineChart): string {
  const last = points.at(-1)
  if (last === undefined) return ''
  const most = Math.max(...points.map(({ value }) => value))
  const [start, end] = [points[0]?.at ?? 0, last.at]
  const x = (at: number): string =>
    (end === start ? PLOT.width : ((at - start) / (end - start)) * PLOT.width).toFixed(1)
  const y = (value: number): string => (PLOT.height - (most === 0 ? 0 : value / most) * PLOT.height).toFixed(1)
  const path = points.map(({ at, value }, index) => `${index === 0 ? 'M' : 'L'}${x(at)} ${y(value)}`).join('')
  const told = `${title}: ${inWords(last.value)} at the end, ${inWords(most)} at most`
  return `<figure><figcaption>${escaped(title)}: ${escaped(inWords(last.value))}</figcaption><div class="axis"><span>${escaped(inWords(most))}</span></div><svg class="plot" role="img" aria-label="${escaped(told)}" viewBox="0 -2 ${PLOT.width} ${PLOT.height + 4}" preserveAspectRatio="none"><path d="${path}"/></svg><div class="axis"><span>${escaped(timeInWords(start))}</span><span>${escaped(timeInWords(end))}</span></div></figure>`
}
