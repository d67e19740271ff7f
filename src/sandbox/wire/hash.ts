/** A 32-bit number that depends on all three and on nothing else; `index` may be as large as 2^53. */
export function mix(seed: number, index: number, salt: number): number {
  let h = (seed ^ Math.imul(salt, 0x9e3779b1)) | 0
  h = Math.imul(h ^ (index >>> 0) ^ (h >>> 15), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13) ^ (index > 0xffff_ffff ? Math.floor(index / 0x1_0000_0000) : 0), 0xc2b2ae35)
  h ^= h >>> 16
  h = Math.imul(h, 0x7feb352d)
  return (h ^ (h >>> 15)) >>> 0
}

/** The same as a fraction in [0, 1). */
export function fraction(seed: number, index: number, salt: number): number {
  return mix(seed, index, salt) / 0x1_0000_0000
}

/** Eight lower-case hexadecimal digits. */
export function hex32(n: number): string {
  return (n >>> 0).toString(16).padStart(8, '0')
}

const hexDigits = Buffer.from('0123456789abcdef', 'latin1')
const scratch = Buffer.alloc(32)

function writeHex32(at: number, n: number): void {
  for (let i = 0; i < 8; i++) scratch[at + i] = hexDigits[(n >>> (28 - 4 * i)) & 15] ?? 0
}

/** 32 lower-case hexadecimal digits made of four 32-bit numbers. */
export function hex128(a: number, b: number, c: number, d: number): string {
  writeHex32(0, a)
  writeHex32(8, b)
  writeHex32(16, c)
  writeHex32(24, d)
  return scratch.toString('latin1', 0, 32)
}

/** A 32-bit number that depends on the text, for turning names into seeds. */
export function hashText(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return mix(h, text.length, 0)
}
