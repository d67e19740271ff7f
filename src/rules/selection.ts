import type { Selection } from '../job/selection.js'
import { compareKeys, contains } from '../keys.js'
import { timeOf } from '../times.js'
import { folded, globTest, matchesGlob } from './glob.js'
import { EVERYTHING, intersection, justKey, notStartingWith, startingWith, union, type Ranges } from './ranges.js'
import { anchoredLiteral, compileRegex } from './regex.js'
import { rangesOfShard } from './shards.js'

/** What a selection asks of an object. */
interface Candidate {
  /** Relative to the source prefix. */
  readonly key: string
  readonly size: number
  /** ISO 8601. */
  readonly lastModified: string
  readonly storageClass: string
}

type Test = (object: Candidate) => boolean

/** Tells which objects below `prefix` are selected. A `UserError` if a regular expression does not compile. */
export function selector(selection: Selection, prefix: string): (object: Candidate) => boolean {
  // The cheapest first.
  const tests = [
    ...sizeTests(selection),
    ...classTests(selection),
    ...rangeTests(selection, prefix),
    ...globTests(selection),
    ...dateTests(selection),
    ...regexTests(selection),
  ]
  const [only = () => true] = tests
  return tests.length < 2 ? only : (object) => tests.every((test) => test(object))
}

/**
 * Where the selected keys below `prefix` lie, relative to it: what must be listed. Every key that the selector takes is in one of the ranges; a few
 * that it does not take may be as well. None at all when nothing can be selected.
 */
export function rangesOf(selection: Selection, prefix: string): Ranges {
  const reaches = (selection.regex ?? []).map((pattern) => startingWith(sure(anchoredLiteral(pattern), selection)))
  return [limits(selection, prefix), globReach(selection), ...reaches].reduce(intersection)
}

/**
 * Tells of what cannot be an object whether the selection leaves out all that it may stand for below `prefix`: an object, a folder of objects of any names and
 * sizes, or either.
 */
export function leavesOut(
  selection: Selection,
  prefix: string,
): (stray: Candidate, standsFor: 'object' | 'folder' | 'either') => boolean {
  const { globs, regex, ignoreCase, after, until, shard } = selection
  const byAll = selector(selection, prefix)
  const byName = selector(defined({ globs, regex, ignoreCase, after, until, shard }), prefix)
  const reach = rangesOf(selection, prefix)
  return (stray, standsFor) => {
    if (standsFor === 'object') return !byAll(stray)
    if (standsFor === 'either' && !byName(stray)) return true
    const folder = `${stray.key}/`
    return intersection(reach, startingWith(folder)).length === 0 || isCutOff(selection, folder)
  }
}

function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never
}

// Whether globs leave out every key that begins with `folder`: the last that may match one of them decides.
function isCutOff({ globs = [], ignoreCase = false }: Selection, name: string): boolean {
  const folder = ignoreCase ? folded(name) : name
  for (const [verdict, written] of [...globs].reverse()) {
    const glob = ignoreCase ? folded(written) : written
    const [literal = ''] = LITERAL.exec(glob) ?? []
    if (verdict === 'include') {
      if (literal === glob ? glob.startsWith(folder) : literal.startsWith(folder) || folder.startsWith(literal))
        return false
    } else if (glob.endsWith('*') && matchesGlob(glob, folder)) return true
  }
  return false
}

function sizeTests({ minSize = 0, maxSize = Infinity }: Selection): Test[] {
  return minSize === 0 && maxSize === Infinity ? [] : [({ size }) => size >= minSize && size <= maxSize]
}

function classTests({ storageClasses }: Selection): Test[] {
  if (storageClasses === undefined) return []
  const wanted = new Set(storageClasses.map((name) => name.toUpperCase()))
  return [({ storageClass }) => wanted.has(storageClass.toUpperCase())]
}

function dateTests({ modifiedSince, modifiedBefore }: Selection): Test[] {
  if (modifiedSince === undefined && modifiedBefore === undefined) return []
  const since = modifiedSince === undefined ? -Infinity : timeOf(modifiedSince)
  const until = modifiedBefore === undefined ? Infinity : timeOf(modifiedBefore)
  return [
    ({ lastModified }) => {
      const modified = timeOf(lastModified)
      return modified >= since && modified < until
    },
  ]
}

function rangeTests(selection: Selection, prefix: string): Test[] {
  if ([selection.after, selection.until, selection.shard].every((limit) => limit === undefined)) return []
  const ranges = limits(selection, prefix)
  return [({ key }) => ranges.some((range) => contains(range, key))]
}

function globTests({ globs = [], ignoreCase }: Selection): Test[] {
  if (globs.length === 0) return []
  // From the last, so that the first that matches decides.
  const verdicts = globs
    .map(([verdict, glob]) => ({ taken: verdict === 'include', matches: globTest(glob, ignoreCase) }))
    .reverse()
  return [
    ({ key }) => {
      for (const { taken, matches } of verdicts) if (matches(key)) return taken
      return true
    },
  ]
}

function regexTests({ regex = [], ignoreCase }: Selection): Test[] {
  return regex.map((pattern) => {
    const compiled = compileRegex(pattern, `--regex ${pattern}`, ignoreCase)
    return ({ key }) => compiled.test(key)
  })
}

// What `after`, `until` and the shard leave of the keys below the prefix.
function limits({ after, until, shard }: Selection, prefix: string): Ranges {
  return [
    after === undefined ? EVERYTHING : beyond(after, prefix),
    until === undefined ? EVERYTHING : upTo(until, prefix),
    shard === undefined ? EVERYTHING : rangesOfShard(shard),
  ].reduce(intersection)
}

// A key that does not begin with the prefix lies before or behind all that do.
function beyond(key: string, prefix: string): Ranges {
  if (key.startsWith(prefix)) return [{ after: key.slice(prefix.length) }]
  return compareKeys(key, prefix) < 0 ? EVERYTHING : []
}

function upTo(key: string, prefix: string): Ranges {
  if (key.startsWith(prefix)) return [{ until: key.slice(prefix.length) }]
  return compareKeys(key, prefix) < 0 ? [] : EVERYTHING
}

// Each glob gives to, or takes from, what those before it left.
function globReach(selection: Selection): Ranges {
  let reach = EVERYTHING
  for (const [verdict, glob] of selection.globs ?? []) {
    const [written = ''] = LITERAL.exec(glob) ?? []
    const literal = sure(written, selection)
    const rest = glob.slice(literal.length)
    if (verdict === 'include') reach = union(reach, rest === '' ? justKey(literal) : startingWith(literal))
    else if (/^\*+$/.test(rest)) reach = intersection(reach, notStartingWith(literal))
  }
  return reach
}

// What of a literal beginning all keys begin with that match: where letters may be in either case, what comes before the first.
function sure(literal: string, { ignoreCase = false }: Selection): string {
  return ignoreCase ? (CASELESS.exec(literal)?.[0] ?? '') : literal
}

// Other alphabets have letters that are others in ASCII.
const CASELESS = /^[ -@[-`{-~]*/

const LITERAL = /^[^*?[\p{Cs}]*/u
