import { GetObjectCommand, HeadObjectCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { copyAction } from '../../../../src/engine/actions/copy-object.js'
import { withNoClobber } from '../../../../src/engine/actions/no-clobber.js'
import { setHeadersAction } from '../../../../src/engine/actions/set-headers.js'
import type { CopyJob } from '../../../../src/job/copy.js'
import type { SetHeadersJob } from '../../../../src/job/set-headers.js'
import { createMeter, retrying } from '../../../../src/storage/retry.js'
import { openAccount } from '../../../../src/storage/s3/account.js'
import { S3Store } from '../../../../src/storage/s3/store.js'
import type { ObjectSummary, Storage } from '../../../../src/storage/storage.js'
import { put, sandbox, type TestSandbox } from '../../../support/cli-buckets.js'
import { CREDENTIALS } from '../../../support/cli-program.js'
import { standIn, SLOW_DOWN, type Answer, type Passing } from '../../../support/stand-in.js'

const MIB = 1024 ** 2
const LIMITS = { copy: MIB, part: 5 * MIB }
const OLD = Buffer.alloc(6 * MIB, 'old ')
const SOURCE = { bucket: 'src', prefix: '' }
const SET: SetHeadersJob = {
  ...{ kind: 'set-headers', source: SOURCE, folderMarkers: false },
  rules: [{ set: [['cache-control', 'no-store']], remove: [] }],
}

type Step = (request: Passing) => Promise<Answer | 'lost' | undefined>

/** Two buckets of a store that honours no condition, with retries; `before` and `after` are called around the first completion of an upload. */
async function stores({ before, after }: { before?: Step; after?: Step }) {
  const server = await sandbox({ buckets: ['src:unconditional', 'dst:unconditional'] })
  const first = (step: Step | undefined): Step => {
    let done = false
    return async (request) => {
      const { method, url } = request
      if (done || step === undefined || method !== 'POST' || !url.includes('uploadId=')) return undefined
      done = true
      return await step(request)
    }
  }
  const url = await standIn(server.url, { before: first(before), after: first(after) })
  return { server, ...(await openBoth(url)) }
}

/** Both buckets, with retries. */
async function openBoth(url: string): Promise<{ readonly source: Storage; readonly destination: Storage }> {
  vi.stubEnv('AWS_ACCESS_KEY_ID', CREDENTIALS.accessKeyId)
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', CREDENTIALS.secretAccessKey)
  onTestFinished(() => void vi.unstubAllEnvs())
  const account = await openAccount({ endpointUrl: url, region: 'us-east-1' }, () => undefined)
  onTestFinished(() => account.close())
  const policy = { retryFor: 30_000, giveUp: new AbortController().signal, random: () => 0.1 }
  const open = async (bucket: string): Promise<Storage> => {
    const { credentials } = account
    const store = new S3Store({ bucket, prefix: '' }, { target: await account.target(bucket), credentials, trust: {} })
    onTestFinished(() => store.close())
    return retrying(store, policy, createMeter())
  }
  return { source: await open('src'), destination: await open('dst') }
}

async function listed(store: Storage): Promise<ObjectSummary> {
  return (await store.list({})).objects[0]!
}

async function content(
  { s3 }: TestSandbox,
  Bucket: string,
): Promise<{ body: string; cacheControl: string | undefined }> {
  const { Body, CacheControl } = await s3.send(new GetObjectCommand({ Bucket, Key: 'k' }))
  return { body: (await Body!.transformToString()).slice(0, 4), cacheControl: CacheControl }
}

describe('an object that is made of parts, in a store that honours no condition', () => {
  test('and rewritten in its place puts nothing old over what was written between two tries to complete it', async () => {
    const { server, source } = await stores({
      before: async () => {
        await put(server, 'src', 'k', { Body: 'new!' })
        return SLOW_DOWN
      },
    })
    await put(server, 'src', 'k', { Body: OLD })
    const object = await listed(source)
    expect(await setHeadersAction(SET, source, LIMITS)(object)).toEqual({ kind: 'copied' })
    // It was looked at anew, and what it is now has its headers.
    expect(await content(server, 'src')).toEqual({ body: 'new!', cacheControl: 'no-store' })
    const { Uploads = [] } = await server.s3.send(new ListMultipartUploadsCommand({ Bucket: 'src' }))
    expect(Uploads).toEqual([])
  })

  test('knows itself again when the answer to its completion was lost', async () => {
    const { server, source } = await stores({ after: () => Promise.resolve('lost') })
    await put(server, 'src', 'k', { Body: OLD })
    // So that its date shows that it was written.
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    expect(await setHeadersAction(SET, source, LIMITS)(await listed(source))).toEqual({ kind: 'copied' })
    expect(await content(server, 'src')).toEqual({ body: 'old ', cacheControl: 'no-store' })
    const { ETag } = await server.s3.send(new HeadObjectCommand({ Bucket: 'src', Key: 'k' }))
    expect(ETag).toMatch(/-2"$/)
  })

  const job: CopyJob = { kind: 'copy', noClobber: true, source: SOURCE, destination: { bucket: 'dst', prefix: '' } }

  test('and replaces nothing does so neither between two tries to complete it, nor takes the object of another for its own', async () => {
    const { server, source, destination } = await stores({
      before: async () => {
        await put(server, 'dst', 'k', { Body: 'mine' })
        return SLOW_DOWN
      },
    })
    await put(server, 'src', 'k', { Body: OLD })
    const act = withNoClobber(job, { source, destination, settings: { streamed: false } }, LIMITS)
    expect(await act(await listed(source))).toEqual({ kind: 'skipped', reason: 'exists' })
    expect((await content(server, 'dst')).body).toBe('mine')
  })

  test('and replaces nothing is copied all the same when the answer to its completion was lost', async () => {
    const { server, source, destination } = await stores({ after: () => Promise.resolve('lost') })
    await put(server, 'src', 'k', { Body: OLD })
    const act = withNoClobber(job, { source, destination, settings: { streamed: false } }, LIMITS)
    expect(await act(await listed(source))).toMatchObject({ kind: 'copied' })
    expect((await content(server, 'dst')).body).toBe('old ')
  })
})

test('headers that were looked up for a copy go with no content that was written between two tries', async () => {
  const server = await sandbox({ buckets: ['src', 'dst'] })
  let tries = 0
  const url = await standIn(server.url, {
    async before({ method, url, headers }) {
      for (const name of Object.keys(headers)) if (name.endsWith('if-match')) Reflect.deleteProperty(headers, name)
      if (method !== 'PUT' || !url.startsWith('/dst/') || tries++ > 0) return undefined
      await put(server, 'src', 'k', { Body: 'new!', ContentType: 'text/new' })
      return SLOW_DOWN
    },
  })
  const { source, destination } = await openBoth(url)
  await put(server, 'src', 'k', { Body: 'old!', ContentType: 'text/old' })
  const job: CopyJob = {
    ...{ kind: 'copy', source: SOURCE, destination: { bucket: 'dst', prefix: '' } },
    attributes: { set: [['cache-control', 'no-store']] },
  }
  expect(
    await copyAction(job, { source, destination, settings: { streamed: false } })(await listed(source)),
  ).toMatchObject({
    kind: 'copied',
  })
  const { ContentType } = await server.s3.send(new HeadObjectCommand({ Bucket: 'dst', Key: 'k' }))
  expect([(await content(server, 'dst')).body, ContentType]).toEqual(['new!', 'text/new'])
})
