import type { Amount, Group } from '../job/usage.js'

/** A number that is not certain: most likely it is from `low` to `high`. */
export interface Predicted {
  readonly estimate: number
  readonly low: number
  readonly high: number
}

/** What there will be, of as much as is there now. */
interface Forecast {
  /** From now on. */
  readonly days: number
  readonly objects: Predicted
  readonly bytes: Predicted
}

/** What each day brings, of whole days, those that bring nothing among them. */
export interface Growth {
  /** From the first day that has any up to the last whole one, `YYYY-MM-DD`. */
  readonly from: string
  readonly until: string
  readonly perDay: Amount
  /** Over the last of these days, `LATE` at most. */
  readonly late: { readonly days: number; readonly perDay: Amount }
  /** If it goes on as of late; empty where these days are fewer than `FEWEST`. */
  readonly forecasts: readonly Forecast[]
}

/** Days that count as of late: a forecast rests on them. */
const LATE = 90
/** Of fewer no error can be told that would be worth anything. */
export const FEWEST = 10
const AHEAD: readonly number[] = [30, 365]

const DAY = 86_400_000

/** What is known by days of last modification, up to the day before `today` (`YYYY-MM-DD`). Undefined where there is no such day. */
export function growthOf(groups: readonly Group[], total: Amount, today: string): Growth | undefined {
  const end = numberOf(today)
  const days = groups
    .map(([name, objects, bytes]) => ({ day: numberOf(name), objects, bytes }))
    .filter(({ day }) => day < end)
  const first = Math.min(...days.map(({ day }) => day))
  if (days.length === 0 || first >= end) return undefined
  const length = end - first
  const last = Math.min(length, LATE)
  const late = days.filter(({ day }) => day >= end - last)
  const forecasts = last < FEWEST ? [] : AHEAD
  return {
    from: nameOf(first),
    until: nameOf(end - 1),
    perDay: { objects: sumOf(days, 'objects') / length, bytes: sumOf(days, 'bytes') / length },
    late: { days: last, perDay: { objects: sumOf(late, 'objects') / last, bytes: sumOf(late, 'bytes') / last } },
    forecasts: forecasts.map((ahead) => ({
      days: ahead,
      objects: forecast(
        total.objects,
        late.map(({ objects }) => objects),
        last,
        ahead,
      ),
      bytes: forecast(
        total.bytes,
        late.map(({ bytes }) => bytes),
        last,
        ahead,
      ),
    })),
  }
}

/**
 * What there will be in `ahead` days, as whole numbers: each brings what the last `days` did on average, of which `found` has those that brought any. In
 * `low` to `high` it is 19 times of 20, as far as days differ by chance alone: the error of the sum of so many days, and that of the average, which all of
 * them share (a prediction interval, by Student's t).
 */
export function forecast(now: number, found: readonly number[], days: number, ahead: number): Predicted {
  const mean = found.reduce((sum, one) => sum + one, 0) / days
  const squares = found.reduce((sum, one) => sum + (one - mean) ** 2, (days - found.length) * mean ** 2)
  const error = quantile(days - 1) * Math.sqrt(squares / (days - 1)) * Math.sqrt(ahead + ahead ** 2 / days)
  const estimate = now + mean * ahead
  return {
    estimate: Math.round(estimate),
    // Days take nothing away: what is deleted is seen by none.
    low: Math.round(Math.max(now, estimate - error)),
    high: Math.round(estimate + error),
  }
}

// That of 97.5 % of Student's t, to three digits from 9 degrees of freedom on (the expansion of Cornish and Fisher).
function quantile(freedom: number): number {
  const z = 1.959964
  return z + (z ** 3 + z) / (4 * freedom) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2)
}

function sumOf(days: readonly Amount[], trait: keyof Amount): number {
  return days.reduce((sum, day) => sum + day[trait], 0)
}

// Days since 1970; what is no date is none.
function numberOf(name: string): number {
  const [year = NaN, month = NaN, day = NaN] = name.split('-').map(Number)
  return Date.UTC(year, month - 1, day) / DAY
}

function nameOf(day: number): string {
  return new Date(day * DAY).toISOString().slice(0, 10)
}
