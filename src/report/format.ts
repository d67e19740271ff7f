import type { Waiting } from '../job/events.js'
import { nameOfList, type KeyList } from '../job/files-from.js'
import { kindOf, shardIn, type Job } from '../job/kinds.js'
import type { PassedOver } from '../job/passed-over.js'
import { placeUrl } from '../job/place.js'
import { shardName } from '../job/shard.js'
import { printable } from '../keys.js'

// Made when it is first needed: that takes longer than many a command.
let whole: Intl.NumberFormat | undefined

/** A number rounded to whole ones, with thousands separators: `1,234,567`. */
export function count(n: number): string {
  whole ??= new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })
  return whole.format(n)
}

/**
 * A number in at most six characters up to a trillion: exact below 10,000, then three digits rounded down, so that it
 * never claims more than there is: `9,999`, `12.3k`, `1.23M`, `456bn`.
 */
export function compactCount(n: number): string {
  if (n < 10_000) return count(n)
  const [scale, unit] = n < 1e6 ? [1e3, 'k'] : n < 1e9 ? [1e6, 'M'] : [1e9, 'bn']
  const scaled = n / scale
  const decimals = scaled < 10 ? 2 : scaled < 100 ? 1 : 0
  const step = 10 ** decimals
  return (Math.floor(scaled * step) / step).toFixed(decimals) + unit
}

const BYTE_UNITS = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'] as const

/** A number of bytes in binary units with one decimal: `999 B`, `1.5 GiB`. */
export function bytes(n: number): string {
  if (n < 1024) return `${count(n)} B`
  let scaled = n / 1024
  let unit: string = BYTE_UNITS[0]
  for (const larger of BYTE_UNITS.slice(1)) {
    // 1023.95 would be rounded to 1024.0, which is 1.0 of the next unit.
    if (scaled < 1023.95) break
    scaled /= 1024
    unit = larger
  }
  return `${scaled.toFixed(1)} ${unit}`
}

/** A time in milliseconds in its two largest units, rounded down: `12.3 s`, `5 min 07 s`, `2 h 05 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 60) return `${(Math.max(0, Math.floor(ms / 100)) / 10).toFixed(1)} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${twoDigits(seconds % 60)} s`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return `${hours} h ${twoDigits(minutes % 60)} min`
  return `${count(Math.floor(hours / 24))} d ${hours % 24} h`
}

function twoDigits(n: number): string {
  return String(n).padStart(2, '0')
}

/** Objects a second: `12,345/s`, one decimal below ten (`2.5/s`), and never `0/s` while something moves. */
export function rate(perSecond: number): string {
  if (perSecond <= 0) return '0/s'
  if (perSecond < 0.1) return '<0.1/s'
  return perSecond < 9.95 ? `${perSecond.toFixed(1)}/s` : `${count(perSecond)}/s`
}

/** Objects a second in at most eight characters: as `rate`, but `12.3k/s`. */
export function compactRate(perSecond: number): string {
  return perSecond < 9_999.5 ? rate(perSecond) : `${compactCount(perSecond)}/s`
}

/** `1 object`, `1,234 objects`. */
export function objects(n: number): string {
  return `${count(n)} ${n === 1 ? 'object' : 'objects'}`
}

/** A line of a summary: a name, and what is to be told of it. */
export function row(name: string, text: string): string {
  return `  ${name.padEnd(9)} ${text}`
}

/** A job in a few words: `copy s3://a/ to s3://b/`, `verify s3://a/ with s3://b/`, `ls s3://a/`. */
export function jobTitle(job: Job): string {
  const source = `${job.kind} ${placeUrl(job.source)}`
  const to = 'destination' in job ? ` ${kindOf(job).joined ?? 'to'} ${placeUrl(job.destination)}` : ''
  const shard = shardIn(job)
  return `${source}${to}${shard === undefined ? '' : `, ${shardName(shard)}`}`
}

/** What a list of keys is called in a sentence. */
export function listWord(list: KeyList): string {
  return list.origin === undefined ? shellWord(list.file) : nameOfList(list)
}

/**
 * A word for a POSIX shell: as it is when it needs no quoting, else in single quotes. Characters that may not be shown
 * raw are written in octal inside `$'…'`, so that the result can be both shown and pasted.
 */
export function shellWord(text: string): string {
  // A leading dash would be read as an option.
  return shellArgument(text.startsWith('-') ? `./${text}` : text)
}

/** The same of what may be an option. */
export function shellArgument(word: string): string {
  if (/^[A-Za-z0-9_./:@%+=,-]+$/.test(word)) return word
  if (!UNSHOWN.test(word)) return `'${word.replaceAll("'", `'\\''`)}'`
  const escaped = Array.from(word, (character) => {
    if (character === '\\' || character === "'") return `\\${character}`
    return UNSHOWN.test(character) ? octal(character) : character
  })
  return `$'${escaped.join('')}'`
}

// What `printable` escapes, but for the backslash, which quotes keep as it is.
const UNSHOWN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u

function octal(character: string): string {
  return Array.from(Buffer.from(character), (byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')
}

/** Objects that were set aside: `20 waiting to be tried again (500 InternalError)`, the most frequent error first, three at most. */
export function waitingText(waiting: Waiting): string {
  return `${count(waiting.objects)} waiting to be tried again${errorsText(waiting)}`
}

/** The same where a row is called so already: `20 objects, to be tried again (500 InternalError)`. */
export function waitingRow(waiting: Waiting): string {
  return row('waiting', `${objects(waiting.objects)}, to be tried again${errorsText(waiting)}`)
}

function errorsText({ errors }: Waiting): string {
  const names = Object.entries(errors)
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .map(([name]) => printable(name))
  const shown = names.length > MOST_ERRORS ? [...names.slice(0, MOST_ERRORS), '…'] : names
  return shown.length === 0 ? '' : ` (${shown.join(', ')})`
}

const MOST_ERRORS = 3

/** US$ for people: two decimals, and what is less than a cent as such. */
export function dollars(amount: number): string {
  if (amount > 0 && amount < 0.01) return '< 0.01'
  return new Intl.NumberFormat('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(amount)
}

/** The same with the currency. */
export function usd(amount: number): string {
  return `US$ ${dollars(amount)}`
}

/** What was passed over in a list, by why: `2 delete markers, 1 version that is not current`; empty where nothing was. */
export function passedOverText({ deleteMarkers = 0, oldVersions = 0, outside = 0 }: PassedOver): string {
  const parts = [
    ...(outside === 0
      ? []
      : [
          `${count(outside)} ${outside === 1 ? 'key' : 'keys'} that ${outside === 1 ? 'is' : 'are'} not below the source`,
        ]),
    ...(deleteMarkers === 0 ? [] : [`${count(deleteMarkers)} delete ${deleteMarkers === 1 ? 'marker' : 'markers'}`]),
    ...(oldVersions === 0
      ? []
      : [`${count(oldVersions)} ${oldVersions === 1 ? 'version that is' : 'versions that are'} not current`]),
  ]
  return parts.join(', ')
}
