import {
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { ActionContext } from '../../../../src/engine/actions/context.js'
import { MemoryBudget } from '../../../../src/engine/actions/memory-budget.js'
import { copyAction } from '../../../../src/engine/actions/copy-object.js'
import { partSizeFor } from '../../../../src/engine/actions/multipart.js'
import { setHeadersAction } from '../../../../src/engine/actions/set-headers.js'
import { streaming } from '../../../../src/engine/actions/copy-streamed.js'
import type { CopyJob } from '../../../../src/job/copy.js'
import type { Attributes } from '../../../../src/job/object-attributes.js'
import type { SetHeadersJob } from '../../../../src/job/set-headers.js'
import { createMeter, retrying } from '../../../../src/storage/retry.js'
import { openAccount } from '../../../../src/storage/s3/account.js'
import { S3Store } from '../../../../src/storage/s3/store.js'
import type { Storage } from '../../../../src/storage/storage.js'
import { put, sandbox, type TestSandbox } from '../../../support/cli-buckets.js'
import { CREDENTIALS } from '../../../support/cli-program.js'
import { standIn, type Answer, type Passing } from '../../../support/stand-in.js'

const MIB = 1024 ** 2
const PART = 5 * MIB
const JOB: CopyJob = { kind: 'copy', source: { bucket: 'src', prefix: '' }, destination: { bucket: 'dst', prefix: '' } }
/** Of 22 MiB, no two MiB alike: five parts of 5 MiB. */
const CONTENT = Buffer.concat(Array.from({ length: 22 }, (_, index) => Buffer.alloc(MIB, `part ${index} `)))

/** Both buckets of a server, and what was told of it; `before` may answer in its place. */
async function opened(
  dialect: string,
  before?: (request: Passing) => Answer | undefined,
  insists: readonly string[] = [],
) {
  const server = await sandbox({ buckets: ['src', 'dst'], dialect })
  const asked: string[] = []
  const url = await standIn(server.url, {
    before: (request) => {
      asked.push(`${request.method} ${request.url.replaceAll(/uploadId=[^&]*/g, 'uploadId')}`)
      return Promise.resolve(before?.(request))
    },
  })
  vi.stubEnv('AWS_ACCESS_KEY_ID', CREDENTIALS.accessKeyId)
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', CREDENTIALS.secretAccessKey)
  onTestFinished(() => void vi.unstubAllEnvs())
  const account = await openAccount({ endpointUrl: url, region: 'us-east-1' }, () => undefined)
  onTestFinished(() => account.close())
  const told: string[] = []
  const policy = { retryFor: 2_000, giveUp: new AbortController().signal, random: () => 0.1 }
  const open = async (bucket: string): Promise<Storage> => {
    const store = new S3Store(
      { bucket, prefix: '' },
      {
        ...{ target: await account.target(bucket), credentials: account.credentials, trust: {}, insists },
        notice: ({ message }) => void told.push(message),
      },
    )
    onTestFinished(() => store.close())
    return retrying(store, policy, createMeter())
  }
  await put(server, 'src', 'k', { Body: CONTENT, ContentType: 'text/x' })
  return { server, asked, told, source: await open('src'), destination: await open('dst') }
}

/** How the object is copied whose parts are copied inside the store, or pass through this machine. */
function ways(kind: 'inside' | 'through', attributes: Attributes = {}, partSize?: number) {
  const job = { ...JOB, attributes, ...(partSize === undefined ? {} : { partSize }) }
  return async ({ source, destination, uploads }: Pick<ActionContext, 'source' | 'destination' | 'uploads'>) => {
    const all = { source, destination, uploads, memory: new MemoryBudget(64 * MIB) }
    const act =
      kind === 'inside'
        ? copyAction(job, { ...all, settings: { streamed: false } }, { copy: MIB, part: PART })
        : streaming(job, { ...all, settings: { streamed: true } }, { part: PART, whole: MIB, piped: MIB, apart: MIB })
    const [object] = (await source.list({})).objects
    return await act(object!)
  }
}

async function there({ s3 }: TestSandbox) {
  const { Body, ETag, ContentType } = await s3.send(new GetObjectCommand({ Bucket: 'dst', Key: 'k' }))
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: 'dst' }))
  expect([Buffer.from(await Body!.transformToByteArray()).equals(CONTENT), ContentType, Uploads]).toEqual([
    ...[true, 'text/x'],
    [],
  ])
  return Number(/-(\d+)"$/.exec(ETag!)?.[1])
}

describe.each(['inside', 'through'] as const)('an object of parts that is copied %s', (kind) => {
  test.each([
    [4, 4],
    [2, 2],
    [5, 5],
    [1, 1],
  ])('into a store that takes %i parts is begun anew in as many, and told of once', async (most, parts) => {
    const store = await opened(`most-parts=${most}`)
    expect(await ways(kind)(store)).toMatchObject({ kind: 'copied' })
    expect(await there(store.server)).toBe(parts)
    expect(store.told).toEqual(
      most < 5 ? [expect.stringContaining(`takes at most ${most} parts an object: large objects are`)] : [],
    )
    // Of the next object it is known.
    store.asked.length = 0
    expect(await ways(kind)(store)).toMatchObject({ kind: 'copied' })
    expect(store.asked.filter((one) => one.startsWith('DELETE'))).toEqual([])
  })

  test.each(['InvalidArgument', 'InvalidPartNumber', 'InvalidRequest'])(
    'is a failure when %s is said of parts for another reason, and nothing is left behind',
    async (code) => {
      let begun = 0
      const store = await opened('', ({ method, url }) => {
        if (method === 'POST' && url.endsWith('uploads=')) begun++
        if (!/partNumber=2&/.test(url)) return undefined
        return { status: 400, body: `<Error><Code>${code}</Code><Message>no</Message></Error>` }
      })
      const outcome = await ways(kind)(store)
      // The number is what one of them names: with larger parts there is no second one.
      if (code === 'InvalidPartNumber') expect([outcome?.kind, begun]).toEqual(['copied', 2])
      else expect([outcome, begun]).toMatchObject([{ kind: 'failed', failure: { code } }, 1])
      const { Uploads = [] } = await store.server.s3.send(new ListMultipartUploadsCommand({ Bucket: 'dst' }))
      expect(Uploads).toEqual([])
    },
  )

  test('is begun anew a few times and no more when fewer parts are refused each time', async () => {
    let begun = 0
    const store = await opened('', ({ method, url }) => {
      if (method === 'POST' && url.endsWith('uploads=')) begun++
      if (method !== 'PUT' || !/partNumber=/.test(url)) return undefined
      return { status: 400, body: '<Error><Code>InvalidArgument</Code><Message>part number</Message></Error>' }
    })
    expect(await ways(kind)(store)).toMatchObject({ kind: 'failed', failure: { code: 'InvalidArgument' } })
    expect(begun).toBeLessThanOrEqual(5)
  })

  test('has a failure that says what to do where parts are too small or too large for the store', async () => {
    const small = await opened('', ({ method, url }) =>
      method === 'POST' && url.includes('uploadId=')
        ? { status: 400, body: '<Error><Code>EntityTooSmall</Code><Message>too small</Message></Error>' }
        : undefined,
    )
    const large = await opened('', ({ method, url }) =>
      method === 'PUT' && url.includes('partNumber=')
        ? { status: 400, body: '<Error><Code>EntityTooLarge</Code><Message>too large</Message></Error>' }
        : undefined,
    )
    expect(await ways(kind)(small)).toMatchObject({
      failure: {
        code: 'EntityTooSmall',
        message: expect.stringMatching(/5242880 bytes: larger.*--part-size/) as string,
      },
    })
    expect(await ways(kind, {}, 6 * MIB)(large)).toMatchObject({
      failure: {
        code: 'EntityTooLarge',
        message: expect.stringMatching(/6291456 bytes: smaller.*--part-size/) as string,
      },
    })
  })
})

test('how many parts there may be is asked of /info, without a signature, where there would be more than a thousand', async () => {
  const store = await opened('info,most-parts=700')
  const { limits } = store.destination.uploading!
  expect([await limits!.most(1_000), store.asked.filter((one) => one.includes('/info'))]).toEqual([10_000, []])
  expect([await limits!.most(1_001), await limits!.most(9_000)]).toEqual([700, 700])
  expect(store.asked.filter((one) => one.includes('/info'))).toEqual(['GET /info'])
  expect(partSizeFor(7_000 * MIB, 5 * MIB, 700)).toBe(10 * MIB)
})

test.each([
  ['nothing', 404, 'application/json', ''],
  ['no JSON', 200, 'application/json', '<Error/>'],
  ['a page', 200, 'text/html', '{"s3api":{"max_upload_part_num":5}}'],
  ['no number', 200, 'application/json', '{"s3api":{"max_upload_part_num":"5"}}'],
  ['nought', 200, 'application/json', '{"s3api":{"max_upload_part_num":0}}'],
  ['null', 200, 'application/json', 'null'],
])('where /info tells %s there may be as many parts as S3 takes', async (_, status, type, body) => {
  const store = await opened('', ({ url }) =>
    url === '/info' ? { status, headers: { 'content-type': type }, body } : undefined,
  )
  expect(await store.destination.uploading!.limits!.most(2_000)).toBe(10_000)
})

describe.each([
  [501, 'NotImplemented'],
  [405, 'MethodNotAllowed'],
])('a store that does not know UploadPartCopy (%i)', (status, code) => {
  const before = ({ method, url, headers }: Passing): Answer | undefined =>
    method === 'PUT' && url.includes('partNumber=') && headers['x-amz-copy-source'] !== undefined
      ? { status, body: `<Error><Code>${code}</Code><Message>A header is not implemented</Message></Error>` }
      : undefined

  test('gets what one CopyObject cannot copy through this machine, which is told once', async () => {
    const store = await opened('', before)
    expect(await ways('inside')(store)).toMatchObject({ kind: 'copied' })
    expect(await there(store.server)).toBe(3)
    expect(store.told).toEqual([expect.stringMatching(/does not support UploadPartCopy.*passes through this machine/)])
    // Of the next object no part is tried.
    store.asked.length = 0
    expect(await ways('inside')(store)).toMatchObject({ kind: 'copied' })
    expect(store.asked.filter((one) => one.includes('uploads='))).toHaveLength(1)
  })

  test('goes on with an upload of before whose parts have passed through this machine', async () => {
    const store = await opened('', before)
    const [Bucket, Key] = ['dst', 'k']
    const { UploadId } = await store.server.s3.send(
      new CreateMultipartUploadCommand({ Bucket, Key, ContentType: 'text/x' }),
    )
    const Body = CONTENT.subarray(0, 8 * MIB)
    await store.server.s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body }))
    const { etag, lastModified } = await store.source.reading.head(Key)
    const uploads = {
      before: { id: UploadId!, partSize: 8 * MIB, etag, lastModified },
      begun: () => Promise.reject(new Error('none is to be begun')),
    }
    expect(await ways('inside')({ ...store, uploads })).toMatchObject({ kind: 'copied' })
    expect(await there(store.server)).toBe(3)
    const numbers = store.asked.flatMap((one) => /^PUT .*partNumber=(\d)/.exec(one)?.[1] ?? [])
    expect(new Set(numbers)).toEqual(new Set(['2', '3']))
  })

  test('fails by a name where that cannot be: with an algorithm that was asked for, and in place', async () => {
    const store = await opened('', before)
    expect(await ways('inside', { checksumAlgorithm: 'SHA256' })(store)).toMatchObject({
      failure: { code: 'PartCopyNotSupported', message: expect.stringContaining('UploadPartCopy') as string },
    })
    const job: SetHeadersJob = {
      ...{ kind: 'set-headers', source: JOB.source, folderMarkers: false },
      rules: [{ set: [['cache-control', 'no-store']], remove: [] }],
    }
    const [object] = (await store.source.list({})).objects
    expect(await setHeadersAction(job, store.source, { copy: MIB, part: PART })(object!)).toMatchObject({
      failure: { code: 'PartCopyNotSupported' },
    })
    const { CacheControl } = await store.server.s3.send(new HeadObjectCommand({ Bucket: 'src', Key: 'k' }))
    expect(CacheControl).toBeUndefined()
  })
})

describe('an algorithm of checksums that only the source has', () => {
  test.each([
    ['crc64nvme', 501, 'NotImplemented'],
    ['sha256', 400, 'InvalidArgument'],
  ])('(%s) is left out where it is refused with %i, and told once', async (algorithm, status, code) => {
    const refuse = ({ method, headers }: Passing): Answer | undefined => {
      const sent = Object.keys(headers).some((name) => name.startsWith('x-amz-checksum-') && !name.endsWith('-mode'))
      if (!sent || method === 'HEAD' || method === 'GET') return undefined
      return { status, body: `<Error><Code>${code}</Code><Message>Unsupported</Message></Error>` }
    }
    const store = await opened('', refuse)
    const head = store.source.reading.head.bind(store.source.reading)
    const source: Storage = {
      ...store.source,
      reading: {
        ...store.source.reading,
        head: async (...given) => {
          const found = await head(...given)
          const carried = [...found.carried, ['x-amz-checksum-algorithm', algorithm.toUpperCase()] as const]
          return { ...found, carried }
        },
      },
    }
    expect(await ways('inside')({ ...store, source })).toMatchObject({ kind: 'copied' })
    expect(store.told).toEqual([
      expect.stringContaining('does not support x-amz-checksum-algorithm with CreateMultipartUpload'),
    ])
    // What was asked for is never left out.
    const insisting = await opened('', refuse, ['x-amz-checksum-algorithm'])
    expect(await ways('inside', { checksumAlgorithm: 'CRC32C' })(insisting)).toMatchObject({ failure: { code } })
    expect(insisting.told).toEqual([])
  })
})
