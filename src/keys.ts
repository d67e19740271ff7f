/** Keys after `after` up to and including `until`, in UTF-8 byte order. Without `after` it begins before the first key (even the empty one), without `until` it has no end. */
export interface KeyRange {
  readonly after?: string
  readonly until?: string
}

/**
 * Compares two keys as S3 orders them: by their UTF-8 bytes. Negative, zero or positive, as for `Array.sort`.
 * JavaScript's own `<` compares UTF-16 units and puts supplementary characters before U+E000..U+FFFF.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return byteRank(x) - byteRank(y)
  }
  return a.length - b.length
}

// Surrogates stand for code points above U+FFFF, so they rank above every other unit.
function byteRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit
}

/** The order of ranges by their beginnings. */
export function byStart({ after: a }: KeyRange, { after: b }: KeyRange): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined)
  return compareKeys(a, b)
}

/** Whether `key` belongs to `range`. */
export function contains(range: KeyRange, key: string): boolean {
  return (
    (range.after === undefined || compareKeys(key, range.after) > 0) &&
    (range.until === undefined || compareKeys(key, range.until) <= 0)
  )
}

/** Whether a prefix takes in whole folders: that of all of a bucket does. */
export function endsInSlash(prefix: string): boolean {
  return prefix === '' || prefix.endsWith('/')
}

/** Whether a key, relative to a prefix without a slash at its end, lies beside what the prefix names: it is neither that object nor in that folder. */
export function isBeside(key: string): boolean {
  return key !== '' && !key.startsWith('/')
}

/** The most bytes that a key can have (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html). */
export const LONGEST_KEY = 1024

/** The length of a key in UTF-8, which is what S3's limit of 1,024 bytes counts. */
export function keyBytes(key: string): number {
  return Buffer.byteLength(key, 'utf8')
}

/**
 * A key (or any text from outside) made fit for a terminal, a log line or a page of text: control characters, line
 * separators, bidirectional controls and lone surrogates become `\n`, `\t`, `\xNN` or `\u{NNNN}`, a backslash becomes
 * `\\`. Reversible, and never longer than one line.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escaped)
}

/** The same for a message or a name that may hold what stands for a byte (`standInFor`), which becomes `\xNN`. */
export function printableName(text: string): string {
  return withBytesShown(printable(text))
}

function escaped(character: string): string {
  switch (character) {
    case '\\':
      return '\\\\'
    case '\n':
      return '\\n'
    case '\r':
      return '\\r'
    case '\t':
      return '\\t'
  }
  const code = character.codePointAt(0) ?? 0
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
}

/** The character that stands for a byte of a file name which is no UTF-8, or no part of a key: a private one, which hardly any name has. */
export function standInFor(byte: number): string {
  return String.fromCodePoint(STAND_INS + byte)
}

/** Text in which the bytes that characters stand for are shown as `\xNN`. */
export function withBytesShown(text: string): string {
  return text.replace(
    STAND_IN,
    (character) => `\\x${((character.codePointAt(0) ?? 0) - STAND_INS).toString(16).padStart(2, '0')}`,
  )
}

const STAND_INS = 0x10fe00
const STAND_IN = /[\u{10fe00}-\u{10feff}]/gu

/** Text, for messages alone, in which no URL shows a user name or a password: `http://user:password@host` becomes `http://…@host`. */
export function withoutCredentials(text: string): string {
  return text.replace(CREDENTIALS, '$1…@')
}

// What stands before the first slash tells; a secret may hold slashes too.
const CREDENTIALS = /([a-z][a-z0-9+.-]*:\/+)(?!arn:)[^\s/'"@]*(?::[^\s'"]*)?@/gi

const UNPRINTABLE = /[\\\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu
