import { distance } from 'fastest-levenshtein'

/**
 * Of these names the one that was probably meant, if one is near: a third of its letters may be wrong, left out or too
 * many, or two neighbours in each other's place.
 */
export function nearest(typed: string, names: Iterable<string>): string | undefined {
  let best: string | undefined
  let least = Number.POSITIVE_INFINITY
  for (const name of names) {
    const far = isSwapped(typed, name) ? 1 : distance(typed, name)
    if (far < least && far <= Math.max(1, Math.floor(Math.min(name.length, typed.length) / 3))) {
      best = name
      least = far
    }
  }
  return best
}

// Levenshtein's distance takes such a slip (`cpoy`) for two mistakes.
function isSwapped(typed: string, name: string): boolean {
  const at = Array.from(typed).findIndex((letter, index) => letter !== name[index])
  return at !== -1 && typed.slice(0, at) + typed.charAt(at + 1) + typed.charAt(at) + typed.slice(at + 2) === name
}
