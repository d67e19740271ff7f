import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  bytes,
  compactCount,
  compactRate,
  count,
  duration,
  objects,
  rate,
  row,
  shellWord,
} from '../../../src/report/format.js'
import { placeUrl } from '../../../src/job/place.js'
import { printable } from '../../../src/keys.js'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

describe('numbers', () => {
  test('a count has thousands separators', () => {
    expect([0, 999, 1000, 1234567, 12345678901].map(count)).toEqual([
      '0',
      '999',
      '1,000',
      '1,234,567',
      '12,345,678,901',
    ])
  })

  test('a compact count is exact below ten thousand and has three digits above', () => {
    expect(
      [9999, 10_000, 12_399, 999_999, 1e6, 12_345_678, 123_456_789, 1e9, 45.67e9, 999.9e9].map(compactCount),
    ).toEqual(['9,999', '10.0k', '12.3k', '999k', '1.00M', '12.3M', '123M', '1.00bn', '45.6bn', '999bn'])
  })

  test('a compact count is never longer than six characters nor more than the number it stands for', () => {
    const scales: Record<string, number> = { k: 1e3, M: 1e6, bn: 1e9 }
    fc.assert(
      fc.property(fc.integer({ min: 10_000, max: 1e12 - 1 }), (n) => {
        const shown = compactCount(n)
        const [, digits, unit] = /^([\d.]+)(k|M|bn)$/.exec(shown)!
        const value = Number(digits) * scales[unit!]!
        expect(shown.length).toBeLessThanOrEqual(6)
        // A hundredth of a per cent is for the floating point of this very test.
        expect(value).toBeLessThanOrEqual(n * 1.0001)
        expect(value).toBeGreaterThan(n * 0.989)
      }),
    )
  })

  test('one object is not called objects', () => {
    expect([0, 1, 2, 1234].map(objects)).toEqual(['0 objects', '1 object', '2 objects', '1,234 objects'])
  })
})

describe('bytes', () => {
  test('are told in binary units with one decimal', () => {
    const sizes = [0, 1, 1023, 1024, 1536, 1024 ** 2, 1.5 * 1024 ** 3, 5 * 1024 ** 4, 1024 ** 5, 3 * 1024 ** 6]
    expect(sizes.map(bytes)).toEqual([
      '0 B',
      '1 B',
      '1,023 B',
      '1.0 KiB',
      '1.5 KiB',
      '1.0 MiB',
      '1.5 GiB',
      '5.0 TiB',
      '1.0 PiB',
      '3.0 EiB',
    ])
  })

  test('are never rounded up to 1024 of a unit', () => {
    expect(bytes(1024 ** 2 - 1)).toBe('1.0 MiB')
    expect(bytes(1024 ** 3 - 1)).toBe('1.0 GiB')
    expect(bytes(1023.9 * 1024)).toBe('1023.9 KiB')
  })

  test('beyond the largest unit stay in it', () => {
    expect(bytes(2000 * 1024 ** 6)).toBe('2000.0 EiB')
  })
})

describe('durations', () => {
  test('have two units, rounded down', () => {
    const times = [
      0,
      12_345,
      59_999,
      MINUTE,
      5 * MINUTE + 7 * SECOND,
      HOUR - 1,
      2 * HOUR + 5 * MINUTE,
      DAY - 1,
      3 * DAY + 4 * HOUR,
    ]
    expect(times.map(duration)).toEqual([
      '0.0 s',
      '12.3 s',
      '59.9 s',
      '1 min 00 s',
      '5 min 07 s',
      '59 min 59 s',
      '2 h 05 min',
      '23 h 59 min',
      '3 d 4 h',
    ])
  })

  test('are not negative, however the clock was set', () => {
    expect(duration(-5 * MINUTE)).toBe('0.0 s')
  })
})

describe('rates', () => {
  test('have a decimal only when small, and zero means that nothing moves', () => {
    expect([0, 0.01, 0.1, 2.5, 9.94, 9.96, 10, 12_345.4].map(rate)).toEqual([
      '0/s',
      '<0.1/s',
      '0.1/s',
      '2.5/s',
      '9.9/s',
      '10/s',
      '10/s',
      '12,345/s',
    ])
  })

  test('are shortened from ten thousand on for a narrow terminal', () => {
    expect([9_999, 12_345, 2_000_000].map(compactRate)).toEqual(['9,999/s', '12.3k/s', '2.00M/s'])
  })
})

describe('names', () => {
  test('a place is told as a URL, hostile characters escaped', () => {
    expect(placeUrl({ bucket: 'b', prefix: '' })).toBe('s3://b/')
    expect(placeUrl({ bucket: 'b' })).toBe('s3://b')
    expect(placeUrl({ bucket: '/a b', prefix: '' })).toBe('file:///a b')
    expect(placeUrl({ bucket: '/a\n', prefix: 'x' })).toBe('file:///a\\n/x')
    expect(placeUrl({ bucket: 'b', prefix: 'a\n\x1b[2J/' })).toBe('s3://b/a\\n\\x1b[2J/')
  })

  test('a row lines up its text', () => {
    expect(row('next', 'x')).toBe('  next      x')
    expect(row('throttled', 'x')).toBe('  throttled x')
  })
})

describe('a shell word', () => {
  test('is left alone when it needs no quotes', () => {
    expect(shellWord('.s3move/a-to-b_1.2')).toBe('.s3move/a-to-b_1.2')
  })

  test('is quoted when a shell would take it apart', () => {
    expect(shellWord('my run')).toBe("'my run'")
    expect(shellWord("it's")).toBe(`'it'\\''s'`)
    expect(shellWord('$(rm)')).toBe("'$(rm)'")
    expect(shellWord('~/x')).toBe("'~/x'")
    expect(shellWord('')).toBe("''")
  })

  test('is not taken for an option', () => {
    expect(shellWord('-rf')).toBe('./-rf')
  })

  test('shows no control character, and still names the same file', () => {
    expect(shellWord('a\nb')).toBe("$'a\\012b'")
  })

  test('read by bash is the text that it was made from', () => {
    // Text that holds no NUL, which no path does, and is no option.
    const paths = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).map((s) => `x${s.replaceAll('\0', '')}`)
    fc.assert(
      fc.property(fc.array(paths, { minLength: 1, maxLength: 40 }), (texts) => {
        const words = texts.map(shellWord)
        for (const word of words) expect(printable(word).replaceAll('\\\\', '\\')).toBe(word)
        const read = execFileSync('bash', ['-c', `printf '%s\\0' ${words.join(' ')}`], { encoding: 'utf8' })
        expect(read.split('\0').slice(0, -1)).toEqual(texts)
      }),
      { numRuns: 20 },
    )
  })
})
