import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareKeys } from '../../../src/keys.js'
import { levelPages } from '../../../src/sources/level-listing.js'
import type { LevelEntry, LevelPage, Levels, ListFrom, ObjectSummary, Page } from '../../../src/storage/storage.js'

const place = { bucket: 'b', prefix: '' }
const object = (key: string): ObjectSummary => ({ key, size: 1, etag: 'e', lastModified: '', storageClass: 'STANDARD' })
const nameOf = (entry: LevelEntry): string => ('folder' in entry ? entry.folder : entry.object.key)

// What a level holds, said in another way: the names up to their first slash, each once.
const levelOf = (keys: readonly string[]): string[] =>
  [...new Set(keys.map((key) => key.slice(0, key.indexOf('/') + 1 || key.length + 1)))].sort(compareKeys)

/** A store of these keys that shows levels in pages of `size`, with tokens or without. */
function levelsOf(keys: readonly string[], size: number, tokens: boolean): Levels {
  const names = levelOf(keys)
  return {
    list({ after, token }): Promise<LevelPage> {
      const from =
        token === undefined
          ? names.filter((name) => after === undefined || isShownAfter(name, after))
          : names.slice(Number(token))
      const page = from.slice(0, size)
      const truncated = from.length > size
      const next = names.length - from.length + size
      return Promise.resolve({
        objects: page.filter((name) => !name.endsWith('/')).map(object),
        folders: page.filter((name) => name.endsWith('/')),
        truncated,
        ...(truncated && tokens ? { token: String(next) } : {}),
      })
    },
  }
}

// Keys behind a folder's own name are rolled up into it again.
const isShownAfter = (name: string, after: string): boolean =>
  compareKeys(name, after) > 0 || (name === after && name.endsWith('/'))

/** A store without levels. */
const listOf =
  (keys: readonly string[]) =>
  ({ after, limit = 1000 }: ListFrom): Promise<Page> => {
    const behind = keys.filter((key) => after === undefined || compareKeys(key, after) > 0).sort(compareKeys)
    return Promise.resolve({ objects: behind.slice(0, limit).map(object), truncated: behind.length > limit })
  }

const none = (): Promise<Page> => Promise.reject(new Error('not asked for'))
const anyKeys = fc.uniqueArray(
  fc.string({ unit: fc.constantFrom('a', 'b', '/', '-', '0', '\u{10ffff}'), minLength: 1, maxLength: 4 }),
  { maxLength: 60 },
)

async function namesOf(pages: AsyncIterable<readonly LevelEntry[]>): Promise<string[]> {
  const names: string[] = []
  for await (const page of pages) names.push(...page.map(nameOf))
  return names
}

describe('levelPages', () => {
  test('shows each name of a level once, in byte order, however a store pages', async () => {
    await fc.assert(
      fc.asyncProperty(anyKeys, fc.integer({ min: 2, max: 5 }), fc.boolean(), async (keys, size, tokens) => {
        const store = { place, list: none, levels: levelsOf(keys, size, tokens) }
        expect(await namesOf(levelPages(store))).toEqual(levelOf(keys))
      }),
    )
  })

  test('shows the same of a store that has no levels, and leaps over what is in a folder', async () => {
    await fc.assert(
      fc.asyncProperty(anyKeys, async (keys) => {
        expect(await namesOf(levelPages({ place, list: listOf(keys) }))).toEqual(levelOf(keys))
      }),
    )
    const large = Array.from({ length: 20_000 }, (_, n) => `large/${String(n).padStart(6, '0')}`)
    let asked = 0
    const list = (from: ListFrom): Promise<Page> => {
      asked++
      return listOf([...large, 'other'])(from)
    }
    expect(await namesOf(levelPages({ place, list }))).toEqual(['large/', 'other'])
    expect(asked).toBe(2)
  })

  test('a level that ends at a full page is asked whether it does', async () => {
    const keys = Array.from({ length: 1500 }, (_, n) => `${String(n).padStart(4, '0')}/x`)
    const whole = levelsOf(keys, 1000, false)
    const list: Levels['list'] = async (from) => {
      const page = await whole.list(from)
      return from.after === undefined ? { ...page, truncated: false } : page
    }
    expect(await namesOf(levelPages({ place, list: none, levels: { list } }))).toHaveLength(1500)
  })

  test.each([
    [
      'goes back',
      [
        { objects: [object('b')], folders: [], truncated: true, token: '1' },
        { objects: [object('a')], folders: [], truncated: false },
      ],
    ],
    ['leads in a circle', [{ objects: [], folders: [], truncated: true, token: '1' }]],
    ['repeats its last folder for ever', [{ objects: [], folders: ['a/'], truncated: true }]],
  ] as [string, LevelPage[]][])('a store that %s stops the run', async (_, pages) => {
    let at = 0
    const levels: Levels = { list: () => Promise.resolve(pages[Math.min(at++, pages.length - 1)]!) }
    await expect(namesOf(levelPages({ place, list: none, levels }))).rejects.toMatchObject({
      code: 'ContradictoryListing',
      severity: 'stop-run',
    })
  })
})
