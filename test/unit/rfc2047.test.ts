import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodedWords, encodedWords, isBeyondAscii, isSameHeader } from '../../src/rfc2047.js'

/** One byte a character, as header fields are. */
const bytesOf = (text: string): string => Buffer.from(text).toString('latin1')
const inQ = (bytes: Buffer): string =>
  `=?utf-8?q?${[...bytes].map((byte) => `=${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')}?=`
const inB = (bytes: Buffer): string => `=?UTF-8?B?${bytes.toString('base64')}?=`

function inWords(text: string, size: number, word: (bytes: Buffer) => string): string {
  const bytes = Buffer.from(text)
  const words: string[] = []
  for (let at = 0; at < bytes.length; at += size) words.push(word(bytes.subarray(at, at + size)))
  return words.join(' ')
}

describe('encoded words', () => {
  test('of any text are read as that text, are ASCII, and none is longer than 75 characters or cut in a character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 300 }), (text) => {
        const encoded = encodedWords(bytesOf(text))
        expect(decodedWords(encoded)).toBe(bytesOf(text))
        for (const word of encoded.split(' ')) {
          expect(word).toMatch(/^[!-~]{1,75}$/)
          expect(Buffer.from(decodedWords(word), 'latin1').toString()).not.toContain('\ufffd')
        }
      }),
    )
  })

  test.each([inB, inQ])('are read wherever others have parted them', (word) => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 45 }), (text, size) => {
        expect(decodedWords(inWords(text, size, word))).toBe(bytesOf(text))
      }),
    )
  })

  test.each([
    ['a =?UTF-8?Q?gr=C3=BCn_ist?= z', bytesOf('a grün ist z')],
    ['=?utf-8*de?b?w7w=?=', bytesOf('ü')],
    ['=?ISO-8859-1?Q?=FC?=', bytesOf('ü')],
    ['=?UTF-8?Q?a?=  =?UTF-8?Q?b?= c =?UTF-8?Q?d?=', 'ab c d'],
    ['=?UTF-8?Q?=XY?=', '=?UTF-8?Q?=XY?='],
    ['=?UTF-8?B?not base64?=', '=?UTF-8?B?not base64?='],
    ['=?KOI8-R?B?0NLJ?=', '=?KOI8-R?B?0NLJ?='],
    ['=?UTF-8?X?a?=', '=?UTF-8?X?a?='],
    ['=?', '=?'],
    ['plain', 'plain'],
  ])('%j is read as %j', (value, wanted) => {
    expect(decodedWords(value)).toBe(wanted)
  })

  test('count as what they stand for in metadata, and in no other header', () => {
    expect(isSameHeader('x-amz-meta-n', '=?UTF-8?B?w7w=?=', bytesOf('ü'))).toBe(true)
    // Each byte of it was taken for a character: another text.
    expect(isSameHeader('x-amz-meta-n', '=?UTF-8?B?w4PCvA==?=', bytesOf('ü'))).toBe(false)
    expect(isSameHeader('content-disposition', '=?UTF-8?B?w7w=?=', bytesOf('ü'))).toBe(false)
    expect(isSameHeader('x-amz-meta-n', undefined, '')).toBe(false)
  })
})

test('text beyond ASCII is that in UTF-8 alone', () => {
  expect([bytesOf('ü'), 'plain', '\xfc', ''].map(isBeyondAscii)).toEqual([true, false, false, false])
})
