import { fraction, hex128, hex32, mix } from '../wire/hash.js'
import { firstWhere } from './order.js'

/** A monotone function from index to key, in the order of the keys' UTF-8 bytes. */
export interface Layout {
  readonly count: number
  keyAt(index: number): string
  /** True when keys that end in `/` stand for folders: their objects are empty. */
  readonly hasFolders?: boolean
  /** The only index that can have this key, where that is cheap to tell; undefined where it must be searched for. */
  guess?(key: string): number
}

const fourDigits = Array.from({ length: 10_000 }, (_, n) => String(n).padStart(4, '0'))

const four = (n: number) => fourDigits[n % 10_000] ?? ''
const eight = (n: number) => four(Math.floor(n / 1e4)) + four(n)
const twelve = (n: number) => four(Math.floor(n / 1e8)) + four(Math.floor(n / 1e4)) + four(n)

/** `photos/000000012345.jpg`: a zero-padded counter. */
export function seqLayout(count: number): Layout {
  return {
    count,
    keyAt: (index) => `photos/${twelve(index)}.jpg`,
    guess: (key) => Number(key.slice(7, 19)),
  }
}

/** 32 hexadecimal digits spread evenly, as hashes are. */
export function hexLayout(count: number, seed: number): Layout {
  const stride = 2 ** 48 / count
  return {
    count,
    keyAt(index) {
      // Less than a whole stride of jitter, so that the order of the indexes is kept.
      const high = Math.floor((index + 0.98 * fraction(seed, index, 11)) * stride)
      const upper = Math.floor(high / 0x1_0000)
      const middle = (high % 0x1_0000) * 0x1_0000 + (mix(seed, index, 12) & 0xffff)
      return hex128(upper, middle, mix(seed, index, 13), mix(seed, index, 14))
    },
    guess: (key) => Math.floor(parseInt(key.slice(0, 12), 16) / stride),
  }
}

/** Where each slot begins when `count` objects are dealt out by cumulative share. */
function cumulative(count: number, shares: readonly number[]): Float64Array {
  const starts = new Float64Array(shares.length + 1)
  const total = shares.reduce((sum, share) => sum + share, 0)
  let sum = 0
  shares.forEach((share, slot) => {
    starts[slot] = Math.floor((sum / total) * count)
    sum += share
  })
  starts[shares.length] = count
  return starts
}

/** `logs/2024/05/25/13/00000042-9f86d081.gz`: five years by the hour, 80 % of the objects in the last 5 % of the days. */
export function datesLayout(count: number, seed: number): Layout {
  const days = 1826
  const recent = days - Math.floor(days / 20)
  const growth = (day: number) => 2 ** (day / 365)
  let older = 0
  let newer = 0
  for (let day = 0; day < days; day++) {
    if (day < recent) older += growth(day)
    else newer += growth(day)
  }
  const shares: number[] = []
  for (let hour = 0; hour < days * 24; hour++) {
    const day = Math.floor(hour / 24)
    const share = growth(day) * (day < recent ? 0.2 / older : 0.8 / newer)
    shares.push(share * (0.5 + fraction(seed, hour, 21)))
  }
  const starts = cumulative(count, shares)
  const first = Date.UTC(2020, 0, 1)
  // Listings ask for one index after the other, so the slot of the last one is likely the slot of the next.
  let slot = 0
  let folder = ''
  const enter = (index: number) => {
    slot = firstWhere(starts.length, (n) => (starts[n] ?? count) > index) - 1
    const hour = new Date(first + slot * 3_600_000).toISOString()
    folder = `logs/${hour.slice(0, 4)}/${hour.slice(5, 7)}/${hour.slice(8, 10)}/${hour.slice(11, 13)}/`
  }
  return {
    count,
    keyAt(index) {
      if (folder === '' || index < (starts[slot] ?? 0) || index >= (starts[slot + 1] ?? count)) enter(index)
      const position = index - (starts[slot] ?? 0)
      const number = count < 1e8 ? eight(position) : twelve(position)
      return `${folder}${number}-${hex32(mix(seed, index, 22))}.gz`
    },
  }
}

/** 99 % behind one long prefix, the rest spread over ten thousand prefixes before and after it. */
export function hotLayout(count: number): Layout {
  const hot = 4217
  const customers = 10_000
  const before = Math.floor((count * 0.01 * hot) / customers)
  const after = Math.floor((count * 0.01 * (customers - hot - 1)) / customers)
  const key = (customer: number, part: number) =>
    `lake/v2/region=eu-west-1/customer=${four(customer)}/events/part-${twelve(part)}.parquet`
  const spread = (index: number, objects: number, first: number, folders: number) => {
    const folder = Math.floor((index * folders) / objects)
    return key(first + folder, index - Math.ceil((folder * objects) / folders))
  }
  return {
    count,
    keyAt(index) {
      if (index < before) return spread(index, before, 0, hot)
      if (index < count - after) return key(hot, index - before)
      return spread(index - (count - after), after, hot + 1, customers - hot - 1)
    },
  }
}

/** Twelve levels of folders, three objects in each of the lowest. */
export function deepLayout(count: number): Layout {
  const levels = 12
  const perFolder = 3
  let fan = 2
  while (fan ** levels * perFolder < count) fan++
  const names = Array.from({ length: levels }, (_, level) =>
    Array.from({ length: fan }, (_, n) => `level${four(level + 1).slice(2)}-${four(n).slice(1)}/`),
  )
  let folder = -1
  let path = ''
  const enter = (wanted: number) => {
    folder = wanted
    path = ''
    let rest = wanted
    for (let level = levels - 1; level >= 0; level--) {
      path = (names[level]?.[rest % fan] ?? '') + path
      rest = Math.floor(rest / fan)
    }
  }
  return {
    count,
    keyAt(index) {
      const wanted = Math.floor(index / perFolder)
      if (wanted !== folder) enter(wanted)
      return `${path}file-${index - wanted * perFolder}.bin`
    },
  }
}
