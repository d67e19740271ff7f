import { parse } from 'csv-parse/sync'
import * as fc from 'fast-check'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { UserError } from '../../../../src/errors.js'
import { escapedRowsOf } from '../../../../src/sources/files-from/backslash-escapes.js'
import { readKeyList } from '../../../../src/sources/files-from/read-list.js'
import { textLines } from '../../../../src/sources/files-from/text-lines.js'
import type { KeyList } from '../../../../src/job/files-from.js'
import { readingOf, recognised } from '../../../../src/sources/files-from/list-format.js'
import { rowsOf } from '../../../../src/sources/files-from/csv-rows.js'

const folder = mkdtempSync(join(tmpdir(), 's3move-reading-'))
afterAll(() => rmSync(folder, { recursive: true }))

type Flags = Partial<Omit<KeyList, 'file'>>

function write(content: string, name: string): string {
  const file = join(folder, name)
  writeFileSync(file, content)
  return file
}

const wantedOf = (prefix = '') => ({ bucket: 'src', prefix, versions: true })

async function keysOf(text: string, flags: Flags = {}, name = 'list.csv', prefix = ''): Promise<string[]> {
  const { list } = await readingOf(await recognised({ file: write(text, name), ...flags }), wantedOf(prefix))
  const keys = []
  for await (const { key } of readKeyList(list, wantedOf(prefix))) keys.push(key)
  return keys
}

async function refusalOf(...of: Parameters<typeof keysOf>): Promise<string> {
  try {
    return `READ ${JSON.stringify(await keysOf(...of))}`
  } catch (error) {
    if (error instanceof UserError) return `${error.message}\n${error.hint ?? ''}`
    throw error
  }
}

const aKey = fc
  .array(fc.constantFrom('a', 'b', 'N', 'n', '\\', '"', ',', ';', '\t', '\n', '\r', ' ', '|', 'é', '.', '%2B'), {
    minLength: 1,
    maxLength: 6,
  })
  .map((parts) => parts.join(''))
  // What is never a key by a guess, and what no list can tell from nothing.
  .filter((key) => key !== '\\N' && !/^[\r\n]*$/.test(key))
const someKeys = fc.array(aKey, { minLength: 1, maxLength: 5 })

const mysql = (text: string, special: RegExp) => text.replace(special, (c) => `\\${c}`)
const LETTERS: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }
const postgres = (text: string) => text.replace(/[\\\n\r\t]/g, (c) => LETTERS[c] ?? c)
const minimal = (text: string, d: string) =>
  text.includes(d) || /["\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text

/** Writers, with the flags that their lists need where nothing proves how they are to be read. */
const WRITERS: Record<string, { name: string; flags: Flags; file: (keys: readonly string[]) => string }> = {
  'MySQL by default': {
    ...{ name: 'list.tsv', flags: { column: 1, escape: 'backslash' } },
    file: (keys) => keys.map((key, n) => `${mysql(key, /[\\\t\n]/g)}\t${n}\n`).join(''),
  },
  'MySQL with one column': {
    ...{ name: 'list', flags: { escape: 'backslash' } },
    file: (keys) => keys.map((key) => `${mysql(key, /[\\\t\n]/g)}\n`).join(''),
  },
  'MySQL with quotes': {
    ...{ name: 'list.csv', flags: { column: 1, delimiter: ',', escape: 'backslash' } },
    file: (keys) => keys.map((key, n) => `"${mysql(key, /[\\"\n]/g)}","${n}"\n`).join(''),
  },
  'PostgreSQL with a header': {
    ...{ name: 'list.tsv', flags: { escape: 'backslash' } },
    file: (keys) => `key\tsize\n${keys.map((key, n) => `${postgres(key)}\t${n}\n`).join('')}`,
  },
  'PostgreSQL with one column': {
    ...{ name: 'list', flags: { escape: 'backslash' } },
    file: (keys) => keys.map((key) => `${postgres(key)}\n`).join(''),
  },
  ...Object.fromEntries(
    [',', ';', '\t', '|'].map((d) => [
      `RFC 4180 with ${JSON.stringify(d)}`,
      {
        ...{ name: 'list.csv', flags: { escape: 'double' as const } },
        file: (keys: readonly string[]) =>
          `key${d}size\r\n${keys.map((key, n) => `${minimal(key, d)}${d}${n}\r\n`).join('')}`,
      },
    ]),
  ),
}

describe('a list that a database wrote', () => {
  test.each(Object.entries(WRITERS))('is read right or refused, never as other keys: %s', async (_, writer) => {
    let right = 0
    await fc.assert(
      fc.asyncProperty(someKeys, async (keys) => {
        // A list of keys alone has none that ends in a carriage return.
        if (writer.name === 'list' && keys.some((key) => key.endsWith('\r'))) return
        const text = writer.file(keys)
        const { escape, ...known } = writer.flags
        expect(escape).toBeDefined()
        for (const given of [known, writer.flags]) {
          const found = await refusalOf(text, given, writer.name)
          if (found === `READ ${JSON.stringify(keys)}`) right++
          else expect(found).not.toMatch(/^READ/)
        }
      }),
      { numRuns: 400 },
    )
    expect(right).toBeGreaterThan(200)
  })

  test.each([
    ['backslash', ['c\\d']],
    ['double', ['c\\\\d']],
  ] as const)(
    'whose keys have backslashes is refused until --csv-escape %s says what they mean',
    async (escape, keys) => {
      for (const [text, name, more] of [
        ['key,size\nc\\\\d,1\n', 'list.csv', {}],
        ['"c\\\\d","1"\n', 'list.csv', { column: 1 }],
        ['c\\\\d\n', 'list', {}],
        ['c\\\\d\t1\n', 'list.tsv', { column: 1 }],
      ] as const) {
        const refusal = await refusalOf(text, more, name)
        expect(refusal).toMatch(/can be read in two ways: .*c\\+d or c\\+d.*--csv-escape backslash.*It begins: /s)
        expect(await keysOf(text, { ...more, escape }, name)).toEqual(keys)
      }
    },
  )

  test('proves how it is escaped where only one way is possible, or all name the same objects', async () => {
    expect(await keysOf('key\nc\\d\n')).toEqual(['c\\d'])
    expect(await keysOf('key,size\n"a\\"b",1\n"c\\\\d",2\n')).toEqual(['a"b', 'c\\d'])
    expect(await keysOf('key,size\n"a"",b",1\nc\\\\d,2\n')).toEqual(['a",b', 'c\\\\d'])
    expect(await keysOf('key,note\na,c:\\\\new\n')).toEqual(['a'])
    expect(await keysOf('key\np/c\\\\d\n', {}, 'list.csv', 'p/c\\\\')).toEqual(['p/c\\\\d'])
    expect(await keysOf('key,size,etag,last_modified,storage_class\nc\\\\d,1,,,\n')).toEqual(['c\\\\d'])
    expect(await keysOf('c\\\\d\n', { format: 'keys' }, 'list')).toEqual(['c\\\\d'])
  })

  test('with an escape that none of them writes is not taken for one of theirs', async () => {
    expect(await refusalOf('c\\d\t1\n', { column: 1, escape: 'backslash' }, 'list.tsv')).toMatch(
      /has \\d, which neither/,
    )
  })

  test.each(['\\N', 'NULL'])('has no key where it says %s', async (none) => {
    expect(await refusalOf(`key,size\na,1\n${none},2\n`)).toMatch(/for a key, which is what databases write|has no key/)
    expect(await refusalOf(`a\n${none}\n`, {}, 'list')).toMatch(/for a key, which is what databases write|has no key/)
    expect(await keysOf(`a\n${none}\n`, { format: 'keys' }, 'list')).toEqual(['a', none])
  })
})

describe('columns', () => {
  test.each([';', '\t', '|', ','])('are separated by %j where the header proves it', async (d) => {
    expect(await keysOf(`id${d}Key${d}size\r\n1${d}a b${d}5\r\n`)).toEqual(['a b'])
    expect(await keysOf(`name${d}size\na b${d}5\n`, { column: 'name' })).toEqual(['a b'])
  })

  test('are those of the rows that another parser finds, whatever separates them', async () => {
    const parts = fc.array(fc.constantFrom('a', ';', ',', '"', '\n', '\r\n', '""', ';"', '";'), { maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(parts, async (pieces) => {
        const text = pieces.join('')
        let expected: unknown
        try {
          expected = parse(text, {
            ...{ delimiter: ';', record_delimiter: ['\r\n', '\n'], skip_empty_lines: true, relax_column_count: true },
          })
        } catch {
          expected = undefined
        }
        expect(await gathered(rowsOf(textLines(bytes(text), 'x'), 'x', ';'))).toEqual(expected)
      }),
      { numRuns: 1000 },
    )
  })

  test('escaped by a backslash in quotes are those that another parser finds', async () => {
    const field = fc.string({ unit: fc.constantFrom('a', ',', '"', '\\', '\n', ' ', 'é') })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(field, field), { minLength: 1 }), async (rows) => {
        const text = rows.map((row) => `${row.map((one) => `"${mysql(one, /[\\"]/g)}"`).join(',')}\n`).join('')
        const expected = parse(text, { escape: '\\' })
        const found = await gathered(
          escapedRowsOf(textLines(bytes(text), 'x'), 'x', { delimiter: ',', quotes: true, header: false }),
        )
        expect([found, found]).toEqual([expected, rows])
      }),
    )
  })

  test.each<[string, string, Flags, string, RegExp]>([
    [
      'a name that is not there',
      'a;b\n1;2\n',
      { column: 'c', delimiter: ';' },
      'x.csv',
      /has no column c: it has a, b/,
    ],
    ['a name that is there twice', 'a,a\n1,2\n', { column: 'a' }, 'x.csv', /names two columns a/],
    ['a number beyond the last', 'a,b\n', { column: 3 }, 'x.csv', /has 2 columns, and --key-column 3 is none of them/],
    ['a number where there is a header', 'key,size\na,1\n', { column: 1 }, 'x.csv', /may be a header: key, size/],
    [
      'no header and no flag',
      'id,name,more,x\n1,b,c,d\n',
      {},
      'x.csv',
      /--key-column NAME.*It begins: id,name,more,x ⏎ 1,b/s,
    ],
    ['an unknown delimiter', 'id:key\n1:a\n', {}, 'x.csv', /--delimiter/],
    [
      'a number and no delimiter',
      'a;b\n',
      { column: 1 },
      'x.csv',
      /nothing says what separates the columns.*--delimiter/s,
    ],
    ['two delimiters that may be meant', 'key;x,key\na;b,c\n', {}, 'x.csv', /nothing says what separates/],
    ['a header in a file of any name', 'key,size\na,1\n', {}, 'x', /may begin with a header.*--files-format csv/s],
    ['columns in a file of any name', 'a\t1\n', {}, 'x', /may have columns.*--files-format csv/s],
    ['quotes in a file of any name', '"a"\n"b"\n', {}, 'x', /may have columns/],
    ['a row that is too short', 'key;size\na;1\nb\n', {}, 'x.csv', /has 1 columns where there are 2/],
  ])('are never guessed: %s', async (_, text, flags, name, message) => {
    expect(await refusalOf(text, flags, name)).toMatch(message)
  })
})

describe('s3://bucket/ before keys', () => {
  test.each(['s3', 's3a', 's3n'])('is taken off where it is this bucket: %s', async (scheme) => {
    expect(await keysOf(`"$path"\n"${scheme}://src/p/a b%20"\n`)).toEqual(['p/a b%20'])
    expect(await keysOf(`key,size\n${scheme}://src/a,1\n${scheme}://src/b/,2\n`)).toEqual(['a', 'b/'])
    expect(await keysOf(`${scheme}://src/a\n`, { format: 'csv', column: 1 }, 'list')).toEqual(['a'])
  })

  test.each<[string, Flags, string, RegExp]>([
    ['key\ns3://other/a\n', {}, 'x.csv', /line 2 .* is of another bucket, "other"/],
    ['$path\nsrc/a\n', {}, 'x.csv', /line 2 .* has no s3:\/\/ before its key/],
    ['key\ns3://src/a\nb\n', {}, 'x.csv', /line 3 .* has no s3:\/\/ before its key/],
    ['key\nb\ns3://src/a\n', {}, 'x.csv', /line 3 .* has s3:\/\/ before its key, and those before it have not/],
    ['s3://src/a\n', {}, 'x', /begins with a URL.*--key-column 1 to have s3:\/\/bucket\/ taken off/s],
    ['a\ns3://src/a\n', {}, 'x', /has a URL for a key.*--key-column 1/s],
  ])('is refused where it may be meant otherwise: %j', async (text, flags, name, message) => {
    expect(await refusalOf(text, flags, name)).toMatch(message)
  })

  test('is a part of the key where that is certain', async () => {
    expect(await keysOf('{"key":"s3://src/a"}\n', {}, 'x.ndjson')).toEqual(['s3://src/a'])
    expect(await keysOf('s3://src/a\n', { format: 'keys' }, 'x')).toEqual(['s3://src/a'])
    expect(await keysOf('key,size,etag,last_modified,storage_class\ns3://src/a,1,,,\n')).toEqual(['s3://src/a'])
    expect(await keysOf('bucket,key\nsrc,s3://src/a\n')).toEqual(['s3://src/a'])
  })
})

async function* bytes(text: string): AsyncGenerator<Buffer> {
  yield await Promise.resolve(Buffer.from(text))
}

async function gathered(rows: ReturnType<typeof rowsOf>): Promise<unknown> {
  const all: unknown[] = []
  try {
    for await (const some of rows) all.push(...some.map(({ fields }) => fields))
  } catch (error) {
    expect(error).toBeInstanceOf(UserError)
    return undefined
  }
  return all
}
