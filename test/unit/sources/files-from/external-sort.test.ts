import fc from 'fast-check'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { externallySorted, type Sortable } from '../../../../src/sources/files-from/external-sort.js'

let folder: string
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 's3move-sort-'))))
afterAll(() => rm(folder, { recursive: true }))

const byBytes = (one: string, other: string): number => Buffer.compare(Buffer.from(one), Buffer.from(other))
const lineOf = (key: string, n: number): string => JSON.stringify([key, n])
const keyOf = (line: string): string => (JSON.parse(line) as [string])[0]

async function* inPieces(all: readonly Sortable[], length: number): AsyncGenerator<readonly Sortable[]> {
  for (let from = 0; from < all.length; from += length) yield await Promise.resolve(all.slice(from, from + length))
}

const KEY = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 6 }),
  fc.constantFrom('', 'a\nb', '\0', '\uffff', '\u{10000}', '\ue000', '"\\', 'a', 'a/', 'x'.repeat(300)),
)

test('what comes of it is all that went in, in byte order, with few files and runs that are no larger than allowed', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(KEY, { maxLength: 80 }),
      fc.integer({ min: 1, max: 30 }),
      fc.constantFrom(1, 400, 3_000, 1e9),
      fc.integer({ min: 2, max: 4 }),
      fc.constantFrom(1, 7, 100_000),
      async (keys, length, memory, files, piece) => {
        const all = keys.map((key, n) => ({ key, line: lineOf(key, n) }))
        const sizes: number[] = []
        const pathOf = (n: number): string => join(folder, String(n))
        const measured = async function* () {
          for await (const some of inPieces(all, length)) {
            yield some
            const names = await readdir(folder)
            for (const name of names) sizes.push((await stat(join(folder, name))).size)
          }
        }
        const found: Sortable[] = []
        for await (const some of externallySorted(measured(), { pathOf, keyOf, limits: { memory, files, piece } })) {
          found.push(...some)
        }
        expect(found.map(({ key }) => key)).toEqual(keys.toSorted(byBytes))
        expect(found.map(({ line }) => line).sort()).toEqual(all.map(({ line }) => line).sort())
        for (const { key, line } of found) expect(keyOf(line)).toBe(key)
        const longest = Math.max(0, ...all.map(({ line }) => Buffer.byteLength(line) + 1))
        for (const size of sizes) expect(size).toBeLessThan(memory + longest)
        expect(await readdir(folder)).toEqual([])
      },
    ),
    { numRuns: 200 },
  )
})

test('no more files are read at once than are allowed', async () => {
  const all = Array.from({ length: 100 }, (_, n) => ({
    key: `${(n * 37) % 100}`,
    line: lineOf(`${(n * 37) % 100}`, n),
  }))
  let made = 0
  const pathOf = (n: number): string => {
    made = n + 1
    return join(folder, String(n))
  }
  const found: string[] = []
  const limits = { memory: 1, files: 3, piece: 64 }
  for await (const some of externallySorted(inPieces(all, 10), { pathOf, keyOf, limits })) {
    found.push(...some.map(({ key }) => key))
  }
  expect(found).toEqual(all.map(({ key }) => key).sort())
  // A hundred runs, and of each three one, until three are left: each merge takes two away.
  expect(made).toBe(100 + Math.ceil((100 - 3) / 2))
})
