/**
 * What a run has learned of the shape of its keys: which bytes occur at which position, and in which folder level. It
 * grows with the alphabet and the length of keys, not with their number.
 */
export class KeyModel {
  private readonly atPosition: Uint8Array[] = []
  private readonly atLevel: Uint8Array[] = []

  /** Takes in a key that exists. */
  learn(key: string): void {
    const bytes = Buffer.from(key)
    let level = 0
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i] ?? 0
      mark(this.atPosition, i, byte)
      if (byte === SLASH) level++
      else mark(this.atLevel, level, byte)
    }
  }

  /**
   * A frame in which the keys between `low` and `until` (absent: no bound) can be placed: the bytes that may follow what
   * those two have in common, position by position. From position `known` on, numbers are taken to be no longer than those seen.
   */
  frame(low: Buffer, until: Buffer | undefined, known: number): Frame {
    let start = until === undefined ? 0 : commonLength(low, until)
    let top = until?.[start] ?? 0
    let open = until === undefined
    // `until` is where the folder (or any prefix) of `low` ends: what matters is what may come inside it.
    if (until?.length === start + 1 && (low[start] ?? 0) + 1 === until[start]) {
      start++
      open = true
    }
    if (open) top = 0x100
    const digits: (readonly number[])[] = []
    let resolution = 1
    for (let i = start; i < start + MOST_DIGITS && resolution < FINEST; i++) {
      const digit = i === start ? this.parting(low, i, top) : this.plausible(i, i < known)
      if (digit.length === 0) break
      digits.push(digit)
      resolution *= digit.length
    }
    return { start, open, digits, resolution }
  }

  // Where the two ends part, nothing may have been seen yet of what lies between them: whatever the folder level is known to
  // use counts, and the bytes of a family always count together.
  private parting(low: Buffer, position: number, top: number): number[] {
    const least = low[position] ?? 0
    let level = 0
    for (let i = 0; i < position; i++) if (low[i] === SLASH) level++
    const seen = this.atPosition[position]
    const inLevel = this.atLevel[level]
    const bytes = [least]
    for (let byte = least + 1; byte < top; byte++) {
      const known = seen?.[byte] === 1 || (inLevel?.[byte] === 1 && isWordByte(byte))
      if (known || family(byte) === family(least)) bytes.push(byte)
    }
    if (top < 0x100) bytes.push(top)
    return bytes
  }

  private plausible(position: number, mayGrow: boolean): number[] {
    const seen = this.atPosition[position]
    if (seen === undefined) return []
    const allDigits = mayGrow && digitsIn(seen) > 0 && this.beginsNumber(position)
    // Where one character beyond ASCII goes on, any may.
    const allContinuations = seen.subarray(0x80, 0xc0).includes(1)
    const bytes: number[] = []
    for (let byte = 0; byte < 0x100; byte++) {
      const presumed = (allDigits && isDigit(byte)) || (allContinuations && family(byte) === 1)
      if (seen[byte] === 1 || presumed) bytes.push(byte)
    }
    return bytes
  }

  // A digit that never changed, before digits that do, is the leading zero of a counter: it will change.
  private beginsNumber(position: number): boolean {
    for (let i = position; i < position + LONGEST_NUMBER; i++) {
      const seen = this.atPosition[i]
      const digits = seen === undefined ? 0 : digitsIn(seen)
      if (digits !== 1) return digits > 1
    }
    return false
  }
}

/** Positions from `start` on as the digits of a mixed-radix number: each the bytes that may stand there, ascending. */
export interface Frame {
  readonly start: number
  /** Whether the frame reaches to the end of everything with its prefix. */
  readonly open: boolean
  readonly digits: readonly (readonly number[])[]
  /** How many places the frame tells apart. */
  readonly resolution: number
}

/** Where a key with the frame's prefix lies in the frame: 0 is its beginning, 1 its end. */
export function placeIn(frame: Frame, key: Buffer): number {
  let place = 0
  let weight = 1
  for (const [i, digit] of frame.digits.entries()) {
    const byte = key[frame.start + i]
    if (byte === undefined) return place
    weight /= digit.length
    const rank = digit.findIndex((candidate) => candidate >= byte)
    if (rank < 0) return place + digit.length * weight
    place += rank * weight
    if (digit[rank] !== byte) return place
  }
  return place
}

/** A key near `place` in the frame, as short as `grain` (the error allowed) lets it be; `low` lends the prefix. Valid UTF-8. */
export function keyAt(frame: Frame, low: Buffer, place: number, grain: number): string {
  const bytes = [...low.subarray(0, frame.start)]
  let rest = place
  let weight = 1
  for (const digit of frame.digits) {
    weight /= digit.length
    // The tolerance keeps a place that is a whole digit from falling into the one below by rounding.
    const rank = Math.min(digit.length - 1, Math.floor(rest / weight + 1e-9))
    bytes.push(digit[rank] ?? 0)
    rest -= rank * weight
    if (rest < grain) break
  }
  return validText(Buffer.from(bytes))
}

/** The least text above every key that begins with `prefix`; undefined when there is none. */
export function successor(prefix: Buffer): string | undefined {
  const last = prefix.at(-1)
  // Beyond ASCII the next byte may not be the next character; a folder ends in a slash, and that is what this is for.
  if (last === undefined || last >= 0x7f) return undefined
  return validText(Buffer.concat([prefix.subarray(0, -1), Buffer.from([last + 1])]))
}

/** How many bytes two keys have in common at their beginning. */
export function commonLength(a: Buffer, b: Buffer): number {
  const most = Math.min(a.length, b.length)
  for (let i = 0; i < most; i++) if (a[i] !== b[i]) return i
  return most
}

export const SLASH = 0x2f

const MOST_DIGITS = 40
/** Places are doubles: beyond this they would no longer tell neighbours apart. */
const FINEST = 2 ** 46
const LONGEST_NUMBER = 20

function mark(sets: Uint8Array[], index: number, byte: number): void {
  let set = sets[index]
  if (set === undefined) {
    set = new Uint8Array(0x100)
    sets[index] = set
  }
  set[byte] = 1
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

// Bytes that stand for one another: digits, and in UTF-8 the continuations and the beginnings of characters of one length.
// Everything else is of a family of its own.
function family(byte: number): number {
  if (isDigit(byte)) return 0
  if (byte < 0x80) return 0x100 + byte
  return byte < 0xc0 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
}

function isWordByte(byte: number): boolean {
  return isDigit(byte) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a) || byte >= 0x80
}

function digitsIn(seen: Uint8Array): number {
  let digits = 0
  for (let byte = 0x30; byte <= 0x39; byte++) digits += seen[byte] ?? 0
  return digits
}

// A cut may fall inside a character: it is completed with the least bytes that can follow, or dropped.
function validText(bytes: Buffer): string {
  for (let length = bytes.length; length > 0 && length > bytes.length - 4; length--) {
    for (const ending of ENDINGS) {
      try {
        return STRICT.decode(Buffer.concat([bytes.subarray(0, length), ending]))
      } catch {
        // Not this one.
      }
    }
  }
  return ''
}

const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const ENDINGS = ['', '80', 'a0', '8080', 'a080', '9080', '808080', '908080'].map((hex) => Buffer.from(hex, 'hex'))
