import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { UserError } from '../../../../src/errors.js'
import { readKeyList } from '../../../../src/sources/files-from/read-list.js'
import type { KeyList } from '../../../../src/job/files-from.js'
import { readingOf, recognised } from '../../../../src/sources/files-from/list-format.js'
import type { ListEntry } from '../../../../src/sources/files-from/entry.js'

const FOLDER = fileURLToPath(new URL('../../../support/fixtures/files-from/', import.meta.url))
const PAGE = readFileSync(fileURLToPath(new URL('../../../../docs/files-from.md', import.meta.url)), 'utf8')

/** The keys that each of the writers had in its table, in this order; the n-th is of n times ten bytes, and n milliseconds past eleven. */
const KEYS = [
  ...[
    'plain.txt',
    'c\\d',
    'c\\\\d',
    'ends\\',
    'dir\\new',
    'quote"d',
    '""',
    'comma,semi;colon',
    'tab\there',
    'new\nline',
  ],
  ...['cr\rhere', ' leading', 'trailing ', '100%', '%2B', 'a+b', 'é/日本/🂡.jpg', '007', '1e5', 'key', "it's", 'pipe|d'],
  '-',
]

type Flags = Partial<Omit<KeyList, 'file'>>
const wanted = { bucket: 'src', prefix: '', versions: true }

async function read(name: string, flags: Flags = {}): Promise<ListEntry[]> {
  const { list } = await readingOf(await recognised({ file: FOLDER + name, ...flags }), wanted)
  const all: ListEntry[] = []
  for await (const entry of readKeyList(list, wanted)) all.push(entry)
  return all
}

async function refused(name: string, flags: Flags = {}): Promise<string> {
  try {
    await read(name, flags)
  } catch (error) {
    expect(error).toBeInstanceOf(UserError)
    return `${(error as UserError).message}\n${(error as UserError).hint ?? ''}`
  }
  throw new Error(`${name} was read`)
}

const without = (...keys: string[]) => KEYS.filter((key) => !keys.includes(key))
const some = ['plain.txt', 'c\\d', 'quote"d']
const first = { column: 1 } as const
const backslash = { escape: 'backslash' } as const

describe('a list is read as its writer meant it', () => {
  test.each<[string, Flags, readonly string[], 'dated'?]>([
    ['mariadb.tsv', { ...first, ...backslash }, KEYS],
    ['mariadb-enclosed.csv', first, KEYS],
    ['mariadb-enclosed.csv', { ...first, ...backslash }, KEYS],
    ['mariadb-header.csv', {}, KEYS, 'dated'],
    ['mariadb-one-column.txt', backslash, KEYS],
    ['mariadb-one-column.txt', { ...first, ...backslash, format: 'csv', delimiter: '\t' }, KEYS],
    ['mariadb-batch.tsv', backslash, KEYS, 'dated'],
    ['postgres.tsv', { ...first, ...backslash }, KEYS],
    ['postgres-header.tsv', {}, KEYS, 'dated'],
    ['postgres-header.tsv', backslash, KEYS, 'dated'],
    ['postgres.csv', {}, KEYS, 'dated'],
    ['postgres-one-column.txt', backslash, KEYS],
    ['postgres-null.csv', {}, ['a']],
    ['sqlite.csv', {}, KEYS, 'dated'],
    ['duckdb.csv', {}, KEYS, 'dated'],
    ['duckdb-semicolon.csv', {}, KEYS, 'dated'],
    ['duckdb.json', {}, KEYS, 'dated'],
    ['duckdb-url.csv', { column: 'filename' }, KEYS],
    ['pandas.csv', {}, KEYS, 'dated'],
    ['pandas-index.csv', {}, KEYS, 'dated'],
    ['pandas-tab.tsv', {}, KEYS, 'dated'],
    ['pandas-escapechar.csv', {}, KEYS, 'dated'],
    ['pandas-noheader.csv', { ...first, delimiter: ',' }, KEYS],
    ['polars.csv', {}, KEYS, 'dated'],
    ['excel.csv', {}, [...some, 'comma,semi;colon']],
    ['excel-semicolon.csv', {}, [...some, 'comma,semi;colon', 'new\nline', ' leading', 'é/日本/🂡.jpg']],
    ['athena.csv', {}, [...some, 'comma,semi;colon', 'é/日本/🂡.jpg']],
    ['athena-path.csv', {}, [...some, 'comma,semi;colon', ' leading', '100%', 'é/日本/🂡.jpg']],
    ['trino.csv', {}, some],
    ['bigquery.csv', {}, some],
  ])('%s with %j', async (name, flags, keys, dated) => {
    if (name.endsWith('-null.csv')) {
      expect(await refused(name, flags)).toContain('has no key')
      return
    }
    const entries = await read(name, flags)
    expect(entries.map(({ key }) => key)).toEqual(keys)
    if (dated === undefined) return
    expect(entries.map(({ size }) => size)).toEqual(KEYS.map((_, n) => n * 10))
    expect(entries.map(({ lastModified }) => lastModified)).toEqual(
      KEYS.map((_, n) => new Date(Date.UTC(2024, 0, 1, 11) + n).toISOString()),
    )
  })
})

describe('a list that can be read in several ways, or in none, is refused with its first lines and the flag that helps', () => {
  test.each<[string, Flags, RegExp]>([
    ['mariadb.tsv', {}, /nothing tells the names of.*--key-column N.*plain\.txt\\t0.* ⏎ c\\\\\\\\d\\t10/s],
    ['mariadb-enclosed.csv', {}, /names no column key.*--key-column N.*"plain\.txt","0"/s],
    ['mariadb-one-column.txt', {}, /two ways.*--csv-escape backslash.*--files-format keys/s],
    ['mariadb-unescaped.csv', first, /closing quote.*--csv-escape/s],
    ['mariadb-unescaped.csv', { ...first, ...backslash }, /line \d+/],
    ['mariadb-null.txt', {}, /\\N for a key/],
    ['mariadb-null.txt', backslash, /line 2 .* has no key/],
    ['postgres.tsv', {}, /--key-column N/],
    ['postgres-null.tsv', { ...first, ...backslash }, /line 2 .* has no key/],
    ['postgres-one-column.txt', {}, /two ways.*--csv-escape backslash/s],
    ['postgres-null.csv', {}, /line 3 .* has no key/],
    ['duckdb-null.csv', {}, /line 3 .* has no key/],
    ['pandas-null.csv', {}, /line 3 .* has no key/],
    ['duckdb-url.csv', {}, /names no column key|--key-column NAME/],
    ['duckdb-url.csv', { column: 'path' }, /has no column path: it has filename, size/],
    ['pandas-noheader.csv', {}, /one column and no header.*--files-format keys/s],
    ['pandas-noheader.csv', { format: 'keys', ...backslash }, /line \d+/],
    ['sqlite-list.tsv', {}, /quote inside a field.*--csv-escape/s],
    ['sqlite.json', {}, /line 1 .* is not JSON/],
  ])('%s with %j', async (name, flags, message) => {
    expect(await refused(name, flags)).toMatch(message)
  })
})

test('the page of writers names each of these files, and no other', () => {
  const files = readdirSync(FOLDER).filter((name) => name !== 'README.md')
  const named = [...PAGE.matchAll(/`([a-z-]+\.(?:csv|tsv|txt|json))`/g)].map(([, name]) => name)
  // One sentence says of Parquet that all of it is read.
  expect([...new Set(named)].sort()).toEqual(files.filter((name) => !name.endsWith('.parquet')).sort())
  const told = readFileSync(`${FOLDER}README.md`, 'utf8')
  for (const name of files) expect(told).toContain(`\`${name}\``)
  expect(without()).toEqual(KEYS)
})
