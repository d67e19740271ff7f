import { distance } from 'fastest-levenshtein'

/** Of these names the one that was probably meant, if one is near: a third of its letters may be wrong, left out or too many. */
export function nearest(typed: string, names: Iterable<string>): string | undefined {
  let best: string | undefined
  let least = Number.POSITIVE_INFINITY
  for (const name of names) {
    const far = distance(typed, name)
    if (far < least && far <= Math.max(1, Math.floor(Math.min(name.length, typed.length) / 3))) {
      best = name
      least = far
    }
  }
  return best
}
