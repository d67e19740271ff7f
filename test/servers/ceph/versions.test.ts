import { ListObjectVersionsCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { put, type Server } from '../../support/cli-buckets.js'
import { refusal, run } from '../../support/cli-program.js'
import { DeleteObjectCommand } from '@aws-sdk/client-s3'
import { pair, url } from './ceph-buckets.js'

/** Every version and delete marker as [key, size or 'marker'], by key and the newest first. */
async function versionsIn(ceph: Server, Bucket: string): Promise<[string, number | 'marker'][]> {
  const found: [string, number | 'marker', number][] = []
  const {
    Versions = [],
    DeleteMarkers = [],
    IsTruncated,
  } = await ceph.s3.send(new ListObjectVersionsCommand({ Bucket, MaxKeys: 1000 }))
  expect(IsTruncated).not.toBe(true)
  for (const { Key = '', Size = 0, LastModified } of Versions) found.push([Key, Size, Number(LastModified)])
  for (const { Key = '', LastModified } of DeleteMarkers) found.push([Key, 'marker', Number(LastModified)])
  const order = found.sort(
    ([a, , later], [b, , earlier]) => Buffer.compare(Buffer.from(a), Buffer.from(b)) || earlier - later,
  )
  return order.map(([key, what]) => [key, what])
}

const keepVersions = (ceph: Server, Bucket: string) =>
  ceph.s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }))

describe('s3move copy --all-versions s3://from s3://to, on Ceph', () => {
  test('copies each version in its order, delete markers included', async () => {
    const { ceph, from, to, as } = await pair()
    await keepVersions(ceph, from)
    const args = ['copy', '--all-versions', `s3://${from}/in/`, `s3://${to}/out/`, '--endpoint-url', url]
    expect(refusal(await run(args, as))).toContain('keeps no versions')
    await keepVersions(ceph, to)
    for (const key of ['a', 'a b+c', 'é/\u{1f600}']) {
      for (const size of [1, 2, 3]) {
        await put(ceph, from, `in/${key}`, { Body: 'x'.repeat(size) })
        if (size === 2) await ceph.s3.send(new DeleteObjectCommand({ Bucket: from, Key: `in/${key}` }))
      }
    }
    await ceph.s3.send(new DeleteObjectCommand({ Bucket: from, Key: 'in/a' }))
    const { code, stderr } = await run(args, as)
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining('3 objects copied, none skipped, none failed') as string,
    ])
    const source = await versionsIn(ceph, from)
    expect(source).toHaveLength(13)
    expect(await versionsIn(ceph, to)).toEqual(source.map(([key, what]) => [`out/${key.slice(3)}`, what]))
  })
})

describe('s3move delete --all-versions s3://bucket/prefix, on Ceph', () => {
  test('leaves nothing of what is below the prefix, and all else as it is', async () => {
    const { ceph, from, as } = await pair()
    await keepVersions(ceph, from)
    for (const key of ['in/a', 'in/a b+c', 'in/é/\u{1f600}', 'other']) {
      for (const size of [1, 2]) await put(ceph, from, key, { Body: 'x'.repeat(size) })
    }
    for (const Key of ['in/a', 'other']) await ceph.s3.send(new DeleteObjectCommand({ Bucket: from, Key }))
    const args = ['delete', '--all-versions', `s3://${from}/in/`, '--yes', '--endpoint-url', url]
    const { code, stderr } = await run(args, as)
    expect([code, stderr]).toEqual([0, expect.stringContaining('3 objects deleted, none skipped, none failed')])
    expect((await versionsIn(ceph, from)).map(([key]) => key)).toEqual(['other', 'other', 'other'])
  })
})
