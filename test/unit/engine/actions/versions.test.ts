import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { copyVersionsAction } from '../../../../src/engine/actions/versions.js'
import { StorageError } from '../../../../src/errors.js'
import type { CopyJob } from '../../../../src/job/copy.js'
import type { Outcome } from '../../../../src/job/outcome.js'
import { compareKeys } from '../../../../src/keys.js'
import type { Removal, Storage } from '../../../../src/storage/storage.js'
import type { ObjectVersion, Versions } from '../../../../src/storage/object-versions.js'
import { fromVersion, versionsAfter, historyOf, type ObjectVersions } from '../../../../src/sources/version-listing.js'

interface Made {
  readonly key: string
  /** Of each version, the newest first: a delete marker, or a size. */
  readonly sizes: readonly (number | 'marker')[]
}

const versionsOf = ({ key, sizes }: Made): ObjectVersion[] =>
  sizes.map((size, index) => ({
    ...{ key, version: `v${String(sizes.length - index)}`, latest: index === 0, deleteMarker: size === 'marker' },
    ...{
      size: size === 'marker' ? 0 : size,
      etag: 'e',
      lastModified: '2024-01-01T00:00:00.000Z',
      storageClass: 'STANDARD',
    },
  }))

/** A store that lists versions in pages of `pageSize`. */
function versionStore(made: readonly Made[], pageSize: number): { readonly versions: Versions } {
  const all = made.flatMap(versionsOf)
  return {
    versions: {
      list(from, within = '') {
        const known = all.filter(({ key }) => key.startsWith(within))
        const behind = (one: ObjectVersion): boolean => {
          if (from === undefined) return true
          const order = compareKeys(one.key, from.key)
          if (order !== 0) return order > 0
          return from.version !== undefined && Number(one.version.slice(1)) < Number(from.version.slice(1))
        }
        const rest = known.filter(behind)
        const versions = rest.slice(0, pageSize)
        const last = versions.at(-1)
        return Promise.resolve(
          rest.length > pageSize && last !== undefined
            ? { versions, next: { key: last.key, version: last.version } }
            : { versions },
        )
      },
    },
  }
}

const anyMade = fc
  .uniqueArray(fc.stringMatching(/^[a-c/\u{1f600}\u{e000}]{1,4}$/u), { maxLength: 8 })
  .chain((keys) =>
    fc.tuple(
      ...keys
        .sort(compareKeys)
        .map((key) =>
          fc
            .array(fc.oneof(fc.nat(9), fc.constant('marker' as const)), { minLength: 1, maxLength: 5 })
            .map((sizes): Made => ({ key, sizes })),
        ),
    ),
  )

const told = ({ key, history, size }: ObjectVersions) => ({
  key,
  size,
  versions: history.map(({ version }) => version),
})

describe('a listing of histories', () => {
  test('gives each object once and in order, with all of its versions, wherever pages end and from wherever it begins', async () => {
    await fc.assert(
      fc.asyncProperty(anyMade, fc.integer({ min: 1, max: 6 }), fc.nat(9), async (made, pageSize, start) => {
        const after = made[start]?.key
        const listing = versionsAfter(versionStore(made, pageSize), after)
        const found: ObjectVersions[] = []
        for (let more = true; more;) {
          const { objects, truncated } = await listing.next()
          found.push(...objects)
          more = truncated
        }
        const expected = made.slice(after === undefined ? 0 : start + 1).map((one) => ({
          key: one.key,
          size: one.sizes.reduce<number>((sum, size) => sum + (size === 'marker' ? 0 : size), 0),
          versions: versionsOf(one).map(({ version }) => version),
        }))
        expect(found.map(told)).toEqual(expected)
        for (const one of made) {
          const single = await historyOf(versionStore(made, pageSize), one.key)
          expect(single === undefined ? undefined : told(single)).toEqual(
            expected.find(({ key }) => key === one.key) ?? told((await historyOf(versionStore(made, 1000), one.key))!),
          )
        }
        expect(await historyOf(versionStore(made, pageSize), 'none')).toBeUndefined()
      }),
    )
  })
})

describe('copying a history', () => {
  const job: CopyJob = {
    kind: 'copy',
    source: { bucket: 'a', prefix: 'p/' },
    destination: { bucket: 'b', prefix: '' },
    versions: true,
  }
  const made: Made = { key: 'k', sizes: [3, 'marker', 1] }
  const [history] = [
    {
      ...{ key: 'k', size: 4, etag: 'e', lastModified: '2024-01-01T00:00:00.000Z', storageClass: 'STANDARD' },
      history: versionsOf(made),
    } satisfies ObjectVersions,
  ]

  async function copied(
    outcomeFor: (version: string) => Outcome | undefined,
    object = history as object,
    isListed: (version: string) => boolean = () => true,
  ) {
    const steps: string[] = []
    const removing = {
      remove: (objects: readonly Removal[]) => {
        steps.push(`marker ${objects[0]!.key}`)
        return Promise.resolve([undefined])
      },
    }
    const { versions } = versionStore([made], 2)
    const list: Versions['list'] = async (...given) => {
      const page = await versions.list(...given)
      return { ...page, versions: page.versions.filter(({ version }) => isListed(version)) }
    }
    const store = { place: job.source, versions: { list }, removing } as unknown as Storage
    const act = copyVersionsAction(
      job,
      { source: store, destination: store, settings: { streamed: false } },
      ({ version }) => {
        steps.push(`copy ${String(version)}`)
        return Promise.resolve(outcomeFor(version!))
      },
    )
    return { outcome: await act(object as ObjectVersions), steps }
  }

  test('goes from the oldest version to the newest, delete markers included', async () => {
    const all = ['copy v1', 'marker k', 'copy v3']
    expect(await copied(() => ({ kind: 'copied' }))).toEqual({ outcome: { kind: 'copied' }, steps: all })
    // An object of the ledger comes without its history.
    const { history: _none, ...bare } = history
    expect(await copied(() => ({ kind: 'copied' }), bare)).toEqual({ outcome: { kind: 'copied' }, steps: all })
  })

  test('passes over a version that is gone, and ends at one that fails, which is named', async () => {
    const unfound = (version: string): Outcome =>
      version === 'v1' ? { kind: 'skipped', reason: 'gone' } : { kind: 'copied' }
    const gone = await copied(unfound, history, (version) => version !== 'v1')
    expect(gone).toMatchObject({ outcome: { kind: 'copied' }, steps: ['copy v1', 'marker k', 'copy v3'] })
    const failure = {
      ...{ key: 'p/k', size: 1, etag: 'e', storageClass: 'STANDARD', lastModified: '', operation: 'CopyObject' },
      ...{ code: 'AccessDenied', message: 'no', attempts: 1, time: '' },
    }
    const listed = await copied(unfound)
    expect(listed.outcome).toMatchObject({ kind: 'failed', failure: { code: 'ListedButNotFound', key: 'p/k' } })
    expect(listed.steps).toEqual(['copy v1', 'copy v1'])
    const failed = await copied(() => ({ kind: 'failed', failure }))
    expect(failed.steps).toEqual(['copy v1'])
    expect(failed.outcome).toMatchObject({
      kind: 'failed',
      failure: { key: 'p/k', version: 'v1', size: 4, code: 'AccessDenied', message: 'version v1: no' },
    })
  })

  test('begins with the version that failed when it is tried again, and with the oldest when that is there no more', () => {
    const from = (version: string) => fromVersion(history, version).history.map((one) => one.version)
    expect([from('v1'), from('v2'), from('v3')]).toEqual([['v3', 'v2', 'v1'], ['v3', 'v2'], ['v3']])
    expect(from('v9')).toEqual(['v3', 'v2', 'v1'])
    expect(fromVersion(history, 'v3').size).toBe(4)
  })

  test('says nothing of it when the run is ending, and that it is gone when it has no version', async () => {
    expect((await copied(() => undefined)).outcome).toBeUndefined()
    const { history: _none, ...bare } = history
    const { outcome } = await copied(() => ({ kind: 'copied' }), { ...bare, key: 'other' })
    expect(outcome).toEqual({ kind: 'skipped', reason: 'gone' })
  })

  test('ends the run for what concerns every object', async () => {
    const details = { severity: 'stop-run', code: 'NoSuchBucket', operation: 'CopyObject', bucket: 'b' } as const
    const removing = { remove: () => Promise.reject(new StorageError('gone', details)) }
    const store = { ...versionStore([made], 2), removing } as unknown as Storage
    const ways = { source: store, destination: store, settings: { streamed: false } }
    const act = copyVersionsAction(job, ways, () => Promise.resolve({ kind: 'copied' }))
    await expect(act(history)).rejects.toMatchObject({ code: 'NoSuchBucket' })
  })
})
