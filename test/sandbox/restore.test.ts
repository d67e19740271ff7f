import {
  CopyObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutObjectCommand,
  RestoreObjectCommand,
  S3Client,
  type Tier,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSandbox, type Sandbox } from '../../src/sandbox/server.js'

const credentials = { accessKeyId: 'any', secretAccessKey: 'any' }
const connect = (server: Sandbox) =>
  new S3Client({ endpoint: server.url, region: 'us-east-1', forcePathStyle: true, credentials, maxAttempts: 1 })
let atOnce: Sandbox
let slow: Sandbox
let s3: S3Client

beforeAll(async () => {
  const buckets = ['src:seq:10:glacier=5', 'dst', 'kept:versioned', 'big:seq:2:glacier=2,denied=2']
  atOnce = await startSandbox({ buckets })
  slow = await startSandbox({ buckets, restoreSeconds: 100_000 })
  s3 = connect(atOnce)
})

afterAll(async () => {
  s3.destroy()
  await atOnce.close()
  await slow.close()
})

const refusal = (name: string, status: number) => ({ name, $metadata: { httpStatusCode: status } })
const archived = { Bucket: 'src', Key: 'photos/000000000002.jpg' }
const restore = (
  target: { Bucket: string; Key: string; VersionId?: string },
  Days = 2,
  tier: Tier = 'Bulk',
  client = s3,
) =>
  client.send(new RestoreObjectCommand({ ...target, RestoreRequest: { Days, GlacierJobParameters: { Tier: tier } } }))
const status = async (client: S3Client, more: object = {}) => {
  const { Contents } = await client.send(new ListObjectsV2Command({ Bucket: 'src', ...more }))
  return Contents!.map((object) => object.RestoreStatus)
}
const midnightAfter = (days: number) => new Date((Math.floor(Date.now() / 86_400_000) + days + 1) * 86_400_000)

describe('an archived object', () => {
  test('can be read and copied once it is restored, until the midnight after the days asked for', async () => {
    const get = () => s3.send(new GetObjectCommand(archived))
    const copy = () =>
      s3.send(new CopyObjectCommand({ Bucket: 'dst', Key: 'k', CopySource: `${archived.Bucket}/${archived.Key}` }))
    await expect(get()).rejects.toMatchObject({ ...refusal('InvalidObjectState', 403), StorageClass: 'GLACIER' })
    await expect(copy()).rejects.toMatchObject(refusal('InvalidObjectState', 403))
    expect((await s3.send(new HeadObjectCommand(archived))).Restore).toBeUndefined()
    expect((await restore(archived)).$metadata.httpStatusCode).toBe(202)
    const head = await s3.send(new HeadObjectCommand(archived))
    expect(head.Restore).toBe(`ongoing-request="false", expiry-date="${midnightAfter(2).toUTCString()}"`)
    expect(head.StorageClass).toBe('GLACIER')
    await (await get()).Body?.transformToByteArray()
    await copy()
    const copied = await s3.send(new HeadObjectCommand({ Bucket: 'dst', Key: 'k' }))
    expect([copied.StorageClass, copied.Restore]).toEqual([undefined, undefined])
  })

  test('that is restored already is kept longer by asking again', async () => {
    const target = { Bucket: 'src', Key: 'photos/000000000007.jpg' }
    await restore(target, 1)
    expect((await restore(target, 9)).$metadata.httpStatusCode).toBe(200)
    expect((await s3.send(new HeadObjectCommand(target))).Restore).toContain(midnightAfter(9).toUTCString())
  })

  test('is under way for as long as the sandbox is told, and then refuses another restoration', async () => {
    const client = connect(slow)
    await restore(archived, 2, 'Standard', client)
    await expect(restore(archived, 2, 'Standard', client)).rejects.toMatchObject(
      refusal('RestoreAlreadyInProgress', 409),
    )
    expect((await client.send(new HeadObjectCommand(archived))).Restore).toBe('ongoing-request="true"')
    await expect(client.send(new GetObjectCommand(archived))).rejects.toMatchObject(refusal('InvalidObjectState', 403))
    const listed = await status(client, { OptionalObjectAttributes: ['RestoreStatus'] })
    expect(listed[2]).toEqual({ IsRestoreInProgress: true })
    expect(listed[7]).toBeUndefined()
    client.destroy()
  })

  test('shows in listings that ask for it when its restored copy expires', async () => {
    await restore(archived, 3)
    const listed = await status(s3, { OptionalObjectAttributes: ['RestoreStatus'] })
    expect(listed[2]).toEqual({ IsRestoreInProgress: false, RestoreExpiryDate: midnightAfter(3) })
    expect((await status(s3))[2]).toBeUndefined()
  })

  test('is restored by version', async () => {
    const target = { Bucket: 'kept', Key: 'k' }
    const { VersionId } = await s3.send(new PutObjectCommand({ ...target, Body: 'x', StorageClass: 'DEEP_ARCHIVE' }))
    await s3.send(new PutObjectCommand({ ...target, Body: 'y' }))
    const old = { ...target, VersionId: VersionId! }
    await expect(s3.send(new GetObjectCommand(old))).rejects.toMatchObject(refusal('InvalidObjectState', 403))
    await restore(old)
    expect(await (await s3.send(new GetObjectCommand(old))).Body!.transformToString()).toBe('x')
    const { Versions } = await s3.send(
      new ListObjectVersionsCommand({ Bucket: 'kept', OptionalObjectAttributes: ['RestoreStatus'] }),
    )
    expect(Versions?.map((version) => version.RestoreStatus?.IsRestoreInProgress)).toEqual([undefined, false])
  })

  test('is refused what cannot be: another class, no days, an expedited deep archive', async () => {
    await expect(restore({ ...archived, Key: 'photos/000000000001.jpg' })).rejects.toMatchObject(
      refusal('InvalidObjectState', 403),
    )
    await expect(restore(archived, 0)).rejects.toMatchObject(refusal('InvalidArgument', 400))
    await expect(s3.send(new RestoreObjectCommand({ ...archived, RestoreRequest: {} }))).rejects.toMatchObject(
      refusal('MalformedXML', 400),
    )
    await s3.send(new PutObjectCommand({ Bucket: 'dst', Key: 'deep', Body: 'x', StorageClass: 'DEEP_ARCHIVE' }))
    await expect(restore({ Bucket: 'dst', Key: 'deep' }, 1, 'Expedited')).rejects.toMatchObject(
      refusal('InvalidArgument', 400),
    )
    await expect(restore({ Bucket: 'big', Key: 'photos/000000000001.jpg' })).rejects.toMatchObject(
      refusal('AccessDenied', 403),
    )
  })
})
