import {
  CopyObjectCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type ListObjectsV2CommandInput,
} from '@aws-sdk/client-s3'
import * as fc from 'fast-check'
import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSandbox, type Sandbox } from '../../src/sandbox/server.js'

const layouts = ['seq', 'hex', 'dates', 'hot', 'deep', 'odd']
const oddCount = 800
let server: Sandbox
let s3: S3Client

beforeAll(async () => {
  server = await startSandbox({
    buckets: [
      ...layouts.map((layout) => `${layout}:${layout}:2500:prefix=in/,size=10`),
      ...layouts.filter((layout) => layout !== 'odd').map((layout) => `huge-${layout}:${layout}:1e9`),
      ...[`strange:odd:${oddCount}`, 'plain', 'dst', 'million:seq:2M', 'folders:deep:300', 'gaps:seq:100'],
    ],
  })
  s3 = new S3Client({
    ...{ endpoint: server.url, region: 'us-east-1', forcePathStyle: true, maxAttempts: 1 },
    credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
  })
})

afterAll(async () => {
  s3.destroy()
  await server.close()
})

const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b))

/** What `encoding-type=url` stands for. */
const decode = (text: string) => decodeURIComponent(text.replaceAll('+', ' '))

function page(Bucket: string, more: Partial<ListObjectsV2CommandInput> = {}) {
  return s3.send(new ListObjectsV2Command({ Bucket, EncodingType: 'url', ...more }))
}

/** All keys, by continuation tokens. */
async function allKeys(Bucket: string, more: Partial<ListObjectsV2CommandInput> = {}): Promise<string[]> {
  const keys: string[] = []
  let ContinuationToken: string | undefined
  do {
    const answer = await page(Bucket, { ...more, ...(ContinuationToken === undefined ? {} : { ContinuationToken }) })
    expect(answer.KeyCount).toBe((answer.Contents?.length ?? 0) + (answer.CommonPrefixes?.length ?? 0))
    for (const { Key } of answer.Contents ?? []) keys.push(decode(Key!))
    for (const { Prefix } of answer.CommonPrefixes ?? []) keys.push(decode(Prefix!))
    ContinuationToken = answer.NextContinuationToken
    expect(answer.IsTruncated).toBe(ContinuationToken !== undefined)
  } while (ContinuationToken !== undefined)
  return keys
}

describe.each(layouts)('the %s layout', (layout) => {
  test('lists as many different keys as it was told to, in byte order', async () => {
    const keys = await allKeys(layout)
    expect(new Set(keys).size).toBe(2500)
    expect(keys).toEqual([...keys].sort(byBytes))
  })

  test('lists from any StartAfter exactly the keys after it', async () => {
    const keys = await allKeys(layout)
    const startAfter = fc.oneof(
      fc.constantFrom(...keys),
      fc.tuple(fc.constantFrom(...keys), fc.nat(40)).map(([key, cut]) => Array.from(key).slice(0, cut).join('')),
      fc.tuple(fc.constantFrom(...keys), fc.string({ unit: 'binary' })).map(([key, more]) => key + more),
      fc.string({ unit: 'binary' }),
    )
    await fc.assert(
      fc.asyncProperty(startAfter, async (StartAfter) => {
        const { Contents, IsTruncated } = await page(layout, { StartAfter, MaxKeys: 50 })
        const after = keys.filter((key) => byBytes(key, StartAfter) > 0)
        expect((Contents ?? []).map(({ Key }) => decode(Key!))).toEqual(after.slice(0, 50))
        expect(IsTruncated).toBe(after.length > 50)
      }),
      { numRuns: 60 },
    )
  })

  test('shows with HEAD what it lists', async () => {
    const { Contents } = await page(layout, { MaxKeys: 20 })
    for (const { Key, ETag, Size, LastModified } of Contents!) {
      const head = await s3.send(new HeadObjectCommand({ Bucket: layout, Key: decode(Key!) }))
      expect(head).toMatchObject({ ETag, ContentLength: Size, LastModified })
    }
  })
})

describe('listings', () => {
  test('a billion synthetic objects are listed from the middle', async () => {
    for (const layout of ['seq', 'hex', 'dates', 'hot', 'deep']) {
      const first = (await page(`huge-${layout}`, { MaxKeys: 1 })).Contents![0]!.Key!
      const StartAfter = `${decode(first).slice(0, 5)}~`
      const { KeyCount } = await page(`huge-${layout}`, { StartAfter: decode(first) })
      expect(KeyCount).toBe(1000)
      expect((await page(`huge-${layout}`, { StartAfter })).KeyCount).toBe(layout === 'hex' ? 1000 : 0)
    }
  })

  test('a bucket of two million is listed from its middle with the keys that follow', async () => {
    const { Contents, KeyCount } = await page('million', { StartAfter: 'photos/000000999999.jpg' })
    expect(KeyCount).toBe(1000)
    expect(Contents![0]!.Key).toBe('photos/000001000000.jpg')
    expect(Contents![999]!.Key).toBe('photos/000001000999.jpg')
    expect((await page('million', { StartAfter: 'photos/000001999998.jpg' })).KeyCount).toBe(1)
  })

  test('a delimiter rolls keys up into common prefixes, over pages of any size', async () => {
    const keys = await allKeys('folders')
    for (const Prefix of ['', 'level01-00/', 'level01-00/level02-00/lev']) {
      const rolled = keys
        .filter((key) => key.startsWith(Prefix))
        .map((key) => key.slice(0, key.indexOf('/', Prefix.length) + 1) || key)
      const expected = [...new Set(rolled)]
      for (const MaxKeys of [1, 2, 1000]) {
        expect(await allKeys('folders', { Prefix, Delimiter: '/', MaxKeys })).toEqual(expected)
      }
    }
  })

  test('odd prefixes and delimiters find exactly the keys that have them', async () => {
    const keys = await allKeys('strange')
    for (const Prefix of ['a', 'a%', '/', '//', ' ', 'control/', '\u{1f600}', 'order/', '.', 'nothing']) {
      expect(await allKeys('strange', { Prefix, MaxKeys: 7 })).toEqual(keys.filter((key) => key.startsWith(Prefix)))
    }
    const byPercent = new Set(keys.map((key) => (key.includes('%') ? key.slice(0, key.indexOf('%') + 1) : key)))
    const rolled = await allKeys('strange', { Delimiter: '%', MaxKeys: 100 })
    expect(rolled.sort(byBytes)).toEqual([...byPercent].sort(byBytes))
  })

  test('an ordinary bucket lists in byte order while it is written and deleted from', async () => {
    const keys = ['b', 'a', '\uffff', '\u{1f600}', 'é', 'a/b', 'A', '~']
    const present = new Set<string>()
    for (const Key of keys) {
      await s3.send(new PutObjectCommand({ Bucket: 'plain', Key, Body: 'x' }))
      present.add(Key)
      expect(await allKeys('plain')).toEqual([...present].sort(byBytes))
    }
    for (const Key of ['a', 'é', 'b', 'A', '~', '\uffff']) {
      await s3.send(new DeleteObjectCommand({ Bucket: 'plain', Key }))
      present.delete(Key)
      expect(await allKeys('plain', { MaxKeys: 2 })).toEqual([...present].sort(byBytes))
    }
    await s3.send(new PutObjectCommand({ Bucket: 'plain', Key: 'a', Body: 'x' }))
    expect(await allKeys('plain')).toEqual(['a', ...present].sort(byBytes))
  })

  test('deleted synthetic objects leave no gap in the pages', async () => {
    const keys = await allKeys('gaps')
    const Objects = keys.slice(10, 30).map((Key) => ({ Key }))
    await s3.send(new DeleteObjectsCommand({ Bucket: 'gaps', Delete: { Objects } }))
    expect(await allKeys('gaps', { MaxKeys: 15 })).toEqual([...keys.slice(0, 10), ...keys.slice(30)])
  })

  test('keys are encoded as S3 does: a space as plus, slashes left alone', async () => {
    const Key = 's p/a+c%e&f<g>h"i\'j(k)l*m~n_o-p.q\r\u00e9'
    await s3.send(new PutObjectCommand({ Bucket: 'plain', Key, Body: 'x' }))
    const url = await (await fetch(`${server.url}/plain?list-type=2&encoding-type=url&prefix=s`)).text()
    expect(url).toContain('<Key>s+p/a%2Bc%25e%26f%3Cg%3Eh%22i%27j%28k%29l*m%7En_o-p.q%0D%C3%A9</Key>')
    const plain = await (await fetch(`${server.url}/plain?list-type=2&prefix=s`)).text()
    expect(plain).toContain("<Key>s p/a+c%e&amp;f&lt;g&gt;h&quot;i'j(k)l*m~n_o-p.q&#xD;é</Key>")
  })

  test('malformed parameters are 400 InvalidArgument', async () => {
    for (const query of [
      'max-keys=-1',
      'max-keys=x',
      'encoding-type=xml',
      'continuation-token=made-up',
      'continuation-token=',
    ]) {
      const answer = await fetch(`${server.url}/plain?list-type=2&${query}`)
      expect(answer.status, query).toBe(400)
      expect(await answer.text()).toContain('<Code>InvalidArgument</Code>')
    }
  })

  test('a bucket is reached by virtual-host style too', async () => {
    const body = await new Promise<string>((resolve, reject) => {
      const headers = { host: `million.localhost:${server.port}` }
      request({ host: '127.0.0.1', port: server.port, path: '/?list-type=2&max-keys=1', headers }, (response) => {
        let text = ''
        response
          .setEncoding('utf8')
          .on('data', (chunk: string) => (text += chunk))
          .on('end', () => resolve(text))
      })
        .on('error', reject)
        .end()
    })
    expect(body).toContain('<Name>million</Name>')
    expect(body).toContain('<Key>photos/000000000000.jpg</Key>')
  })
})

describe('odd keys', () => {
  test('every oddity that S3 allows is among them', async () => {
    const keys = await allKeys('strange')
    const has = (what: RegExp | ((key: string) => boolean)) =>
      expect(
        keys.some((key) => (typeof what === 'function' ? what(key) : what.test(key))),
        String(what),
      ).toBe(true)
    for (const c of [
      ' ',
      '+',
      '%',
      '&',
      '<',
      '>',
      '"',
      "'",
      '\r',
      '\n',
      '\t',
      '\u0001',
      '\u007f',
      '\ue000',
      '\uffff',
      '\u{10000}',
    ]) {
      has((key) => key.includes(c))
    }
    for (const pattern of [
      /\/\//,
      /^\//,
      /(^|\/)\.\.?(\/|$)/,
      /.\/$/,
      /[\u0080-\u07ff]/,
      /[\u0800-\ud7ff]/,
      /\p{Emoji}/u,
    ]) {
      has(pattern)
    }
    has((key) => Buffer.byteLength(key) === 1024)
    has((key) => keys.includes(key.toUpperCase()) && key !== key.toUpperCase())
    has((key) => keys.some((other) => other !== key && other.startsWith(key)))
    expect(keys.length).toBe(oddCount)
  })

  test('each survives HEAD, COPY, LIST and DELETE', async () => {
    const keys = await allKeys('strange')
    for (const Key of keys) {
      const { ETag } = await s3.send(new HeadObjectCommand({ Bucket: 'strange', Key }))
      const CopySource = `strange/${encodeURIComponent(Key)}`
      const { CopyObjectResult } = await s3.send(new CopyObjectCommand({ Bucket: 'dst', Key, CopySource }))
      expect(CopyObjectResult?.ETag).toBe(ETag)
    }
    expect(await allKeys('dst')).toEqual(keys)
    const half = keys.filter((_, index) => index % 2 === 0)
    for (let i = 0; i < half.length; i += 500) {
      const Objects = half.slice(i, i + 500).map((Key) => ({ Key }))
      await s3.send(new DeleteObjectsCommand({ Bucket: 'dst', Delete: { Objects } }))
    }
    const rest = keys.filter((_, index) => index % 2 === 1)
    expect(await allKeys('dst')).toEqual(rest)
    for (const Key of rest.slice(0, 300)) await s3.send(new DeleteObjectCommand({ Bucket: 'dst', Key }))
    expect(await allKeys('dst')).toEqual(rest.slice(300))
  })
})
