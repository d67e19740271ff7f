/** What a check says, by its exit code: monitoring-plugins.org/doc/guidelines.html. */
export const SERVICE_STATES = ['OK', 'WARNING', 'CRITICAL', 'UNKNOWN'] as const

/** Nagios knows no other exit codes. */
export type ServiceState = (typeof SERVICE_STATES)[number]

/** A range of good values: an alert is what lies outside of it, or, when `inside`, within. Both ends belong to it. */
export interface Threshold {
  readonly start: number
  readonly end: number
  readonly inside: boolean
  readonly text: string
}

const NUMBER = '(?:[0-9]+(?:\\.[0-9]+)?)'
const RANGE = new RegExp(`^(@?)(?:(~|-?${NUMBER}):)?(-?${NUMBER})?$`)

/** Reads a range as plugins write it: `10`, `10:`, `~:10`, `10:20`, `@10:20`. Undefined for what is none. */
export function readThreshold(text: string): Threshold | undefined {
  const [, at, from, to] = RANGE.exec(text) ?? []
  const start = from === undefined ? 0 : from === '~' ? -Infinity : Number(from)
  const end = to === undefined ? Infinity : Number(to)
  if ((from === undefined && to === undefined) || start > end) return undefined
  return { start, end, inside: at === '@', text }
}

/** Whether a value is an alert. */
export function isAlert({ start, end, inside }: Threshold, value: number): boolean {
  return (value >= start && value <= end) === inside
}

/** One finding of a check. */
export interface ServiceFinding {
  readonly state: ServiceState
  readonly text: string
}

/** A value for graphs: a name of letters, a unit if it has one (`c` for a number that only grows, `B`, `s`, `%`), and ranges. */
export interface PerformanceValue {
  readonly label: string
  readonly value: number
  readonly unit?: 'c' | 'B' | 's' | '%'
  readonly warning?: Threshold | undefined
  readonly critical?: Threshold | undefined
}

/** The worst of some states; `CRITICAL` is worse than `UNKNOWN`. */
export function worst(states: readonly ServiceState[]): ServiceState {
  const rank: readonly ServiceState[] = ['CRITICAL', 'UNKNOWN', 'WARNING']
  return rank.find((state) => states.includes(state)) ?? 'OK'
}

/** What a check tells: a line with the worst, then a line for each further finding; values behind a bar in the first. */
export function serviceOutput(findings: readonly ServiceFinding[], values: readonly PerformanceValue[]): string {
  const state = worst(findings.map((finding) => finding.state))
  const sorted = findings.toSorted((one, other) => severity(one) - severity(other))
  const [first, ...rest] = sorted.map(({ text }) => withoutBar(text))
  const graph = values.map(valueText).join(' ')
  const lines = [`S3MOVE ${state} - ${first ?? 'no runs'}${graph === '' ? '' : ` | ${graph}`}`, ...rest]
  return lines.map((line) => `${line}\n`).join('')
}

function severity({ state }: ServiceFinding): number {
  return ['CRITICAL', 'UNKNOWN', 'WARNING', 'OK'].indexOf(state)
}

// Behind a bar stand values.
function withoutBar(text: string): string {
  return text.replaceAll('|', '¦')
}

function valueText({ label, value, unit, warning, critical }: PerformanceValue): string {
  return `${label}=${value}${unit ?? ''};${warning?.text ?? ''};${critical?.text ?? ''};0;`
}
