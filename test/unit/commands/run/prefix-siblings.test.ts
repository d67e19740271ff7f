import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkSiblings } from '../../../../src/commands/run/prefix-siblings.js'
import { UserError } from '../../../../src/errors.js'
import type { DeleteJob } from '../../../../src/job/delete.js'
import type { SyncJob } from '../../../../src/job/sync.js'
import { compareKeys } from '../../../../src/keys.js'
import type { ObjectSummary, Storage } from '../../../../src/storage/storage.js'
import type { ObjectVersion } from '../../../../src/storage/object-versions.js'

const TRAITS = { size: 0, etag: '', lastModified: '', storageClass: 'STANDARD' }

/** A store of these keys, whose pages hold at most `most`, and now and then nothing; it counts what it is asked. */
function storeOf(prefix: string, keys: readonly string[], most: number) {
  const all = keys
    .filter((key) => key.startsWith(prefix))
    .map((key) => key.slice(prefix.length))
    .sort(compareKeys)
  let asked = 0
  const page = (after: string | undefined, limit: number) => {
    asked++
    const behind = after === undefined ? all : all.filter((key) => compareKeys(key, after) > 0)
    return { some: behind.slice(0, limit), truncated: behind.length > limit }
  }
  const store = {
    place: { bucket: 'b', prefix },
    list: ({ after, token, limit = 1000 }: { after?: string; token?: string; limit?: number }) => {
      // Every other page is empty and says where to go on.
      if (token === undefined && after !== undefined && most % 2 === 0) {
        return Promise.resolve({ objects: [], truncated: true, token: after })
      }
      const { some, truncated } = page(token ?? after, Math.min(limit, most))
      return Promise.resolve({ objects: some.map((key): ObjectSummary => ({ key, ...TRAITS })), truncated })
    },
    versions: {
      list: (from: { key: string } | undefined) => {
        const { some, truncated } = page(from?.key, most)
        const versions = some.map((key): ObjectVersion => ({
          key,
          ...TRAITS,
          version: 'v',
          latest: true,
          deleteMarker: true,
        }))
        return Promise.resolve({ versions, ...(truncated ? { next: { key: some.at(-1) ?? '', version: 'v' } } : {}) })
      },
    },
  }
  return { store: store as unknown as Storage, asked: () => asked }
}

const key = fc
  .array(fc.constantFrom('a', '/', '-', '.', '0', '~', '\u{10ffff}', '\uffff', ' ', '\n', 'é'), { maxLength: 5 })
  .map((parts) => `logs${parts.join('')}`)
const keys = fc.uniqueArray(fc.oneof(key, fc.constantFrom('logs', 'logs/', 'lo', 'logr/x')), { maxLength: 12 })

async function isRefused(job: DeleteJob | SyncJob, source: Storage, destination?: Storage): Promise<boolean> {
  try {
    await checkSiblings(job, { source, destination }, { args: ['delete', 's3://b/logs'] })
    return false
  } catch (error) {
    expect(error).toBeInstanceOf(UserError)
    return true
  }
}

test('a prefix is refused exactly when a key begins with it and goes on with anything but a slash', async () => {
  await fc.assert(
    fc.asyncProperty(keys, keys, fc.integer({ min: 1, max: 4 }), fc.boolean(), async (one, other, most, versions) => {
      const isBad = (all: readonly string[]): boolean => all.some((key) => /^logs[^/]/su.test(key))
      const source = { bucket: 'b', prefix: 'logs' }
      const job: DeleteJob = { kind: 'delete', source, prefixAs: 'folder', ...(versions ? { versions } : {}) }
      const [from, to] = [storeOf('logs', one, most), storeOf('logs', other, most)]
      expect(await isRefused(job, from.store)).toBe(isBad(one))
      const sync: SyncJob = { kind: 'sync', source, destination: source, by: 'size', prefixAs: 'folder', delete: {} }
      expect(await isRefused(sync, from.store, to.store)).toBe(isBad(one) || isBad(other))
    }),
  )
})

test.each([1019, 1020, 1023, 1024])(
  'a prefix of %i bytes is looked behind as far as keys can be so long',
  async (length) => {
    const prefix = 'l'.repeat(length)
    const job: DeleteJob = { kind: 'delete', source: { bucket: 'b', prefix }, prefixAs: 'folder' }
    const good = [prefix, `${prefix}/`].filter((key) => key.length <= 1024)
    expect(await isRefused(job, storeOf(prefix, good, 3).store)).toBe(false)
    if (length < 1024) expect(await isRefused(job, storeOf(prefix, [...good, `${prefix}0`], 3).store)).toBe(true)
  },
)

test('two listings tell of any number of keys', async () => {
  const many = Array.from({ length: 5000 }, (_, i) => `logs/${i}`)
  const job: DeleteJob = { kind: 'delete', source: { bucket: 'b', prefix: 'logs' }, prefixAs: 'folder' }
  const { store, asked } = storeOf('logs', ['logs', ...many], 999)
  expect(await isRefused(job, store)).toBe(false)
  expect(asked()).toBe(2)
})
