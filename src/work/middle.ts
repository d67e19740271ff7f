import { compareKeys } from '../keys.js'

/**
 * A key strictly between `after` and `until` (absent: the end of all keys), as far from both as their first differing
 * characters allow; undefined when there is no room for one of ordinary length.
 */
export function midKey(after: string | undefined, until: string | undefined): string | undefined {
  const low = Array.from(after ?? '')
  const high = until === undefined ? [] : Array.from(until)
  const middle: string[] = []
  let bounded = until !== undefined
  for (let i = 0; i < LONGEST; i++) {
    const least = low[i]?.codePointAt(0) ?? 0
    const most = bounded ? (high[i]?.codePointAt(0) ?? 0) : HIGHEST
    if (most - least > 1) {
      middle.push(String.fromCodePoint(legal(Math.floor((least + most) / 2))))
      const key = middle.join('')
      const fits = compareKeys(key, after ?? '') > 0 && (until === undefined || compareKeys(key, until) < 0)
      return fits ? key : undefined
    }
    middle.push(String.fromCodePoint(least))
    // One step below `until`: whatever follows here stays below it.
    if (bounded && most > least) bounded = false
  }
  return undefined
}

// Most keys are ASCII: an open end is looked for there first.
const HIGHEST = 0x80
const LONGEST = 300

// Surrogates are no characters, and XML knows no other control characters.
function legal(code: number): number {
  if (code >= 0xd800 && code <= 0xdfff) return 0xe000
  return code < 0x20 ? 0x20 : code
}
