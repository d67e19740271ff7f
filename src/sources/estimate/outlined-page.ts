import { compareKeys } from '../../keys.js'
import { commonUnits } from './place-habits.js'

/** Keys that follow one another. */
export interface ListedKeys {
  readonly keys: readonly string[]
  /** Whether there are keys behind them. */
  readonly more: boolean
}

/** Where, in a page, the keys begin that have more in common with its last key than those before. */
interface Step {
  /** How many units, at least, they have in common with it. */
  readonly common: number
  readonly index: number
  /** The key at the index, and what it comes behind: the key before it, or where the page begins. */
  readonly key: string
  readonly after: string | undefined
}

/** What is kept of a page. */
export interface OutlinedPage {
  readonly after: string | undefined
  readonly count: number
  /** Whether the range in which it was listed ends with it. */
  readonly ended: boolean
  /** Empty where there are no keys. */
  readonly last: string
  /** The first is that of the first key. */
  readonly steps: readonly Step[]
  /** Keys at some places of it, ascending. */
  readonly milestones: readonly { readonly index: number; readonly key: string }[]
}

/** So many keys lie between two milestones of a page. */
const MILESTONES = 20

/** The outline of what a listing behind `after` has up to and including `until`. `offset`: in [0, 1), where the milestones are. */
export function outlined(
  { keys, more }: ListedKeys,
  after: string | undefined,
  until: string | undefined,
  offset: number,
): OutlinedPage {
  const count =
    until === undefined ? keys.length : firstIndex(keys.length, (i) => compareKeys(keys[i] ?? '', until) > 0)
  const last = keys[count - 1] ?? ''
  const ended = !more || count < keys.length || (count > 0 && last === until)
  const steps: Step[] = []
  for (let index = 0; index < count;) {
    const key = keys[index] ?? ''
    const common = commonUnits(key, last)
    steps.push({ common, index, key, after: index === 0 ? after : keys[index - 1] })
    index = firstIndex(count, (i) => commonUnits(keys[i] ?? '', last) > common, index + 1)
  }
  const milestones = []
  for (let index = Math.floor(offset * MILESTONES); index < count; index += MILESTONES)
    milestones.push({ index, key: keys[index] ?? '' })
  return { after, count, ended, last, steps, milestones }
}

/** The first of `from..count` for which `holds`, which never ceases to hold; `count` where there is none. */
function firstIndex(count: number, holds: (index: number) => boolean, from = 0): number {
  let [low, high] = [from, count]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (holds(middle)) high = middle
    else low = middle + 1
  }
  return low
}

/** The end of a page, from a key on. */
export interface PageEnd {
  readonly page: OutlinedPage
  readonly from: number
  readonly first: string
  /** What its first key comes behind. */
  readonly after: string | undefined
}

/** All of a page. */
export function wholePage(page: OutlinedPage): PageEnd {
  return { page, from: 0, first: page.steps[0]?.key ?? '', after: page.after }
}

/** How many keys it has. */
export function countOf({ page, from }: PageEnd): number {
  return page.count - from
}

/** The keys of the end of a page that have more than `common` units in common with its last. */
export function endWith({ page, from }: PageEnd, common: number): PageEnd {
  const step = page.steps.find((one) => one.index >= from && one.common > common)
  if (step === undefined) return { page, from: page.count, first: page.last, after: page.last }
  return { page, from: step.index, first: step.key, after: step.after }
}
