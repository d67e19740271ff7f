import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  compareKeys,
  contains,
  keyBytes,
  printable,
  printableName,
  standInFor,
  withBytesShown,
} from '../../src/keys.js'

/** Characters on both sides of every place where UTF-16 and UTF-8 disagree or an escape begins. */
const edge = fc.constantFrom(
  ...[
    '',
    'a',
    '/',
    '\\',
    '\\n',
    '\\x1b',
    '\0',
    '\n',
    '\r',
    '\t',
    '\u001b',
    '\u007f',
    '\u0080',
    '\u009b',
    '\u00a0',
    'é',
  ],
  ...['\u00ad', '\u061c', '\u07ff', '\u0800', '\u200b', '\u200e', '\u2028', '\u2029', '\u202e', '\u2066', '\ud7ff'],
  ...['\ue000', '\uf8ff', '\ufeff', '\ufffd', '\uffff', '\u{10000}', '\u{1f600}', '\u{e0001}', '\u{10ffff}'],
)
const key = fc.array(fc.oneof(edge, fc.string({ unit: 'binary' })), { maxLength: 8 }).map((parts) => parts.join(''))
/** Any JavaScript string at all, lone surrogates included. */
const anyText = fc
  .array(
    fc.oneof(
      edge,
      fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''))

describe('compareKeys', () => {
  test('orders keys as their UTF-8 bytes are ordered', () => {
    fc.assert(
      fc.property(key, key, key, (start, a, b) => {
        const bytes = Buffer.compare(Buffer.from(start + a), Buffer.from(start + b))
        expect(Math.sign(compareKeys(start + a, start + b))).toBe(bytes)
      }),
      { numRuns: 2000 },
    )
  })

  test('puts supplementary characters after U+E000 to U+FFFF, where JavaScript puts them before', () => {
    expect(['\uffff', '\u{10000}'].sort()).toEqual(['\u{10000}', '\uffff'])
    expect(compareKeys('\u{10000}', '\uffff')).toBeGreaterThan(0)
    expect(compareKeys('x\u{1f600}', 'x\ue000')).toBeGreaterThan(0)
    expect(compareKeys('\ud7ff', '\u{10000}')).toBeLessThan(0)
  })

  test('puts a key before the keys that it begins', () => {
    expect(compareKeys('', 'a')).toBeLessThan(0)
    expect(compareKeys('a', 'a\0')).toBeLessThan(0)
    expect(compareKeys('a/b', 'a/b')).toBe(0)
  })
})

describe('contains', () => {
  test('agrees with the order: beyond `after`, and up to and including `until`', () => {
    const end = fc.option(key, { nil: undefined })
    fc.assert(
      fc.property(end, end, key, (after, until, one) => {
        const bytes = Buffer.from(one)
        const expected =
          (after === undefined || Buffer.compare(bytes, Buffer.from(after)) > 0) &&
          (until === undefined || Buffer.compare(bytes, Buffer.from(until)) <= 0)
        const range = { ...(after === undefined ? {} : { after }), ...(until === undefined ? {} : { until }) }
        expect(contains(range, one)).toBe(expected)
      }),
    )
  })

  test('counts the empty key to a range without a beginning, and not to one that begins after it', () => {
    expect(contains({}, '')).toBe(true)
    expect(contains({ after: '' }, '')).toBe(false)
    expect(contains({ until: '' }, '')).toBe(true)
    expect(contains({ after: 'a', until: 'a' }, 'a')).toBe(false)
  })
})

describe('keyBytes', () => {
  test('counts UTF-8 bytes, not characters', () => {
    expect(['a', 'é', '中', '\u{1f600}'].map(keyBytes)).toEqual([1, 2, 3, 4])
  })
})

describe('printable', () => {
  test('lets no control character, bidirectional control, line separator or lone surrogate through', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const shown = printable(text)
        expect(shown).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u)
      }),
      { numRuns: 2000 },
    )
  })

  test('can be undone', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(unprintable(printable(text))).toBe(text)
      }),
      { numRuns: 2000 },
    )
  })

  test('leaves ordinary text of any script alone', () => {
    for (const text of ['photos/2024 (1).jpg', '中文/文件', 'עברית', 'я/ё', '\u{1f600}', 'a\'b"c']) {
      expect(printable(text)).toBe(text)
    }
  })

  test('shows a byte that a character stands for as that byte, once', () => {
    expect(printableName(`caf${standInFor(0xe9)}\n${standInFor(0)}`)).toBe('caf\\xe9\\n\\x00')
    expect(withBytesShown(`a\\${standInFor(0xff)}`)).toBe('a\\\\xff')
  })

  test('shows what it hides', () => {
    expect(printable('a\\b\n\r\t\u001b[31m\u202e\ud800')).toBe('a\\\\b\\n\\r\\t\\x1b[31m\\u{202e}\\u{d800}')
  })
})

function unprintable(shown: string): string {
  const plain: Record<string, string> = { '\\\\': '\\', '\\n': '\n', '\\r': '\r', '\\t': '\t' }
  return shown.replace(
    /\\(?:[\\nrt]|x([0-9a-f]{2})|u\{([0-9a-f]+)\})/g,
    (whole: string, byte?: string, point?: string) =>
      plain[whole] ?? String.fromCodePoint(Number.parseInt(byte ?? point ?? '', 16)),
  )
}
