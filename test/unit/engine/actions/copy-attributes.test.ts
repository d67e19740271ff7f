import { describe, expect, test } from 'vitest'
import { fieldsOfNew, needsHead, wishFor } from '../../../../src/engine/actions/copy-attributes.js'
import type { Attributes } from '../../../../src/job/object-attributes.js'
import type { HeaderFields, ObjectHead, ObjectSummary, Storage } from '../../../../src/storage/storage.js'

const object: ObjectSummary = {
  ...{ key: 'k', size: 5, etag: 'listed', lastModified: '2024-01-01T00:00:00.000Z', storageClass: 'GLACIER_IR' },
}

const head: ObjectHead = {
  ...{ size: 5, etag: 'now', lastModified: '2024-01-01T00:00:00.000Z', storageClass: 'STANDARD_IA', tags: 2 },
  headers: new Map([
    ['content-type', 'a/b'],
    ['x-amz-meta-one', '1'],
  ]),
  carried: [
    ['x-amz-object-lock-mode', 'GOVERNANCE'],
    ['x-amz-object-lock-retain-until-date', '2099-01-01T00:00:00Z'],
    ['x-amz-server-side-encryption', 'aws:kms'],
    ['x-amz-server-side-encryption-aws-kms-key-id', 'theirs'],
    ['x-amz-website-redirect-location', '/there'],
    ['x-amz-checksum-algorithm', 'SHA256'],
    ['x-amz-storage-class', 'STANDARD_IA'],
  ],
  ...{ checksums: new Map(), plainEtag: false, unshown: 0, archived: false, locked: false },
}

const never = () => Promise.reject(new Error('not asked for'))
const source: Storage = {
  place: { bucket: 'src', prefix: 'p/' },
  list: never,
  reading: {
    ...{ head: never, digest: never, open: never, read: never },
    tagging: () => Promise.resolve({ header: 'team=red&a=b', xml: '' }),
    grants: () => Promise.resolve([['x-amz-grant-read', 'id="x"']]),
  },
}

const sorted = (fields: HeaderFields) => [...fields].map(([name, value]) => `${name}: ${value}`).sort()
const wish = async (attributes: Attributes, looked?: ObjectHead) => {
  const { fields, etag } = await wishFor(attributes, source, object, looked)
  return { fields: sorted(fields), etag }
}
const anew = async (attributes?: Attributes) => sorted(await fieldsOfNew(attributes, source, object, head))

describe('the fields of a copy in one request', () => {
  test('keep the storage class, which S3 would not, and need no look at the source for what is given', async () => {
    const given: Attributes = {
      ...{ acl: 'public-read', encryption: 'aws:kms', kmsKeyId: 'mine', bucketKey: true, checksumAlgorithm: 'CRC32' },
      tagging: 'x=y',
    }
    expect(needsHead(given)).toBe(false)
    expect(await wish(given)).toEqual({
      fields: [
        ...['x-amz-acl: public-read', 'x-amz-checksum-algorithm: CRC32'],
        ...['x-amz-server-side-encryption-aws-kms-key-id: mine'],
        ...['x-amz-server-side-encryption-bucket-key-enabled: true', 'x-amz-server-side-encryption: aws:kms'],
        ...['x-amz-storage-class: GLACIER_IR', 'x-amz-tagging-directive: REPLACE', 'x-amz-tagging: x=y'],
      ],
      etag: undefined,
    })
    expect((await wish({ storageClass: 'STANDARD' })).fields).toEqual([])
  })

  test('leave out what is not to be kept', async () => {
    const drop: Attributes = { drop: ['tags', 'metadata', 'storage-class'], set: [['content-type', 'c/d']] }
    expect(needsHead(drop)).toBe(false)
    expect((await wish(drop)).fields).toEqual([
      ...['content-type: c/d', 'x-amz-metadata-directive: REPLACE', 'x-amz-tagging-directive: REPLACE'],
    ])
  })

  test('with headers that change hold all that are there, of that very content', async () => {
    const change: Attributes = { set: [['cache-control', 'no-store']], remove: ['x-amz-meta-one'] }
    expect(needsHead(change)).toBe(true)
    expect(await wish(change, head)).toEqual({
      fields: [
        ...['cache-control: no-store', 'content-type: a/b', 'x-amz-metadata-directive: REPLACE'],
        ...['x-amz-storage-class: STANDARD_IA'],
      ],
      etag: 'now',
    })
  })

  test('are refused where they would lose a header', async () => {
    const change: Attributes = { set: [['cache-control', 'no-store']] }
    const bad = (more: Partial<ObjectHead>) => wish(change, { ...head, ...more })
    await expect(bad({ unshown: 1 })).rejects.toMatchObject({ severity: 'fail-object', code: 'MetadataNotShown' })
  })

  test.each(['-1', '1 January 2026', '99999999999'])(
    'keep an Expires that is no date as it is: %s',
    async (expires) => {
      const { fields } = await wish(
        { set: [['cache-control', 'no-store']] },
        { ...head, headers: new Map([['expires', expires]]) },
      )
      expect(fields).toContain(`expires: ${expires}`)
    },
  )

  test.each([
    ['lock', ['x-amz-object-lock-mode', 'x-amz-object-lock-retain-until-date']],
    ['redirect', ['x-amz-website-redirect-location']],
    ['encryption', ['x-amz-server-side-encryption', 'x-amz-server-side-encryption-aws-kms-key-id']],
  ] as const)('keep %s, and nothing else of what a copy loses, when asked to', async (trait, names) => {
    expect(needsHead({ preserve: [trait] })).toBe(true)
    const { fields } = await wishFor({ preserve: [trait] }, source, object, head)
    expect(fields.map(([name]) => name).sort()).toEqual([...names, 'x-amz-storage-class'].sort())
  })

  test('give the copy the grants of the very content that was listed', async () => {
    expect(needsHead({ preserve: ['acl'] })).toBe(false)
    expect(await wish({ preserve: ['acl'] })).toEqual({
      fields: ['x-amz-grant-read: id="x"', 'x-amz-storage-class: GLACIER_IR'],
      etag: 'listed',
    })
  })
})

describe('the fields of an object that is made anew', () => {
  const usual = [
    ...['content-type: a/b', 'x-amz-checksum-algorithm: SHA256', 'x-amz-meta-one: 1'],
    ...['x-amz-storage-class: STANDARD_IA', 'x-amz-tagging: team=red&a=b'],
  ]

  test('are what CopyObject would have kept: headers, metadata, tags, storage class', async () => {
    expect(await anew()).toEqual(usual)
    expect(await anew({})).toEqual(usual)
  })

  test('are what was asked for beside', async () => {
    expect(await anew({ preserve: ['acl', 'lock', 'redirect'], encryption: 'AES256' })).toEqual(
      [
        ...usual,
        ...['x-amz-grant-read: id="x"', 'x-amz-object-lock-mode: GOVERNANCE'],
        ...['x-amz-object-lock-retain-until-date: 2099-01-01T00:00:00Z', 'x-amz-server-side-encryption: AES256'],
        'x-amz-website-redirect-location: /there',
      ].sort(),
    )
  })

  test('are without what is not to be kept', async () => {
    expect(await anew({ drop: ['metadata', 'storage-class', 'tags'] })).toEqual(['x-amz-checksum-algorithm: SHA256'])
    expect(await anew({ storageClass: 'GLACIER', tagging: 'x=y', checksumAlgorithm: 'CRC32' })).toEqual([
      ...['content-type: a/b', 'x-amz-checksum-algorithm: CRC32', 'x-amz-meta-one: 1'],
      ...['x-amz-storage-class: GLACIER', 'x-amz-tagging: x=y'],
    ])
  })
})
