import fc from 'fast-check'
import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { UserError } from '../../../src/errors.js'
import { listedIn, listingLine, localListing } from '../../../src/sources/local-listing.js'
import { listingAfter } from '../../../src/sources/page-listing.js'
import type { ObjectSummary } from '../../../src/storage/storage.js'

let folder: string
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 's3move-listing-'))))
afterAll(() => rm(folder, { recursive: true }))

const byBytes = (one: string, other: string): number => Buffer.compare(Buffer.from(one), Buffer.from(other))

const summary = (key: string): ObjectSummary => ({
  ...{
    key,
    size: Buffer.byteLength(key),
    etag: 'e',
    lastModified: '2024-01-31T12:00:00.000Z',
    storageClass: 'STANDARD',
  },
})

async function written(name: string, keys: readonly string[]) {
  const file = join(folder, name)
  const text = keys.map((key) => `${listingLine(summary(key))}\n`).join('')
  await writeFile(file, text)
  // What is behind the listing is none of it.
  await appendFile(file, '{"bytes":1}\n')
  return { file, bytes: Buffer.byteLength(text) }
}

// A piece that is read at once has some 2,000 of these lines, and fewer of the longest.
const MANY = Array.from({ length: 9_000 }, (_, n) => `${['a', '\u{10000}', '\uffff', 'line\nfeed'][n % 4]}/${n * 7919}`)
const KEYS = [...MANY, '', 'x'.repeat(300_000), `y${'"'.repeat(200_000)}`, 'z'].sort(byBytes)

test('lists what is behind any key as a bucket is listed, from wherever it is asked', async () => {
  const listing = await written('many', KEYS)
  const { list } = localListing(listing)
  const key = fc.oneof(fc.constantFrom(...KEYS), fc.string({ unit: 'grapheme', maxLength: 4 }), fc.constant('x'))
  await fc.assert(
    fc.asyncProperty(fc.option(key, { nil: undefined }), fc.integer({ min: 1, max: 1500 }), async (after, limit) => {
      const expected = after === undefined ? KEYS : KEYS.filter((one) => byBytes(one, after) > 0)
      const page = await list({ after, limit })
      expect(page.objects.map((object) => object.key)).toEqual(expected.slice(0, limit))
      expect(page.objects[0]).toEqual(expected[0] === undefined ? undefined : summary(expected[0]))
      // It may say that there is more where there is none, which then is an empty page, but never the other way round.
      if (expected.length > limit) expect(page.truncated).toBe(true)
    }),
    { numRuns: 200 },
  )
})

test('lists all of it page by page, and ends', async () => {
  for (const keys of [KEYS, [], [''], KEYS.slice(0, 1_000), KEYS.slice(0, 1_001)]) {
    const pages = listingAfter(localListing(await written('all', keys)), undefined)
    const found: string[] = []
    for (let more = true; more;) {
      const { objects, truncated } = await pages.next()
      found.push(...objects.map(({ key }) => key))
      more = truncated
    }
    expect(found).toEqual(keys)
  }
})

test('a file that was cut or removed is an error with its name, and no end of the listing', async () => {
  const listing = await written('cut', KEYS.slice(0, 3_000))
  const { list } = localListing(listing)
  await truncate(listing.file, listing.bytes - 10)
  await expect(list({ after: KEYS[2_900] })).rejects.toThrow(UserError)
  await rm(listing.file)
  await expect(list({})).rejects.toThrow(/cannot be read any more/)
})

test('a line is what it was made of, whatever the key', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'grapheme' }), async (key) => {
      const { file } = await written('one', [key])
      const [line] = (await readFile(file, 'utf8')).split('\n')
      expect(listedIn(line!)).toEqual(summary(key))
    }),
    { numRuns: 50 },
  )
})
