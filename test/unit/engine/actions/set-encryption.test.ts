import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  encryptionFields,
  encryptionIn,
  encryptionPlan,
  planByList,
  SET_ENCRYPTION_ACTIONS,
  type ObjectEncryption,
} from '../../../../src/engine/actions/set-encryption.js'
import { StorageError } from '../../../../src/errors.js'
import { setEncryptionOf, type WantedEncryption } from '../../../../src/job/set-encryption.js'
import type { HeaderFields, ListedEncryption, ObjectHead, Storage } from '../../../../src/storage/storage.js'

const KEYS = ['arn:aws:kms:us-east-1:111122223333:key/a', 'arn:aws:kms:us-east-1:111122223333:key/b'] as const
const [NEW, OLD] = KEYS
const KMS: fc.Arbitrary<WantedEncryption> = fc.record(
  { encryption: fc.constant('aws:kms' as const), kmsKeyId: fc.constantFrom(...KEYS), bucketKey: fc.boolean() },
  { requiredKeys: ['encryption', 'kmsKeyId'] },
)
const HAS: fc.Arbitrary<ObjectEncryption> = fc.oneof(
  fc.constantFrom({ algorithm: undefined }, { algorithm: 'AES256' }, { algorithm: 'aws:kms:dsse', kmsKeyId: OLD }),
  fc.record({ algorithm: fc.constant('aws:kms'), kmsKeyId: fc.constantFrom(...KEYS), bucketKey: fc.boolean() }),
)

describe('what becomes of the encryption of an object', () => {
  test('is an update that makes it right, and keeps the bucket key unless that is named; then it is left alone', () => {
    fc.assert(
      fc.property(KMS, HAS, (wanted, has) => {
        const plan = encryptionPlan(wanted, has)
        if (plan.kind !== 'update') return
        expect(plan.bucketKey).toBe(wanted.bucketKey ?? has.bucketKey ?? false)
        const after = { algorithm: 'aws:kms', kmsKeyId: wanted.kmsKeyId, bucketKey: plan.bucketKey }
        expect(encryptionPlan(wanted, after)).toEqual({ kind: 'skip', reason: 'unchanged' })
        expect(has).not.toEqual(after)
      }),
    )
  })

  test('is no update where S3 refuses one: not encrypted, twice, locked, or wanted as AES256', () => {
    const wanted = { encryption: 'aws:kms', kmsKeyId: NEW } as const
    expect(encryptionPlan(wanted, { algorithm: undefined })).toEqual({ kind: 'rewrite', reason: 'unencrypted' })
    expect(encryptionPlan(wanted, { algorithm: 'aws:kms:dsse', kmsKeyId: NEW })).toEqual({
      kind: 'rewrite',
      reason: 'dsse-kms',
    })
    expect(encryptionPlan(wanted, { algorithm: 'AES256', locked: true })).toEqual({
      kind: 'skip',
      reason: 'object-lock',
    })
    const right = { algorithm: 'aws:kms', kmsKeyId: NEW, locked: true }
    expect(encryptionPlan(wanted, right)).toEqual({ kind: 'skip', reason: 'unchanged' })
    const s3 = { encryption: 'AES256' } as const
    expect(encryptionPlan(s3, { algorithm: 'AES256' })).toEqual({ kind: 'skip', reason: 'unchanged' })
    expect(encryptionPlan(s3, { algorithm: 'aws:kms' })).toEqual({ kind: 'rewrite', reason: 'needs-rewrite' })
  })

  test('by a list is what it is by a look, or nothing', () => {
    const status: Record<string, ListedEncryption['status']> = {
      ...{ AES256: 'SSE-S3', 'aws:kms': 'SSE-KMS', 'aws:kms:dsse': 'DSSE-KMS', none: 'NOT-SSE' },
    }
    fc.assert(
      fc.property(
        fc.oneof(KMS, fc.constant({ encryption: 'AES256' } as const)),
        HAS,
        fc.boolean(),
        fc.boolean(),
        (wanted, has, tellsKey, tellsBucketKey) => {
          const listed: ListedEncryption = {
            status: status[has.algorithm ?? 'none']!,
            ...(tellsKey && has.kmsKeyId !== undefined ? { kmsKeyArn: has.kmsKeyId } : {}),
            ...(tellsBucketKey && has.bucketKey !== undefined ? { bucketKey: has.bucketKey } : {}),
          }
          const plan = planByList(wanted, listed)
          if (plan !== undefined) expect(plan).toEqual(encryptionPlan(wanted, has))
          // An inventory does not tell keys, and all that is under S3's own needs none.
          if (has.algorithm !== 'aws:kms') expect(plan).toBeDefined()
        },
      ),
    )
    expect(planByList({ encryption: 'aws:kms', kmsKeyId: NEW }, { status: 'SSE-C' })).toEqual({
      kind: 'skip',
      reason: 'sse-c',
    })
  })

  test('is read back from the fields that ask for it', () => {
    fc.assert(
      fc.property(KMS, (wanted) => {
        const { algorithm, kmsKeyId, bucketKey } = encryptionIn(encryptionFields(wanted))
        expect([algorithm, kmsKeyId, bucketKey]).toEqual(['aws:kms', wanted.kmsKeyId, wanted.bucketKey ?? false])
      }),
    )
  })

  test.each([
    [[['x-amz-object-lock-mode', 'GOVERNANCE']], true],
    [[['x-amz-object-lock-legal-hold', 'ON']], true],
    [[['x-amz-object-lock-event-hold', 'ON']], true],
    [[['x-amz-object-lock-legal-hold', 'OFF']], false],
    [[], false],
  ] as [HeaderFields, boolean][])('%j locks it: %s', (carried, locked) => {
    expect(encryptionIn(carried).locked).toBe(locked)
  })
})

const HEAD: ObjectHead = {
  ...{
    size: 1,
    etag: 'e',
    lastModified: '',
    storageClass: 'STANDARD',
    headers: new Map(),
    tags: 0,
    checksums: new Map(),
  },
  ...{
    carried: [['x-amz-server-side-encryption', 'AES256']],
    plainEtag: true,
    unshown: 0,
    archived: false,
    locked: false,
  },
}

function store(refusal?: { readonly code: string; readonly message: string }) {
  const asked: string[] = []
  const of = {
    place: { bucket: 'b', prefix: 'p/' },
    list: () => Promise.resolve({ objects: [], truncated: false }),
    reading: {
      head: () => {
        asked.push('head')
        return Promise.resolve(HEAD)
      },
    },
    rewriting: {
      updateEncryption: (key: string, wanted: object, version?: string) => {
        asked.push(JSON.stringify([key, wanted, version]))
        if (refusal === undefined) return Promise.resolve()
        const { code, message } = refusal
        const details = {
          severity: 'fail-object',
          operation: 'UpdateObjectEncryption',
          bucket: 'b',
          status: 403,
        } as const
        return Promise.reject(new StorageError(message, { ...details, code }))
      },
    },
  } as unknown as Storage
  return { of, asked }
}

const OBJECT = { key: 'k', size: 1, etag: 'e', lastModified: '', storageClass: 'STANDARD' }
const JOB = setEncryptionOf({ source: { bucket: 'b', prefix: 'p/' }, encryption: 'aws:kms', kmsKeyId: NEW })
const act = (of: Storage) =>
  SET_ENCRYPTION_ACTIONS.act(JOB, { source: of, destination: of, settings: { streamed: false } })

describe('the action of set-encryption', () => {
  test('looks, and updates; by a list it updates at once', async () => {
    const one = store()
    expect(await act(one.of)(OBJECT)).toEqual({ kind: 'copied' })
    const update = JSON.stringify(['k', { kmsKeyArn: NEW, bucketKey: false }, null])
    expect(one.asked).toEqual(['head', update])
    const listed = store()
    expect(await act(listed.of)({ ...OBJECT, encryption: { status: 'SSE-S3' } })).toEqual({ kind: 'copied' })
    expect(listed.asked).toEqual([update])
  })

  test('a refusal for a lock that these credentials may not see is a reason to leave the object alone', async () => {
    const message =
      'The encryption type for the specified object can’t be updated because that object is protected by S3 Object Lock.'
    const { of } = store({ code: 'AccessDenied', message })
    expect(await act(of)(OBJECT)).toEqual({ kind: 'skipped', reason: 'object-lock' })
    const other = store({ code: 'AccessDenied', message: 'Access Denied' })
    expect(await act(other.of)(OBJECT)).toMatchObject({ kind: 'failed', failure: { key: 'p/k', code: 'AccessDenied' } })
  })

  test('what is refused where only a list said what it is, is looked at once, and then fails', async () => {
    const { of, asked } = store({ code: 'InvalidRequest', message: 'not supported' })
    expect(await act(of)({ ...OBJECT, encryption: { status: 'SSE-S3' } })).toMatchObject({ kind: 'failed' })
    expect(asked.filter((one) => one === 'head')).toHaveLength(1)
    expect(asked).toHaveLength(3)
  })
})
