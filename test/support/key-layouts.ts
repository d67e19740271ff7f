import type { ListedKeys } from '../../src/sources/estimate/outlined-page.js'

/** A key space as a function from index to key, in order: of any size, in no memory. */
export interface KeyLayout {
  readonly count: number
  readonly keyAt: (index: number) => string
}

/** A number in [0, 1) that is always the same for the same numbers. */
function fraction(...numbers: readonly number[]): number {
  let hash = 0x9e3779b9
  for (const n of numbers) {
    hash ^= n | 0
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    hash ^= hash >>> 16
  }
  return (hash >>> 0) / 2 ** 32
}

/** Numbers in [0, 1), one after the other, that are always the same for a seed. */
export function randomFrom(seed: number): () => number {
  let n = 0
  return () => fraction(seed, n++)
}

export function counter(count: number): KeyLayout {
  return { count, keyAt: (index) => `photos/${String(index).padStart(12, '0')}.jpg` }
}

export function hashes(count: number, seed: number): KeyLayout {
  const stride = 2 ** 48 / count
  return {
    count,
    keyAt: (index) =>
      Math.floor((index + 0.9 * fraction(seed, index)) * stride)
        .toString(16)
        .padStart(12, '0'),
  }
}

/** Folders of which one has so many times as many keys as another as their weights say. */
export function folders(
  count: number,
  named: readonly { readonly name: string; readonly weight: number }[],
  inner: (count: number, at: number) => KeyLayout = counter,
): KeyLayout {
  const all = named.reduce((sum, { weight }) => sum + weight, 0)
  let passed = 0
  let begin = 0
  const parts = named.map(({ name, weight }, at) => {
    passed += weight
    const end = Math.round((passed / all) * count)
    const part = { begin, name, layout: inner(end - begin, at) }
    begin = end
    return part
  })
  let at = 0
  return {
    count,
    keyAt(index) {
      if (!(index >= (parts[at]?.begin ?? 0) && index < (parts[at + 1]?.begin ?? count))) {
        at = firstWhere(parts.length, (n) => (parts[n]?.begin ?? 0) > index) - 1
      }
      const part = parts[at]!
      return part.name + part.layout.keyAt(index - part.begin)
    },
  }
}

/** Users of very unequal sizes: the largest has as many keys as the n-th n times over. */
export function users(count: number, users: number, seed: number): KeyLayout {
  const order = Array.from({ length: users }, (_, n) => n).sort((a, b) => fraction(seed, a) - fraction(seed, b))
  return folders(
    count,
    order.map((rank, n) => ({ name: `users/${String(n).padStart(5, '0')}/`, weight: 1 / (rank + 1) })),
  )
}

/** Days of which the latest have most. */
export function days(count: number, seed: number): KeyLayout {
  return folders(
    count,
    Array.from({ length: 1_500 }, (_, day) => ({
      name: `logs/${new Date(Date.UTC(2021, 0, 1 + day)).toISOString().slice(0, 10).replaceAll('-', '/')}/`,
      weight: Math.exp(day / 300) * (0.5 + fraction(seed, day)),
    })),
  )
}

/** Nearly all in one of three hundred folders. */
export function oneHot(count: number, seed: number): KeyLayout {
  const hot = Math.floor(fraction(seed) * 300)
  return folders(
    count,
    Array.from({ length: 300 }, (_, n) => ({
      name: `customer=${String(n).padStart(4, '0')}/`,
      weight: n === hot ? 29_700 : 1,
    })),
  )
}

/** Folders that are named by hashes. */
export function hashedFolders(count: number, seed: number): KeyLayout {
  const names = hashes(3_000, seed)
  return folders(
    count,
    Array.from({ length: names.count }, (_, n) => ({ name: `${names.keyAt(n)}/`, weight: 0.5 + fraction(seed, n, 1) })),
  )
}

/** What a listing of a layout has behind a key. */
export function pageOf({ count, keyAt }: KeyLayout, after: string | undefined, size = 1_000): ListedKeys {
  const begin = after === undefined ? 0 : firstWhere(count, (index) => keyAt(index) > after)
  const end = Math.min(count, begin + size)
  return { keys: Array.from({ length: end - begin }, (_, n) => keyAt(begin + n)), more: end < count }
}

function firstWhere(count: number, holds: (index: number) => boolean): number {
  let [low, high] = [0, count]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (holds(middle)) high = middle
    else low = middle + 1
  }
  return low
}
