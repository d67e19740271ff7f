import { describe, expect, test } from 'vitest'
import { foresee } from '../../../../src/engine/actions/fidelity.js'
import { StorageError } from '../../../../src/errors.js'
import type { Attributes } from '../../../../src/job/object-attributes.js'
import type { HeaderFields, ObjectHead, ObjectSummary, Storage } from '../../../../src/storage/storage.js'

const listed = (key: string, more: Partial<ObjectSummary> = {}): ObjectSummary => ({
  ...{ key, size: 5, etag: 'e', lastModified: '2024-01-01T00:00:00.000Z', storageClass: 'STANDARD', ...more },
})

const plain: ObjectHead = {
  ...{ size: 5, etag: 'e', lastModified: '', storageClass: 'STANDARD', headers: new Map(), carried: [], tags: 0 },
  ...{ checksums: new Map(), plainEtag: true, unshown: 0, archived: false, locked: false },
}

interface World {
  readonly objects?: readonly ObjectSummary[]
  readonly carried?: HeaderFields
  readonly grants?: HeaderFields
  readonly fails?: Readonly<Record<string, string>>
  readonly status?: number
  readonly acls?: boolean
  readonly tags?: string
  readonly keepsTags?: boolean
  readonly locks?: boolean
  readonly versioned?: boolean
  readonly hidesLock?: boolean
  /** How many annotations it has, where the bytes of copies pass through this machine. */
  readonly annotations?: number
  readonly keepsAnnotations?: boolean
}

async function seen(
  { objects = [listed('k')], carried = [], grants = [], fails = {}, status = 403, tags = '', ...world }: World,
  attributes?: Attributes,
) {
  const place = { bucket: 'src', prefix: 'p/' }
  const asked: string[] = []
  const answer =
    <T>(operation: string, value: T) =>
    (key: string): Promise<T> => {
      asked.push(`${operation} ${key}`)
      const code = fails[operation]
      if (code === undefined) return Promise.resolve(value)
      const severity = code === 'Stop' ? 'stop-run' : 'fail-object'
      return Promise.reject(new StorageError('why', { severity, code, operation, bucket: 'src', key, status }))
    }
  const never = () => Promise.reject(new Error('not asked for'))
  const source: Storage = {
    place,
    list: () => Promise.resolve({ objects, truncated: true }),
    reading: {
      head: answer('HeadObject', { ...plain, carried }),
      tagging: answer('GetObjectTagging', { header: tags, xml: '' }),
      grants: answer('GetObjectAcl', grants),
      hidesLock: () => Promise.resolve(world.hidesLock === true),
      ...{ digest: never, open: never, read: never },
    },
    annotating: {
      known: () => undefined,
      list: answer(
        'ListObjectAnnotations',
        Array.from({ length: world.annotations ?? 0 }, () => ({ name: 'n', size: 1, etag: '' })),
      ),
      ...{ read: never, write: never },
    },
  }
  const job = { kind: 'copy', source: place, destination: { bucket: 'dst', prefix: '' } } as const
  const { acls, locks, versioned, keepsTags } = world
  const found = await foresee({ ...job, ...(attributes === undefined ? {} : { attributes }) }, source, {
    traits: (asked) => Promise.resolve({ acls, versioned, locks: asked ? locks : undefined }),
    keepsTags: () => Promise.resolve(keepsTags),
    streamed: world.annotations !== undefined,
    keepsAnnotations: world.keepsAnnotations,
  })
  return { ...found, asked }
}

const LOCK: HeaderFields = [['x-amz-object-lock-legal-hold', 'ON']]
const KEPT: Attributes = { sourceKeyFile: '/not tried' }
const KMS: HeaderFields = [['x-amz-server-side-encryption', 'aws:kms']]
const REDIRECT: HeaderFields = [['x-amz-website-redirect-location', '/x']]

describe('what a look at one object foresees', () => {
  test('is nothing where there is no object, or nothing to lose', async () => {
    expect(await seen({ objects: [] })).toEqual({ asked: [] })
    expect(await seen({})).toMatchObject({ key: 'p/k', losses: [], notes: [] })
    const sse = await seen({ carried: [['x-amz-server-side-encryption', 'AES256']] })
    expect(sse.losses).toEqual([])
  })

  test('is its annotations where bytes pass through this machine, and nobody has asked to keep them', async () => {
    const kept = { preserve: ['annotations'] } as const
    expect((await seen({ annotations: 1 })).losses).toEqual([
      expect.stringMatching(/^it has 1 annotation, .*: --preserve annotations keeps them$/),
    ])
    expect(await seen({ annotations: 0 })).toMatchObject({ losses: [], notes: [] })
    expect(await seen({ annotations: 2, keepsAnnotations: true }, kept)).toMatchObject({ losses: [], notes: [] })
    expect(await seen({ annotations: 2 }, kept)).toMatchObject({ losses: [], notes: [expect.any(String)] })
    expect((await seen({ annotations: 2, keepsAnnotations: false }, kept)).losses).toEqual([
      'it has 2 annotations, and there are none at the destination, so objects with annotations will fail',
    ])
    const left = await seen({ annotations: 2 }, { drop: ['annotations'] })
    expect([left.losses, left.asked]).toEqual([[], expect.not.arrayContaining(['ListObjectAnnotations k'])])
    expect((await seen({})).asked).not.toContain('ListObjectAnnotations k')
    const denied = { annotations: 2, fails: { ListObjectAnnotations: 'AccessDenied' } }
    expect(await seen(denied)).toMatchObject({ losses: [], notes: [expect.stringContaining('AccessDenied')] })
    expect(await seen(denied, kept)).toMatchObject({ losses: [expect.stringContaining('will fail')], notes: [] })
  })

  test('is its tags where the destination is known to keep none, and nobody wants to lose them', async () => {
    expect((await seen({ tags: 'a=b', keepsTags: false })).losses).toEqual([expect.stringContaining('it has tags')])
    expect((await seen({ tags: 'a=b', keepsTags: true })).losses).toEqual([])
    expect((await seen({ tags: 'a=b' })).losses).toEqual([])
    expect((await seen({ tags: '', keepsTags: false })).losses).toEqual([])
    expect((await seen({ tags: 'a=b', keepsTags: false }, { drop: ['tags'] })).losses).toEqual([])
  })

  test('is of the first object that has content', async () => {
    const { key, asked } = await seen({ objects: [listed('', { size: 0 }), listed('a'), listed('b')] })
    expect(key).toBe('p/a')
    expect(asked).toEqual(['HeadObject a', 'GetObjectTagging a', 'GetObjectAcl a'])
  })

  test.each<[string, World, Attributes, string, Attributes]>([
    ['a lock', { carried: LOCK }, {}, 'locked', { preserve: ['lock'] }],
    ['a redirect', { carried: REDIRECT }, {}, 'redirect', { preserve: ['redirect'] }],
    ['a key of KMS', { carried: KMS }, {}, 'aws:kms', { preserve: ['encryption'] }],
    ['a key of KMS', { carried: KMS }, {}, 'aws:kms', { encryption: 'AES256' }],
    ['grants', { grants: [['x-amz-grant-read', 'id="x"']] }, {}, 'private', { preserve: ['acl'] }],
    ['grants', { grants: [['x-amz-grant-read', 'id="x"']] }, {}, 'private', { acl: 'private' }],
    ['odd grants', { fails: { GetObjectAcl: 'AclNotCarried' } }, {}, 'private', { acl: 'private' }],
    [
      'a bucket without lists',
      { acls: false },
      { acl: 'public-read' },
      'Enforced',
      { acl: 'bucket-owner-full-control' },
    ],
    ['a bucket without lists', { acls: false }, { preserve: ['acl'] }, 'Enforced', {}],
    [
      'lists that may not be read',
      { fails: { GetObjectAcl: 'AccessDenied' } },
      { preserve: ['acl'] },
      'GetObjectAcl AccessDenied',
      {},
    ],
    [
      'tags that may not be read',
      { fails: { GetObjectTagging: 'AccessDenied' } },
      {},
      'GetObjectTagging AccessDenied',
      { drop: ['tags'] },
    ],
    ['tags that may not be read', { fails: { GetObjectTagging: 'AccessDenied' } }, {}, 'tags', { tagging: 'a=b' }],
    [
      'a key of the customer’s',
      { fails: { HeadObject: 'SSE-C' } },
      {},
      '--source-sse-c-key-file',
      { sourceKeyFile: '/k' },
    ],
    ['a bucket without Object Lock', { locks: false, carried: LOCK }, { preserve: ['lock'] }, 'no Object Lock', KEPT],
    ['a bucket without Object Lock', { locks: false }, { preserve: ['lock'] }, 'no Object Lock', {}],
    ['a bucket without versions', { versioned: false }, { preserve: ['lock'] }, 'keeps no versions', {}],
    ['a lock that may not be seen', { locks: true, hidesLock: true }, { preserve: ['lock'] }, 'may not see', {}],
    ['HEAD that is forbidden', { fails: { HeadObject: 'AccessDenied' } }, { preserve: ['lock'] }, 'will fail', {}],
  ])('%s: %j with %j', async (_, world, attributes, says, remedy) => {
    const { losses } = await seen(world, attributes)
    expect(losses).toEqual([expect.stringContaining(says)])
    // With the key the store can look; here nothing else changes.
    if (remedy.sourceKeyFile === undefined) expect((await seen(world, remedy)).losses).toEqual([])
  })

  test('tells apart what changes and cannot be helped, and what could not be found out', async () => {
    const parts = await seen({ objects: [listed('k', { etag: `${'0'.repeat(32)}-2` })] })
    expect(parts).toMatchObject({ losses: [], notes: [expect.stringContaining('another ETag')] })
    const denied = await seen({ fails: { HeadObject: 'AccessDenied' } })
    expect(denied).toMatchObject({ losses: [], notes: [expect.stringContaining('HeadObject AccessDenied')] })
  })

  test('says of locks that nobody knows where the store does not, and nothing where they are kept', async () => {
    const keeps: Attributes = { preserve: ['lock'] }
    const unknown = await seen({ carried: LOCK }, keeps)
    expect(unknown).toMatchObject({ losses: [], notes: [expect.stringContaining('does not tell whether')] })
    expect(await seen({ carried: LOCK, locks: true, versioned: true }, keeps)).toMatchObject({ losses: [], notes: [] })
    expect(await seen({ locks: false })).toMatchObject({ losses: [], notes: [] })
  })

  test('has no loss of tags in a store that has none', async () => {
    for (const [code, status] of [
      ['NotImplemented', 501],
      ['MethodNotAllowed', 405],
      ['InvalidArgument', 400],
    ] as const) {
      expect((await seen({ fails: { GetObjectTagging: code }, status })).losses).toEqual([])
    }
  })

  test('is not made up where nothing can be done at all', async () => {
    await expect(seen({ fails: { HeadObject: 'Stop' } })).rejects.toBeInstanceOf(StorageError)
  })
})
