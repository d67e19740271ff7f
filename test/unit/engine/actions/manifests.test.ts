import { describe, expect, test } from 'vitest'
import { headOf, mayBeManifest, unclearBetween } from '../../../../src/engine/actions/manifests.js'
import { lossesOfCopies, lossesOfRewriting } from '../../../../src/engine/actions/fidelity.js'
import { planned } from '../../../../src/engine/actions/set-headers.js'
import { StorageError } from '../../../../src/errors.js'
import type { SetHeadersJob } from '../../../../src/job/set-headers.js'
import { readHead } from '../../../../src/storage/s3/object-head.js'
import { softwareOf } from '../../../../src/storage/s3/server-software.js'
import type { ObjectHead, ObjectSummary, Storage } from '../../../../src/storage/storage.js'

const OF_NOTHING = 'd41d8cd98f00b204e9800998ecf8427e'
const OTHER = '05bd1c57f81d1241b7f2c2612a1bf0f4'
const ASKED = { operation: 'HeadObject', bucket: 'b', key: 'k' }

const listed = (more: Partial<ObjectSummary> = {}): ObjectSummary => ({
  ...{ key: 'k', size: 0, etag: OF_NOTHING, lastModified: '2026-01-01T00:00:00.000Z', storageClass: 'STANDARD' },
  ...more,
})

const told = (more: Partial<ObjectHead> = {}): ObjectHead => ({
  ...{ size: 12, etag: OTHER, lastModified: '', storageClass: 'STANDARD', headers: new Map(), carried: [], tags: 0 },
  ...{ checksums: new Map(), plainEtag: true, unshown: 0, archived: false, locked: false, ...more },
})

/** A store whose HEAD tells that, and whose listing shows `now` by then. */
function store(head: ObjectHead, now: readonly ObjectSummary[] = [], more: Partial<Storage> = {}) {
  const asked: string[] = []
  const of: Storage = {
    place: { bucket: 'b', prefix: '' },
    manifests: true,
    list: () => {
      asked.push('list')
      return Promise.resolve({ objects: now, truncated: false })
    },
    reading: {
      head: () => {
        asked.push('head')
        return Promise.resolve(head)
      },
    } as unknown as Storage['reading'],
    ...more,
  }
  return { of, asked }
}

const failing = async (work: Promise<unknown>): Promise<string> => {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return error instanceof StorageError ? error.code : 'none'
}

describe('a listing that may be that of a manifest', () => {
  test.each<[string, Partial<ObjectSummary>, boolean]>([
    ['of an empty object', {}, true],
    ['of an empty object without an ETag', { etag: '' }, true],
    ['of a size with the MD5 of nothing', { size: 159 }, true],
    ['of an object that HEAD called one', { size: 12, etag: OTHER, manifest: true }, true],
    ['of any other object', { size: 12, etag: OTHER }, false],
    ['of an object of parts', { size: 12, etag: `${OTHER}-2` }, false],
  ])('%s: %#', (_, more, may) => {
    expect(mayBeManifest({ manifests: true }, listed(more))).toBe(may)
    // AWS has none, and no request is spent on them there.
    expect(mayBeManifest({}, listed(more))).toBe(false)
  })

  test('says nothing of how a pair compares, on either side; where no side can have one that is never asked', () => {
    const plain = listed({ size: 5, etag: OTHER })
    const unclear = unclearBetween({ manifests: true }, {})
    expect([unclear?.(listed(), plain), unclear?.(plain, listed()), unclear?.(plain, plain)]).toEqual([
      ...[true, false, false],
    ])
    expect(unclearBetween({}, { manifests: true })?.(plain, listed())).toBe(true)
    expect(unclearBetween({}, { manifests: false })).toBeUndefined()
  })
})

describe('what HEAD tells of it', () => {
  test.each<[string, ObjectSummary, ObjectHead, readonly ObjectSummary[], boolean, number]>([
    ['an empty object', listed(), told({ size: 0, etag: OF_NOTHING }), [], false, 1],
    ['the manifest, named by a header', listed(), told({ manifest: true, plainEtag: false }), [], true, 1],
    ['content, and the listing still none', listed(), told(), [listed()], true, 2],
    ['content, and the listing has it by now', listed(), told(), [listed({ size: 12, etag: OTHER })], false, 2],
    ['content of what is listed no longer', listed(), told(), [listed({ key: 'kk', size: 12 })], true, 2],
    ['content, of a version', listed({ version: 'v' }), told(), [], true, 1],
    ['content of what is listed with the MD5 of nothing', listed({ size: 159 }), told(), [], true, 1],
    ['what was called a manifest before', listed({ size: 12, etag: OTHER, manifest: true }), told(), [], true, 1],
    ['another size of any other object', listed({ size: 3, etag: 'e' }), told(), [], false, 1],
  ])('%s', async (_, object, head, now, manifest, requests) => {
    const { of, asked } = store(head, now)
    const found = await headOf(of, object)
    // The ETag of a manifest is no MD5 of anything.
    expect([found.manifest === true, found.plainEtag]).toEqual([manifest, !manifest])
    expect(asked).toHaveLength(requests)
  })

  test('a manifest whose parts are gone is an error by name, and an empty object none', async () => {
    expect(await failing(headOf(store(told({ size: 0, manifest: true })).of, listed()))).toBe('SwiftLargeObject')
    expect(await failing(headOf(store(told({ size: 0 })).of, listed()))).toBe('none')
  })
})

describe('the head of an answer', () => {
  const head = (...fields: string[]) =>
    readHead({ status: 200, head: ['HTTP/1.1 200 OK', `ETag: "${OTHER}"`, ...fields, ''].join('\r\n') }, ASKED)

  test.each([
    ['X-Object-Manifest: parts/film/', true],
    ['x-object-manifest:', true],
    ['X-Object-Meta-Static-Large-Object: True', true],
    ['X-Static-Large-Object: true', true],
    ['X-Static-Large-Object: False', false],
    ['x-amz-meta-object-manifest: parts/', false],
    ['x-rgw-object-type: Normal', false],
  ])('%s: whether it is a manifest (%s)', (field, manifest) => {
    const { manifest: found, plainEtag } = head(field)
    expect([found === true, plainEtag]).toEqual([manifest, !manifest])
  })

  test.each([
    [['x-amz-storage-class: GLACIER'], true],
    [['x-amz-storage-class: DEEP_ARCHIVE', 'x-amz-restore: ongoing-request="true"'], true],
    [['x-amz-storage-class: GLACIER', 'x-amz-restore: ongoing-request="false", expiry-date="Fri, 1 Jan 2027"'], false],
    [['x-amz-storage-class: GLACIER_IR'], false],
    [['x-amz-storage-class: INTELLIGENT_TIERING', 'x-amz-archive-status: ARCHIVE_ACCESS'], true],
  ])('%j: whether its content must be restored (%s)', (fields, archived) => {
    expect(head(...fields).archived).toBe(archived)
  })

  test.each([
    [['x-amz-request-id: tx1f54b90e6d264c478ed75-006b0b50c1', 'X-Openstack-Request-Id: tx1f54b90e6d264'], 'Swift'],
    [['x-amz-request-id: tx000002fa8a99b158c0bfc-006b0b510a-1027-default'], 'Ceph'],
    [['x-amz-request-id: 4442587FB7D0A2F9'], undefined],
    [['x-amz-request-id: txt'], undefined],
    [[], undefined],
  ])('%j: whose software answers (%s)', (fields, software) => {
    expect(softwareOf({ head: ['HTTP/1.1 200 OK', ...fields, ''].join('\r\n') })).toBe(software)
  })
})

describe('set-headers', () => {
  const job: SetHeadersJob = {
    ...{ kind: 'set-headers', source: { bucket: 'b', prefix: '' }, folderMarkers: false, acl: 'reset' },
    rules: [{ set: [['cache-control', 'no-cache']], remove: [] }],
  }

  test('does not rewrite a manifest, named by its header or by its listing', async () => {
    expect(await failing(planned(job, store(told({ manifest: true })).of, listed({ size: 9, etag: 'e' })))).toBe(
      'SwiftLargeObject',
    )
    expect(await failing(planned(job, store(told()).of, listed()))).toBe('SwiftLargeObject')
  })

  test('rewrites what only its class calls archived, and not what HEAD says to be', async () => {
    const object = listed({ size: 12, etag: OTHER, storageClass: 'DEEP_ARCHIVE' })
    expect((await planned(job, store(told({ storageClass: 'DEEP_ARCHIVE' })).of, object)).outcome).toBeUndefined()
    const { outcome } = await planned(job, store(told({ archived: true })).of, object)
    expect(outcome).toEqual({ kind: 'skipped', reason: 'archived' })
  })
})

describe('what is lost on Swift, and S3 does not show', () => {
  const swift = { bucket: 'films', software: 'Swift' } as const
  const other = { bucket: 'films' }

  test('by a rewrite is told with the name of the container, and elsewhere there is nothing to tell', () => {
    expect(lossesOfRewriting(swift)).toMatch(/X-Delete-At.*films\+segments/)
    expect([lossesOfRewriting(other), lossesOfRewriting({ ...other, software: 'Ceph' })]).toEqual([
      undefined,
      undefined,
    ])
  })

  test('by copies depends on where they come from, and on whether they inherit', () => {
    expect(lossesOfCopies(swift, other, true)).toEqual([])
    expect(lossesOfCopies(swift, other, false)).toEqual([expect.stringContaining('X-Delete-At')])
    expect(lossesOfCopies(other, swift, true)).toEqual([expect.stringContaining('films+segments')])
    expect(lossesOfCopies(swift, swift, false)).toHaveLength(2)
  })
})
