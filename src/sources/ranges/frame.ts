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
