import { parse } from 'csv-parse/sync'
import * as fc from 'fast-check'
import { createHash } from 'node:crypto'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as zlib from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { headerLine, objectLineWriter } from '../../../../src/engine/output/ls-lines.js'
import { UserError } from '../../../../src/errors.js'
import type { ListEntry } from '../../../../src/sources/files-from/entry.js'
import type { KeyList } from '../../../../src/job/files-from.js'
import { readKeyList } from '../../../../src/sources/files-from/read-list.js'
import { textLines, type Line } from '../../../../src/sources/files-from/text-lines.js'
import { recognised } from '../../../../src/sources/files-from/list-format.js'
import { rowsOf } from '../../../../src/sources/files-from/csv-rows.js'

const folder = mkdtempSync(join(tmpdir(), 's3move-list-'))
afterAll(() => rmSync(folder, { recursive: true }))

function write(content: string | Buffer, name = 'list'): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

const formatOf = async (file: string) => (await recognised({ file })).format
const wanted = (bucket: string, prefix = '', versions = true) => ({ bucket, prefix, versions })

async function read(file: string, given?: KeyList['format'], bucket = 'src'): Promise<ListEntry[]> {
  const all: ListEntry[] = []
  const format = given ?? (await formatOf(file))
  for await (const entry of readKeyList({ file, format }, wanted(bucket))) all.push(entry)
  return all
}

/** What was read before the error, and the error. */
async function refusal(file: string, given?: KeyList['format'], place = wanted('src')) {
  let before = 0
  try {
    const format = given ?? (await formatOf(file))
    for await (const entry of readKeyList({ file, format }, place)) before += entry.key.length > 0 ? 1 : 0
  } catch (error) {
    expect(error).toBeInstanceOf(UserError)
    return { before, message: (error as UserError).message, hint: (error as UserError).hint }
  }
  throw new Error('it was read to its end')
}

const containing = (text: string): unknown => expect.stringContaining(text)
const keysOf = async (...of: Parameters<typeof read>) => (await read(...of)).map(({ key }) => key)

const aKey = fc
  .oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }),
    fc.array(
      fc.constantFrom('a', ',', '"', '\n', '\r', '\r\n', ' ', '+', '%', '%2B', '\ufeff', '\0', 'é', '🂡', '/..'),
      {
        minLength: 1,
        maxLength: 8,
      },
    ),
  )
  .map((key) => (typeof key === 'string' ? Buffer.from(key).toString() : key.join('')))
const anObject = fc.record({
  key: aKey,
  size: fc.nat(),
  etag: fc.stringMatching(/^[0-9a-f]{8}(-\d)?$/),
  lastModified: fc.constantFrom('2024-01-31T12:00:00.000Z', '2026-11-25T20:41:09.000Z'),
  storageClass: fc.constantFrom('STANDARD', 'GLACIER_IR', 'X, "Y"'),
})
const lineEnd = fc.constantFrom('\n', '\r\n')
const packing = fc.constantFrom<(text: string) => string | Buffer>(
  (text) => text,
  (text) => `\ufeff${text}`,
  (text) => zlib.gzipSync(text),
  // As `ls` writes it: of several members.
  (text) => {
    const bytes = Buffer.from(text)
    const half = bytes.length >> 1
    return Buffer.concat([zlib.gzipSync(bytes.subarray(0, half)), zlib.gzipSync(bytes.subarray(half))])
  },
)

/** Cuts bytes into pieces at the places given as parts of a thousand. */
async function* cut(bytes: Buffer, cuts: readonly number[]): AsyncGenerator<Buffer> {
  let from = 0
  for (const place of [
    ...cuts.map((part) => Math.floor((part * bytes.length) / 1000)).sort((a, b) => a - b),
    bytes.length,
  ]) {
    yield bytes.subarray(from, place)
    from = place
    await Promise.resolve()
  }
}

const cuts = fc.array(fc.nat({ max: 1000 }), { maxLength: 12 })

async function gathered<T>(parts: AsyncIterable<readonly T[]>): Promise<T[]> {
  const all: T[] = []
  for await (const part of parts) all.push(...part)
  return all
}

describe('a list of keys reads back as it was written', () => {
  test('one key a line', async () => {
    const plain = aKey.map((key) =>
      key
        .replaceAll('\n', '|')
        .replace(/\r+$/, '|')
        .replace(/^\ufeff/, '|'),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(plain), lineEnd, fc.boolean(), packing, async (keys, end, whole, pack) => {
        const text = keys.join(end) + (whole ? end : '')
        expect(await keysOf(write(pack(text)), 'keys')).toEqual(keys)
      }),
    )
  })

  test('one JSON object a line, whatever writes it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anObject), lineEnd, packing, fc.boolean(), async (objects, end, pack, upper) => {
        const line = ({ key, size, etag, lastModified, storageClass }: (typeof objects)[number]) =>
          JSON.stringify(
            upper
              ? {
                  Key: key,
                  Size: size,
                  ETag: `"${etag}"`,
                  LastModified: lastModified,
                  StorageClass: storageClass,
                  Owner: {},
                }
              : { unknown: [key], storageClass, lastModified, etag, size, key },
          )
        expect(await read(write(pack(objects.map(line).join(end))), 'ndjson')).toEqual(objects)
      }),
    )
  })

  test.each(['json', 'csv'] as const)('what `s3move ls --format %s` writes', async (format) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anObject),
        fc.constantFrom('', 'in/', ' "x'),
        packing,
        async (objects, prefix, pack) => {
          const text = headerLine(format) + objectLineWriter(format, prefix, false)(objects)
          const file = write(pack(text))
          const expected = objects.map((object) => ({ ...object, key: prefix + object.key }))
          expect(await read(file, format === 'csv' ? 'csv' : 'ndjson')).toEqual(expected)
        },
      ),
    )
  })

  test('the rows of a manifest: bucket, key and version, the key URL-encoded with a plus for a blank', async () => {
    const row = fc.record({ key: aKey, version: fc.constantFrom('3HL4kqtJvjVBH40Nrjfkd', 'null', '') })
    await fc.assert(
      fc.asyncProperty(fc.array(row), lineEnd, fc.boolean(), packing, async (rows, end, quoted, pack) => {
        const cell = (text: string) => (quoted ? `"${text}"` : text)
        const lines = rows.map(({ key, version }) =>
          [cell('src'), cell(encodeURIComponent(key).replaceAll('%20', '+')), version].join(','),
        )
        const expected = rows.map(({ key, version }) => (version === '' ? { key } : { key, version }))
        expect(await read(write(pack(lines.join(end))), 'csv')).toEqual(expected)
      }),
    )
  })

  test('with 200,000 keys, in whatever pieces they come', async () => {
    const keys = Array.from({ length: 200_000 }, (_, i) => `photos/é${i}/"${'x'.repeat(i % 50)}`)
    expect(await keysOf(write(zlib.gzipSync(keys.join('\n'))), 'keys')).toEqual(keys)
    const rows = keys.map((key) => `src,"${encodeURIComponent(key)}"\r\n`)
    expect(await keysOf(write(rows.join('')), 'csv')).toEqual(keys)
  })
})

describe('the lines of a list', () => {
  test('are the same wherever the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: fc.constantFrom('a', 'é', '🂡', '\n', '\r') }), cuts, async (text, places) => {
        const lines = await gathered(textLines(cut(Buffer.from(text), places), 'x'))
        const expected = text.split('\n')
        if (expected.at(-1) === '') expected.pop()
        expect(lines.map((line) => line.text)).toEqual(expected)
        expect(lines.map(({ number }) => number)).toEqual(expected.map((_, i) => i + 1))
      }),
    )
  })

  test('are never shown with a character replaced: a line that is not UTF-8 is named', async () => {
    const file = write(
      Buffer.concat([Buffer.from('good\né\n'), Buffer.from([0x62, 0xe9, 0x0a]), Buffer.from('good\n')]),
    )
    expect(await refusal(file, 'keys')).toMatchObject({ message: `line 3 of ${file} is not UTF-8` })
    expect(await refusal(write(Buffer.from([0x80])), 'keys')).toMatchObject({
      message: containing('line 1'),
    })
    const csv = write(Buffer.concat([Buffer.from('key\n"a\nb'), Buffer.from([0xff]), Buffer.from('"\n')]))
    expect(await refusal(csv, 'csv')).toMatchObject({ message: containing('line 3') })
  })

  test('are refused when they are longer than any key, so that a file of something else does not fill the memory', async () => {
    expect((await refusal(write(Buffer.alloc(3 << 20, 'a')), 'keys')).message).toContain('line 1')
    expect((await refusal(write(`key\n"${'a\n'.repeat(2 << 20)}`), 'csv')).message).toContain('line 2')
  })

  test('that are empty are skipped, and a blank is not nothing', async () => {
    expect(await keysOf(write('\n\r\na\n\n b \n'), 'keys')).toEqual(['a', ' b '])
    expect(await keysOf(write('\n{"key":"a"}\r\n\r\n'), 'ndjson')).toEqual(['a'])
    expect(await keysOf(write('\nkey\n\n\r\na\n'), 'csv')).toEqual(['a'])
    expect(await keysOf(write(''), 'keys')).toEqual([])
    expect(await keysOf(write(zlib.gzipSync('')), 'csv')).toEqual([])
  })
})

describe('the rows of CSV', () => {
  const fields = fc.array(fc.constantFrom('a', ',', '"', '\n', '\r\n', ' ', 'é', '""', ',"', '",', '"\n'), {
    maxLength: 30,
  })
  const judged = (text: string) => {
    try {
      return parse(text, { record_delimiter: ['\r\n', '\n'], skip_empty_lines: true, relax_column_count: true })
    } catch {
      return undefined
    }
  }
  const ours = async (bytes: Buffer, places: readonly number[]) => {
    try {
      return (await gathered(rowsOf(textLines(cut(bytes, places), 'x'), 'x'))).map((row) => row.fields)
    } catch (error) {
      expect(error).toBeInstanceOf(UserError)
      return undefined
    }
  }

  test('are those that another parser finds, or both find the text wrong', async () => {
    let [right, wrong] = [0, 0]
    await fc.assert(
      fc.asyncProperty(fields, cuts, async (parts, places) => {
        const expected = judged(parts.join(''))
        if (expected === undefined) wrong++
        else right++
        expect(await ours(Buffer.from(parts.join('')), places)).toEqual(expected)
      }),
      { numRuns: 2000 },
    )
    expect(Math.min(right, wrong)).toBeGreaterThan(100)
  })

  test('are named by the line in which they begin', async () => {
    const lines: Line[] = ['a', '"b', 'c"', 'd'].map((text, i) => ({ number: i + 1, text }))
    const given = async function* () {
      yield await Promise.resolve(lines)
    }
    expect((await gathered(rowsOf(given(), 'x'))).map(({ line }) => line)).toEqual([1, 2, 4])
    expect(await refusal(write('key,size\na,1\n"b\nc",1\nd,e,1\n'), 'csv')).toMatchObject({
      message: containing('line 5'),
      hint: containing('quotes'),
    })
    expect((await refusal(write('key\na\n"b\nc\n'), 'csv')).message).toContain('line 3')
  })
})

describe('what a list tells of an object', () => {
  test('is taken where it makes sense, and counts as not told where it does not', async () => {
    const line = { key: 'a', size: '12', etag: 7, lastModified: 5, storageClass: '', versionId: 'v1' }
    expect(await read(write(JSON.stringify(line)), 'ndjson')).toEqual([{ key: 'a', version: 'v1' }])
    expect(await read(write('Storage_Class,SIZE,KEY,ETag\n,x,a,""\nGLACIER,12,b,"""e"""\n'), 'csv')).toEqual([
      { key: 'a' },
      { key: 'b', size: 12, etag: 'e', storageClass: 'GLACIER' },
    ])
  })

  test('is a time in UTC where it names no zone, whoever wrote it', async () => {
    const written = [
      '2024-01-31 12:00:00.000',
      '2024-01-31T12:00:00',
      '2024-01-31 12:00:00 UTC',
      '2024-01-31 17:30:00+0530',
    ]
    const csv = `key,last_modified\n${written.map((time) => `a,${time}\n`).join('')}a,\n`
    const told = { key: 'a', lastModified: '2024-01-31T12:00:00.000Z' }
    expect(await read(write(csv), 'csv')).toEqual([...written.map(() => told), { key: 'a' }])
  })

  const SENT = ['versionId', 'etag', 'storageClass', 'lastModified'] as const

  test('can end no header field, and begin none: what is sent of it is of printable ASCII, whatever the list holds', async () => {
    const value = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }),
      fc
        .tuple(
          fc.constantFrom('STANDARD_IA', '2020-01-01T00:00:00Z', '2020-01-01 (', 'abc'),
          fc.string({ unit: 'binary' }),
        )
        .map(([before, more]) => before + more),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...SENT),
        value,
        fc.constantFrom('ndjson', 'csv'),
        async (field, text, format) => {
          const csv = `key,${field}\na,"${text.replaceAll('"', '""')}"\n`
          const file = write(format === 'csv' ? csv : JSON.stringify({ key: 'a', [field]: text }))
          const entries = await read(file, format).catch((error: unknown) => {
            expect(error).toBeInstanceOf(UserError)
            return []
          })
          for (const { version, etag, storageClass, lastModified } of entries) {
            for (const told of [version, etag, storageClass, lastModified]) expect(told ?? '').toMatch(/^[ -~]*$/)
            expect(etag ?? '').not.toContain('"')
          }
        },
      ),
    )
  })

  test.each(
    [...SENT, 'size'].flatMap((field) =>
      ['\r\nx-amz-acl: public-read', '\nx: y', '\0', '\u007f', '\u0085'].map((more): [string, string] => [field, more]),
    ),
  )('with a control character in %s, %j, ends the command with its line', async (field, more) => {
    const lines = [{ key: 'a', [field]: 'STANDARD' }, { key: 'b' }, { key: 'c', [field]: `STANDARD${more}` }]
    const told = await refusal(
      write(
        lines
          .slice(1)
          .map((line) => JSON.stringify(line))
          .join('\n'),
      ),
      'ndjson',
    )
    const name = field === 'versionId' ? 'version' : field
    expect(told.message).toMatch(new RegExp(`^line 2 of .* has a control character in its ${name}$`))
  })

  test('names a version that S3 cannot have given, which ends the command', async () => {
    for (const version of ['a b', 'a&x=y', '"v"', 'é', 'v'.repeat(1025)]) {
      const told = await refusal(write(JSON.stringify({ key: 'a', version })), 'ndjson')
      expect(told.message).toContain('line 1 of')
      expect(told.message).toContain('names a version that S3 cannot have given')
    }
    const given = [
      'null',
      '3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY+MTRCxf3vjVBH40Nr8X8gdRQBpUMLUo',
      '00000176-8f0e.x_y~z',
      '1=',
    ]
    const lines = given.map((version) => JSON.stringify({ key: 'a', version }))
    expect((await read(write(lines.join('\n')), 'ndjson')).map(({ version }) => version)).toEqual(given)
  })

  test('includes that it is a delete marker or an old version, which are passed over', async () => {
    const csv = 'key,IsLatest,IsDeleteMarker\na,true,false\nb,false,false\nc,true,TRUE\nd,,\n'
    expect(await keysOf(write(csv), 'csv')).toEqual(['a', 'd'])
    const lines = [
      { key: 'a', isLatest: true },
      { key: 'b', IsLatest: false },
      { key: 'c', IsDeleteMarker: true },
    ]
    expect(await keysOf(write(lines.map((line) => JSON.stringify(line)).join('\n')), 'ndjson')).toEqual(['a'])
  })

  test('and why: a delete marker is one, whether it is the latest or not', async () => {
    const told: string[] = []
    const csv = 'key,IsLatest,IsDeleteMarker\na,true,false\nb,false,false\nc,false,true\nd,true,true\n'
    const needs = { bucket: 'src', prefix: '', versions: false, passedOver: (why: string) => told.push(why) }
    const keys: string[] = []
    for await (const { key } of readKeyList({ file: write(csv), format: 'csv' }, needs)) keys.push(key)
    expect(keys).toEqual(['a'])
    expect(told).toEqual(['oldVersions', 'deleteMarkers', 'deleteMarkers'])
  })

  test.each([
    ['ndjson', '{"key":"a"}\n{"key":""}', 'line 2 of FILE has no key'],
    ['ndjson', '{"key":"a"}\n{"size":1}', 'line 2 of FILE has no key'],
    ['ndjson', '{"key":"a","Key":"b"}', 'line 1 of FILE has two keys'],
    ['ndjson', '{"key":"\\ud800"}', 'half of a surrogate pair'],
    ['ndjson', '["a"]', 'line 1 of FILE is not a JSON object'],
    ['ndjson', '{"key":"a"}\n{"key":"b', 'line 2 of FILE is not JSON'],
    ['ndjson', '{"key":"a","bucket":"other"}', 'is of another bucket'],
    ['csv', 'src,a\nother,b\n', 'line 2 of FILE is of another bucket'],
    ['csv', 'bucket,key\nother,b\n', 'line 2 of FILE is of another bucket'],
    ['csv', 'src,a%2\n', 'line 1 of FILE has a key that is not URL-encoded'],
    ['csv', 'src,%ff\n', 'line 1 of FILE has a key that is not URL-encoded'],
    ['csv', 'src,a,123\n', 'columns that nothing tells the names of'],
    ['csv', 'src,a,v,true,false\n', 'columns that nothing tells the names of'],
    ['csv', 'a\nb\n', 'has one column and no header'],
    ['csv', 'key,Key\n', 'two columns are about the same'],
    [
      'ndjson',
      '{"key":"a","lastModified":"01/02/2026"}',
      'line 1 of FILE has a time that is not understood: 01/02/2026',
    ],
    [
      'csv',
      'last_modified,key\n2026-01-31,a\nyesterday,b\n',
      'line 3 of FILE has a time that is not understood: yesterday',
    ],
  ] as const)('is an error that names the line: %s %j', async (format, text, message) => {
    const file = write(text)
    expect((await refusal(file, format)).message).toContain(message.replace('FILE', file))
  })

  test('is not confused by an object or a bucket that is called key', async () => {
    expect(await keysOf(write('src,key\nsrc,b\n'), 'csv')).toEqual(['key', 'b'])
    expect(await keysOf(write('key,size,etag,last_modified,storage_class\na,1,,,\n'), 'csv', 'key')).toEqual(['a'])
    for (const [text, bucket] of [
      ['bucket,key\nbucket,b\n', 'bucket'],
      ['key,a\nkey,b\n', 'key'],
      ['other,key\nother,b\n', 'src'],
    ]) {
      expect((await refusal(write(text!), 'csv', wanted(bucket!))).message).toContain('may be a header')
    }
  })
})

describe('an S3 Inventory', () => {
  const schema =
    'Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass, IsMultipartUploaded'
  const rows = (...keys: string[]) =>
    zlib.gzipSync(
      keys
        .map((key) => `"src","${key}","v","true","false","5","2024-01-31T12:00:00.000Z","e","STANDARD","false"\n`)
        .join(''),
    )
  const manifest = (files: readonly (readonly [string, Buffer])[], more: object = {}) =>
    JSON.stringify(
      {
        ...{ sourceBucket: 'src', destinationBucket: 'arn:aws:s3:::inv', version: '2016-11-30', fileFormat: 'CSV' },
        ...{ fileSchema: schema, creationTimestamp: '1' },
        files: files.map(([name, bytes]) => ({
          key: `inv/src/daily/data/${name}`,
          size: bytes.length,
          MD5checksum: createHash('md5').update(bytes).digest('hex'),
        })),
        ...more,
      },
      undefined,
      2,
    )

  test('is read by its manifest, with the data files beside it or where S3 has them', async () => {
    const [one, two] = [rows('a+b', 'c%2Bd'), rows('e')]
    for (const data of ['daily/2024', 'daily/2024/data', 'daily/data']) {
      const at = mkdtempSync(join(folder, 'inventory-'))
      for (const name of ['daily/2024', data]) mkdirSync(join(at, name), { recursive: true })
      writeFileSync(join(at, data, '1.csv.gz'), one)
      writeFileSync(join(at, data, '2.csv.gz'), two)
      writeFileSync(
        join(at, 'daily/2024/manifest.json'),
        manifest([
          ['1.csv.gz', one],
          ['2.csv.gz', two],
        ]),
      )
      const told = {
        size: 5,
        etag: 'e',
        lastModified: '2024-01-31T12:00:00.000Z',
        storageClass: 'STANDARD',
      }
      expect(await read(join(at, 'daily/2024/manifest.json'))).toEqual(
        ['a b', 'c+d', 'e'].map((key) => ({ key, ...told })),
      )
    }
  })

  test('is refused when it is of another bucket, in another format, or not whole', async () => {
    const one = rows('a')
    write(one, 'one.csv.gz')
    const of = async (files: readonly (readonly [string, Buffer])[], more?: object) =>
      (await refusal(write(manifest(files, more), 'manifest.json'))).message
    expect(await of([['one.csv.gz', one]], { sourceBucket: 'other' })).toContain('another bucket')
    expect(await of([['one.csv.gz', one]], { fileFormat: 'ORC' })).toContain('ORC')
    expect(
      await of([
        ['one.csv.gz', one],
        ['none.csv.gz', one],
      ]),
    ).toContain('none.csv.gz')
    expect(await of([['one.csv.gz', one.subarray(1)]])).toContain('bytes where')
    expect(await of([['../../one.csv.gz', one]], { files: [{}] })).toContain('files[0].key')
    expect((await refusal(write('{"key":"a"}\n{"key":"b"}\n', 'manifest.json'))).message).toContain('is not JSON')
  })
})

describe('a list that is not whole', () => {
  test('is never taken for one: cut anywhere, a gzip file is an error at its end', async () => {
    const text = Array.from({ length: 300 }, (_, i) => `key-${(i * 7919) % 1009}`).join('\n')
    const packed = zlib.gzipSync(text)
    for (let length = 2; length < packed.length; length += 1 + (length >> 4)) {
      const file = write(packed.subarray(0, length), 'cut.gz')
      const { before, message } = await refusal(file)
      expect(message).toContain('cut short or damaged')
      expect(before).toBeLessThanOrEqual(300)
    }
  })

  test.each([
    ['something else', Buffer.from('more keys\n')],
    ['zeros and a further member', Buffer.concat([Buffer.alloc(3), zlib.gzipSync('b\n')])],
  ])('is an error when what is packed is followed by %s', async (_, rest) => {
    const { before, message } = await refusal(write(Buffer.concat([zlib.gzipSync('a\n'), rest]), 'tail.gz'))
    expect(before).toBeLessThanOrEqual(1)
    expect(message).toMatch(/damaged/)
  })

  test.each(['list', 'list.gz'])('is an error when it shrinks or grows while it is read (%s)', async (name) => {
    const random = (i: number) => Math.imul(i, 0x9e3779b1) >>> 0
    const text = Array.from({ length: 60_000 }, (_, i) => `key-${random(i)}`).join('\n')
    for (const change of [
      (file: string) => truncateSync(file, 200_000),
      (file: string) => appendFileSync(file, '\nz'),
    ]) {
      const file = write(name.endsWith('.gz') ? zlib.gzipSync(text) : text, name)
      let count = 0
      const reading = async () => {
        for await (const entry of readKeyList({ file, format: 'keys' }, wanted('src'))) {
          expect(entry.key).toMatch(/^key-\d/)
          if (++count === 1) change(file)
        }
      }
      await expect(reading()).rejects.toThrow('was changed since')
      expect(count).toBeLessThanOrEqual(60_000)
    }
  })

  test('is said to be missing, unreadable or no file', async () => {
    expect((await refusal(join(folder, 'none\n'))).message).toBe(
      `cannot read ${join(folder, 'none\\n')}: it does not exist, or was removed`,
    )
    expect((await refusal(folder)).message).toContain('is not a file')
  })
})

test.runIf('zstdCompressSync' in zlib)('a list packed with zstd is read, and one that is cut is an error', async () => {
  const { zstdCompressSync } = zlib as unknown as { zstdCompressSync: (text: string) => Buffer }
  const packed = Buffer.concat([zstdCompressSync('a\nb\n'), zstdCompressSync('c\n')])
  expect(await keysOf(write(packed, 'list.zst'))).toEqual(['a', 'b', 'c'])
  for (let length = 4; length < packed.length; length++) {
    // Between two frames nothing tells that there was another.
    if (length === zstdCompressSync('a\nb\n').length) continue
    expect((await refusal(write(packed.subarray(0, length), 'list.zst'))).message).toContain('cut short or damaged')
  }
})

test.runIf(!('zstdCompressSync' in zlib))(
  'a list packed with zstd is refused by a Node that cannot read it',
  async () => {
    const { message, hint } = await refusal(write(Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0]), 'list.zst'))
    expect(message).toContain('packed with zstd')
    expect(hint).toContain('22.15')
  },
)

test.each([
  ['x.csv', 'csv'],
  ['X.CSV.GZ', 'csv'],
  ['x.csv.gz', 'csv'],
  ['x.tsv', 'csv'],
  ['x.ndjson', 'ndjson'],
  ['x.jsonl.gz', 'ndjson'],
  ['x.json', 'ndjson'],
  ['manifest.json', 'inventory'],
] as const)('%s is taken for %s', async (name, format) => {
  expect(await formatOf(write('a\n', name))).toBe(format)
})

test.each([
  ['\n{"key":"a"}\n', 'ndjson'],
  ['{"Key":"a"', 'keys'],
  ['{"name":"a"}', 'keys'],
  ['a,b\n', 'keys'],
  ['', 'keys'],
] as const)('a list whose name tells nothing is known by its first line: %j', async (content, format) => {
  expect(await formatOf(write(content, 'list.txt'))).toBe(format)
  expect(await formatOf(write(zlib.gzipSync(content), 'list.gz'))).toBe(format)
})

describe('what a job cannot take', () => {
  test.each([
    ['keys', 'p/a\np\n', 'line 2 of FILE has a key that is not below s3://src/p/: p'],
    ['ndjson', '{"key":"p/a"}\n\n{"key":"q\\nr"}\n', 'line 3 of FILE has a key that is not below s3://src/p/: q\\nr'],
    ['csv', 'bucket,key\nsrc,"p/\n"\nsrc,q\n', 'line 4 of FILE has a key that is not below'],
    ['ndjson', '{"key":"p/a","versionId":"v"}\n', 'line 1 of FILE names a version'],
    ['csv', 'src,p/a,\nsrc,p/b,v\n', 'line 2 of FILE names a version'],
  ] as const)('is an error that names the line: %s %j', async (format, text, message) => {
    const file = write(text)
    expect((await refusal(file, format, wanted('src', 'p/', false))).message).toContain(message.replace('FILE', file))
  })

  test('is not the version that a list says is the current one: that is the object as it is', async () => {
    const file = write('key,VersionId,IsLatest\np/a,v,true\n')
    const all = []
    for await (const entry of readKeyList({ file, format: 'csv' }, wanted('src', 'p/', false))) all.push(entry)
    expect(all).toEqual([{ key: 'p/a' }])
  })
})
