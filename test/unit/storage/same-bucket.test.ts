import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { StorageError } from '../../../src/errors.js'
import { areOne, canOverlap, likenessesOf, nestingOf } from '../../../src/storage/same-bucket.js'
import type { ObjectHead, Storage } from '../../../src/storage/storage.js'
import type { Uploading } from '../../../src/storage/parts.js'

interface Held {
  readonly etag: string
  readonly lastModified: string
}

/** A bucket, however it is reached. */
interface Bucket {
  readonly objects: Map<string, Held>
  readonly uploads: Set<string>
}

const bucketOf = (objects: readonly (readonly [string, Held])[]): Bucket => ({
  objects: new Map(objects),
  uploads: new Set(),
})

type Asked = 'head' | 'parts'

/**
 * One way to a prefix of a bucket. What is in `denied` its credentials may not ask; `before` is called before each HEAD. The bucket takes for one what
 * `fold` makes one.
 */
function wayTo(
  { objects, uploads }: Bucket,
  prefix: string,
  {
    denied = [],
    before,
    fold = String,
    byId = false,
  }: { denied?: readonly Asked[]; before?: () => void; fold?: (key: string) => string; byId?: boolean } = {},
): Storage {
  const never = () => Promise.reject(new Error('not asked for'))
  const fault = (severity: 'skip' | 'fail-object', code: string) =>
    Promise.reject(new StorageError(code, { severity, code, operation: 'X', bucket: 'b' }))
  let begun = 0
  const uploading: Uploading = {
    ...{ copyPart: never, sendPart: never, streamPart: never, complete: never },
    begin(key) {
      const id = `upload ${begun++}`
      uploads.add(byId ? id : `${fold(prefix + key)} ${id}`)
      return Promise.resolve(id)
    },
    abort(key, id) {
      uploads.delete(byId ? id : `${fold(prefix + key)} ${id}`)
      return Promise.resolve()
    },
    parts: (key, id) =>
      denied.includes('parts')
        ? fault('fail-object', 'AccessDenied')
        : Promise.resolve(uploads.has(byId ? id : `${fold(prefix + key)} ${id}`) ? new Map() : undefined),
  }
  return {
    place: { bucket: 'b', prefix },
    list: ({ after = '' }) => {
      const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > prefix + after).sort()
      const [key] = keys
      const found = { size: 1, storageClass: 'STANDARD' }
      return Promise.resolve({
        objects: key === undefined ? [] : [{ key: key.slice(prefix.length), ...found, ...objects.get(key)! }],
        truncated: keys.length > 1,
      })
    },
    reading: {
      ...{ tagging: never, grants: never, digest: never, open: never, read: never },
      head(key) {
        before?.()
        if (denied.includes('head')) return fault('fail-object', 'AccessDenied')
        const object = [...objects].find(([other]) => fold(other) === fold(prefix + key))?.[1]
        return object === undefined ? fault('skip', 'NoSuchKey') : Promise.resolve({ size: 1, ...object } as ObjectHead)
      },
    },
    uploading,
  }
}

const object = fc.record({ etag: fc.constantFrom('a', 'b'), lastModified: fc.constantFrom('1', '2') })
const objects = fc.array(fc.tuple(fc.constantFrom('a', 'p/a', 'p/b', 'p/q/a', 'p/q/b'), object), { maxLength: 5 })
const prefixes = fc
  .constantFrom(['', ''], ['', 'p/'], ['p/', ''], ['p/', 'p/'], ['p/', 'p/q/'], ['p/q/', ''])
  .map(([one = '', other = '']) => ({ one, other }))
const denied = fc.subarray<Asked>(['head', 'parts'])

describe('two ways to buckets', () => {
  test('are never taken for two buckets when they are one, nor for one when they are two, whatever may not be asked', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          objects,
          others: objects,
          prefixes,
          denied,
          deniedThere: denied,
          one: fc.boolean(),
          mayWrite: fc.boolean(),
        }),
        async ({ objects, others, prefixes, denied, deniedThere, one, mayWrite }) => {
          const bucket = bucketOf(objects)
          const other = one ? bucket : bucketOf(others)
          const source = wayTo(bucket, prefixes.one, { denied })
          const destination = wayTo(other, prefixes.other, { denied: deniedThere })
          const found = await areOne(source, destination, nestingOf(source.place, destination.place)!, mayWrite)
          expect(one ? ['one', 'perhaps', 'unknown'] : ['two', 'replicas', 'perhaps', 'unknown']).toContain(found)
          if (mayWrite && !denied.includes('parts')) expect(found === 'one').toBe(one)
          expect(other.uploads.size).toBe(0)
        },
      ),
    )
  })

  test('are one bucket also while somebody writes to it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(object, { maxLength: 6 }), prefixes, async (writes, { one, other }) => {
        const bucket = bucketOf([['p/q/a', { etag: '0', lastModified: '0' }]])
        let moment = 3
        const before = (): void => {
          const next = writes.shift()
          if (next !== undefined) bucket.objects.set('p/q/a', { ...next, lastModified: String(moment++) })
        }
        const source = wayTo(bucket, one, { before })
        const destination = wayTo(bucket, other, { before })
        expect(await areOne(source, destination, nestingOf(source.place, destination.place)!, true)).toBe('one')
      }),
    )
  })

  test('cost no upload where an object of the source is not at the destination', async () => {
    const destination = bucketOf([])
    const source = wayTo(bucketOf([['p/a', { etag: 'e', lastModified: '1' }]]), 'p/')
    const way = wayTo(destination, 'p/')
    const uploading = { ...way.uploading!, begin: () => Promise.reject(new Error('an upload was begun')) }
    expect(await areOne(source, { ...way, uploading }, nestingOf(source.place, way.place)!, true)).toBe('two')
  })

  test('can have objects in common only where one prefix begins with the other', () => {
    const place = (prefix: string) => ({ bucket: 'b', prefix })
    for (const [one, other, can] of [
      ['', '', true],
      ['a/', '', true],
      ['', 'a/', true],
      ['a/', 'a/b/', true],
      ['a/', 'b/', false],
      ['a/b/', 'a/c/', false],
    ] as const) {
      expect(canOverlap(place(one), place(other))).toBe(can)
    }
  })

  test.each<[string, string, string, (key: string) => string]>([
    ['in case', 'photos/', 'Photos/', (key) => key.toLowerCase()],
    ['in the form of Unicode', 'caf\u00e9/', 'cafe\u0301/', (key) => key.normalize('NFC')],
    ['in empty folders', 'a//b/', 'a/b/', (key) => key.replaceAll(/\/+/g, '/')],
    ['in case, one in the other', 'data/', 'DATA/in/', (key) => key.toLowerCase()],
    ['in blanks at the end, the other in the one', 'logs /2024/', 'logs/', (key) => key.replaceAll(' /', '/')],
    ['in percent signs', 'a%20b/', 'a b/', (key) => decodeURIComponent(key)],
    ['as a proxy rewrites names', 'old/', 'new/', (key) => key.replace(/^new\//, 'old/')],
  ])('whose names differ %s are one in a store that takes these for one, and two in any other', async (...row) => {
    const [, one, other, fold] = row
    const foundBy = async (names: (key: string) => string): Promise<string[]> => {
      const bucket = bucketOf([
        [`${one}in/k`, { etag: 'e', lastModified: '1' }],
        [`${one}k`, { etag: 'f', lastModified: '1' }],
      ])
      const [source, destination] = [wayTo(bucket, one, { fold: names }), wayTo(bucket, other, { fold: names })]
      const found: string[] = []
      for (const likeness of likenessesOf(source.place, destination.place)) {
        found.push(await areOne(source, destination, likeness, true))
      }
      return found
    }
    expect(await foundBy(fold)).toContain('one')
    expect(await foundBy(String)).not.toContain('one')
  })

  test('are not one only because a store finds an upload whatever object it is said to be of', async () => {
    const objects = [['k', { etag: 'e', lastModified: '1' }]] as const
    const one = bucketOf(objects)
    const other: Bucket = { objects: new Map(objects), uploads: one.uploads }
    const [source, destination] = [wayTo(one, '', { byId: true }), wayTo(other, '', { byId: true })]
    expect(await areOne(source, destination, { source: '', destination: '' }, true)).toBe('perhaps')
  })

  test('with one object that looks the same in both are replicas, or perhaps one', async () => {
    const objects = [['k', { etag: 'e', lastModified: '1' }]] as const
    const [source, destination] = [wayTo(bucketOf(objects), ''), wayTo(bucketOf(objects), '')]
    const likeness = { source: '', destination: '' }
    expect(await areOne(source, destination, likeness, true)).toBe('replicas')
    expect(await areOne(source, destination, likeness, false)).toBe('perhaps')
  })
})
