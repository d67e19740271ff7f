import { byStart, compareKeys, contains, type KeyRange } from '../keys.js'

/** Ranges in the order of their keys, none of which overlaps or touches another. */
export type Ranges = readonly KeyRange[]

/** All keys. */
export const EVERYTHING: Ranges = [{}]

// The greatest character there is. No real name has it, so it makes good ends: little lies between.
const LAST = '\u{10ffff}'

/** Where all keys lie that begin with `start`, and hardly any other. */
export function startingWith(start: string): Ranges {
  return [range(before(start), behind(start))]
}

/** Where all keys lie that do not begin with `start`, and hardly any other. */
export function notStartingWith(start: string): Ranges {
  return start === '' ? [] : [{ until: start }, { after: start + LAST }]
}

/** Where `key` lies, and hardly any other. */
export function justKey(key: string): Ranges {
  return [range(before(key), key)]
}

/** The keys that lie in both. */
export function intersection(a: Ranges, b: Ranges): Ranges {
  return a.flatMap((one) => b.flatMap((other) => overlap(one, other)))
}

/** The keys that lie in either. */
export function union(a: Ranges, b: Ranges): Ranges {
  const merged: KeyRange[] = []
  for (const next of [...a, ...b].sort(byStart)) {
    const last = merged.at(-1)
    if (last === undefined || isApart(last, next)) merged.push(next)
    else merged[merged.length - 1] = range(last.after, later(last.until, next.until))
  }
  return merged
}

function overlap(a: KeyRange, b: KeyRange): KeyRange[] {
  const after = byStart(a, b) < 0 ? b.after : a.after
  const until = a.until === later(a.until, b.until) ? b.until : a.until
  return after !== undefined && until !== undefined && compareKeys(after, until) >= 0 ? [] : [range(after, until)]
}

function isApart({ until }: KeyRange, { after }: KeyRange): boolean {
  return until !== undefined && after !== undefined && compareKeys(until, after) < 0
}

// The end that lies farther: none at all is beyond every key.
function later(a: string | undefined, b: string | undefined): string | undefined {
  return a === undefined || b === undefined ? undefined : compareKeys(a, b) < 0 ? b : a
}

function range(after: string | undefined, until: string | undefined): KeyRange {
  return { ...(after === undefined ? {} : { after }), ...(until === undefined ? {} : { until }) }
}

// A key before all that begin with `start`, and close to them; undefined when there is none.
function before(start: string): string | undefined {
  if (start === '') return undefined
  const [rest, code] = cutLast(start)
  return code === 0 ? rest : rest + String.fromCodePoint(code === 0xe000 ? 0xd7ff : code - 1) + LAST
}

// The first key behind all that begin with `start`; undefined when there is none.
function behind(start: string): string | undefined {
  if (start === '') return undefined
  const [rest, code] = cutLast(start)
  return code === 0x10ffff ? behind(rest) : rest + String.fromCodePoint(code === 0xd7ff ? 0xe000 : code + 1)
}

// Surrogates are halves of characters, and no character of their own.
function cutLast(text: string): [rest: string, code: number] {
  const [last = ''] = /[^]$/u.exec(text) ?? []
  return [text.slice(0, -last.length), last.codePointAt(0) ?? 0]
}

/** The same keys in more ranges: each is cut behind those of `marks` that are in it. */
export function cutAt(ranges: Ranges, marks: readonly string[]): Ranges {
  const inOrder = [...new Set(marks)].sort(compareKeys)
  return ranges.flatMap((whole) => {
    const { until } = whole
    const cuts = inOrder.filter((mark) => mark !== until && contains(whole, mark))
    return [...cuts, until].map((end, at) => range(cuts[at - 1] ?? whole.after, end))
  })
}
