import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  DeleteObjectTaggingCommand,
  GetBucketLocationCommand,
  GetBucketOwnershipControlsCommand,
  GetBucketVersioningCommand,
  GetObjectAclCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutBucketOwnershipControlsCommand,
  PutObjectAclCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSandbox, type Sandbox } from '../../src/sandbox/server.js'

const credentials = { accessKeyId: 'AKIDSANDBOX', secretAccessKey: 'secret/of+sandbox' }
let server: Sandbox
let s3: S3Client

beforeAll(async () => {
  server = await startSandbox({
    ...credentials,
    buckets: [
      ...['dst', 'plain', 'acls:acl', 'src:seq:1000:glacier=100,denied=250,tags=10,big=500', 'few:hex:10:size=100'],
      ...['huge:seq:4:big=2', 'self:seq:10', 'usual:seq:40', 'folders:odd:200', 'parts:seq:2:size=8388609'],
    ],
  })
  s3 = new S3Client({ endpoint: server.url, region: 'us-east-1', forcePathStyle: true, credentials, maxAttempts: 1 })
})

afterAll(async () => {
  s3.destroy()
  await server.close()
})

const photo = (index: number) => `photos/${String(index).padStart(12, '0')}.jpg`
const md5 = (data: string | Uint8Array) => createHash('md5').update(data).digest('hex')
const put = (Key: string, Body: string | Uint8Array, more: object = {}) =>
  s3.send(new PutObjectCommand({ Bucket: 'plain', Key, Body, ...more }))
const head = (Bucket: string, Key: string) => s3.send(new HeadObjectCommand({ Bucket, Key }))
const bytesOf = async (Bucket: string, Key: string, Range?: string) => {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key, ...(Range === undefined ? {} : { Range }) }))
  return Buffer.from(await Body!.transformToByteArray())
}
const refusal = (name: string, status: number) => ({ name, $metadata: { httpStatusCode: status } })

describe('buckets', () => {
  test('a bucket can be created, seen, described and deleted', async () => {
    await s3.send(new CreateBucketCommand({ Bucket: 'made' }))
    const { Buckets } = await s3.send(new ListBucketsCommand({}))
    expect(Buckets?.map((bucket) => bucket.Name)).toContain('made')
    expect((await s3.send(new HeadBucketCommand({ Bucket: 'made' }))).BucketRegion).toBe('us-east-1')
    expect((await s3.send(new GetBucketLocationCommand({ Bucket: 'made' }))).LocationConstraint).toBeUndefined()
    expect((await s3.send(new GetBucketVersioningCommand({ Bucket: 'made' }))).Status).toBeUndefined()
    const { OwnershipControls } = await s3.send(new GetBucketOwnershipControlsCommand({ Bucket: 'made' }))
    expect(OwnershipControls?.Rules).toEqual([{ ObjectOwnership: 'BucketOwnerEnforced' }])
    await s3.send(new DeleteBucketCommand({ Bucket: 'made' }))
    await expect(s3.send(new HeadBucketCommand({ Bucket: 'made' }))).rejects.toMatchObject(refusal('NotFound', 404))
  })

  test('a bucket with objects cannot be deleted, nor one be created twice', async () => {
    await put('something', 'x')
    await expect(s3.send(new DeleteBucketCommand({ Bucket: 'plain' }))).rejects.toMatchObject(
      refusal('BucketNotEmpty', 409),
    )
    await expect(s3.send(new CreateBucketCommand({ Bucket: 'plain' }))).rejects.toMatchObject(
      refusal('BucketAlreadyOwnedByYou', 409),
    )
  })

  test('an absent bucket is NoSuchBucket for every operation on its objects', async () => {
    const missing = refusal('NoSuchBucket', 404)
    await expect(s3.send(new ListObjectsV2Command({ Bucket: 'absent' }))).rejects.toMatchObject(missing)
    await expect(s3.send(new GetObjectCommand({ Bucket: 'absent', Key: 'k' }))).rejects.toMatchObject(missing)
    await expect(s3.send(new PutObjectCommand({ Bucket: 'absent', Key: 'k', Body: 'x' }))).rejects.toMatchObject(
      missing,
    )
    await expect(
      s3.send(new CopyObjectCommand({ Bucket: 'absent', Key: 'k', CopySource: `src/${photo(0)}` })),
    ).rejects.toMatchObject(missing)
    await expect(s3.send(new DeleteObjectCommand({ Bucket: 'absent', Key: 'k' }))).rejects.toMatchObject(missing)
  })
})

describe('objects', () => {
  test('an uploaded object comes back with its bytes, headers, metadata, class and tags', async () => {
    await put('full', 'the bytes', {
      ...{
        ContentType: 'text/plain',
        CacheControl: 'no-cache',
        ContentDisposition: 'inline',
        ContentEncoding: 'x-own',
      },
      ...{ ContentLanguage: 'de', Expires: new Date('2033-01-01T00:00:00Z'), Metadata: { one: 'Eins, zwei', two: '' } },
      ...{ StorageClass: 'STANDARD_IA', Tagging: 'a=b%20c&d=%2B', WebsiteRedirectLocation: '/elsewhere' },
    })
    expect(await head('plain', 'full')).toMatchObject({
      ...{ ContentLength: 9, ETag: `"${md5('the bytes')}"`, ContentType: 'text/plain', CacheControl: 'no-cache' },
      ...{ ContentDisposition: 'inline', ContentEncoding: 'x-own', ContentLanguage: 'de', StorageClass: 'STANDARD_IA' },
      ...{ ExpiresString: 'Sat, 01 Jan 2033 00:00:00 GMT', Metadata: { one: 'Eins, zwei', two: '' } },
      ...{ WebsiteRedirectLocation: '/elsewhere' },
    })
    expect((await bytesOf('plain', 'full')).toString()).toBe('the bytes')
    const { TagSet } = await s3.send(new GetObjectTaggingCommand({ Bucket: 'plain', Key: 'full' }))
    expect(TagSet).toEqual([
      { Key: 'a', Value: 'b c' },
      { Key: 'd', Value: '+' },
    ])
  })

  test('a large upload in many chunks arrives whole', async () => {
    const body = Buffer.alloc(3_000_001, 'abcdefg')
    await put('large', body)
    expect(md5(await bytesOf('plain', 'large'))).toBe(md5(body))
  })

  test('a wrong Content-MD5 or checksum refuses the upload', async () => {
    await expect(put('bad', 'x', { ContentMD5: Buffer.alloc(16).toString('base64') })).rejects.toMatchObject(
      refusal('BadDigest', 400),
    )
    await expect(put('bad', 'x', { ChecksumCRC32: 'AAAAAA==' })).rejects.toMatchObject(refusal('BadDigest', 400))
    await expect(head('plain', 'bad')).rejects.toMatchObject(refusal('NotFound', 404))
  })

  test('conditional uploads are refused with 412 when the object is there, or another', async () => {
    const { ETag } = await put('conditional', '1')
    await expect(put('conditional', '2', { IfNoneMatch: '*' })).rejects.toMatchObject(
      refusal('PreconditionFailed', 412),
    )
    await expect(put('conditional', '2', { IfMatch: '"other"' })).rejects.toMatchObject(
      refusal('PreconditionFailed', 412),
    )
    await expect(put('never', '2', { IfMatch: ETag })).rejects.toMatchObject(refusal('NoSuchKey', 404))
    await put('conditional', '2', { IfMatch: ETag })
    expect((await bytesOf('plain', 'conditional')).toString()).toBe('2')
  })

  test('conditional reads are answered with 304 and 412', async () => {
    const { ETag } = await put('read', '1')
    const get = (conditions: object) => s3.send(new GetObjectCommand({ Bucket: 'plain', Key: 'read', ...conditions }))
    const past = new Date('2001-01-01T00:00:00Z')
    const future = new Date('2100-01-01T00:00:00Z')
    for (const unchanged of [{ IfNoneMatch: ETag }, { IfModifiedSince: future }]) {
      await expect(get(unchanged)).rejects.toMatchObject({ $metadata: { httpStatusCode: 304 } })
    }
    for (const failed of [{ IfMatch: '"x"' }, { IfUnmodifiedSince: past }]) {
      await expect(get(failed)).rejects.toMatchObject(refusal('PreconditionFailed', 412))
    }
    for (const met of [
      { IfMatch: ETag, IfUnmodifiedSince: past },
      { IfNoneMatch: '"x"', IfModifiedSince: future },
    ]) {
      expect((await get(met)).$metadata.httpStatusCode).toBe(200)
    }
  })

  test('ranges of a synthetic body are the bytes of the whole body', async () => {
    const whole = await bytesOf('src', photo(3))
    expect(whole.length).toBe((await head('src', photo(3))).ContentLength)
    expect(await bytesOf('src', photo(3), 'bytes=10-19')).toEqual(whole.subarray(10, 20))
    expect(await bytesOf('src', photo(3), 'bytes=-7')).toEqual(whole.subarray(-7))
    expect(await bytesOf('src', photo(3), 'bytes=50-')).toEqual(whole.subarray(50))
    await expect(bytesOf('src', photo(3), 'bytes=99999999-')).rejects.toMatchObject(refusal('InvalidRange', 416))
    const far = await bytesOf('huge', photo(1), 'bytes=5368709000-5368709119')
    expect(far.length).toBe(120)
  })

  test('two synthetic objects differ in their bytes', async () => {
    expect(await bytesOf('few', await keyOf('few', 0))).not.toEqual(await bytesOf('few', await keyOf('few', 1)))
  })

  test('deleting answers 204 whether the object was there or not', async () => {
    await put('gone', 'x')
    for (let i = 0; i < 2; i++) {
      const answer = await s3.send(new DeleteObjectCommand({ Bucket: 'plain', Key: 'gone' }))
      expect(answer.$metadata.httpStatusCode).toBe(204)
    }
    await expect(head('plain', 'gone')).rejects.toMatchObject(refusal('NotFound', 404))
  })

  test('DeleteObjects names what it deleted, or nothing when quiet', async () => {
    await put('many/1', 'x')
    await put('many/\r', 'x')
    const Objects = [{ Key: 'many/1' }, { Key: 'many/\r' }, { Key: 'many/absent' }]
    const loud = await s3.send(new DeleteObjectsCommand({ Bucket: 'plain', Delete: { Objects } }))
    expect(loud.Deleted?.length).toBe(3)
    const quiet = await s3.send(new DeleteObjectsCommand({ Bucket: 'plain', Delete: { Objects, Quiet: true } }))
    expect(quiet.Deleted).toBeUndefined()
    const { KeyCount } = await s3.send(new ListObjectsV2Command({ Bucket: 'plain', Prefix: 'many/' }))
    expect(KeyCount).toBe(0)
  })

  test('DeleteObjects reports the keys that it may not delete', async () => {
    const { Errors, Deleted } = await s3.send(
      new DeleteObjectsCommand({ Bucket: 'src', Delete: { Objects: [{ Key: photo(501) }, { Key: photo(900) }] } }),
    )
    expect(Errors).toMatchObject([{ Key: photo(501), Code: 'AccessDenied' }])
    expect(Deleted).toMatchObject([{ Key: photo(900) }])
    await expect(head('src', photo(900))).rejects.toMatchObject(refusal('NotFound', 404))
  })

  test('tags are replaced and deleted', async () => {
    await put('tagged', 'x')
    const target = { Bucket: 'plain', Key: 'tagged' }
    const TagSet = [{ Key: 'ü&<', Value: 'ö "q"' }]
    await s3.send(new PutObjectTaggingCommand({ ...target, Tagging: { TagSet } }))
    expect((await s3.send(new GetObjectTaggingCommand(target))).TagSet).toEqual(TagSet)
    await s3.send(new DeleteObjectTaggingCommand(target))
    expect((await s3.send(new GetObjectTaggingCommand(target))).TagSet).toEqual([])
  })

  test('ACLs are refused under BucketOwnerEnforced and kept where they are in force', async () => {
    await put('acl', 'x')
    const refused = refusal('AccessControlListNotSupported', 400)
    await expect(
      s3.send(new PutObjectAclCommand({ Bucket: 'plain', Key: 'acl', ACL: 'public-read' })),
    ).rejects.toMatchObject(refused)
    await expect(put('acl', 'x', { ACL: 'public-read' })).rejects.toMatchObject(refused)
    const target = { Bucket: 'acls', Key: 'acl' }
    await s3.send(new PutObjectCommand({ ...target, Body: 'x', ACL: 'public-read' }))
    const { Grants, Owner } = await s3.send(new GetObjectAclCommand(target))
    expect(Grants?.map((grant) => grant.Permission)).toEqual(['FULL_CONTROL', 'READ'])
    await s3.send(new PutObjectAclCommand({ ...target, ACL: 'private' }))
    expect((await s3.send(new GetObjectAclCommand(target))).Grants?.length).toBe(1)
    await s3.send(new PutObjectAclCommand({ ...target, AccessControlPolicy: { Grants, Owner } }))
    expect((await s3.send(new GetObjectAclCommand(target))).Grants).toEqual(Grants)
    await s3.send(
      new PutBucketOwnershipControlsCommand({
        Bucket: 'acls',
        OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
      }),
    )
    await expect(s3.send(new PutObjectAclCommand({ ...target, ACL: 'private' }))).rejects.toMatchObject(refused)
  })

  test('a key of more than 1,024 bytes is refused', async () => {
    await put('é'.repeat(512), 'x')
    await expect(put('é'.repeat(512) + 'x', 'x')).rejects.toMatchObject(refusal('KeyTooLongError', 400))
  })

  test('what is not served is 501 NotImplemented', async () => {
    const answer = await fetch(`${server.url}/plain?policy`)
    expect(answer.status).toBe(501)
    expect(await answer.text()).toMatch(
      /^<\?xml version="1.0" encoding="UTF-8"\?>\n<Error><Code>NotImplemented<\/Code>.*<RequestId>\w+<\/RequestId><HostId>.+<\/HostId><\/Error>$/,
    )
  })
})

async function keyOf(bucket: string, position: number): Promise<string> {
  const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: bucket }))
  return Contents![position]!.Key!
}

describe('copies', () => {
  const copy = (from: string, Key: string, more: object = {}) =>
    s3.send(new CopyObjectCommand({ Bucket: 'dst', Key, CopySource: from, ...more }))

  test('COPY keeps headers, metadata and tags, and neither storage class nor redirect', async () => {
    const body = { ContentType: 'text/css', CacheControl: 'max-age=1', Metadata: { m: '1' } }
    await put('from', 'body', { ...body, StorageClass: 'STANDARD_IA', Tagging: 't=1', WebsiteRedirectLocation: '/x' })
    const { CopyObjectResult } = await copy('plain/from', 'to')
    const copied = await head('dst', 'to')
    expect(copied).toMatchObject({ ...body, ETag: CopyObjectResult?.ETag, ContentLength: 4, TagCount: 1 })
    expect(copied.StorageClass).toBeUndefined()
    expect(copied.WebsiteRedirectLocation).toBeUndefined()
  })

  test('REPLACE keeps nothing that the request does not say', async () => {
    await put('from2', 'body', { ContentType: 'text/css', CacheControl: 'max-age=1', Metadata: { m: '1' } })
    await copy('plain/from2', 'to2', {
      MetadataDirective: 'REPLACE',
      ContentLanguage: 'fr',
      StorageClass: 'GLACIER_IR',
    })
    const copied = await head('dst', 'to2')
    expect(copied).toMatchObject({
      ContentType: 'binary/octet-stream',
      ContentLanguage: 'fr',
      StorageClass: 'GLACIER_IR',
    })
    expect(copied.CacheControl).toBeUndefined()
    expect(copied.Metadata).toEqual({})
  })

  test('a copy of a synthetic object has its bytes, headers, tags and ETag', async () => {
    await copy(`src/${photo(10)}`, 'synthetic')
    const [from, to] = [await head('src', photo(10)), await head('dst', 'synthetic')]
    for (const name of ['ETag', 'ContentLength', 'ContentType', 'CacheControl', 'Metadata', 'TagCount'] as const) {
      expect(to[name]).toEqual(from[name])
    }
    expect(to.TagCount).toBe(1)
    expect(await bytesOf('dst', 'synthetic')).toEqual(await bytesOf('src', photo(10)))
    await copy('dst/synthetic', 'second')
    expect((await head('dst', 'second')).ETag).toBe(from.ETag)
  })

  test('the ETag of a synthetic object is the MD5 of its bytes; beyond 8 MiB it is that of parts', async () => {
    for (const Bucket of ['few', 'usual', 'folders']) {
      const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, EncodingType: 'url' }))
      const contents = new Set<string>()
      for (const { Key, ETag, Size } of Contents) {
        const bytes = await bytesOf(Bucket, decodeURIComponent(Key!.replaceAll('+', ' ')))
        expect([`"${md5(bytes)}"`, bytes.length]).toEqual([ETag, Size])
        contents.add(ETag!)
      }
      expect(contents.size).toBeGreaterThan(Contents.length * 0.5)
    }
    expect((await head('parts', photo(0))).ETag).toMatch(/^"[0-9a-f]{32}-1"$/)
  })

  test('tags are replaced by the tagging directive alone', async () => {
    await copy(`src/${photo(20)}`, 'tags', { TaggingDirective: 'REPLACE', Tagging: 'new=1&more=2' })
    expect((await head('dst', 'tags')).TagCount).toBe(2)
  })

  test('an object copied onto itself must change', async () => {
    await put('self', 'x')
    const onto = (more: object) =>
      s3.send(new CopyObjectCommand({ Bucket: 'plain', Key: 'self', CopySource: 'plain/self', ...more }))
    await expect(onto({})).rejects.toMatchObject(refusal('InvalidRequest', 400))
    await onto({ MetadataDirective: 'REPLACE', CacheControl: 'no-store' })
    expect((await head('plain', 'self')).CacheControl).toBe('no-store')
    expect((await bytesOf('plain', 'self')).toString()).toBe('x')
  })

  test('a synthetic object remembers being copied onto itself, and takes no other write', async () => {
    const target = { Bucket: 'self', Key: photo(4), CopySource: `self/${photo(4)}` }
    await expect(s3.send(new CopyObjectCommand(target))).rejects.toMatchObject(refusal('InvalidRequest', 400))
    const before = await head('self', photo(4))
    await s3.send(new CopyObjectCommand({ ...target, MetadataDirective: 'REPLACE', CacheControl: 'no-store' }))
    const after = await head('self', photo(4))
    expect(after).toMatchObject({ CacheControl: 'no-store', ETag: before.ETag, ContentType: 'binary/octet-stream' })
    expect(after.LastModified!.getTime()).toBeGreaterThan(before.LastModified!.getTime())
    expect((await head('self', photo(5))).CacheControl).not.toBe('no-store')
    await expect(
      s3.send(new CopyObjectCommand({ ...target, Key: photo(5), MetadataDirective: 'REPLACE' })),
    ).rejects.toMatchObject(refusal('AccessDenied', 403))
    await expect(s3.send(new PutObjectCommand({ Bucket: 'self', Key: photo(5), Body: 'x' }))).rejects.toMatchObject(
      refusal('AccessDenied', 403),
    )
    await s3.send(new DeleteObjectCommand({ Bucket: 'self', Key: photo(5) }))
    const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: 'self' }))
    expect(Contents?.length).toBe(9)
  })

  test('what cannot be copied is refused as S3 refuses it', async () => {
    const table = [
      [`src/${photo(50)}`, 'InvalidObjectState', 403],
      [`src/${photo(251)}`, 'AccessDenied', 403],
      [`src/${photo(499)}`, 'InvalidRequest', 400],
      ['src/absent', 'NoSuchKey', 404],
      ['src', 'InvalidArgument', 400],
      ['plain/%ff', 'InvalidURI', 400],
    ] as const
    for (const [source, code, status] of table) {
      await expect(copy(source, 'x'), source).rejects.toMatchObject(refusal(code, status))
    }
    await expect(copy(`src/${photo(499)}`, 'x')).rejects.toThrow(
      'The specified copy source is larger than the maximum allowable size for a copy source: 5368709120',
    )
  })

  test('conditions on source and destination are 412 when they fail', async () => {
    const { ETag } = await head('src', photo(11))
    const past = new Date('2001-01-01T00:00:00Z')
    await copy(`src/${photo(11)}`, 'present', { CopySourceIfMatch: ETag, IfNoneMatch: '*' })
    for (const condition of [
      ...[{ CopySourceIfMatch: '"x"' }, { CopySourceIfNoneMatch: ETag }, { CopySourceIfUnmodifiedSince: past }],
      ...[{ CopySourceIfModifiedSince: new Date('2100-01-01T00:00:00Z') }, { IfNoneMatch: '*' }, { IfMatch: '"x"' }],
    ]) {
      await expect(copy(`src/${photo(11)}`, 'present', condition)).rejects.toMatchObject(
        refusal('PreconditionFailed', 412),
      )
    }
    await copy(`src/${photo(11)}`, 'present', { IfMatch: ETag })
  })

  test('copies are counted by destination, first ones and repeated ones apart', async () => {
    const before = server.stats().copies['dst'] ?? { total: 0, unique: 0, duplicates: 0 }
    await copy(`src/${photo(12)}`, 'counted')
    await copy(`src/${photo(12)}`, 'counted')
    const { total, unique, duplicates } = before
    expect(server.stats().copies['dst']).toEqual({ total: total + 2, unique: unique + 1, duplicates: duplicates + 1 })
  })
})

describe('multipart uploads', () => {
  test('by the SDK of a body that needs several parts arrive whole, and list as one object', async () => {
    const body = Buffer.alloc(11 * 1024 * 1024, 'a part of a whole, ')
    const upload = new Upload({
      client: s3,
      params: { Bucket: 'plain', Key: 'managed', Body: body, Metadata: { by: 'sdk' } },
    })
    expect((await upload.done()).ETag).toMatch(/^"[0-9a-f]{32}-3"$/)
    expect(await head('plain', 'managed')).toMatchObject({ ContentLength: body.length, Metadata: { by: 'sdk' } })
    expect(md5(await bytesOf('plain', 'managed'))).toBe(md5(body))
  })

  const start = async (Key: string, more: object = {}) => {
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket: 'dst', Key, ...more }))
    return { Bucket: 'dst', Key, UploadId }
  }
  const partSize = 5 * 2 ** 20

  test('parts become one object with headers of the start and an ETag of the digests', async () => {
    const upload = await start('parts', { ContentType: 'text/plain', Metadata: { a: 'b' } })
    const bodies = [Buffer.alloc(partSize, 'a'), Buffer.from('end')]
    const Parts = []
    for (const [index, Body] of bodies.entries()) {
      const { ETag } = await s3.send(new UploadPartCommand({ ...upload, PartNumber: index + 1, Body }))
      expect(ETag).toBe(`"${md5(Body)}"`)
      Parts.push({ ETag, PartNumber: index + 1 })
    }
    const listed = await s3.send(new ListPartsCommand(upload))
    expect(listed.Parts?.map((part) => part.Size)).toEqual([partSize, 3])
    const { Uploads } = await s3.send(new ListMultipartUploadsCommand({ Bucket: 'dst' }))
    expect(Uploads).toMatchObject([{ Key: 'parts', UploadId: upload.UploadId }])
    const digests = createHash('md5').update(bodies.map(md5).join(''), 'hex').digest('hex')
    const { ETag } = await s3.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }))
    expect(ETag).toBe(`"${digests}-2"`)
    expect(await head('dst', 'parts')).toMatchObject({ ETag, ContentType: 'text/plain', Metadata: { a: 'b' } })
    expect(md5(await bytesOf('dst', 'parts'))).toBe(md5(Buffer.concat(bodies)))
    await s3.send(new CopyObjectCommand({ Bucket: 'dst', Key: 'single', CopySource: 'dst/parts' }))
    expect((await head('dst', 'single')).ETag).toBe(`"${md5(Buffer.concat(bodies))}"`)
    await expect(s3.send(new ListPartsCommand(upload))).rejects.toMatchObject(refusal('NoSuchUpload', 404))
  })

  test('an object larger than 5 GiB is copied in ranges', async () => {
    const { ContentLength: size } = await head('huge', photo(3))
    expect(size).toBeGreaterThan(5 * 2 ** 30)
    const upload = await start('ranges')
    const Parts = []
    const step = 2 ** 32
    for (let from = 0, PartNumber = 1; from < size!; from += step, PartNumber++) {
      const CopySourceRange = `bytes=${from}-${Math.min(from + step, size!) - 1}`
      const { CopyPartResult } = await s3.send(
        new UploadPartCopyCommand({ ...upload, PartNumber, CopySource: `huge/${photo(3)}`, CopySourceRange }),
      )
      Parts.push({ PartNumber, ETag: CopyPartResult!.ETag })
    }
    await s3.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts }, MpuObjectSize: size }))
    expect((await head('dst', 'ranges')).ContentLength).toBe(size)
    const range = `bytes=${step - 10}-${step + 9}`
    expect(await bytesOf('dst', 'ranges', range)).toEqual(await bytesOf('huge', photo(3), range))
  })

  test('wrong parts are refused', async () => {
    const upload = await start('wrong')
    const ETags: string[] = []
    for (const PartNumber of [1, 2]) {
      ETags.push((await s3.send(new UploadPartCommand({ ...upload, PartNumber, Body: 'small' }))).ETag!)
    }
    const complete = (...numbers: number[]) =>
      s3.send(
        new CompleteMultipartUploadCommand({
          ...upload,
          MultipartUpload: {
            Parts: numbers.map((PartNumber) => ({ PartNumber, ETag: ETags[PartNumber - 1] ?? '"x"' })),
          },
        }),
      )
    await expect(complete(1, 2)).rejects.toMatchObject(refusal('EntityTooSmall', 400))
    await expect(complete(2, 1)).rejects.toMatchObject(refusal('InvalidPartOrder', 400))
    await expect(complete(1, 3)).rejects.toMatchObject(refusal('InvalidPart', 400))
    await expect(s3.send(new UploadPartCommand({ ...upload, PartNumber: 10_001, Body: 'x' }))).rejects.toMatchObject(
      refusal('InvalidArgument', 400),
    )
    const copyRange = (CopySourceRange: string) =>
      s3.send(new UploadPartCopyCommand({ ...upload, PartNumber: 3, CopySource: `src/${photo(0)}`, CopySourceRange }))
    await expect(copyRange('bytes=0-99999999')).rejects.toMatchObject(refusal('InvalidArgument', 400))
    await s3.send(new AbortMultipartUploadCommand(upload))
    await expect(complete(1)).rejects.toMatchObject(refusal('NoSuchUpload', 404))
  })

  test('a failed condition on completing leaves the present object alone', async () => {
    await s3.send(new PutObjectCommand({ Bucket: 'dst', Key: 'kept', Body: 'old' }))
    const upload = await start('kept')
    const { ETag } = await s3.send(new UploadPartCommand({ ...upload, PartNumber: 1, Body: 'new' }))
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] }
    await expect(
      s3.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload, IfNoneMatch: '*' })),
    ).rejects.toMatchObject(refusal('PreconditionFailed', 412))
    expect((await bytesOf('dst', 'kept')).toString()).toBe('old')
    await s3.send(new AbortMultipartUploadCommand(upload))
  })
})
