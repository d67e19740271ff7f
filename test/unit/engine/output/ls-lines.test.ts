import { gunzipSync } from 'node:zlib'
import * as zlib from 'node:zlib'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { jsonText } from '../../../../src/checkpoint/json.js'
import { headerLine, objectLineWriter } from '../../../../src/engine/output/ls-lines.js'
import { packer, packingOf } from '../../../../src/engine/output/compression.js'
import { printable } from '../../../../src/keys.js'

const text = fc.oneof(
  fc.string({ unit: 'grapheme-ascii', maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 8 }).map((key) => Buffer.from(key).toString()),
  fc.constantFrom('a,b', '"', ' x', 'x ', 'a\r\nb', '\u001b[2J', '\u202e', '\\', '', 'A b', 'x 1 A e', 'q\u{10fe85}'),
)
const objects = fc.array(fc.record({ key: text, size: fc.nat(), etag: text, lastModified: text, storageClass: text }), {
  maxLength: 8,
})

/** Makes of what `printable` made what it was. */
function unescaped(shown: string): string {
  return shown.replace(/\\(?:([\\nrt])|x(..)|u\{([^}]*)\})/g, (_, letter?: string, byte?: string, point?: string) =>
    letter === undefined
      ? String.fromCodePoint(parseInt(byte ?? point!, 16))
      : { '\\': '\\', n: '\n', r: '\r', t: '\t' }[letter]!,
  )
}

/** Reads RFC 4180. */
function readCsv(csv: string): string[][] {
  const rows: string[][] = []
  let row: string[] = []
  for (let at = 0; at < csv.length;) {
    let field = ''
    if (csv[at] === '"') {
      for (at++; csv[at] !== '"' || csv[at + 1] === '"'; at++) {
        if (csv[at] === '"') at++
        field += csv[at]!
      }
      at++
    } else for (; csv[at] !== ',' && csv[at] !== '\n'; at++) field += csv[at]!
    row.push(field)
    if (csv[at] === '\n') {
      rows.push(row)
      row = []
    }
    at++
  }
  return rows
}

describe('the lines of ls', () => {
  test('read back as the very same objects from JSON, one a line', () => {
    fc.assert(
      fc.property(objects, text, (all, prefix) => {
        const lines = objectLineWriter('json', prefix, false)(all).split('\n')
        expect(lines.pop()).toBe('')
        expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(
          all.map((one) => ({ ...one, key: prefix + one.key })),
        )
        for (const line of lines) expect(line).toMatch(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u)
      }),
    )
  })

  test('read back as the very same fields from CSV', () => {
    fc.assert(
      fc.property(objects, (all) => {
        expect(readCsv(objectLineWriter('csv', '', false)(all))).toEqual(
          all.map(({ key, size, etag, lastModified, storageClass }) => [
            key,
            String(size),
            etag,
            lastModified,
            storageClass,
          ]),
        )
      }),
    )
    expect(headerLine('csv')).toBe('key,size,etag,last_modified,storage_class\n')
    expect(headerLine('text') + headerLine('json')).toBe('')
  })

  test.each(['text', 'csv'] as const)('give no command to a terminal as %s', (format) => {
    fc.assert(
      fc.property(objects, (all) => {
        const lines = objectLineWriter(format, '', true)(all).split('\n')
        expect(lines).toHaveLength(all.length + 1)
        for (const line of lines) expect(line).toMatch(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u)
      }),
    )
  })

  test('have the key last as text, behind four columns without blanks', () => {
    fc.assert(
      fc.property(objects, (all) => {
        const lines = objectLineWriter('text', '', false)(all).split('\n')
        for (const [i, { key, size }] of all.entries()) {
          const [, shownSize, shownKey] = /^[^ ]+ +(\d+) [^ ]+ [^ ]+ (.*)$/su.exec(lines[i]!)!
          expect([shownSize, shownKey]).toEqual([String(size), printable(key)])
          expect(unescaped(shownKey!)).toBe(key)
        }
      }),
    )
  })

  test.each([
    ['storage class', { storageClass: 'A b' }, 'then            5 A\\x20b e k\n'],
    ['date', { lastModified: 'x 1 A e' }, 'x\\x201\\x20A\\x20e            5 STANDARD e k\n'],
    ['ETag', { etag: 'ab cd' }, 'then            5 STANDARD ab\\x20cd k\n'],
    ['missing ETag', { etag: '' }, 'then            5 STANDARD - k\n'],
  ])('keep their columns as text whatever the %s', (_, odd, line) => {
    const usual = { key: 'k', size: 5, etag: 'e', lastModified: 'then', storageClass: 'STANDARD' }
    expect(objectLineWriter('text', '', false)([{ ...usual, ...odd }])).toBe(line)
  })

  test('are the same whether an object is usual or needs care', () => {
    const column = (field: string): string => printable(field).replaceAll(' ', '\\x20') || '-'
    fc.assert(
      fc.property(objects, text, (all, prefix) => {
        const json = all.map((one) => {
          const { size, etag, lastModified, storageClass } = one
          return `${jsonText({ key: prefix + one.key, size, etag, lastModified, storageClass })}\n`
        })
        expect(objectLineWriter('json', prefix, false)(all)).toBe(json.join(''))
        const lines = all.map(
          ({ key, size, etag, lastModified, storageClass }) =>
            `${column(lastModified)} ${String(size).padStart(12)} ${column(storageClass)} ${column(etag)} ${printable(prefix + key)}\n`,
        )
        expect(objectLineWriter('text', prefix, false)(all)).toBe(lines.join(''))
      }),
      { numRuns: 1000 },
    )
  })

  test('have keys in full as CSV, whatever blank the prefix or the key ends in', () => {
    fc.assert(
      fc.property(objects, text, (all, prefix) => {
        const shown = readCsv(objectLineWriter('csv', prefix, true)(all)).map(([key]) => key)
        expect(shown).toEqual(all.map(({ key }) => printable(prefix + key)))
      }),
    )
  })
})

describe('packing', () => {
  test('is told by the name of the file', () => {
    expect(['a.gz', 'a.GZ', 'a.zst', 'a.zstd', 'a.gz.txt', 'gz'].map(packingOf)).toEqual([
      'gzip',
      'gzip',
      'zstd',
      'zstd',
      'plain',
      'plain',
    ])
  })

  test('gives parts that can be joined', () => {
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 5 }), (parts) => {
        const whole = Buffer.from(parts.join(''))
        expect(gunzipSync(Buffer.concat(parts.map(packer('gzip'))))).toEqual(whole)
        expect(Buffer.concat(parts.map(packer('plain')))).toEqual(whole)
      }),
    )
  })

  test.skipIf(!('zstdCompressSync' in zlib))('makes zstd where Node can', () => {
    const { zstdDecompressSync } = zlib as unknown as { zstdDecompressSync: (bytes: Buffer) => Buffer }
    const packed = Buffer.concat(['one\n', 'two\n'].map(packer('zstd')))
    expect(zstdDecompressSync(packed).toString()).toBe('one\ntwo\n')
  })

  test.skipIf('zstdCompressSync' in zlib)('refuses zstd where Node cannot, and offers gzip', () => {
    expect(() => packer('zstd')).toThrow(/Node .* cannot write zstd/)
  })
})
