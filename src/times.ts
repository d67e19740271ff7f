/**
 * Milliseconds since 1970 of a moment that somebody else wrote: a database, a store, a person. NaN for what is not understood, and for what could be
 * read in two ways (`01/02/2026`). What names no zone is in UTC, as Athena, Trino and stores that leave the zone away mean it, and never in the zone
 * of this machine. Understood are
 * - `2026-01-31`, also with a time behind a `T` or blanks, a fraction of up to nine digits of which those beyond a millisecond are dropped, and a
 *   zone: `Z`, `UTC`, `GMT`, `+05`, `+0530`, `+05:30`
 * - the three forms of HTTP (RFC 9110 §5.6.7)
 */
export function timeOf(text: string): number {
  // As nearly all listings have it, in a third of the time.
  if (USUAL.test(text)) return Date.parse(text)
  const iso = ISO.exec(text)
  if (iso !== null) {
    const [, year = '', month = '', day, hour, minute, second, fraction = '', zone] = iso
    const milliseconds = Number(fraction.slice(0, 3).padEnd(3, '0'))
    return moment([Number(year), Number(month) - 1, day, hour, minute, second], zone) + milliseconds
  }
  const http = HTTP.exec(text)
  if (http !== null) {
    const [, day, month = '', year = '', hour, minute, second, zone] = http
    return moment([fullYear(year), monthOf(month), day, hour, minute, second], zone)
  }
  const [, month = '', day, hour, minute, second, year] = ASCTIME.exec(text) ?? []
  return moment([Number(year), monthOf(month), day, hour, minute, second], undefined)
}

const USUAL = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{3})?Z$/
const ISO =
  /^(\d{4})-(\d\d)-(\d\d)(?:(?:[Tt]| +)(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{0,9}))?)?(?: ?([Zz]|UTC|GMT|[+-]\d\d(?::?\d\d)?))?)?$/
const HTTP =
  /^[A-Z][a-z]+, (\d\d)[ -]([A-Z][a-z]{2})[ -](\d{4}|\d\d) (\d\d):(\d\d):(\d\d)(?: (Z|UTC|GMT|[+-]\d\d:?\d\d))?$/
const ASCTIME = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\d{4})$/
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

function monthOf(name: string): number {
  const index = MONTHS.indexOf(name)
  return index < 0 ? Number.NaN : index
}

// A year of two digits is that of POSIX, `%y` of strptime.
function fullYear(digits: string): number {
  const year = Number(digits)
  return digits.length > 2 ? year : year + (year < 69 ? 2000 : 1900)
}

type Digits = string | undefined

function moment(
  [year, month, day, hour, minute, second]: readonly [number, number, Digits, Digits, Digits, Digits],
  zone: string | undefined,
): number {
  const [date, hours, minutes, seconds] = [Number(day), Number(hour ?? 0), Number(minute ?? 0), Number(second ?? 0)]
  // A leap second is the first of the next minute, as in POSIX.
  if (hours > 23 || minutes > 59 || seconds > 60) return Number.NaN
  const time = new Date(0)
  // Date.UTC takes the year 1 for 1901.
  time.setUTCFullYear(year, month, date)
  // JavaScript takes the 30th of February for the first of March.
  if (time.getUTCDate() !== date || time.getUTCMonth() !== month) return Number.NaN
  return time.setUTCHours(hours, minutes, seconds) - offsetOf(zone)
}

function offsetOf(zone: string | undefined): number {
  const [, sign, hours, minutes = '0'] = OFFSET.exec(zone ?? '') ?? []
  if (sign === undefined) return 0
  if (Number(hours) > 23 || Number(minutes) > 59) return Number.NaN
  return (sign === '-' ? -60_000 : 60_000) * (Number(hours) * 60 + Number(minutes))
}

const OFFSET = /^([+-])(\d\d):?(\d\d)?$/

/** A moment that somebody else wrote, as `Date.toISOString` writes it; undefined where `timeOf` does not understand it. */
export function isoTime(text: string): string | undefined {
  if (text.length === 24 && USUAL.test(text)) return text
  const time = timeOf(text)
  return Number.isNaN(time) ? undefined : new Date(time).toISOString()
}
