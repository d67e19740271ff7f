import * as fc from 'fast-check'
import { parquetWriteBuffer, type BasicType } from 'hyparquet-writer'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { UserError } from '../../../../src/errors.js'
import type { ListEntry } from '../../../../src/sources/files-from/entry.js'
import type { ListPosition } from '../../../../src/sources/files-from/data-rows.js'
import { listBatches, readKeyList } from '../../../../src/sources/files-from/read-list.js'
import { recognised } from '../../../../src/sources/files-from/list-format.js'

const folder = mkdtempSync(join(tmpdir(), 's3move-parquet-'))
afterAll(() => rmSync(folder, { recursive: true }))
const fixture = (name: string) =>
  fileURLToPath(new URL(`../../../support/fixtures/files-from/${name}.parquet`, import.meta.url))

const wanted = { bucket: 'src', prefix: '', versions: false }

async function entriesOf(file: string, from?: ListPosition, needs: object = wanted): Promise<ListEntry[]> {
  const all: ListEntry[] = []
  const list = { file, format: 'parquet' } as const
  for await (const { entries } of listBatches(list, { ...wanted, ...needs }, from)) all.push(...entries)
  return all
}

async function refusal(file: string, needs: object = wanted): Promise<string> {
  try {
    await entriesOf(file, undefined, needs)
  } catch (error) {
    expect(error).toBeInstanceOf(UserError)
    return (error as UserError).message
  }
  throw new Error('it was read to its end')
}

const ODD = [
  ...['a', 'a b', 'c+d', '%20', 'é', '日本/語', '🂡', '"q"', "it's", 'x,y', 'tab\there', 'line\nfeed', '..'],
  ...['trailing ', '\\back', 'p'.repeat(200)],
]
const ROWS: readonly Required<Omit<ListEntry, 'version' | 'encryption'>>[] = Array.from({ length: 40 }, (_, i) => ({
  key: ODD[i] ?? `logs/2024/${String(i).padStart(5, '0')}.gz`,
  size: i === 0 ? 0 : i === 1 ? 2 ** 33 + 1 : i * 1000,
  lastModified: new Date(Date.UTC(2024, 0, 31, 12) + 7 * i * 3_600_000 + i).toISOString(),
  etag: i % 5 === 0 ? `${i.toString(16).padStart(32, '0')}-${i + 2}` : (i * 7919).toString(16).padStart(32, '0'),
  storageClass: i % 3 === 0 ? 'GLACIER' : 'STANDARD',
}))

describe('a list in Parquet', () => {
  test.each([
    ...['pyarrow-snappy', 'pyarrow-zstd-v2', 'pyarrow-gzip-int96', 'pyarrow-lz4-delta', 'pyarrow-none-text-times'],
    ...['duckdb', 'duckdb-zstd-v2', 'polars'],
  ])('is read as it was written by %s, from any row on', async (name) => {
    expect(await entriesOf(fixture(name))).toEqual(ROWS)
    for (const row of [0, 1, 14, 15, 16, 29, 30, 39, 40])
      expect(await entriesOf(fixture(name), { file: 0, row })).toEqual(ROWS.slice(row))
  })

  test.each(['pyarrow-brotli-nulls', 'pyarrow-snappy-v2-nulls'])(
    'tells nothing of an object where %s has NULL',
    async (name) => {
      const told = ROWS.map(({ key, ...rest }, i) => (i % 4 === 1 ? { key } : { key, ...rest }))
      expect(await entriesOf(fixture(name))).toEqual(told)
      expect(await entriesOf(fixture(name), { file: 0, row: 17 })).toEqual(told.slice(17))
    },
  )

  test('leaves a field unread of which there is no use', async () => {
    const without = ROWS.map(({ etag: _, ...rest }) => rest)
    expect(await entriesOf(fixture('duckdb'), undefined, { unused: new Set(['etag']) })).toEqual(without)
  })

  test('is known by its name, and by how it begins', async () => {
    expect((await recognised({ file: fixture('duckdb') })).format).toBe('parquet')
    const file = join(folder, 'unnamed')
    writeFileSync(file, readFileSync(fixture('duckdb')))
    expect((await recognised({ file })).format).toBe('parquet')
  })

  test('that is damaged anywhere, cut or no Parquet is an error with its name, if any, and no crash', async () => {
    const whole = readFileSync(fixture('pyarrow-snappy'))
    const file = join(folder, 'damaged.parquet')
    await fc.assert(
      fc.asyncProperty(
        fc.nat(whole.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        async (at, by, cut) => {
          const bytes = Buffer.from(cut ? whole.subarray(0, at) : whole)
          if (!cut) bytes[at] = (bytes[at]! + by) % 256
          writeFileSync(file, bytes)
          try {
            await entriesOf(file)
            expect(cut).toBe(false)
          } catch (error) {
            expect(error).toBeInstanceOf(UserError)
            expect((error as UserError).message).toContain('damaged.parquet')
          }
        },
      ),
      // One column begins outside of the file.
      { numRuns: 300, examples: [[4443, 118, false]] },
    )
    writeFileSync(file, gzipSync('a\n'))
    expect(await refusal(file)).toContain('damaged.parquet is no Parquet file, or damaged')
  })

  test('is refused by the line that is not of the job, or not UTF-8', async () => {
    const written = (keys: (string | Uint8Array)[], more: { name: string; data: unknown[] }[] = []) => {
      const file = join(folder, 'rows.parquet')
      const type: BasicType = typeof keys[0] === 'string' ? 'STRING' : 'BYTE_ARRAY'
      writeFileSync(file, Buffer.from(parquetWriteBuffer({ columnData: [{ name: 'key', data: keys, type }, ...more] })))
      return file
    }
    const below = { prefix: 'p/' }
    expect(await refusal(written(['p/a', 'q']), below)).toContain('line 2 of ')
    expect(await refusal(written([Buffer.from('a'), Buffer.from([0xff])]))).toContain('has a text that is not UTF-8')
    expect(await refusal(written(['a', '']))).toContain('line 2 of ')
    expect(await refusal(written(['a', 'b'], [{ name: 'bucket', data: ['src', 'other'] }]))).toContain('another bucket')
    expect(await refusal(written(['a'], [{ name: 'Key', data: ['b'] }]))).toContain('two columns are about the same')
    expect(await refusal(written(['a', 'b'], [{ name: 'version_id', data: [null, 'v'] }]))).toContain('names a version')
    const none = join(folder, 'none.parquet')
    writeFileSync(none, Buffer.from(parquetWriteBuffer({ columnData: [{ name: 'name', data: ['a'] }] })))
    expect(await refusal(none)).toContain('none.parquet has no column key')
  })

  test('gives what the same rows give as one JSON object a line, or is refused as they are', async () => {
    const text = (...some: string[]) => fc.option(fc.constantFrom(...some), { nil: null, freq: 4 })
    const row = fc.record({
      key: fc.oneof(fc.string({ minLength: 1, unit: 'grapheme' }), fc.constantFrom('a', '\0', 'é', 'x/y')),
      bucket: fc.constantFrom('src', 'src', 'src', 'src', 'src', 'src', 'other'),
      version_id: fc.option(fc.constantFrom('', 'v1', 'bad version'), { nil: null, freq: 1 }),
      is_latest: fc.option(fc.boolean(), { nil: null }),
      is_delete_marker: fc.option(fc.boolean(), { nil: null }),
      size: fc.option(fc.oneof(fc.integer({ min: -1, max: 1000 }), fc.nat(Number.MAX_SAFE_INTEGER)), { nil: null }),
      e_tag: text('d41d8cd98f00b204e9800998ecf8427e', 'D41D8CD98F00B204E9800998ECF8427E', '"x"', 'x-12', 'not one', ''),
      last_modified_date: text('2024-01-31T12:00:00.000Z', '2024-01-31 12:00:00', '', '01/02/2024'),
      storage_class: text('STANDARD', 'GLACIER', '', ' X'),
    })
    const all = async (file: string, format: 'parquet' | 'ndjson') => {
      const found: unknown[] = []
      try {
        const needs = { ...wanted, versions: true, passedOver: (why: string) => found.push(`passed over: ${why}`) }
        for await (const entry of readKeyList({ file, format }, needs)) found.push(entry)
      } catch (error) {
        expect(error).toBeInstanceOf(UserError)
        return (error as UserError).message.replace(file, 'FILE')
      }
      // A batch is read before what comes of it is taken.
      const isEntry = (one: unknown): boolean => typeof one !== 'string'
      return [found.filter(isEntry), found.filter((one) => !isEntry(one))]
    }
    const types: Record<string, BasicType> = { is_latest: 'BOOLEAN', is_delete_marker: 'BOOLEAN', size: 'INT64' }
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 8 }), async (rows) => {
        const [parquet, json] = [join(folder, 'same.parquet'), join(folder, 'same.ndjson')]
        const columnData = Object.keys(rows[0]!).map((name) => {
          const data = rows.map((one) => one[name as keyof typeof one])
          const values = name === 'size' ? data.map((n) => (typeof n === 'number' ? BigInt(n) : n)) : data
          return { name, data: values, type: types[name] ?? 'STRING', nullable: true }
        })
        writeFileSync(parquet, Buffer.from(parquetWriteBuffer({ columnData })))
        writeFileSync(json, rows.map((one) => `${JSON.stringify(one)}\n`).join(''))
        expect(await all(parquet, 'parquet')).toEqual(await all(json, 'ndjson'))
      }),
      { numRuns: 300 },
    )
  })
})

test('a moment is the same in a list of Parquet, in whatever year, to the millisecond', async () => {
  const moments = fc.array(
    fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true }),
    {
      minLength: 1,
      maxLength: 50,
    },
  )
  const file = join(folder, 'moments.parquet')
  await fc.assert(
    fc.asyncProperty(moments, async (times) => {
      const columnData = [
        { name: 'key', data: times.map((_, i) => `k${i}`), type: 'STRING' as const },
        { name: 'last_modified_date', data: times, type: 'TIMESTAMP' as const },
      ]
      writeFileSync(file, Buffer.from(parquetWriteBuffer({ columnData })))
      const read = (await entriesOf(file)).map(({ lastModified }) => lastModified)
      expect(read).toEqual(times.map((time) => time.toISOString()))
    }),
  )
})
