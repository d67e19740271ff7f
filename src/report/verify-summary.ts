import { count, objects, row } from './format.js'
import { differing, type Verdicts } from '../job/verdicts.js'
import type { Paint } from './paint.js'

/** What was found, as rows of a summary: only what there is any of. */
export function likenessRows(found: Verdicts): string[] {
  return NAMES.filter(([name]) => found[name] > 0).map(([name, shown, meaning]) =>
    row(shown, `${objects(found[name])}${meaning}`),
  )
}

const NAMES: readonly (readonly [name: keyof Verdicts, shown: string, meaning: string])[] = [
  ['same', 'same', ''],
  ['same-size', 'same size', ', whose ETags cannot be compared'],
  ['different', 'different', ''],
  ['missing', 'missing', ' at the destination'],
  ['extra', 'extra', ' at the destination'],
  ['unknown', 'unknown', ', which could not be compared'],
  ['fixed', 'fixed', ' of those, by copying them'],
]

/** The result of a comparison that finished, in a line. It never says that contents are equal which were not compared. */
export function likenessHeadline(found: Verdicts): string {
  const differ = differing(found)
  if (differ > 0) return differ === 1 ? '1 object differs' : `${count(differ)} objects differ`
  return found['same-size'] === 0
    ? 'no object differs'
    : `no object is known to differ, but of ${count(found['same-size'])} only the size was compared`
}

/** The tone of that. */
export function likenessTone(found: Verdicts): 'bad' | 'warning' | 'good' {
  return differing(found) > 0 ? 'bad' : found['same-size'] > 0 ? 'warning' : 'good'
}

/** Whole lines of differences for people, with the verdict that each begins with painted. */
export function paintedVerdicts(lines: string, paint: Paint): string {
  return lines
    .replace(/^(?:different|missing)(?= )/gm, (verdict) => paint('bad', verdict))
    .replace(/^(?:extra|unknown|same-size)(?= )/gm, (verdict) => paint('warning', verdict))
}
