import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutObjectCommand,
  S3Client,
  type ObjectIdentifier,
} from '@aws-sdk/client-s3'
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSandbox, type Sandbox } from '../../src/sandbox/server.js'

const credentials = { accessKeyId: 'any', secretAccessKey: 'any' }
let server: Sandbox
let s3: S3Client

beforeAll(async () => {
  server = await startSandbox({ buckets: ['plain', 'kept:versioned', 'many:seq:2000', 'src:seq:100:denied=50'] })
  s3 = new S3Client({ endpoint: server.url, region: 'us-east-1', forcePathStyle: true, credentials, maxAttempts: 1 })
})

afterAll(async () => {
  s3.destroy()
  await server.close()
})

const refusal = (name: string, status: number) => ({ name, $metadata: { httpStatusCode: status } })
const put = (Bucket: string, Key: string, Body = 'x') => s3.send(new PutObjectCommand({ Bucket, Key, Body }))
const remove = (Bucket: string, Objects: ObjectIdentifier[], Quiet = false) =>
  s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet } }))
const photo = (index: number) => `photos/${String(index).padStart(12, '0')}.jpg`

describe('DeleteObjects', () => {
  test('takes a thousand keys, and refuses one more', async () => {
    const keys = Array.from({ length: 1001 }, (_, n) => ({ Key: photo(n) }))
    await expect(remove('many', keys)).rejects.toMatchObject(refusal('MalformedXML', 400))
    await remove('many', keys.slice(0, 1000), true)
    const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: 'many', MaxKeys: 1 }))
    expect(Contents?.[0]?.Key).toBe(photo(1000))
  })

  test('judges the ETag of each key for itself, and says PreconditionFailed of those that are others', async () => {
    const { ETag } = await put('plain', 'same')
    await put('plain', 'other', 'y')
    const { Deleted, Errors } = await remove('plain', [
      { Key: 'same', ETag: ETag! },
      { Key: 'other', ETag: ETag! },
      { Key: 'absent', ETag: ETag! },
    ])
    expect(Deleted).toEqual([{ Key: 'same' }])
    expect(Errors).toMatchObject([
      { Key: 'other', Code: 'PreconditionFailed' },
      { Key: 'absent', Code: 'NoSuchKey' },
    ])
    await s3.send(new HeadObjectCommand({ Bucket: 'plain', Key: 'other' }))
  })

  test('reports what it may not delete, even when it is quiet', async () => {
    const { Deleted, Errors } = await remove('src', [{ Key: photo(51) }, { Key: photo(2) }], true)
    expect(Deleted).toBeUndefined()
    expect(Errors).toMatchObject([{ Key: photo(51), Code: 'AccessDenied' }])
    await expect(s3.send(new DeleteObjectCommand({ Bucket: 'src', Key: photo(51) }))).rejects.toMatchObject(
      refusal('AccessDenied', 403),
    )
  })

  test('makes delete markers where there are versions, removes versions and markers that are named', async () => {
    const { VersionId } = await put('kept', 'k')
    const first = await remove('kept', [{ Key: 'k' }])
    expect(first.Deleted).toMatchObject([{ Key: 'k', DeleteMarker: true }])
    const marker = first.Deleted![0]!.DeleteMarkerVersionId!
    expect(first.Deleted![0]!.VersionId).toBeUndefined()
    const { Deleted } = await remove('kept', [
      { Key: 'k', VersionId: marker },
      { Key: 'k', VersionId },
    ])
    expect(Deleted).toEqual([
      { Key: 'k', VersionId: marker, DeleteMarker: true, DeleteMarkerVersionId: marker },
      { Key: 'k', VersionId },
    ])
    const left = await s3.send(new ListObjectVersionsCommand({ Bucket: 'kept' }))
    expect([left.Versions, left.DeleteMarkers]).toEqual([undefined, undefined])
    const { Errors } = await remove('kept', [{ Key: 'k', VersionId: 'no-id' }])
    expect(Errors).toMatchObject([{ Key: 'k', VersionId: 'no-id', Code: 'NoSuchVersion' }])
  })

  test('takes a carriage return for one only when it is written as a reference', async () => {
    const document = (key: string) => `<Delete><Object><Key>${key}</Key></Object></Delete>`
    const send = async (body: string) => {
      const md5 = createHash('md5').update(body).digest('base64')
      const answer = await fetch(`${server.url}/plain?delete`, {
        method: 'POST',
        body,
        headers: { 'Content-MD5': md5 },
      })
      return answer.text()
    }
    await put('plain', 'line\rend')
    await put('plain', 'line\nend')
    expect(await send(document('line\rend'))).toContain('<Key>line&#xA;end</Key>')
    await s3.send(new HeadObjectCommand({ Bucket: 'plain', Key: 'line\rend' }))
    expect(await send(document('line&#13;end'))).toContain('<Key>line&#xD;end</Key>')
    await expect(s3.send(new HeadObjectCommand({ Bucket: 'plain', Key: 'line\rend' }))).rejects.toMatchObject(
      refusal('NotFound', 404),
    )
  })

  test('wants its document vouched for by a digest, and a right one', async () => {
    const body = '<Delete><Object><Key>vouched</Key></Object></Delete>'
    const send = async (headers: Record<string, string>) => {
      const answer = await fetch(`${server.url}/plain?delete`, { method: 'POST', body, headers })
      return [answer.status, /<Code>(\w+)</.exec(await answer.text())?.[1]]
    }
    expect(await send({})).toEqual([400, 'InvalidRequest'])
    expect(await send({ 'Content-MD5': createHash('md5').update('other').digest('base64') })).toEqual([
      400,
      'BadDigest',
    ])
    const sha256 = createHash('sha256').update(body).digest('base64')
    expect(await send({ 'x-amz-checksum-sha256': sha256 })).toEqual([200, undefined])
  })
})

describe('DeleteObject', () => {
  test('with If-Match deletes only the object of that ETag', async () => {
    const { ETag } = await put('plain', 'matched')
    const match = (Key: string, IfMatch: string) => s3.send(new DeleteObjectCommand({ Bucket: 'plain', Key, IfMatch }))
    await expect(match('matched', '"other"')).rejects.toMatchObject(refusal('PreconditionFailed', 412))
    await expect(match('never', ETag!)).rejects.toMatchObject(refusal('NoSuchKey', 404))
    await expect(match('never', '*')).rejects.toMatchObject(refusal('NoSuchKey', 404))
    await match('matched', ETag!)
    await expect(match('matched', '*')).rejects.toMatchObject(refusal('NoSuchKey', 404))
  })
})
