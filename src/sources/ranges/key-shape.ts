/** What is known of keys that are punctuated alike: which bytes occur at which place of which name in their path. */
export class Shape {
  /** By level of folder, and place in a name there. A name that ends has a slash in the place behind it. */
  private readonly seen: Uint8Array[][] = []
  /** By level: which bytes occur anywhere in a name. */
  private readonly anywhere: Uint8Array[] = []
  /** By level: the greatest name that was the last of its folder. */
  private readonly greatest: string[] = []
  /** By level: the least name behind which a folder was found to have nothing, as long as no folder of the level has more. */
  private readonly bounds: (string | undefined)[] = []
  /** How many were taken in. */
  keys = 0

  /** Takes in a key that has its first `old` bytes in common with one that was taken in. */
  learn(key: string, bytes: Buffer, old: number): void {
    this.keys++
    if (this.bounds.length > 0) this.loosen(key)
    let from = bytes.subarray(0, old).lastIndexOf(SLASH) + 1
    let level = levelAt(bytes, from)
    for (let i = old; i < bytes.length; i++) {
      const byte = bytes[i] ?? 0
      mark((this.seen[level] ??= []), i - from, byte)
      mark(this.anywhere, level, byte)
      if (byte === SLASH) [level, from] = [level + 1, i + 1]
    }
  }

  private loosen(key: string): void {
    for (const [level, name] of key.split('/').entries()) {
      const bound = this.bounds[level]
      if (bound !== undefined && name > bound) this.bounds[level] = undefined
    }
  }

  /** Takes in that names were the last of their folders, from a level on. */
  learnLast(path: readonly string[], from: number): void {
    for (let level = from; level < path.length; level++) {
      const [last = '', known] = [path[level], this.greatest[level]]
      if (known === undefined || last > known) this.greatest[level] = last
    }
  }

  /** Takes in that a folder has nothing behind a name. */
  learnBound(name: string, level: number): void {
    const known = this.bounds[level]
    if (known === undefined || name < known) this.bounds[level] = name
  }

  /** Whether a name may exist as far as it is known where folders of its level end. */
  isWithin(name: string, level: number): boolean {
    const bound = this.bounds[level]
    return bound === undefined || name <= bound
  }

  /** The greatest name known to be the last of a folder of this level. */
  lastOf(level: number): string | undefined {
    return this.greatest[level]
  }

  /** The bytes that occur at a place of the names of a level. */
  at(level: number, place: number): Uint8Array | undefined {
    return this.seen[level]?.[place]
  }

  /** Whether a byte occurs anywhere in the names of a level. */
  inLevel(level: number, byte: number): boolean {
    return this.anywhere[level]?.[byte] === 1
  }

  /** Whether only numbers tell the names of a level apart. */
  differInNumbers(level: number): boolean {
    let varies = false
    for (const seen of this.seen[level] ?? []) {
      if (seen.indexOf(1) === seen.lastIndexOf(1)) continue
      varies = true
      for (let byte = 0; byte < 0x100; byte++) if (seen[byte] === 1 && !isDigit(byte) && byte !== SLASH) return false
    }
    return varies
  }

  /** The bytes that may occur there. `mayGrow`: whether a digit may that did not yet. */
  plausible(level: number, place: number, mayGrow: (byte: number) => boolean): number[] {
    const seen = this.at(level, place)
    if (seen === undefined) return []
    const allDigits = digitsIn(seen) > 0 && this.beginsNumber(level, place)
    // Where one character beyond ASCII goes on, any may.
    const allContinuations = seen.subarray(0x80, 0xc0).includes(1)
    const bytes: number[] = []
    for (let byte = 0; byte < 0x100; byte++) {
      const presumed = (allDigits && isDigit(byte) && mayGrow(byte)) || (allContinuations && family(byte) === 1)
      if (seen[byte] === 1 || presumed) bytes.push(byte)
    }
    return bytes
  }

  // A digit that never changed, before digits that do, is the leading zero of a counter: it will change.
  private beginsNumber(level: number, place: number): boolean {
    for (let i = place; i < place + LONGEST_NUMBER; i++) {
      const seen = this.at(level, i)
      const digits = seen === undefined ? 0 : digitsIn(seen)
      if (digits !== 1) return digits > 1
    }
    return false
  }
}

export const SLASH = 0x2f

const LONGEST_NUMBER = 20

/** How many folders lie before a position of a key. */
export function levelAt(key: Buffer, position: number): number {
  let level = 0
  for (let i = 0; i < position; i++) if (key[i] === SLASH) level++
  return level
}

function mark(sets: Uint8Array[], index: number, byte: number): void {
  let set = sets[index]
  if (set === undefined) {
    set = new Uint8Array(0x100)
    sets[index] = set
  }
  set[byte] = 1
}

/** Whether a byte is a decimal digit. */
export function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

/**
 * Bytes that stand for one another: digits, and in UTF-8 the continuations and the beginnings of characters of one length.
 * Everything else is of a family of its own.
 */
export function family(byte: number): number {
  if (isDigit(byte)) return 0
  if (byte < 0x80) return 0x100 + byte
  return byte < 0xc0 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
}

/** Whether a byte is one of a letter or a digit. */
export function isWordByte(byte: number): boolean {
  return isDigit(byte) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a) || byte >= 0x80
}

function digitsIn(seen: Uint8Array): number {
  let digits = 0
  for (let byte = 0x30; byte <= 0x39; byte++) digits += seen[byte] ?? 0
  return digits
}
