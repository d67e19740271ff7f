/** What is known of the places of names, by how many folders lie before them and how far into a name they are. */
interface Place {
  /** The UTF-16 units that were seen there, ascending. */
  readonly units: number[]
  /** How often it was seen how many children keys have there that share all before it, and the sum of the logarithms of these numbers. */
  times: number
  branches: number
}

/** Learns, from pages of keys, which characters stand where in names, and how keys branch there; says by this how many times a page goes into a prefix. */
export class PlaceHabits {
  readonly #places = new Map<number, Place>()

  /** Takes in a key that has its first `common` units in common with one that was taken in. */
  learn(key: string, common: number): void {
    forPlaces(key, key.length, (place, i) => {
      if (i < common) return
      const { units } = this.#at(place)
      const unit = key.charCodeAt(i)
      const at = rankIn(units, unit)
      if (units[at] !== unit) units.splice(at, 0, unit)
    })
  }

  /** Takes in that keys which share the first `from` units of `key` share all up to `place`, and have so many children there. */
  branched(key: string, from: number, place: number, children: number): void {
    forPlaces(key, Math.min(place + 1, key.length), (id, i) => {
      if (i < from) return
      const known = this.#at(id)
      known.times++
      known.branches += i < place ? 0 : Math.log(Math.max(1, children))
    })
  }

  /** How many times as much as lies between two keys that share their first `from` units seems to lie behind these. */
  times(first: string, last: string, from: number): number {
    const common = commonUnits(first, last)
    let branches = 0
    let behind = 0
    forPlaces(`${last.slice(0, common)} `, common + 1, (place, i) => {
      behind = place
      if (i < from || i === common) return
      const { units, times, branches: sum } = this.#at(place)
      branches += (sum + Math.log(Math.max(1, units.length))) / (times + 1)
    })
    const part = this.#placeOf(last, common, behind) - this.#placeOf(first, common, behind)
    return Math.exp(branches) / Math.min(1, Math.max(part, FINEST))
  }

  // Where a key lies among those that share its first `from` units: 0 is the beginning, 1 the end.
  #placeOf(key: string, from: number, place: number): number {
    let sum = 0
    let weight = 1
    let at = place
    for (let i = from; i < key.length && weight > FINEST; i++) {
      const { units } = this.#at(at)
      const unit = key.charCodeAt(i)
      weight /= Math.max(1, units.length)
      sum += rankIn(units, unit) * weight
      at = unit === SLASH ? nextLevel(at) : at + 1
    }
    return sum
  }

  #at(id: number): Place {
    const known = this.#places.get(id)
    if (known !== undefined) return known
    const place = { units: [], times: 0, branches: 0 }
    this.#places.set(id, place)
    return place
  }
}

const FINEST = 1e-6
const SLASH = 0x2f
/** No key has as many units. */
const PLACES_OF_LEVEL = 2_048

function nextLevel(place: number): number {
  return (Math.floor(place / PLACES_OF_LEVEL) + 1) * PLACES_OF_LEVEL
}

function forPlaces(key: string, end: number, each: (place: number, index: number) => void): void {
  let place = 0
  for (let i = 0; i < end; i++) {
    each(place, i)
    place = key.charCodeAt(i) === SLASH ? nextLevel(place) : place + 1
  }
}

function rankIn(units: readonly number[], unit: number): number {
  let rank = 0
  while (rank < units.length && (units[rank] ?? 0) < unit) rank++
  return rank
}

/** How many UTF-16 units two keys have in common at their beginning, and no half of a character. */
export function commonUnits(a: string, b: string): number {
  const most = Math.min(a.length, b.length)
  let i = 0
  while (i < most && a.charCodeAt(i) === b.charCodeAt(i)) i++
  return i > 0 && isHigh(a.charCodeAt(i - 1)) ? i - 1 : i
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00
}
