import { UpdateObjectEncryptionCommand } from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import { contentOf, expectSame, put, traitsOf } from '../../support/cli-buckets.js'
import { refusal, run } from '../../support/cli-program.js'
import { pair, url } from './ceph-buckets.js'

const at = ['--endpoint-url', url]
const KMSKeyArn = 'arn:aws:kms:us-east-1:111122223333:key/k'

test('Ceph takes UpdateObjectEncryption for the content of the object; set-encryption refuses it, and writes nothing', async () => {
  const { ceph, from, as } = await pair()
  for (const key of ['a', 'b/c']) await put(ceph, from, key, { Body: `content of ${key}` })
  const before = await contentOf(ceph, from)
  const line = refusal(
    await run(['set-encryption', `s3://${from}`, '--sse', 'aws:kms', '--sse-kms-key-id', KMSKeyArn, ...at], as),
  )
  expect(line).toMatch(/does not know UpdateObjectEncryption, .*\(NoSuchUpload, HTTP 404\)/)
  expectSame(await contentOf(ceph, from), before)
  // What is behind the refusal.
  const ObjectEncryption = { SSEKMS: { KMSKeyArn } }
  await ceph.s3.send(new UpdateObjectEncryptionCommand({ Bucket: from, Key: 'a', ObjectEncryption }))
  expect((await contentOf(ceph, from)).get('a')?.etag).not.toBe(before.get('a')?.etag)
})

test('on Ceph, set-storage-class leaves what the listing shows in the class, and says what it does not have', async () => {
  const { ceph, from, as } = await pair()
  await put(ceph, from, 'a', { Body: 'a', Metadata: { own: 'x' } })
  const traits = await traitsOf(ceph, from, 'a')
  const to = (name: string, ...more: string[]) =>
    run(['set-storage-class', `s3://${from}`, '--storage-class', name, '--reset-acl', ...at, ...more], as)
  const same = await to('STANDARD')
  expect([same.code, same.stderr]).toEqual([0, expect.stringContaining('1 unchanged')])
  const other = await to('NEVER_HEARD_OF')
  expect(`${String(other.code)} ${other.stderr}`).toMatch(
    /^(?:2|3) [^]*(?:does not know what --storage-class asks for|failed)/,
  )
  expect(await traitsOf(ceph, from, 'a')).toEqual(traits)
})
