import { isUtf8 } from 'node:buffer'

/*
 * Text in header fields as RFC 2047 has it: `=?UTF-8?B?w7w=?=`. Some stores take user metadata in that form alone, some answer in it whatever they
 * were sent, others know nothing of it. Values are one byte a character here, as everywhere in header fields.
 */

const WORD = /=\?([\w-]{1,40})(?:\*[\w-]+)?\?([BbQq])\?([!-<>@-~=]*)\?=/g
const BLANK = /^[ \t]+$/

/** A value with its encoded words put into UTF-8. What is no such word, or in a charset other than UTF-8, ISO-8859-1 and ASCII, stays as it is. */
export function decodedWords(value: string): string {
  if (!value.includes('=?')) return value
  let text = ''
  let from = 0
  let afterWord = false
  for (const found of value.matchAll(WORD)) {
    const [whole, charset = '', encoding = '', content = ''] = found
    const word = bytesOf(charset.toLowerCase(), encoding.toUpperCase(), content)
    if (word === undefined) continue
    const between = value.slice(from, found.index)
    // Blanks between two words only keep them apart.
    text += (afterWord && BLANK.test(between) ? '' : between) + word
    from = found.index + whole.length
    afterWord = true
  }
  return text + value.slice(from)
}

function bytesOf(charset: string, encoding: string, content: string): string | undefined {
  let bytes: Buffer
  if (encoding === 'B') {
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(content)) return undefined
    bytes = Buffer.from(content, 'base64')
  } else {
    if (/=(?![0-9A-Fa-f]{2})/.test(content)) return undefined
    const plain = content
      .replaceAll('_', ' ')
      .replace(/=(..)/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
    bytes = Buffer.from(plain, 'latin1')
  }
  if (charset === 'utf-8' || charset === 'us-ascii') return bytes.toString('latin1')
  // Each byte is the character of its number, which is two bytes in UTF-8 beyond ASCII.
  return charset === 'iso-8859-1' ? inUtf8(bytes.toString('latin1')) : undefined
}

/** The same text in UTF-8, one byte a character, where each character was one of Latin-1. */
export function inUtf8(latin1: string): string {
  return Buffer.from(latin1, 'utf8').toString('latin1')
}

/** Whether a value is text in UTF-8 with characters beyond ASCII. */
export function isBeyondAscii(value: string): boolean {
  return /[\x80-\xff]/.test(value) && isUtf8(Buffer.from(value, 'latin1'))
}

/** How many bytes of text fit into a word: base64 makes 60 characters of them, and a word may have 75. */
const MOST_BYTES = 45

/** UTF-8 as encoded words, of which none is cut in a character. */
export function encodedWords(value: string): string {
  const words: string[] = []
  for (let from = 0; from < value.length;) {
    let to = Math.min(value.length, from + MOST_BYTES)
    while (to < value.length && isContinuation(value.charCodeAt(to))) to--
    words.push(`=?UTF-8?B?${Buffer.from(value.slice(from, to), 'latin1').toString('base64')}?=`)
    from = to
  }
  return words.join(' ')
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80
}

/** Whether two values of a header are the same. User metadata is the same text, however it is written. */
export function isSameHeader(name: string, one: string | undefined, other: string | undefined): boolean {
  if (one === other) return true
  if (one === undefined || other === undefined || !name.startsWith('x-amz-meta-')) return false
  return decodedWords(one) === decodedWords(other)
}
