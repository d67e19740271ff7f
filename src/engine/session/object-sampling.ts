import { compareKeys, type KeyRange } from '../../keys.js'
import type { KeyEstimate } from '../../sources/estimate/key-estimate.js'
import { relativeDeviation } from '../../sources/estimate/spread.js'
import type { ObjectSummary } from '../../storage/storage.js'
import type { Prospect } from '../actions/context.js'
import type { SampledFrom } from './scaling.js'

/** A figure of which only a sample tells, and where it is, most likely. */
export interface Figure {
  readonly estimate: number
  readonly low: number
  readonly high: number
}

/** What a sample tells of all. */
export interface SampledFigures {
  /** All that are listed. */
  readonly listed: Figure
  /** What the command would write or delete of them, and the bytes of that. */
  readonly objects: Figure
  readonly bytes: Figure
  /** Objects of which the key was seen, and those about which it was decided. */
  readonly seen: number
  readonly looked: number
  /** Pages that were listed. */
  readonly lists: number
}

/** A sample of the objects of a job. */
export interface Sampling {
  readonly ranges: readonly KeyRange[]
  readonly from: SampledFrom
  /** Takes in what becomes of one of its objects. */
  add(object: ObjectSummary, prospect: Prospect): void
  figures(): SampledFigures
  /** Its places in order: the last key of each, and for how many it stands. */
  readonly portions: readonly { readonly until: string; readonly keys: number }[]
}

/** The sample that an estimate has drawn. */
export function samplingOf(found: KeyEstimate): Sampling {
  const { windows, objects, low, high, seen, requests } = found
  const windowOf = (key: string): number => {
    let [first, end] = [0, windows.length - 1]
    while (first < end) {
      const middle = Math.floor((first + end) / 2)
      if (compareKeys(key, windows[middle]?.range.until ?? '') <= 0) end = middle
      else first = middle + 1
    }
    return first
  }
  const standsFor = (key: string): number => {
    const window = windows[windowOf(key)]
    return window === undefined ? 1 : window.standsFor / window.keys
  }
  const done = windows.map(() => ({ objects: 0, bytes: 0 }))
  let looked = 0
  const figure = (of: 'objects' | 'bytes'): Figure => {
    const parts = done.map((one) => one[of])
    const estimate = parts.reduce((sum, part) => sum + part, 0)
    const own = 2 * relativeDeviation(parts)
    return {
      estimate,
      low: estimate * Math.exp(-Math.hypot(Math.log(objects / low), own)),
      high: estimate * Math.exp(Math.hypot(Math.log(high / objects), own)),
    }
  }
  return {
    ranges: windows.map(({ range }) => range),
    from: { objects, places: windows.length, standsFor },
    portions: windows.map(({ range: { until = '' }, standsFor: keys }) => ({ until, keys })),
    add({ key, size }, { kind }) {
      looked++
      const window = done[windowOf(key)]
      if ((kind !== 'copied' && kind !== 'deleted' && kind !== 'delete-deferred') || window === undefined) return
      const stands = standsFor(key)
      window.objects += stands
      window.bytes += stands * size
    },
    figures: () => ({
      ...{ listed: { estimate: objects, low, high }, objects: figure('objects'), bytes: figure('bytes') },
      ...{ seen, looked, lists: requests + windows.length },
    }),
  }
}
