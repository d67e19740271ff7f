import { S3Client, UpdateObjectEncryptionCommand } from '@aws-sdk/client-s3'
import { hash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createProbes } from '../../../../src/storage/s3/probes.js'
import { probeEncryption } from '../../../../src/storage/s3/preflight.js'
import type { Channel, StoreRequest } from '../../../../src/storage/s3/request.js'
import { createRewriting } from '../../../../src/storage/s3/rewriting.js'
import type { S3Store } from '../../../../src/storage/s3/store.js'

const ARN = 'arn:aws:kms:us-east-1:111122223333:key/1a2b'

interface Answer {
  readonly status: number
  readonly code?: string
  readonly message?: string
}

function channelOf(answers: readonly Answer[], aws = true) {
  const sent: StoreRequest[] = []
  const channel = {
    ...{ place: { bucket: 'b', prefix: 'p/' }, path: '/b/p/', bucketPath: '/b', aws, always: [], customerKey: [] },
    request: async (_: unknown, request: StoreRequest) => {
      sent.push(request)
      await Promise.resolve()
      const { status, code, message = 'm' } = answers[Math.min(sent.length, answers.length) - 1]!
      const body = code === undefined ? '' : `<Error><Code>${code}</Code><Message>${message}</Message></Error>`
      return { status, body, head: `HTTP/1.1 ${status} x` }
    },
  }
  return { channel: channel as unknown as Channel, sent }
}

/** What the SDK of AWS sends for the same. */
async function asSdk(BucketKeyEnabled: boolean, Key: string, VersionId?: string) {
  let seen: { method: string; path: string; query: Record<string, unknown>; body: string } | undefined
  const client = new S3Client({
    ...{ region: 'us-east-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' }, forcePathStyle: true },
    requestHandler: {
      handle: (request: { method: string; path: string; query: Record<string, unknown>; body: unknown }) => {
        const { method, path, query, body } = request
        seen = { method, path, query, body: String(body) }
        return Promise.resolve({ response: { statusCode: 200, headers: {}, body: undefined } })
      },
      metadata: { handlerProtocol: 'http/1.1' },
    } as never,
  })
  const ObjectEncryption = { SSEKMS: { KMSKeyArn: ARN, BucketKeyEnabled } }
  await client.send(new UpdateObjectEncryptionCommand({ Bucket: 'b', Key, VersionId, ObjectEncryption }))
  return seen!
}

const inOrder = (body: string): string[] => (body.match(/<(KMSKeyArn|BucketKeyEnabled)>[^<]*/g) ?? []).sort()

describe('UpdateObjectEncryption', () => {
  test.each([
    [false, 'k', undefined],
    [true, 'a b/é', 'v/1'],
  ] as const)(
    'is sent as the SDK of AWS sends it (bucket key: %s, key %j, version %s), with the MD5 of its body',
    async (bucketKey, key, version) => {
      const { channel, sent } = channelOf([{ status: 200 }])
      const store = createRewriting(channel, { head: () => Promise.reject(new Error('not asked')) })
      await store.updateEncryption(key, { kmsKeyArn: ARN, bucketKey }, version)
      const [{ method, path, query = '', body, fields }] = sent as [StoreRequest & { readonly body: Buffer }]
      const sdk = await asSdk(bucketKey, `p/${key}`, version)
      expect([method, path]).toEqual([sdk.method, sdk.path])
      const asked = Object.fromEntries(new URLSearchParams(query))
      expect(asked).toEqual({ encryption: '', ...(version === undefined ? {} : { versionId: version }) })
      const { 'x-id': _, ...of } = sdk.query
      expect(asked).toEqual(of)
      expect(inOrder(String(body))).toEqual(inOrder(sdk.body))
      const shell = (xml: string): string =>
        xml.replace(/<SSE-KMS>.*<\/SSE-KMS>/, '<SSE-KMS/>').replace(/^<\?xml[^>]*>\s*/, '')
      expect(shell(String(body))).toBe(shell(sdk.body))
      expect(fields).toContainEqual(['content-md5', hash('md5', body, 'base64')])
    },
  )

  test.each([
    [{ status: 404, code: 'NoSuchKey' }, 'NoSuchKey', 'skip'],
    [{ status: 400, code: 'InvalidRequest' }, 'InvalidRequest', 'fail-object'],
    [{ status: 403, code: 'AccessDenied' }, 'AccessDenied', 'fail-object'],
    [{ status: 503, code: 'SlowDown' }, 'SlowDown', 'throttle'],
    [{ status: 400, code: 'KMS.ThrottlingException' }, 'KMS.ThrottlingException', 'throttle'],
  ])('that is refused with %j is %s (%s)', async (answer, code, severity) => {
    const { channel } = channelOf([answer])
    const store = createRewriting(channel, { head: () => Promise.reject(new Error('not asked')) })
    const wanted = { kmsKeyArn: ARN, bucketKey: false }
    await expect(store.updateEncryption('k', wanted)).rejects.toMatchObject({
      code,
      severity,
      operation: 'UpdateObjectEncryption',
    })
  })
})

describe('before the first object', () => {
  const preflight = (answers: readonly Answer[], host: string) => {
    const { channel, sent } = channelOf(answers, false)
    const probes = createProbes(channel, channel.request)
    const store = { probes, place: channel.place, host, conditional: false } as unknown as S3Store
    return { result: probeEncryption(store, ARN), sent }
  }
  const GONE: Answer = { status: 404, code: 'NoSuchKey' }
  const AWS = 'bucket.vpce-1.s3.us-east-1.vpce.amazonaws.com'

  test('a server of AWS is asked once, of an object that does not exist', async () => {
    const { result, sent } = preflight([GONE], AWS)
    await result
    expect(sent.map(({ method, query }) => [method, query])).toEqual([['PUT', 'encryption=']])
  })

  test('any other server is asked first in a form that can write nothing, and then as an object would be', async () => {
    const { result, sent } = preflight([GONE], 'store.example')
    await result
    expect(sent[0]!.query).toMatch(/^encryption=&partNumber=1&uploadId=s3move-/)
    expect(sent.map(({ path }) => path).every((path) => path.startsWith('/b/p/'))).toBe(true)
    expect([sent[1]!.query, sent.length]).toEqual(['encryption=', 2])
  })

  test.each([
    ['an upload that does not exist', { status: 404, code: 'NoSuchUpload' }],
    ['nothing wrong', { status: 200 }],
    ['a request that it does not know', { status: 501, code: 'NotImplemented' }],
  ])('a server that sees %s is sent nothing that it could take for content', async (_, answer) => {
    const { result, sent } = preflight([answer], 'store.example')
    await expect(result).rejects.toThrow('does not know UpdateObjectEncryption')
    expect(sent).toHaveLength(1)
  })

  test('a server that was taken in all the same is told, with what it has written', async () => {
    const { result } = preflight([GONE, { status: 200 }], 'store.example')
    await expect(result).rejects.toThrow(/may have written s3:\/\/b\/p\/s3move-probe-[0-9a-f-]+: delete that/)
  })

  test.each([
    [
      { status: 400, code: 'KMS.DisabledException', message: 'it is disabled' },
      /does not take the key arn:.*it is disabled \(KMS\.DisabledException, HTTP 400\)/,
    ],
    [{ status: 405, code: 'MethodNotAllowed' }, /does not know UpdateObjectEncryption/],
  ])('what AWS refuses ends it: %j', async (answer, message) => {
    await expect(preflight([answer], AWS).result).rejects.toThrow(message)
  })

  test('what may pass is left to who tries again, and what is forbidden to who tells of permissions', async () => {
    await expect(preflight([{ status: 503, code: 'SlowDown' }], AWS).result).rejects.toMatchObject({
      severity: 'throttle',
    })
    await expect(preflight([{ status: 403, code: 'AccessDenied' }], AWS).result).rejects.toMatchObject({
      code: 'AccessDenied',
    })
  })
})
