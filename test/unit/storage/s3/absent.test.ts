import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import { S3Store } from '../../../../src/storage/s3/store.js'
import type { ObjectSummary, Storage } from '../../../../src/storage/storage.js'

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** A store whose server answers so; `asked` are the requests that it got, with what they accept. */
async function serving(answer: Answer): Promise<{ store: S3Store; asked: string[] }> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const { range, 'accept-encoding': accept } = request.headers
    asked.push([request.method, range, accept].filter((one) => one !== undefined).join(' '))
    request.resume()
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const target = { origin, path: '/b', region: 'us-east-1', service: 's3' }
  const current = { accessKeyId: 'a', secretAccessKey: 's' }
  const credentials = { current, refresh: () => Promise.resolve('impossible' as const) }
  const store = new S3Store({ bucket: 'b', prefix: '' }, { target, credentials, trust: {} })
  closing.push(() => {
    store.close()
    server.closeAllConnections()
    server.close()
  })
  return { store, asked }
}

const ETAG = '0123456789abcdef0123456789abcdef'
const object = (size: number, etag = ETAG): ObjectSummary => ({
  ...{ key: 'k', size, etag, lastModified: '2024-01-01T00:00:00.000Z', storageClass: 'STANDARD' },
})
const HELLO = Buffer.from('hello world')

/** Answers as a store that has `content`; HEAD says no length, and GET of a range what `ranged` makes of it. */
const withoutLength =
  (content: Buffer, ranged: 'partial' | 'whole' | 'chunked' | 'refused' | 'until close' = 'partial'): Answer =>
  (request, response) => {
    response.setHeader('etag', `"${ETAG}"`)
    response.removeHeader('content-length')
    if (request.method === 'HEAD') return void response.end()
    const range = request.headers.range
    if (ranged === 'partial' && range !== undefined) {
      if (content.length === 0) return void response.writeHead(416).end('<Error><Code>InvalidRange</Code></Error>')
      return void response
        .writeHead(206, { 'content-range': `bytes 0-0/${content.length}` })
        .end(content.subarray(0, 1))
    }
    if (ranged === 'refused') return void response.writeHead(403).end('<Error><Code>AccessDenied</Code></Error>')
    if (ranged === 'whole') response.setHeader('content-length', content.length)
    if (ranged === 'until close') response.setHeader('transfer-encoding', 'identity').setHeader('connection', 'close')
    response.write(content)
    response.end()
  }

describe('a HEAD without Content-Length', () => {
  test.each([
    ['of what is listed: the listing tells', 'partial', object(11), 11, 2],
    ['of what is listed with another ETag: a GET of one byte does', 'partial', object(20_000, 'other'), 11, 3],
    ['of what no listing showed: a GET of one byte does', 'partial', undefined, 11, 3],
    ['where ranges mean nothing: the length of the whole does', 'whole', undefined, 11, 3],
    ['where nothing says a length: the bytes are counted', 'chunked', undefined, 11, 4],
  ] as const)('%s', async (_title, ranged, listed, size, requests) => {
    const { store, asked } = await serving(withoutLength(HELLO, ranged))
    expect(await store.reading.head('k', undefined, listed)).toMatchObject({ size, etag: ETAG })
    expect(asked.length).toBe(requests)
  })

  test('of an object without content is found out to be one', async () => {
    const { store } = await serving(withoutLength(Buffer.alloc(0)))
    expect((await store.reading.head('k')).size).toBe(0)
  })

  test.each([
    ['refused', 'AccessDenied'],
    ['until close', 'UnknownSize'],
  ] as const)('fails the object when no GET tells either: %s', async (ranged, code) => {
    const { store } = await serving(withoutLength(HELLO, ranged))
    await expect(store.reading.head('k')).rejects.toMatchObject({ severity: 'fail-object', code })
  })

  test.each(['', 'x', '-1', '1e3', '0x10', '11, 12'])('is one whose Content-Length is %j', async (length) => {
    const { store } = await serving((request, response) => {
      if (request.method !== 'HEAD') {
        withoutLength(HELLO)(request, response)
        return
      }
      response.socket?.end(
        `HTTP/1.1 200 OK\r\nETag: "${ETAG}"\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n`,
      )
    })
    expect((await store.reading.head('k')).size).toBe(11)
  })

  test('that contradicts the listing of the same ETag is asked about', async () => {
    const { store } = await serving((request, response) => {
      if (request.method === 'HEAD') response.setHeader('etag', `"${ETAG}"`).setHeader('content-length', '0').end()
      else withoutLength(HELLO)(request, response)
    })
    expect((await store.reading.head('k', undefined, object(11))).size).toBe(11)
  })
})

test.each(['', '""'])(
  'an object whose answers have the ETag %j fails, and is not asked about for hours',
  async (etag) => {
    const { store, asked } = await serving((_request, response) => {
      response.setHeader('etag', etag).setHeader('content-length', '11').end(HELLO)
    })
    const missing = { severity: 'fail-object', code: 'MissingETag' }
    await expect(store.reading.head('k')).rejects.toMatchObject(missing)
    await expect(store.reading.open(object(11))).rejects.toMatchObject(missing)
    expect(asked.length).toBe(3)
  },
)

/** A store that sends what is stored `as` a coding to those who accept that, and unpacked and in chunks to all others. */
const unpacking =
  (coding: string, stored: Buffer, content: Buffer, kept = coding): Answer =>
  (request, response) => {
    response.setHeader('etag', `"${ETAG}"`)
    if ((request.headers['accept-encoding'] ?? '').split(', ').includes(coding)) {
      response.setHeader('content-encoding', kept)
      const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
      const part = first === undefined ? stored : stored.subarray(Number(first), Number(last) + 1)
      if (first !== undefined) response.setHeader('content-range', `bytes ${first}-${last ?? ''}/${stored.length}`)
      return void response.writeHead(first === undefined ? 200 : 206, { 'content-length': part.length }).end(part)
    }
    response.setHeader('warning', '214 UploadServer gunzipped')
    response.writeHead(200)
    if (request.method !== 'HEAD') response.write(content)
    response.end()
  }

const TEXT = Buffer.from('line\n'.repeat(20_000))

describe('an object that is unpacked on the way', () => {
  test.each([
    ['gzip', gzipSync(TEXT), TEXT],
    ['gzip', gzipSync('x'), Buffer.from('x')],
    ['br', brotliCompressSync(TEXT), TEXT],
    ['deflate', deflateSync(TEXT), TEXT],
  ])('is read as it is stored, with its Content-Encoding: %s (%#)', async (coding, stored, content) => {
    const { store, asked } = await serving(unpacking(coding, stored, content))
    const { head, bytes } = await store.reading.open(object(stored.length))
    expect([bytes.equals(stored), head.headers.get('content-encoding'), head.size]).toEqual([
      true,
      coding,
      stored.length,
    ])
    expect(asked.length).toBeLessThanOrEqual(3)
    expect(asked[0]).toBe('GET')
  })

  test('is told of by HEAD as it is stored, and its parts are asked for at once in the right way', async () => {
    const stored = gzipSync(TEXT)
    const { store, asked } = await serving(unpacking('gzip', stored, TEXT))
    const head = await store.reading.head('k')
    expect([head.size, head.headers.get('content-encoding')]).toEqual([stored.length, 'gzip'])
    expect((await store.reading.read(object(stored.length), 5, 20)).equals(stored.subarray(5, 21))).toBe(true)
    expect(asked).toEqual(['HEAD', 'HEAD gzip', 'GET bytes=5-20 gzip'])
  })

  test('has a digest, that of what is stored', async () => {
    const stored = gzipSync(TEXT)
    const { store } = await serving(unpacking('gzip', stored, TEXT))
    const other = await serving((_request, response) => response.setHeader('content-length', stored.length).end(stored))
    const wanted = object(stored.length)
    expect(await store.reading.digest('k', wanted)).toBe(await other.store.reading.digest('k', wanted))
  })

  test.each([
    ['aws-chunked', undefined],
    ['aws-chunked,gzip', 'gzip'],
    ['identity', undefined],
    ['my-own', undefined],
    ['GZIP', 'gzip'],
    ['gzip, br', 'gzip, br'],
  ])('is known by codings that there are: of Content-Encoding: %s it is asked for %s', async (coding, accept) => {
    const { store, asked } = await serving((_request, response) => {
      response.setHeader('etag', `"${ETAG}"`).setHeader('content-encoding', coding)
      response.setHeader('content-length', '11').end(HELLO)
    })
    await store.reading.head('k')
    await store.reading.open(object(11))
    expect(asked).toEqual(['HEAD', accept === undefined ? 'GET' : `GET ${accept}`])
  })

  test('signs nothing of what it accepts', async () => {
    const signed: string[] = []
    const stored = gzipSync(TEXT)
    const { store } = await serving((request, response) => {
      signed.push(/SignedHeaders=([^,]*)/.exec(String(request.headers.authorization))?.[1] ?? '')
      unpacking('gzip', stored, TEXT)(request, response)
    })
    await store.reading.open(object(stored.length))
    expect(signed.length).toBe(2)
    expect(signed.join()).not.toContain('accept-encoding')
  })
})

describe('content of another length than was told', () => {
  const sending =
    (...bodies: readonly Buffer[]): Answer =>
    (_request, response) => {
      const body = bodies[next++ % bodies.length] ?? HELLO
      response.setHeader('etag', `"${ETAG}"`).setHeader('content-length', body.length).end(body)
    }
  let next = 0

  test.each([
    ['longer each time', [Buffer.alloc(100)], 'fail-object', 'ContentLengthMismatch'],
    ['as short each time', [Buffer.alloc(5)], 'fail-object', 'ContentLengthMismatch'],
    ['short in different ways', [Buffer.alloc(5), Buffer.alloc(6), Buffer.alloc(7)], 'retry', 'BrokenAnswer'],
    ['empty each time', [Buffer.alloc(0)], 'retry', 'BrokenAnswer'],
  ])('%s', async (_title, bodies, severity, code) => {
    next = 0
    const { store, asked } = await serving(sending(...bodies))
    await expect(store.reading.open(object(11))).rejects.toMatchObject({ severity, code })
    expect(asked.length).toBe(3)
  })

  test.each([
    ['a part of which all is sent', (response: ServerResponse) => response.end(Buffer.alloc(200))],
    [
      'the part behind it',
      (response: ServerResponse) => {
        response.writeHead(206, { 'content-range': 'bytes 20-29/200', 'content-length': 10 }).end(Buffer.alloc(10))
      },
    ],
  ])('%s is none', async (_title, send) => {
    const { store } = await serving((_request, response) => {
      response.setHeader('etag', `"${ETAG}"`)
      send(response)
    })
    await expect(store.reading.read(object(200), 10, 19)).rejects.toMatchObject({ code: 'ContentLengthMismatch' })
  })

  test('is a change of the object where the store takes no notice of If-Match', async () => {
    const { store } = await serving((_request, response) => {
      response.setHeader('etag', '"another"').end(Buffer.alloc(100))
    })
    await expect(store.reading.open(object(11))).rejects.toMatchObject({ code: 'PreconditionFailed' })
  })
})

describe('an ETag that is empty', () => {
  const EMPTY = ['<ETag></ETag>', '<ETag/>', '<ETag>&quot;&quot;</ETag>', '<ETag>""</ETag>', '<ETag> </ETag>', '']
  const answering = async (body: string): Promise<S3Store> =>
    (await serving((_request, response) => response.end(body))).store
  const source = { place: { bucket: 'a', prefix: '' } } as Storage
  const broken = { severity: 'retry', code: 'BrokenAnswer' }

  test.each(EMPTY)('is no success of a copy or a rewrite: %s', async (etag) => {
    const store = await answering(`<CopyObjectResult><LastModified>x</LastModified>${etag}</CopyObjectResult>`)
    await expect(store.copyFrom(source, object(1))).rejects.toMatchObject(broken)
    await expect(store.rewriting.rewrite(object(1), ETAG, [])).rejects.toMatchObject(broken)
  })

  test.each(EMPTY)('is no success of the copy of a part: %s', async (etag) => {
    const store = await answering(`<CopyPartResult>${etag}</CopyPartResult>`)
    const part = { key: 'k', upload: 'u', number: 1, first: 0, last: 0 }
    await expect(store.uploading.copyPart(source, object(1), part)).rejects.toMatchObject(broken)
  })

  test.each(EMPTY)('is no ETag of an object that is completed: %s', async (etag) => {
    const store = await answering(`<CompleteMultipartUploadResult>${etag}</CompleteMultipartUploadResult>`)
    expect(await store.uploading.complete('k', 'u', [{ etag: ETAG, size: 1, checksum: '' }], [])).toBe('')
  })

  test.each(EMPTY)('of a part that is there means that it is made anew: %s', async (etag) => {
    const part = (more: string): string => `<Part><PartNumber>1</PartNumber>${more}</Part>`
    const parts = (more: string): string =>
      `<ListPartsResult>${part(more)}<IsTruncated>false</IsTruncated></ListPartsResult>`
    const found = async (more: string) => (await (await answering(parts(more))).uploading.parts('k', 'u'))?.size
    expect(await found(`${etag}<Size>5</Size>`)).toBe(0)
    expect(await found('<ETag>"x"</ETag>')).toBe(0)
    expect(await found('<ETag>"x"</ETag><Size>5</Size>')).toBe(1)
  })

  test.each(EMPTY)('of a listed object or version is unknown: %s', async (etag) => {
    const listed = `<Key>k</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified>${etag}<Size>1</Size><StorageClass></StorageClass>`
    const list = `<ListBucketResult><IsTruncated>false</IsTruncated><Contents>${listed}</Contents></ListBucketResult>`
    expect((await (await answering(list)).list({})).objects).toEqual([
      { key: 'k', size: 1, etag: '', lastModified: '2024-01-01T00:00:00.000Z', storageClass: 'STANDARD' },
    ])
    const versions = `<ListVersionsResult><IsTruncated>false</IsTruncated><Version><VersionId>v</VersionId>${listed}</Version></ListVersionsResult>`
    expect((await (await answering(versions)).versions!.list(undefined)).versions).toMatchObject([
      { key: 'k', size: 1, etag: '', storageClass: 'STANDARD' },
    ])
  })

  test('is no condition', async () => {
    const conditions: unknown[] = []
    const { store } = await serving((request, response) => {
      conditions.push(request.headers['if-match'])
      response.setHeader('etag', `"${ETAG}"`).end(HELLO)
    })
    await store.reading.digest('k', object(11, ''))
    await store.reading.open(object(11, ''))
    expect(conditions).toEqual([undefined, undefined])
  })
})

test('a version without a size is an error of the listing, and a delete marker needs none', async () => {
  const listed = (entry: string): string =>
    `<ListVersionsResult><IsTruncated>false</IsTruncated>${entry}</ListVersionsResult>`
  const entry = '<Key>k</Key><VersionId>v</VersionId><ETag>"e"</ETag>'
  const list = async (body: string) =>
    (await serving((_request, response) => response.end(body))).store.versions!.list(undefined)
  await expect(list(listed(`<Version>${entry}</Version>`))).rejects.toMatchObject({ code: 'BrokenAnswer' })
  expect((await list(listed(`<DeleteMarker>${entry}</DeleteMarker>`))).versions).toMatchObject([{ size: 0 }])
})
