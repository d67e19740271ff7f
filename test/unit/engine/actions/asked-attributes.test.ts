import { describe, expect, test } from 'vitest'
import {
  isSameAcl,
  isSameClass,
  isSameKey,
  lacksOf,
  traitsThatDiffer,
  type AskedAttributes,
} from '../../../../src/engine/actions/asked-attributes.js'
import { StorageError } from '../../../../src/errors.js'
import { aclIn } from '../../../../src/storage/s3/acl-grants.js'
import { readHead } from '../../../../src/storage/s3/object-head.js'
import type { Acl, HeaderFields, ObjectHead, ObjectSummary, Storage } from '../../../../src/storage/storage.js'

const GROUPS = 'http://acs.amazonaws.com/groups/global/'
const SSE = 'x-amz-server-side-encryption'
const ARN = 'arn:aws:kms:eu-west-1:111122223333:key/1234-abcd'

/** What HEAD says of an object, from the fields of an answer. */
const head = (...fields: string[]): ObjectHead => {
  const text = ['HTTP/1.1 200 OK', 'ETag: "e"', 'Content-Length: 7', ...fields].join('\r\n')
  return readHead({ status: 200, head: text }, { operation: 'HeadObject', bucket: 'b', key: 'k' }) as ObjectHead
}

interface World {
  readonly head?: readonly string[]
  readonly acl?: Acl | number
  readonly tags?: string | number
  readonly listed?: string
  readonly hidesLock?: boolean
}

async function lacks(fields: HeaderFields, world: World = {}, more: Partial<AskedAttributes> = {}) {
  const answer = <T>(value: T | number): Promise<T> =>
    typeof value === 'number'
      ? Promise.reject(
          new StorageError('', {
            ...{ severity: 'fail-object', code: 'No', operation: 'x', bucket: 'b', key: 'k', status: value },
          }),
        )
      : Promise.resolve(value)
  const never = () => Promise.reject(new Error('not asked for'))
  const { listed = 'STANDARD', tags = '', acl = { owner: 'me', grants: ['me FULL_CONTROL'] } } = world
  const object: ObjectSummary = { key: 'k', size: 7, etag: 'e', lastModified: '', storageClass: listed }
  const store: Storage = {
    place: { bucket: 'b', prefix: '' },
    list: () => Promise.resolve({ objects: [object], truncated: false }),
    reading: {
      ...{ head: never, grants: never, digest: never, open: never, read: never },
      tagging: () => answer(tags).then((header) => ({ header, xml: '' })),
      acl: () => answer(acl),
      hidesLock: () => Promise.resolve(world.hidesLock === true),
    },
  }
  const found = await lacksOf({ fields, ...more }, store, 'k', head(...(world.head ?? [])))
  return found.map(({ property, there }) => `${property}: ${there ?? '(not told)'}`)
}

const LOCKED: HeaderFields = [
  ['x-amz-object-lock-mode', 'COMPLIANCE'],
  ['x-amz-object-lock-retain-until-date', '2099-01-01T00:00:00.123Z'],
  ['x-amz-object-lock-legal-hold', 'ON'],
]
const shownLock = (mode: string, until: string, hold = 'ON') => [
  ...[`x-amz-object-lock-mode: ${mode}`, `x-amz-object-lock-retain-until-date: ${until}`],
  `x-amz-object-lock-legal-hold: ${hold}`,
]

describe('what was asked for and is not there', () => {
  test.each<[string, HeaderFields, World, Partial<AskedAttributes>, string]>([
    ['a class', [['x-amz-storage-class', 'STANDARD_IA']], {}, {}, 'storage class: STANDARD'],
    [
      'STANDARD where it was named',
      [],
      { head: ['x-amz-storage-class: ONEZONE_IA'], listed: 'ONEZONE_IA' },
      { named: { storageClass: 'STANDARD' } },
      'storage class: ONEZONE_IA',
    ],
    ['a lock', LOCKED, {}, {}, 'lock: none'],
    ['a legal hold alone', [LOCKED[2]!], {}, {}, 'lock: none'],
    [
      'a mode that is harder',
      LOCKED,
      { head: shownLock('GOVERNANCE', '2099-01-01T00:00:00.123Z') },
      {},
      'lock: GOVERNANCE until 2099-01-01T00:00:00.123Z and a legal hold',
    ],
    [
      'retention that is longer',
      LOCKED,
      { head: shownLock('COMPLIANCE', '2098-12-31T23:59:58Z') },
      {},
      'lock: COMPLIANCE until 2098-12-31T23:59:58Z and a legal hold',
    ],
    [
      'the hold beside retention',
      LOCKED,
      { head: shownLock('COMPLIANCE', '2099-01-01T00:00:00.123Z', 'OFF') },
      {},
      'lock: COMPLIANCE until 2099-01-01T00:00:00.123Z',
    ],
    [
      'a hold until an event',
      [
        ['x-amz-object-lock-event-hold', 'ON'],
        ['x-amz-object-lock-event-hold-duration-years', '7'],
      ],
      { head: ['x-amz-object-lock-event-hold: ON', 'x-amz-object-lock-event-hold-duration-days: 7'] },
      {},
      'lock: a hold until an event and 7 days',
    ],
    ['a hold until an event that is not there', [['x-amz-object-lock-event-hold', 'ON']], {}, {}, 'lock: none'],
    ['a lock that may not be seen', LOCKED, { hidesLock: true }, {}, 'lock: (not told)'],
    ['KMS', [[SSE, 'aws:kms']], { head: [`${SSE}: AES256`] }, {}, 'encryption: AES256'],
    ['encryption, of which nothing is told', [[SSE, 'AES256']], {}, {}, 'encryption: (not told)'],
    [
      'a KMS key',
      [
        [SSE, 'aws:kms'],
        [`${SSE}-aws-kms-key-id`, 'other'],
      ],
      { head: [`${SSE}: aws:kms`, `${SSE}-aws-kms-key-id: ${ARN}`] },
      {},
      `KMS key: ${ARN}`,
    ],
    [
      'no bucket key',
      [
        [SSE, 'aws:kms'],
        [`${SSE}-bucket-key-enabled`, 'false'],
      ],
      { head: [`${SSE}: aws:kms`, `${SSE}-bucket-key-enabled: true`] },
      {},
      'bucket key: true',
    ],
    ['a key of the customer’s', [], { head: [`${SSE}: AES256`] }, { named: { keyFile: '/k' } }, 'encryption: AES256'],
    ['a redirect', [['x-amz-website-redirect-location', '/a']], {}, {}, 'website redirect: none'],
    ['a checksum', [], {}, { named: { checksumAlgorithm: 'SHA256' } }, 'checksum algorithm: (not told)'],
    [
      'a checksum',
      [],
      { head: ['x-amz-checksum-crc32: AAAAAA=='] },
      { named: { checksumAlgorithm: 'SHA256' } },
      'checksum algorithm: CRC32',
    ],
    ['a header', [['cache-control', 'no-store']], {}, {}, 'headers: cache-control: none'],
    [
      'another header',
      [['content-type', 'a/b']],
      { head: ['Content-Type: binary/octet-stream'] },
      {},
      'headers: content-type: binary/octet-stream',
    ],
    ['metadata', [['x-amz-meta-mtime', '1']], {}, {}, 'metadata: x-amz-meta-mtime: none'],
    [
      'a header that was to go',
      [],
      { head: ['Cache-Control: old'] },
      { before: new Map([['cache-control', 'old']]) },
      'headers: cache-control: old',
    ],
    ['tags', [['x-amz-tagging', 'a=b']], { tags: 'a=c' }, {}, 'tags: a=c'],
    ['tags, in a store without', [['x-amz-tagging', 'a=b']], { tags: 501 }, {}, 'tags: none'],
    ['tags that may not be read', [['x-amz-tagging', 'a=b']], { tags: 403 }, {}, 'tags: (not told)'],
    ['no tags', [], { head: ['x-amz-tagging-count: 2'] }, { noTags: true }, 'tags: 2 of them'],
    ['a canned list', [['x-amz-acl', 'public-read']], {}, {}, 'access control list: the owner alone'],
    ['a list that may not be read', [['x-amz-acl', 'private']], { acl: 403 }, {}, 'access control list: (not told)'],
    [
      'to be private',
      [['x-amz-acl', 'private']],
      { acl: { owner: 'me', grants: ['me FULL_CONTROL', `${GROUPS}AllUsers READ`] } },
      {},
      `access control list: ${GROUPS}AllUsers READ`,
    ],
    [
      'one of two grants',
      [['x-amz-grant-read', 'id="you", id="they"']],
      { acl: { owner: 'me', grants: ['me FULL_CONTROL', 'you READ'] } },
      {},
      'access control list: you READ',
    ],
  ])('is %s: %j', async (_, fields, world, more, expected) => {
    expect(await lacks(fields, world, more)).toEqual([expected])
  })

  test.each<[string, HeaderFields, World, Partial<AskedAttributes>]>([
    ['nothing was asked for', [], { head: [`${SSE}: AES256`, 'x-amz-tagging-count: 1', 'Content-Type: x/y'] }, {}],
    [
      'a store calls the class otherwise',
      [['x-amz-storage-class', 'STANDARD_IA']],
      { head: ['x-amz-storage-class: IA'] },
      {},
    ],
    ['only the listing shows the class', [['x-amz-storage-class', 'COLD']], { listed: 'COLD' }, {}],
    [
      'only HEAD shows the class',
      [['x-amz-storage-class', 'COLD']],
      { head: ['x-amz-storage-class: COLD'], listed: 'STANDARD' },
      {},
    ],
    ['a bucket has a class of its own', [], { head: ['x-amz-storage-class: STANDARD_IA'] }, {}],
    ['dates are kept to a second', LOCKED, { head: shownLock('COMPLIANCE', '2099-01-01T00:00:00Z') }, {}],
    ['dates are written longer', LOCKED, { head: shownLock('COMPLIANCE', '2099-01-01T00:00:00.123000000Z') }, {}],
    ['the bucket locks for longer', LOCKED, { head: shownLock('COMPLIANCE', '2101-01-01T00:00:00Z') }, {}],
    [
      'a hold until an event is there',
      [
        ['x-amz-object-lock-event-hold', 'ON'],
        ['x-amz-object-lock-event-hold-duration-days', '9'],
      ],
      { head: ['x-amz-object-lock-event-hold: ON', 'x-amz-object-lock-event-hold-duration-days: 9'] },
      {},
    ],
    ['a hold until an event is over', [['x-amz-object-lock-event-hold', 'OFF']], {}, {}],
    [
      'retention is over',
      [
        ['x-amz-object-lock-mode', 'GOVERNANCE'],
        ['x-amz-object-lock-retain-until-date', '2001-01-01T00:00:00Z'],
        ['x-amz-object-lock-legal-hold', 'OFF'],
      ],
      {},
      {},
    ],
    [
      'a KMS key is told as an ARN',
      [
        [SSE, 'aws:kms'],
        [`${SSE}-aws-kms-key-id`, '1234-abcd'],
        [`${SSE}-bucket-key-enabled`, 'false'],
      ],
      { head: [`${SSE}: aws:kms`, `${SSE}-aws-kms-key-id: ${ARN}`] },
      {},
    ],
    [
      'an alias stands for a KMS key',
      [
        [SSE, 'aws:kms:dsse'],
        [`${SSE}-aws-kms-key-id`, 'alias/photos'],
      ],
      { head: [`${SSE}: aws:kms:dsse`, `${SSE}-aws-kms-key-id: ${ARN}`] },
      {},
    ],
    ['the owner of the bucket is that of the object', [['x-amz-acl', 'bucket-owner-full-control']], {}, {}],
    [
      'a store gives more than was asked for',
      [['x-amz-acl', 'public-read']],
      { acl: { owner: 'me', grants: ['me FULL_CONTROL', `${GROUPS}AllUsers FULL_CONTROL`] } },
      {},
    ],
    [
      'grants name the owner',
      [
        ['x-amz-grant-full-control', 'id="me"'],
        ['x-amz-grant-read', `uri="${GROUPS}AllUsers"`],
      ],
      { acl: { owner: 'me', grants: [`${GROUPS}AllUsers READ`, 'me FULL_CONTROL'] } },
      {},
    ],
    ['tags come in another order and form', [['x-amz-tagging', 'a=b%20c&d=e']], { tags: 'd=e&a=b+c' }, {}],
    [
      'a header that was to go is the store’s own',
      [],
      { head: ['Content-Type: x/y'] },
      { before: new Map([['content-type', 'x/y']]) },
    ],
    ['somebody gave it a header that its source has not', [], { head: ['Cache-Control: new'] }, { before: new Map() }],
  ])('is nothing where %s', async (_, fields, world, more) => {
    expect(await lacks(fields, world, more)).toEqual([])
  })

  test('is not concluded from an answer that may pass', async () => {
    const error = new StorageError('', { severity: 'throttle', code: 'SlowDown', operation: 'x', bucket: 'b' })
    const store = { reading: { tagging: () => Promise.reject(error) } } as unknown as Storage
    await expect(lacksOf({ fields: [['x-amz-tagging', 'a=b']] }, store, 'k', head())).rejects.toBe(error)
  })
})

test('two names are of one storage class or KMS key, or are not', () => {
  expect(isSameClass('STANDARD', 'MULTI_REGIONAL')).toBe(true)
  expect(isSameClass('STANDARD_IA', 'InfrequentAccess')).toBe(true)
  expect(isSameClass('GLACIER', 'GLACIER_IR')).toBe(false)
  expect(isSameClass('STANDARD', 'STANDARD_IA')).toBe(false)
  expect(isSameKey(ARN, '1234-abcd')).toBe(true)
  expect(isSameKey(ARN, 'arn:aws:kms:eu-west-1:111122223333:alias/x')).toBe(true)
  expect(isSameKey(ARN, 'arn:aws:kms:eu-west-1:111122223333:key/5678')).toBe(false)
})

describe('a copy differs from its source', () => {
  const differ = (
    source: readonly string[],
    copy: readonly string[],
    classes: readonly [string, string] = ['STANDARD', 'STANDARD'],
  ) => traitsThatDiffer(head(...source), head(...copy), classes)
  const locked = shownLock('GOVERNANCE', '2099-01-01T00:00:00Z')
  const kms = (key: string) => [`${SSE}: aws:kms`, `${SSE}-aws-kms-key-id: ${key}`]

  test.each<[readonly string[], readonly string[], string[]]>([
    [locked, [], ['lock']],
    [locked, shownLock('GOVERNANCE', '2098-01-01T00:00:00Z'), ['lock']],
    [locked, shownLock('GOVERNANCE', '2099-01-01T00:00:00Z', 'OFF'), ['lock']],
    [[`${SSE}: aws:kms`], [`${SSE}: AES256`], ['encryption']],
    [kms('one'), kms('other'), ['encryption']],
    [[`${SSE}: AES256`, ...locked], [`${SSE}: aws:kms:dsse`], ['encryption', 'lock']],
  ])('in what both tell, or in a lock that it has not: %j %j', (source, copy, expected) => {
    expect(differ(source, copy)).toEqual(expected)
  })

  test('in its class', () => {
    expect(differ(['x-amz-storage-class: STANDARD_IA'], [], ['STANDARD_IA', 'STANDARD'])).toEqual(['storage-class'])
  })

  test.each<[string, readonly string[], readonly string[], readonly [string, string]]>([
    ['one side does not tell of encryption', [`${SSE}: AES256`], [], ['STANDARD', 'STANDARD']],
    ['only the copy is locked', [], locked, ['STANDARD', 'STANDARD']],
    ['retention is over', shownLock('COMPLIANCE', '2020-01-01T00:00:00Z', 'OFF'), [], ['STANDARD', 'STANDARD']],
    ['one of two ways shows the same class', ['x-amz-storage-class: COLD'], [], ['STANDARD', 'COLD']],
    ['a key is named in two ways', kms(ARN), kms('1234-abcd'), ['STANDARD', 'STANDARD']],
  ])('in nothing where %s', (_, source, copy, classes) => {
    expect(differ(source, copy, classes)).toEqual([])
  })
})

test('two access control lists are the same where each gives its owner and all others the same', () => {
  const list = (owner: string, ...grants: string[]): Acl => ({ owner, grants })
  const all = `${GROUPS}AllUsers READ`
  expect(isSameAcl(list('me', 'me FULL_CONTROL', all), list('you', all, 'you FULL_CONTROL'))).toBe(true)
  expect(isSameAcl(list('me', 'me FULL_CONTROL'), list('you', all, 'you FULL_CONTROL'))).toBe(false)
  expect(isSameAcl(list('me', 'me FULL_CONTROL', 'they READ'), list('me', 'me FULL_CONTROL', 'x READ'))).toBe(false)
})

test('an access control list is read with all of its grantees', () => {
  const grant = (who: string, permission: string) =>
    `<Grant><Grantee xsi:type="x">${who}</Grantee><Permission>${permission}</Permission></Grant>`
  const policy = `<AccessControlPolicy><Owner><ID>me</ID></Owner><AccessControlList>${grant('<ID>me</ID>', 'FULL_CONTROL')}${grant(`<URI>${GROUPS}AllUsers</URI>`, 'READ')}${grant('<EmailAddress>a@b</EmailAddress>', 'WRITE')}</AccessControlList></AccessControlPolicy>`
  expect(aclIn(policy)).toEqual({ owner: 'me', grants: ['me FULL_CONTROL', `${GROUPS}AllUsers READ`, 'a@b WRITE'] })
})
