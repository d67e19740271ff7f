/**
 * A value as JSON that is safe to show on a terminal: keys come from outside, so the control, formatting and line-separating
 * characters that JSON allows inside strings are escaped as well. Reads back as the same value, lone surrogates included.
 */
export function jsonText(value: unknown, indent = 0): string {
  return JSON.stringify(value, undefined, indent).replace(UNSAFE, (characters) => {
    let escaped = ''
    for (let i = 0; i < characters.length; i++)
      escaped += `\\u${characters.charCodeAt(i).toString(16).padStart(4, '0')}`
    return escaped
  })
}

// JSON.stringify escapes what is below U+0020, and none of these occurs outside a string.
const UNSAFE = /[\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}]/gu

/**
 * Reads JSON from its text or its UTF-8 bytes; throws an Error for what is neither. Bytes that are not UTF-8 are refused
 * rather than replaced, because a key with a character replaced is another key.
 */
export function parseJson(source: string | Uint8Array): unknown {
  return JSON.parse(typeof source === 'string' ? source : UTF8.decode(source))
}

const UTF8 = new TextDecoder('utf-8', { fatal: true })
