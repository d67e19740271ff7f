import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { unlessListed, unlessTrulyGone } from '../../../../src/engine/actions/gone.js'
import { checkingRemovals, keyBefore, type Removed } from '../../../../src/engine/actions/still-listed.js'
import { StorageError } from '../../../../src/errors.js'
import type { Outcome } from '../../../../src/job/outcome.js'
import { compareKeys } from '../../../../src/keys.js'
import type { ListFrom, ObjectSummary, Storage } from '../../../../src/storage/storage.js'

const OLD = '2024-01-01T00:00:00.000Z'
const object = (key: string, more: Partial<ObjectSummary> = {}): ObjectSummary => ({
  ...{ key, size: 1, etag: 'e', lastModified: OLD, storageClass: 'STANDARD', ...more },
})
const GONE: Outcome = { kind: 'skipped', reason: 'gone' }
const refused = (code: string, status: number) =>
  new StorageError('no', { severity: 'stop-run', code, status, operation: 'ListObjectsV2', bucket: 'b' })

/** A store that lists what `shown` answers, `as` it shows keys, and counts what it was asked. */
function store(shown: () => readonly ObjectSummary[], as = (key: string) => key) {
  const asked: ListFrom[] = []
  const list: Storage['list'] = (from) => {
    asked.push(from)
    const { after, within = '', limit = 1000 } = from
    const found = shown()
      .filter(({ key }) => key.startsWith(within) && (after === undefined || compareKeys(key, after) > 0))
      .sort((a, b) => compareKeys(a.key, b.key))
    const objects = found.slice(0, limit).map((one) => ({ ...one, key: as(one.key) }))
    return Promise.resolve({ objects, truncated: found.length > limit })
  }
  return { store: { place: { bucket: 'b', prefix: 'p/' }, list } as unknown as Storage, asked }
}

const isWellFormed = (text: string): boolean => !/\p{Cs}/u.test(text)
const codeOf = (outcome: Outcome | undefined): string =>
  outcome === undefined ? 'nothing' : outcome.kind === 'failed' ? outcome.failure.code : outcome.kind

describe('an object that is not found', () => {
  const again = (outcome: Outcome) => () => Promise.resolve(outcome)

  test('is gone when a listing of exactly its key does not show it', async () => {
    const others = store(() => [object('a'), object('k2'), object('k/x')])
    expect(await unlessListed(others.store, 'p/', object('k'), GONE, again(GONE))).toBe(GONE)
  })

  test('fails when it is listed still and is not found again', async () => {
    const { store: damaged } = store(() => [object('k')])
    const outcome = await unlessListed(damaged, 'p/', object('k'), GONE, again(GONE))
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'ListedButNotFound', key: 'p/k', size: 1 } })
  })

  test('is done when it was deleted and written anew, as it is listed now', async () => {
    const { store: rewritten } = store(() => [object('k', { etag: 'new', size: 7 })])
    const seen: ObjectSummary[] = []
    const outcome = await unlessListed(rewritten, 'p/', object('k'), GONE, (listed) => {
      seen.push(listed)
      return Promise.resolve({ kind: 'copied' })
    })
    expect([outcome, seen]).toEqual([{ kind: 'copied' }, [object('k', { etag: 'new', size: 7 })]])
  })

  test('is gone when the listing learns of it only after the second look', async () => {
    let shown = [object('k')]
    const { store: late } = store(() => shown)
    const outcome = await unlessListed(late, 'p/', object('k'), GONE, () => {
      shown = []
      return Promise.resolve(GONE)
    })
    expect(outcome).toBe(GONE)
  })

  test.each([
    ['a b', 'a+b', (key: string) => key.replaceAll('+', ' ')],
    ['caf\u00e9', 'cafe\u0301', (key: string) => key.normalize('NFC')],
  ])('fails when the store lists in the form %j what it has as %j', async (listed, stored, as) => {
    const { store: odd } = store(() => [object('a'), object(stored), object('z')], as)
    expect(codeOf(await unlessListed(odd, 'p/', object(listed), GONE, again(GONE)))).toBe('ListedButNotFound')
  })

  test('is not called gone where the listing is refused', async () => {
    const list = () => Promise.reject(refused('AccessDenied', 403))
    const blind = { place: { bucket: 'b', prefix: '' }, list } as unknown as Storage
    expect(codeOf(await unlessListed(blind, '', object('k'), GONE, again(GONE)))).toBe('NoSuchKey')
  })

  test('that a list names is gone after one listing, and fails where that shows it', async () => {
    const { store: empty, asked } = store(() => [])
    expect(await unlessListed(empty, 'p/', object('k'), GONE, 'named')).toBe(GONE)
    expect(asked).toEqual([{ within: 'k', limit: 1 }])
    const { store: damaged } = store(() => [object('k')])
    expect(codeOf(await unlessListed(damaged, 'p/', object('k'), GONE, 'named'))).toBe('ListedButNotFound')
  })

  test('costs nothing when it was found', async () => {
    const { store: quiet, asked } = store(() => [])
    expect(await unlessListed(quiet, 'p/', object('k'), { kind: 'copied' }, again(GONE))).toEqual({ kind: 'copied' })
    expect(asked).toEqual([])
  })

  test('by a look that is listed all the same is an error of its own', async () => {
    const gone = new StorageError('', { severity: 'skip', code: 'NoSuchKey', operation: 'HeadObject', bucket: 'b' })
    const { store: damaged } = store(() => [object('k')])
    await expect(unlessTrulyGone(damaged, 'k', Promise.reject(gone))).rejects.toMatchObject({
      code: 'ListedButNotFound',
      key: 'p/k',
    })
    expect(await unlessTrulyGone(store(() => []).store, 'k', Promise.reject<number>(gone))).toBeUndefined()
    expect(await unlessTrulyGone(damaged, 'k', Promise.resolve(5))).toBe(5)
  })
})

describe('what the store says that it deleted', () => {
  const removed = (...keys: string[]): Removed[] => keys.map((key) => ({ key, listed: object(key) }))
  const kept = async (one: Storage, objects: readonly Removed[], stop?: AbortSignal): Promise<string[]> =>
    [...(await checkingRemovals(one, stop, [1, 2, 3, 4])(objects))].map(
      ([index, { code }]) => `${String(objects[index]?.key)} ${code}`,
    )

  test('is looked for by one listing of one key where nothing of it is left', async () => {
    const { store: honest, asked } = store(() => [object('k9999')])
    expect(await kept(honest, removed(...Array.from({ length: 1000 }, (_, i) => `k${1000 + i}`)))).toEqual([])
    expect(asked).toEqual([{ after: keyBefore('k1000', 'p/'), limit: 1 }])
  })

  test('is a failure for each that is listed still, though the store takes its time', async () => {
    let listings = 0
    const slow = store(() => (listings++ < 3 ? [object('a'), object('b')] : [object('b')]))
    expect(await kept(slow.store, removed('a', 'b', 'c'))).toEqual(['b StillListed'])
  })

  test('is deleted when another of its name was written since', async () => {
    const since = [object('a', { etag: 'other' }), object('b', { lastModified: '2025-01-01T00:00:00Z' })]
    expect(await kept(store(() => since).store, removed('a', 'b'))).toEqual([])
  })

  test('is not looked for where nobody may list, and that is asked once', async () => {
    let asked = 0
    const list = () => {
      asked++
      return Promise.reject(refused('AccessDenied', 403))
    }
    const check = checkingRemovals({ place: { bucket: 'b', prefix: '' }, list } as unknown as Storage)
    expect([await check(removed('a')), await check(removed('b')), asked]).toEqual([new Map(), new Map(), 1])
  })

  test('is not settled when the run ends while a store is given time', async () => {
    const stop = new AbortController()
    stop.abort()
    await expect(kept(store(() => [object('a')]).store, removed('a'), stop.signal)).rejects.toMatchObject({
      severity: 'retry',
      code: 'Interrupted',
    })
  })

  test('is found wherever it lies among others, with few listings', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.nat(500), { minLength: 1, maxLength: 20 }),
        fc.nat(19),
        async (numbers, at) => {
          const name = (number: number): string => `k/${number}`
          const left = numbers[at % numbers.length] ?? 0
          const others = Array.from({ length: 600 }, (_, i) => `k/${i}`).filter(
            (key) => !numbers.map(name).includes(key),
          )
          const { store: one, asked } = store(() => [...others, name(left)].map((key) => object(key)))
          const controller = new AbortController()
          // Once it is found, time would be given.
          const check = checkingRemovals(one, controller.signal)(removed(...numbers.map(name)))
          controller.abort()
          await expect(check).rejects.toMatchObject({ code: 'Interrupted' })
          expect(asked.length).toBeLessThanOrEqual(2)
        },
      ),
      { numRuns: 30 },
    )
  })

  test('of which a version is named is looked for among the versions', async () => {
    const stop = new AbortController()
    stop.abort()
    const listed = [
      { ...object('k'), version: 'v2', latest: true, deleteMarker: false },
      { ...object('k'), version: 'v1', latest: false, deleteMarker: false },
    ]
    const versions = { list: () => Promise.resolve({ versions: listed }) }
    const one = { place: { bucket: 'b', prefix: '' }, versions, list: () => Promise.reject(new Error()) }
    const check = checkingRemovals(one as unknown as Storage, stop.signal)
    expect(await check([{ key: 'k', version: 'v3' }])).toEqual(new Map())
    await expect(check([{ key: 'k', version: 'v1' }])).rejects.toMatchObject({ code: 'Interrupted' })
  })
})

test('a key right before another is before it, and behind every shorter or lesser one', () => {
  const key = fc.string({ unit: 'binary', minLength: 1, maxLength: 6 }).filter(isWellFormed)
  fc.assert(
    fc.property(key, key, (one, other) => {
      const before = keyBefore(one, 'p/') ?? ''
      expect(isWellFormed(before)).toBe(true)
      expect(compareKeys(before, one)).toBeLessThan(0)
      if (compareKeys(other, one) < 0 && !other.includes('\u{10ffff}')) {
        expect(compareKeys(other, before)).toBeLessThanOrEqual(0)
      }
    }),
  )
  expect(keyBefore('', 'p/')).toBeUndefined()
})
