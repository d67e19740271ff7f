import {
  AbortMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  CreateSessionCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  RenameObjectCommand,
  S3Client,
  type RenameObjectCommandInput,
} from '@aws-sdk/client-s3'
import { createHash } from 'node:crypto'
import { Agent } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSandbox, type Sandbox } from '../../src/sandbox/server.js'

const credentials = { accessKeyId: 'AK', secretAccessKey: 'secret' }
const Bucket = 'fast--use1-az4--x-s3'
const many = 'many--use1-az4--x-s3'
// Directory buckets are named by the host alone, and by no path; nobody needs to know such a name.
const httpAgent = new Agent({ lookup: (_name, _options, told) => told(null, [{ address: '127.0.0.1', family: 4 }]) })
const clientOf = ({ port }: Sandbox, own = credentials) =>
  new S3Client({
    ...{ endpoint: `http://localhost:${port}`, region: 'us-east-1', forcePathStyle: true, maxAttempts: 1 },
    ...{ credentials: own, requestHandler: { httpAgent } },
  })
let server: Sandbox
let s3: S3Client

beforeAll(async () => {
  server = await startSandbox({
    buckets: [Bucket, `${many}:hex:2500:prefix=in/`, 'plain', 'src:seq:20:tags=2'],
    accessKeyId: 'AK',
    secretAccessKey: 'secret',
  })
  s3 = clientOf(server)
})

afterAll(async () => {
  s3.destroy()
  await server.close()
})

const refusal = (name: string, status: number) => ({ name, $metadata: { httpStatusCode: status } })
const md5 = (text: string) => `"${createHash('md5').update(text).digest('hex')}"`
const put = (Key: string, Body = Key) => s3.send(new PutObjectCommand({ Bucket, Key, Body }))
const read = async (Key: string) =>
  await (await s3.send(new GetObjectCommand({ Bucket, Key }))).Body!.transformToString()
const rename = (more: Omit<RenameObjectCommandInput, 'Bucket'>) => s3.send(new RenameObjectCommand({ Bucket, ...more }))

async function allKeys(name: string, more: { readonly Prefix?: string; readonly MaxKeys?: number } = {}) {
  const keys: string[] = []
  let ContinuationToken: string | undefined
  do {
    const answer = await s3.send(new ListObjectsV2Command({ Bucket: name, ...more, ContinuationToken }))
    keys.push(...(answer.Contents ?? []).map(({ Key }) => Key!))
    ContinuationToken = answer.NextContinuationToken
  } while (ContinuationToken !== undefined)
  return keys
}

describe('the sessions of a directory bucket', () => {
  test('are begun by the SDK by itself, and its requests are answered', async () => {
    await put('a/b')
    expect(await read('a/b')).toBe('a/b')
    await s3.send(new HeadBucketCommand({ Bucket }))
    expect(server.stats().byOperation.CreateSession).toBeGreaterThan(0)
  })

  test('are asked for: what comes without one, or with that of another bucket, is refused', async () => {
    const without = await fetch(`${server.url}/${Bucket}/a`)
    expect(without.status).toBe(403)
    const { Credentials } = await s3.send(new CreateSessionCommand({ Bucket: many }))
    const other = await fetch(`${server.url}/${Bucket}/a`, {
      headers: { 'x-amz-s3session-token': Credentials!.SessionToken! },
    })
    expect(await other.text()).toContain('<Code>InvalidToken</Code>')
    await expect(s3.send(new CreateSessionCommand({ Bucket: 'plain' }))).rejects.toMatchObject({
      $metadata: { httpStatusCode: 405 },
    })
  })

  test('expire', async () => {
    const short = await startSandbox({ buckets: [Bucket], sessionSeconds: 0 })
    const client = clientOf(short)
    await expect(client.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x' }))).rejects.toMatchObject(
      refusal('ExpiredToken', 400),
    )
    client.destroy()
    await short.close()
  })

  test('are verified: a wrong secret is found out', async () => {
    const wrong = clientOf(server, { ...credentials, secretAccessKey: 'other' })
    await expect(wrong.send(new HeadObjectCommand({ Bucket, Key: 'k' }))).rejects.toMatchObject({
      $metadata: { httpStatusCode: 403 },
    })
    wrong.destroy()
  })
})

describe('the listing of a directory bucket', () => {
  test('has every key once, in no order, and the same one each time', async () => {
    const keys = await allKeys(many, { MaxKeys: 700 })
    expect(new Set(keys).size).toBe(2500)
    expect(keys).toHaveLength(2500)
    expect(keys).not.toEqual([...keys].sort())
    expect(await allKeys(many)).toEqual(keys)
    expect(await allKeys(many, { Prefix: 'in/' })).toEqual(keys)
  })

  test('has what was there all the time once, whatever is written and deleted between two pages', async () => {
    const name = 'moving--use1-az4--x-s3'
    const own = await startSandbox({ buckets: [`${name}:hex:1500`] })
    const client = clientOf(own)
    const page = (ContinuationToken?: string) =>
      client.send(new ListObjectsV2Command({ Bucket: name, MaxKeys: 500, ContinuationToken }))
    const first = await page()
    const gone = first.Contents!.slice(0, 50).map(({ Key }) => ({ Key: Key! }))
    await client.send(new DeleteObjectsCommand({ Bucket: name, Delete: { Objects: gone } }))
    for (let n = 0; n < 20; n++) await client.send(new PutObjectCommand({ Bucket: name, Key: `new/${n}`, Body: 'x' }))
    const seen = first.Contents!.map(({ Key }) => Key!)
    for (let token = first.NextContinuationToken; token !== undefined;) {
      const next = await page(token)
      seen.push(...(next.Contents ?? []).map(({ Key }) => Key!))
      token = next.NextContinuationToken
    }
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen.filter((key) => !key.startsWith('new/'))).toHaveLength(1500)
    client.destroy()
    await own.close()
  })

  test('knows prefixes and delimiters that are / alone, and no start-after', async () => {
    const list = (more: object) => s3.send(new ListObjectsV2Command({ Bucket: many, ...more }))
    await expect(list({ Prefix: 'i' })).rejects.toMatchObject(refusal('InvalidRequest', 400))
    await expect(list({ Delimiter: '-' })).rejects.toMatchObject(refusal('InvalidRequest', 400))
    await expect(list({ StartAfter: 'in/' })).rejects.toMatchObject(refusal('NotImplemented', 501))
    expect((await list({ Delimiter: '/' })).CommonPrefixes).toEqual([{ Prefix: 'in/' }])
  })

  test('shows the folders of unfinished uploads where there is a delimiter', async () => {
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'later/x' }))
    const level = async () =>
      (await s3.send(new ListObjectsV2Command({ Bucket, Delimiter: '/' }))).CommonPrefixes?.map(({ Prefix }) => Prefix)
    expect(await level()).toContain('later/')
    await s3.send(new AbortMultipartUploadCommand({ Bucket, Key: 'later/x', UploadId }))
    expect(await level()).not.toContain('later/')
  })
})

describe('the objects of a directory bucket', () => {
  test('have ETags that are no MD5s, and their one storage class', async () => {
    const { ETag } = await put('etag')
    expect(ETag).not.toBe(md5('etag'))
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'etag' }))
    expect(head).toMatchObject({ ETag, StorageClass: 'EXPRESS_ONEZONE' })
    const { CopyObjectResult } = await s3.send(
      new CopyObjectCommand({ Bucket: 'plain', Key: 'copy', CopySource: `${Bucket}/etag` }),
    )
    expect(CopyObjectResult?.ETag).toBe(md5('etag'))
    const wrong = s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x', StorageClass: 'STANDARD' }))
    await expect(wrong).rejects.toMatchObject(refusal('InvalidStorageClass', 400))
    const elsewhere = { Bucket: 'plain', Key: 'k', Body: 'x', StorageClass: 'EXPRESS_ONEZONE' } as const
    await expect(s3.send(new PutObjectCommand(elsewhere))).rejects.toMatchObject(refusal('InvalidStorageClass', 400))
  })

  test('take no tags, lists of access, locks or MD5s, and have no settings to ask for', async () => {
    const refused = { $metadata: { httpStatusCode: 501 } }
    const write = (more: object) => s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x', ...more }))
    await expect(write({ Tagging: 'a=b' })).rejects.toMatchObject(refused)
    await expect(write({ ACL: 'public-read' })).rejects.toMatchObject(refused)
    await expect(write({ ObjectLockLegalHoldStatus: 'ON' })).rejects.toMatchObject(refused)
    await expect(write({ WebsiteRedirectLocation: '/x' })).rejects.toMatchObject(refused)
    await expect(write({ ContentMD5: 'nL4Rek5zIsR+C7NzwBFPKA==' })).rejects.toMatchObject(
      refusal('InvalidRequest', 400),
    )
    await put('untagged')
    await expect(s3.send(new GetObjectTaggingCommand({ Bucket, Key: 'untagged' }))).rejects.toMatchObject(refused)
    await expect(s3.send(new GetBucketVersioningCommand({ Bucket }))).rejects.toMatchObject(refused)
  })

  test('are copied from objects without tags, or without their tags', async () => {
    const keys = await allKeys('src')
    const copy = (key: string, more: object = {}) =>
      s3.send(new CopyObjectCommand({ Bucket, Key: 'copied', CopySource: `src/${key}`, ...more }))
    const tagged = keys[0]!
    await expect(copy(tagged)).rejects.toMatchObject({ $metadata: { httpStatusCode: 501 } })
    await copy(tagged, { TaggingDirective: 'REPLACE' })
    await copy(keys[1]!)
    const all = copy(keys[1]!, { AnnotationDirective: 'COPY' })
    await expect(all).rejects.toMatchObject({ $metadata: { httpStatusCode: 501 } })
  })

  test('are deleted under conditions of their time and size', async () => {
    await put('when', 'four')
    const { LastModified } = await s3.send(new HeadObjectCommand({ Bucket, Key: 'when' }))
    const remove = (more: object) => s3.send(new DeleteObjectCommand({ Bucket, Key: 'when', ...more }))
    await expect(remove({ IfMatchSize: 5 })).rejects.toMatchObject(refusal('PreconditionFailed', 412))
    await expect(remove({ IfMatchLastModifiedTime: new Date(0) })).rejects.toMatchObject(
      refusal('PreconditionFailed', 412),
    )
    await remove({ IfMatchSize: 4, IfMatchLastModifiedTime: LastModified })
    await expect(read('when')).rejects.toMatchObject(refusal('NoSuchKey', 404))
  })
})

describe('RenameObject', () => {
  test('gives an object another name, and nothing else', async () => {
    const { ETag } = await put('old name', 'content')
    await rename({ Key: 'new/name', RenameSource: 'old%20name', SourceIfMatch: ETag })
    expect(await read('new/name')).toBe('content')
    expect((await s3.send(new HeadObjectCommand({ Bucket, Key: 'new/name' }))).ETag).toBe(ETag)
    await expect(read('old name')).rejects.toMatchObject(refusal('NoSuchKey', 404))
  })

  test('is done once where a client token says so', async () => {
    await put('one')
    const asked = { Key: 'two', RenameSource: 'one', ClientToken: 'token-1' }
    await rename(asked)
    await put('one', 'later')
    await rename(asked)
    expect(await read('one')).toBe('later')
    expect(await read('two')).toBe('one')
    await expect(rename({ ...asked, Key: 'three' })).rejects.toMatchObject({ $metadata: { httpStatusCode: 400 } })
    await expect(rename({ ...asked, ClientToken: undefined, RenameSource: 'nothing' })).rejects.toMatchObject(
      refusal('NoSuchKey', 404),
    )
  })

  test('keeps to its conditions, and knows no names that end in /', async () => {
    await put('from')
    await put('to')
    const failed = refusal('PreconditionFailed', 412)
    await expect(rename({ Key: 'to', RenameSource: 'from', DestinationIfNoneMatch: '*' })).rejects.toMatchObject(failed)
    await expect(rename({ Key: 'to', RenameSource: 'from', SourceIfMatch: '"x"' })).rejects.toMatchObject(failed)
    await expect(rename({ Key: 'to/', RenameSource: 'from' })).rejects.toMatchObject(refusal('InvalidRequest', 400))
    expect(await read('from')).toBe('from')
  })
})
