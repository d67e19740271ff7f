import {
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectTaggingCommand,
  GetBucketVersioningCommand,
  GetObjectAclCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectAclCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  S3Client,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSandbox, type Sandbox } from '../../src/sandbox/server.js'

const credentials = { accessKeyId: 'AKIDSANDBOX', secretAccessKey: 'secret' }
let server: Sandbox
let s3: S3Client

beforeAll(async () => {
  server = await startSandbox({
    ...credentials,
    buckets: [
      ...['kept:versioned,acl', 'pages:versioned', 'law:versioned', 'plain', 'later', 'ends:versioned'],
      ...['src:seq:100:denied=50', 'few:seq:3'],
    ],
  })
  s3 = new S3Client({ endpoint: server.url, region: 'us-east-1', forcePathStyle: true, credentials, maxAttempts: 1 })
})

afterAll(async () => {
  s3.destroy()
  await server.close()
})

const refusal = (name: string, status: number) => ({ name, $metadata: { httpStatusCode: status } })
const put = async (Bucket: string, Key: string, Body: string, more: object = {}) =>
  (await s3.send(new PutObjectCommand({ Bucket, Key, Body, ...more }))).VersionId
const read = async (Bucket: string, Key: string, VersionId?: string) => {
  const { Body, ...answer } = await s3.send(new GetObjectCommand({ Bucket, Key, ...(VersionId && { VersionId }) }))
  return { ...answer, text: await Body!.transformToString() }
}
const remove = (Bucket: string, Key: string, VersionId?: string) =>
  s3.send(new DeleteObjectCommand({ Bucket, Key, ...(VersionId && { VersionId }) }))
const list = (Bucket: string, more: object = {}) => s3.send(new ListObjectVersionsCommand({ Bucket, ...more }))
const photo = (index: number) => `photos/${String(index).padStart(12, '0')}.jpg`

describe('a versioned bucket', () => {
  test('gives every write an id, under which what was written can be read and described', async () => {
    const first = await put('kept', 'twice', 'one', { Metadata: { n: '1' } })
    const second = await put('kept', 'twice', 'two')
    expect(first).toMatch(/^[A-Za-z0-9._]{32}$/)
    expect(second).not.toBe(first)
    expect(await read('kept', 'twice')).toMatchObject({ text: 'two', VersionId: second })
    expect(await read('kept', 'twice', first)).toMatchObject({ text: 'one', VersionId: first, Metadata: { n: '1' } })
    const head = await s3.send(new HeadObjectCommand({ Bucket: 'kept', Key: 'twice', VersionId: first! }))
    expect(head).toMatchObject({ VersionId: first, Metadata: { n: '1' } })
  })

  test('answers a deletion with a delete marker, which hides the key and can itself be removed', async () => {
    const only = await put('kept', 'hidden', 'still here')
    const marker = await remove('kept', 'hidden')
    expect(marker).toMatchObject({ DeleteMarker: true, $metadata: { httpStatusCode: 204 } })
    await expect(read('kept', 'hidden')).rejects.toMatchObject({
      ...refusal('NoSuchKey', 404),
      $response: { headers: { 'x-amz-delete-marker': 'true', 'x-amz-version-id': marker.VersionId } },
    })
    await expect(read('kept', 'hidden', marker.VersionId)).rejects.toMatchObject({
      ...refusal('MethodNotAllowed', 405),
      $response: { headers: { 'x-amz-delete-marker': 'true', allow: 'DELETE' } },
    })
    expect((await read('kept', 'hidden', only)).text).toBe('still here')
    const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: 'kept', Prefix: 'hidden' }))
    expect(Contents).toBeUndefined()
    expect(await remove('kept', 'hidden', marker.VersionId)).toMatchObject({
      DeleteMarker: true,
      VersionId: marker.VersionId,
    })
    expect(await read('kept', 'hidden')).toMatchObject({ text: 'still here', VersionId: only })
  })

  test('removes a version for good when it is named, so that the one before it is the newest', async () => {
    const one = await put('kept', 'popped', 'one')
    const two = await put('kept', 'popped', 'two')
    const answer = await remove('kept', 'popped', two)
    expect(answer.VersionId).toBe(two)
    expect(answer.DeleteMarker).toBeUndefined()
    expect(await read('kept', 'popped')).toMatchObject({ text: 'one', VersionId: one })
    await expect(read('kept', 'popped', two)).rejects.toMatchObject(refusal('NoSuchVersion', 404))
    expect((await remove('kept', 'popped', two)).$metadata.httpStatusCode).toBe(204)
  })

  test('refuses ids that it never gave', async () => {
    await put('kept', 'ids', 'x')
    for (const id of ['x', '0'.repeat(32), 'é'.repeat(16)]) {
      await expect(read('kept', 'ids', id), id).rejects.toMatchObject(refusal('InvalidArgument', 400))
      await expect(remove('kept', 'ids', id), id).rejects.toMatchObject(refusal('InvalidArgument', 400))
    }
    await expect(read('kept', 'ids', 'null')).rejects.toMatchObject(refusal('NoSuchVersion', 404))
  })

  test('is copied from by version, and tells which version was read and which was written', async () => {
    const one = await put('kept', 'from', 'one')
    const two = await put('kept', 'from', 'two')
    const copy = (Bucket: string, Key: string, CopySource: string) =>
      s3.send(new CopyObjectCommand({ Bucket, Key, CopySource }))
    const old = await copy('kept', 'to', `kept/from?versionId=${one}`)
    expect(old.CopySourceVersionId).toBe(one)
    expect(await read('kept', 'to')).toMatchObject({ text: 'one', VersionId: old.VersionId })
    const plain = await copy('plain', 'to', 'kept/from')
    expect(plain).toMatchObject({ CopySourceVersionId: two })
    expect(plain.VersionId).toBeUndefined()
    const marker = await remove('kept', 'from')
    await expect(copy('plain', 'x', 'kept/from')).rejects.toMatchObject(refusal('NoSuchKey', 404))
    await expect(copy('plain', 'x', `kept/from?versionId=${marker.VersionId}`)).rejects.toMatchObject(
      refusal('InvalidRequest', 400),
    )
    await copy('plain', 'x', `kept/from?versionId=${two}`)
    expect((await read('plain', 'x')).text).toBe('two')
  })

  test('brings an old version back by a copy onto itself, but not the newest', async () => {
    const old = await put('kept', 'back', 'old')
    const newest = await put('kept', 'back', 'new')
    const copy = (id?: string) =>
      s3.send(new CopyObjectCommand({ Bucket: 'kept', Key: 'back', CopySource: `kept/back?versionId=${id}` }))
    await expect(copy(newest)).rejects.toMatchObject(refusal('InvalidRequest', 400))
    const { VersionId } = await copy(old)
    expect(await read('kept', 'back')).toMatchObject({ text: 'old', VersionId })
  })

  test('lets a multipart upload copy a version, and gives its result an id', async () => {
    const one = await put('kept', 'parts', 'one')
    await put('kept', 'parts', 'two')
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket: 'kept', Key: 'joined' }))
    const upload = { Bucket: 'kept', Key: 'joined', UploadId }
    const { CopyPartResult, CopySourceVersionId } = await s3.send(
      new UploadPartCopyCommand({ ...upload, PartNumber: 1, CopySource: `kept/parts?versionId=${one}` }),
    )
    expect(CopySourceVersionId).toBe(one)
    const Parts = [{ PartNumber: 1, ETag: CopyPartResult!.ETag }]
    const { VersionId } = await s3.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }))
    expect(await read('kept', 'joined')).toMatchObject({ text: 'one', VersionId })
  })

  test('keeps tags and ACLs by version, and makes no version when they change', async () => {
    const old = await put('kept', 'marked', 'old', { Tagging: 'is=old' })
    const newest = await put('kept', 'marked', 'new')
    const target = { Bucket: 'kept', Key: 'marked' }
    const tags = async (VersionId?: string) =>
      (await s3.send(new GetObjectTaggingCommand({ ...target, ...(VersionId && { VersionId }) }))).TagSet
    const TagSet = [{ Key: 'is', Value: 'older' }]
    const answer = await s3.send(new PutObjectTaggingCommand({ ...target, VersionId: old!, Tagging: { TagSet } }))
    expect(answer.VersionId).toBe(old)
    expect([await tags(), await tags(old)]).toEqual([[], TagSet])
    await s3.send(new DeleteObjectTaggingCommand({ ...target, VersionId: old! }))
    expect(await tags(old)).toEqual([])
    await s3.send(new PutObjectAclCommand({ ...target, VersionId: old!, ACL: 'public-read' }))
    const grants = async (VersionId: string | undefined) =>
      (await s3.send(new GetObjectAclCommand({ ...target, VersionId: VersionId! }))).Grants?.length
    expect([await grants(newest), await grants(old)]).toEqual([1, 2])
    const { Versions } = await list('kept', { Prefix: 'marked' })
    expect(Versions?.map(({ VersionId }) => VersionId)).toEqual([newest, old])
    expect((await read('kept', 'marked', old)).text).toBe('old')
  })

  test('judges conditions by the newest version, and a delete marker counts as nothing', async () => {
    await put('kept', 'judged', 'x')
    await expect(put('kept', 'judged', 'y', { IfNoneMatch: '*' })).rejects.toMatchObject(
      refusal('PreconditionFailed', 412),
    )
    await remove('kept', 'judged')
    await put('kept', 'judged', 'y', { IfNoneMatch: '*' })
  })

  test('can be deleted only when no version and no marker is left', async () => {
    const id = await put('ends', 'k', 'x')
    const { VersionId } = await remove('ends', 'k')
    const end = () => s3.send(new DeleteBucketCommand({ Bucket: 'ends' }))
    await expect(end()).rejects.toMatchObject(refusal('BucketNotEmpty', 409))
    await remove('ends', 'k', id)
    await expect(end()).rejects.toMatchObject(refusal('BucketNotEmpty', 409))
    await remove('ends', 'k', VersionId)
    await end()
  })
})

describe('versioning', () => {
  const set = (Status: 'Enabled' | 'Suspended') =>
    s3.send(new PutBucketVersioningCommand({ Bucket: 'later', VersioningConfiguration: { Status } }))
  const status = async () => (await s3.send(new GetBucketVersioningCommand({ Bucket: 'later' }))).Status

  test('can be turned on and suspended; what was written without it is the version null', async () => {
    expect(await status()).toBeUndefined()
    expect(await put('later', 'k', 'before')).toBeUndefined()
    await set('Enabled')
    expect(await status()).toBe('Enabled')
    expect(await read('later', 'k')).toMatchObject({ text: 'before', VersionId: 'null' })
    const second = await put('later', 'k', 'during')
    await set('Suspended')
    expect(await status()).toBe('Suspended')
    expect(await put('later', 'k', 'after')).toBe('null')
    const { Versions } = await list('later')
    expect(Versions?.map(({ VersionId, IsLatest }) => [VersionId, IsLatest])).toEqual([
      ['null', true],
      [second, false],
    ])
    expect((await read('later', 'k', 'null')).text).toBe('after')
    expect(await remove('later', 'k')).toMatchObject({ DeleteMarker: true, VersionId: 'null' })
    const left = await list('later')
    expect(left.Versions?.map(({ VersionId }) => VersionId)).toEqual([second])
    expect(left.DeleteMarkers?.map(({ VersionId }) => VersionId)).toEqual(['null'])
  })

  test('is not for synthetic buckets, whose objects are listed as versions null', async () => {
    await expect(
      s3.send(new PutBucketVersioningCommand({ Bucket: 'few', VersioningConfiguration: { Status: 'Enabled' } })),
    ).rejects.toMatchObject(refusal('NotImplemented', 501))
    const { Versions } = await list('few')
    expect(Versions?.map(({ Key, VersionId, IsLatest }) => [Key, VersionId, IsLatest])).toEqual(
      [0, 1, 2].map((n) => [photo(n), 'null', true]),
    )
    await remove('few', photo(1), 'null')
    expect((await list('few')).Versions?.map(({ Key }) => Key)).toEqual([photo(0), photo(2)])
  })
})

const decodeUrl = (key: string) => decodeURIComponent(key.replaceAll('+', ' '))

interface Seen {
  readonly key: string
  readonly id: string
}

/** All pages of a listing, as entries in the order of the document. */
async function walk(Bucket: string, MaxKeys: number, more: object = {}, between?: (page: Seen[]) => Promise<void>) {
  const seen: Seen[] = []
  let markers: { KeyMarker?: string; VersionIdMarker?: string } = {}
  for (;;) {
    const page = await list(Bucket, { MaxKeys, ...markers, ...more })
    const now = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])]
      .map(({ Key, VersionId }) => ({ key: Key!, id: VersionId! }))
      .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))
    seen.push(...now)
    if (page.IsTruncated !== true) return seen
    expect(now.length).toBe(MaxKeys)
    await between?.(now)
    markers = {
      KeyMarker: page.EncodingType === 'url' ? decodeUrl(page.NextKeyMarker!) : page.NextKeyMarker!,
      ...(page.NextVersionIdMarker && { VersionIdMarker: page.NextVersionIdMarker }),
    }
  }
}

describe('a listing of versions', () => {
  test('has keys in byte order, the newest version of each first, delete markers among them', async () => {
    await put('kept', 'raw/\u{1F600}', '1')
    await put('kept', 'raw/\uFFFD', '1')
    await remove('kept', 'raw/\uFFFD')
    await put('kept', 'raw/\uFFFD', '2')
    const { Versions, DeleteMarkers } = await list('kept', { Prefix: 'raw/' })
    expect(Versions?.map(({ Key }) => Key)).toEqual(['raw/\uFFFD', 'raw/\uFFFD', 'raw/\u{1F600}'])
    expect(DeleteMarkers?.map(({ Key, IsLatest }) => [Key, IsLatest])).toEqual([['raw/\uFFFD', false]])
  })

  test('interleaves versions and delete markers in its document', async () => {
    const open = await startSandbox({ buckets: ['raw:versioned'] })
    const ask = async (method: string, path: string) =>
      (await fetch(`${open.url}${path}`, { method, ...(method === 'PUT' && { body: 'x' }) })).text()
    await ask('PUT', '/raw/a')
    await ask('DELETE', '/raw/a')
    await ask('PUT', '/raw/a')
    await ask('DELETE', '/raw/b')
    const elements = (await ask('GET', '/raw?versions')).matchAll(
      /<(Version|DeleteMarker)><Key>(.)<.*?<IsLatest>(\w+)</g,
    )
    expect([...elements].map(([, name, key, latest]) => [name, key, latest])).toEqual([
      ...[
        ['Version', 'a', 'true'],
        ['DeleteMarker', 'a', 'false'],
        ['Version', 'a', 'false'],
      ],
      ['DeleteMarker', 'b', 'true'],
    ])
    await open.close()
  })

  test('goes on from page to page without loss or repetition, at any page size', async () => {
    const made: Seen[] = []
    for (const key of ['a', 'a b', 'a\rb', 'b/+', 'b/c', 'c']) {
      const versions: Seen[] = []
      for (let n = 0; n < 4; n++) {
        const id = n === 2 ? (await remove('pages', key)).VersionId : await put('pages', key, String(n))
        versions.unshift({ key, id: id! })
      }
      made.push(...versions)
    }
    made.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))
    for (const size of [1, 2, 3, 5, 24, 1000]) {
      const seen = await walk('pages', size, { EncodingType: 'url' })
      const decoded = seen.map(({ key, id }) => ({ key: decodeUrl(key), id }))
      expect(new Set(decoded.map(({ key, id }) => `${key} ${id}`)), String(size)).toEqual(
        new Set(made.map(({ key, id }) => `${key} ${id}`)),
      )
      expect(decoded.length).toBe(made.length)
    }
  })

  test('loses nothing when versions that it has listed are removed before the next page', async () => {
    for (let n = 0; n < 3; n++) for (const key of ['x', 'y', 'z']) await put('law', key, String(n))
    const seen = await walk('law', 2, {}, async (page) => {
      for (const { key, id } of page) await remove('law', key, id)
    })
    expect(seen.length).toBe(9)
    expect(new Set(seen.map(({ id }) => id)).size).toBe(9)
  })

  test('rolls keys up to common prefixes', async () => {
    await put('kept', 'roll/a/1', 'x')
    await put('kept', 'roll/a/2', 'x')
    await put('kept', 'roll/b', 'x')
    const first = await list('kept', { Prefix: 'roll/', Delimiter: '/', MaxKeys: 1 })
    expect(first).toMatchObject({
      IsTruncated: true,
      CommonPrefixes: [{ Prefix: 'roll/a/' }],
      NextKeyMarker: 'roll/a/',
    })
    const second = await list('kept', { Prefix: 'roll/', Delimiter: '/', KeyMarker: first.NextKeyMarker })
    expect(second.CommonPrefixes).toBeUndefined()
    expect(second.Versions?.map(({ Key }) => Key)).toEqual(['roll/b'])
  })

  test('refuses a version marker without a key, and one that is no id', async () => {
    const refused = refusal('InvalidArgument', 400)
    await expect(list('kept', { VersionIdMarker: 'null' })).rejects.toMatchObject(refused)
    await expect(list('kept', { KeyMarker: 'k', VersionIdMarker: 'x' })).rejects.toMatchObject(refused)
  })
})
