import fc from 'fast-check'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findSorted, sortInventory } from '../../../../src/sources/files-from/sorted-inventory.js'
import { localListing } from '../../../../src/sources/local-listing.js'
import { inventoryOf, md5, type InventoryRow } from '../../../support/inventory.js'

let folder: string
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 's3move-sorted-'))))
afterAll(() => rm(folder, { recursive: true }))

const NEVER = new AbortController().signal
const SORTED = 'inventory.sorted.ndjson'

async function written(rows: readonly InventoryRow[], format: 'CSV' | 'Parquet' = 'Parquet') {
  for (const [key, bytes] of inventoryOf(rows, { within: 'inv/', format, perFile: 4, perGroup: 3 })) {
    await mkdir(join(folder, dirname(key)), { recursive: true })
    await writeFile(join(folder, key), bytes)
  }
  return { file: join(folder, 'inv/2026-01-31T01-00Z/manifest.json'), format: 'inventory' } as const
}

async function emptyFolder(): Promise<string> {
  return await mkdtemp(join(folder, 'run-'))
}

const WANTED = { bucket: 'src', prefix: 'in/', versions: false }
const rowOf = (key: string, more: Partial<InventoryRow> = {}): InventoryRow => ({
  ...{ key, size: key.length, etag: md5(key), time: '2024-01-31T12:00:00.000Z', ...more },
})
const limited = (memory: number) => ({ memory, files: 2, piece: 32 })

test('has each object below the prefix once, in order, however little may be held, and is found again as it was', async () => {
  const key = fc.oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 5 }).map((name) => `in/${name}`),
    fc.constantFrom('in/', 'in/a\nb', 'in/../x', 'in/\uffff', 'in/\u{10000}', 'out/a', 'in'),
  )
  const keys = fc.array(key, { minLength: 1, maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(
      keys,
      fc.constantFrom('CSV', 'Parquet'),
      fc.constantFrom(1, 1_500, 1e6),
      async (all, format, memory) => {
        // Passed over in an order of their own.
        const others = [
          rowOf('out/x'),
          rowOf('in/old', { version: 'v0', latest: false }),
          rowOf('in/gone', { marker: true }),
        ]
        const list = await written([...others, ...all.map((one) => rowOf(one))], format)
        const into = await emptyFolder()
        const options = {
          list,
          wanted: WANTED,
          folder: into,
          limits: limited(memory),
          stop: NEVER,
          progress: () => undefined,
        }
        const sorted = await sortInventory(options)
        const names = [...new Set(all.filter((one) => one.startsWith('in/')).map((one) => one.slice(3)))]
        const expected = names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
        const { objects } = await localListing(sorted!.listing).list({})
        expect(objects.map((object) => object.key)).toEqual(expected)
        for (const { key: name, size, etag } of objects)
          expect([size, etag]).toEqual([name.length + 3, md5(`in/${name}`)])
        expect(sorted!.objects).toBe(expected.length)
        const outside = all.filter((one) => !one.startsWith('in/')).length + 1
        expect(sorted!.passedOver).toEqual({ outside, oldVersions: 1, deleteMarkers: 1 })
        expect(await readdir(into)).toEqual([SORTED])
        expect(await findSorted(into)).toEqual(sorted)
      },
    ),
    { numRuns: 60 },
  )
})

test('is not taken for whole once any byte of it is another one, or missing', async () => {
  const list = await written(['in/a', 'in/b', 'in/c'].map((key) => rowOf(key)))
  const into = await emptyFolder()
  await sortInventory({ list, wanted: WANTED, folder: into, stop: NEVER, progress: () => undefined })
  const path = join(into, SORTED)
  const whole = await readFile(path)
  for (let at = 0; at < whole.length - 1; at++) {
    const other = Buffer.from(whole)
    other[at]! ^= 1
    await writeFile(path, other)
    expect(await findSorted(into)).toBeUndefined()
  }
  await writeFile(path, whole)
  for (let length = whole.length - 2; length >= 0; length -= 7) {
    await truncate(path, length)
    expect(await findSorted(into)).toBeUndefined()
  }
  await rm(path)
  expect(await findSorted(into)).toBeUndefined()
})

test('what a killed one has left is removed, a link too, and what is stopped leaves nothing', async () => {
  const list = await written(['in/a', 'in/b'].map((key) => rowOf(key)))
  const into = await emptyFolder()
  await writeFile(join(into, 'inventory.sorting.1.ndjson'), 'left')
  await writeFile(join(folder, 'elsewhere'), 'as it was')
  await symlink(join(folder, 'elsewhere'), join(into, 'inventory.sorting.0.ndjson'))
  const options = { list, wanted: WANTED, folder: into, limits: limited(1), progress: () => undefined }
  expect((await sortInventory({ ...options, stop: NEVER }))?.objects).toBe(2)
  expect(await readdir(into)).toEqual([SORTED])
  expect(await readFile(join(folder, 'elsewhere'), 'utf8')).toBe('as it was')
  expect(await sortInventory({ ...options, stop: AbortSignal.abort() })).toBeUndefined()
  expect(await readdir(into)).toEqual([])
})

test('of what an inventory has twice it is what was written last', async () => {
  const [old, now] = ['2024-01-01T00:00:00.000Z', '2024-01-02T00:00:00.000Z']
  for (const times of [
    [old, now],
    [now, old],
  ]) {
    const list = await written(times.map((time) => rowOf('in/a', { time, etag: md5(time) })))
    const into = await emptyFolder()
    const sorted = await sortInventory({ list, wanted: WANTED, folder: into, stop: NEVER, progress: () => undefined })
    const { objects } = await localListing(sorted!.listing).list({})
    expect(objects).toMatchObject([{ key: 'a', etag: md5(now), lastModified: now }])
  }
})
