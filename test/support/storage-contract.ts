import { createHash, hash, randomBytes, randomUUID } from 'node:crypto'
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
  type PutObjectCommandInput,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { copyAction } from '../../src/engine/actions/copy-object.js'
import { copyInParts } from '../../src/engine/actions/multipart.js'
import { setHeadersAction } from '../../src/engine/actions/set-headers.js'
import type { Attributes } from '../../src/job/object-attributes.js'
import { compareKeys } from '../../src/keys.js'
import type { ObjectContent, HeaderFields, ObjectSummary, Page, Storage } from '../../src/storage/storage.js'
import type { ObjectVersion } from '../../src/storage/object-versions.js'
import { openAccount } from '../../src/storage/s3/account.js'
import { S3Store } from '../../src/storage/s3/store.js'

/** Two buckets of a store, made for the test, with a way to look at them that is not the one under test. */
export interface Stores {
  readonly source: string
  readonly destination: string
  /** The storage under test. */
  open(bucket: string, prefix: string): Promise<Storage>
  readonly client: S3Client
  /** Whether the store knows storage classes beside STANDARD. */
  readonly storageClasses: boolean
  /** Removes the buckets and all that is in them. */
  close(): Promise<void>
}

/** How a store is reached. */
export interface Access {
  readonly endpoint: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly storageClasses: boolean
}

/** Makes two buckets in an S3 store. The AWS environment variables must hold the same keys as `access`. */
export async function s3Stores(access: Access): Promise<Stores> {
  const { endpoint, storageClasses, ...credentials } = access
  const client = new S3Client({
    endpoint,
    credentials,
    region: 'us-east-1',
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
  })
  const account = await openAccount({ endpointUrl: endpoint, region: 'us-east-1' }, () => undefined)
  const id = randomUUID().slice(0, 8)
  const [source, destination] = [`s3move-test-src-${id}`, `s3move-test-dst-${id}`]
  for (const Bucket of [source, destination]) await client.send(new CreateBucketCommand({ Bucket }))
  const opened: S3Store[] = []
  return {
    source,
    destination,
    client,
    storageClasses,
    async open(bucket, prefix) {
      const target = await account.target(bucket)
      const store = new S3Store({ bucket, prefix }, { target, credentials: account.credentials, trust: {} })
      opened.push(store)
      return store
    },
    async close() {
      for (const store of opened) store.close()
      account.close()
      for (const Bucket of [source, destination]) {
        for (const Key of await keysIn(client, Bucket)) await client.send(new DeleteObjectCommand({ Bucket, Key }))
        await removeVersions(client, Bucket)
        await client.send(new DeleteBucketCommand({ Bucket }))
      }
      client.destroy()
    },
  }
}

async function removeVersions(client: S3Client, Bucket: string): Promise<void> {
  const listed = await client.send(new ListObjectVersionsCommand({ Bucket })).catch(() => undefined)
  for (const { Key, VersionId } of [...(listed?.Versions ?? []), ...(listed?.DeleteMarkers ?? [])]) {
    await client.send(new DeleteObjectCommand({ Bucket, Key, VersionId }))
  }
}

async function keysIn(client: S3Client, Bucket: string, Prefix = ''): Promise<string[]> {
  const keys: string[] = []
  for (let StartAfter = ''; ; StartAfter = keys.at(-1) ?? '') {
    const page = await client.send(new ListObjectsV2Command({ Bucket, Prefix, StartAfter, EncodingType: 'url' }))
    // The SDK hands over the keys as they were listed.
    for (const { Key } of page.Contents ?? []) keys.push(decodeURIComponent((Key ?? '').replaceAll('+', ' ')))
    if (page.IsTruncated !== true) return keys
  }
}

const ODD = [
  ...[
    'plain',
    'a b',
    'a+b',
    'a%b',
    'a%20b',
    'a%2Fb',
    'a&b',
    'a&amp;b',
    'a<b>c',
    'a"b',
    "a'b",
    'a?b=c',
    'a#b',
    'a=b',
    'a:b',
  ],
  ...[
    'dir/',
    'dir/file',
    'dir//file',
    'dir/./file',
    'dir/../file',
    '/leading',
    '//two',
    'trailing ',
    ' leading',
    '~',
    '*',
    '(',
    '!',
  ],
  ...[
    'cr\rx',
    'crlf\r\nx',
    'lf\nx',
    'tab\tx',
    'esc\u001bx',
    'del\u007fx',
    'one\u0001x',
    'back\\slash',
    '$&',
    '{a,b}',
    '-rf',
  ],
  ...[
    'é',
    'e\u0301',
    '中文',
    '\u{1f600}',
    '\u{10000}',
    '\ue000',
    '\ufffd',
    '\ud7ff',
    '\u2028',
    '\u202e',
    '\u0085',
    '\u00a0',
  ],
  ...['p', 'pp', 'ppp', 'pp/', 'toString', '__proto__', `${'x'.repeat(400)}/${'é'.repeat(250)}`],
]

/** A store in which the contract may put objects. */
export interface AnyStore {
  put(key: string, body?: string | Buffer): Promise<unknown>
  /** The storage under test, of what is below a prefix that ends in a slash. */
  open(prefix: string): Promise<Storage>
}

async function putMany(put: AnyStore['put'], prefix: string, keys: readonly string[]): Promise<void> {
  for (let at = 0; at < keys.length; at += 20) {
    await Promise.all(keys.slice(at, at + 20).map((key) => put(prefix + key)))
  }
}

async function all(store: Storage, limit?: number): Promise<ObjectSummary[]> {
  const objects: ObjectSummary[] = []
  for (let page: Page | undefined; page?.truncated !== false;) {
    const after = objects.at(-1)?.key
    page = await store.list({
      ...(after === undefined ? {} : { after }),
      ...(limit === undefined ? {} : { limit }),
    })
    objects.push(...page.objects)
  }
  return objects
}

/** What every store must do, of whatever kind. Within `describe`. */
export function contractOfAll(stores: () => AnyStore): void {
  const put: AnyStore['put'] = (key, body) => stores().put(key, body)
  const putAll = (prefix: string, keys: readonly string[]) => putMany(put, prefix, keys)

  test('lists every key below the prefix, relative to it, in UTF-8 byte order, whatever the size of pages', async () => {
    await putAll('order/', ODD)
    const expected = [...ODD].sort(compareKeys)
    const store = await stores().open('order/')
    for (const limit of [undefined, 1000, 7, 1]) {
      expect((await all(store, limit)).map(({ key }) => key)).toEqual(expected)
    }
  })

  test('lists what comes after a key, whether or not there is an object of that name', async () => {
    await putAll('after/', ['a', 'a/', 'a/1', 'b', 'd'])
    const store = await stores().open('after/')
    const after = async (key: string) => (await store.list({ after: key })).objects.map((object) => object.key)
    expect(await after('a')).toEqual(['a/', 'a/1', 'b', 'd'])
    expect(await after('a/')).toEqual(['a/1', 'b', 'd'])
    expect(await after('c')).toEqual(['d'])
    expect(await after('d')).toEqual([])
    expect(await after('\u{10ffff}')).toEqual([])
  })

  test('says whether there is more, and never more than was asked for', async () => {
    await putAll('limit/', ['1', '2', '3'])
    const store = await stores().open('limit/')
    const shape = async (limit: number, after?: string) => {
      const page = await store.list({ limit, ...(after === undefined ? {} : { after }) })
      return [page.objects.length, page.truncated]
    }
    expect(await shape(2)).toEqual([2, true])
    expect(await shape(3)).toEqual([3, false])
    expect(await shape(2, '1')).toEqual([2, false])
    expect(await shape(1, '1')).toEqual([1, true])
  })

  test('goes on at the token of a page', async () => {
    await putAll('token/', ['1', '2', '3'])
    const store = await stores().open('token/')
    const { token } = await store.list({ limit: 1 })
    expect(token).toBeDefined()
    expect((await store.list({ token: token! })).objects.map(({ key }) => key)).toEqual(['2', '3'])
  })

  test('digests the content of an object, unless it was written to since', async () => {
    const body = randomBytes(300_000)
    await put('digest/large', body)
    await put('digest/empty', '')
    const { reading } = await stores().open('digest/')
    for (const [key, content] of [
      ['large', body],
      ['empty', Buffer.alloc(0)],
    ] as const) {
      const { size, etag } = await reading.head(key)
      expect(size).toBe(content.length)
      expect(await reading.digest(key, { size, etag })).toBe(createHash('sha256').update(content).digest('hex'))
    }
    const { size, etag } = await reading.head('large')
    await expect(reading.digest('large', { size: size + 1, etag })).rejects.toMatchObject({ name: 'StorageError' })
    await put('digest/large', 'another')
    await expect(reading.digest('large', { size, etag })).rejects.toMatchObject({ code: 'PreconditionFailed' })
    await expect(reading.digest('none', { size, etag })).rejects.toMatchObject({ severity: 'skip' })
  })

  test('reads a part of the content of an object, unless it was written to since', async () => {
    await put('range/x', 'hello world')
    const { reading } = await stores().open('range/')
    const { etag } = await reading.head('x')
    const object = { key: 'x', etag }
    expect((await reading.read(object, 0, 10)).toString()).toBe('hello world')
    expect((await reading.read(object, 4, 6)).toString()).toBe('o w')
    await expect(reading.read(object, 4, 20)).rejects.toMatchObject({ name: 'StorageError' })
    await put('range/x', 'hello there')
    await expect(reading.read(object, 4, 6)).rejects.toMatchObject({ code: 'PreconditionFailed' })
    await expect(reading.read({ ...object, key: 'y' }, 4, 6)).rejects.toMatchObject({ severity: 'skip' })
  })

  test('removes objects of odd keys, those that are named and no others; what is not there counts as removed', async () => {
    await putAll('removed/', ODD)
    const store = await stores().open('removed/')
    const gone = ODD.filter((_key, index) => index % 2 === 0)
    const found = await store.removing!.remove([...gone.map((key) => ({ key })), { key: 'was never there' }])
    expect(found).toEqual([...gone.map(() => undefined), undefined])
    const left = ODD.filter((_key, index) => index % 2 === 1)
    expect((await all(store)).map(({ key }) => key)).toEqual([...left].sort(compareKeys))
    const [first] = left
    expect(await store.removing!.remove([{ key: first! }])).toEqual([undefined])
    expect((await all(store)).map(({ key }) => key)).not.toContain(first)
  })
}

/** What every S3 store must do. `make` is called once. */
export function storageContract(name: string, make: () => Promise<Stores>): void {
  describe(name, () => {
    let stores: Stores
    beforeAll(async () => {
      stores = await make()
    })
    afterAll(() => stores.close())

    const put = (Key: string, more: Partial<PutObjectCommandInput> = {}, Bucket = stores.source) =>
      stores.client.send(new PutObjectCommand({ Bucket, Key, Body: `content of ${Key}`, ...more }))
    const putAll = (prefix: string, keys: readonly string[]) => putMany((key) => put(key), prefix, keys)
    contractOfAll(() => ({
      put: (key, Body) => put(key, Body === undefined ? {} : { Body }),
      open: (prefix) => stores.open(stores.source, prefix),
    }))

    const one = async (store: Storage, key: string): Promise<ObjectSummary> => {
      const found = (await all(store)).find((object) => object.key === key)
      expect(found, key).toBeDefined()
      return found!
    }

    test('takes the prefix as a string, not as a folder', async () => {
      await putAll('', ['pre', 'pre/', 'pre/x', 'prefix', 'pr', 'q'])
      expect((await all(await stores.open(stores.source, 'pre'))).map(({ key }) => key)).toEqual(['', '/', '/x', 'fix'])
      expect((await all(await stores.open(stores.source, 'pre/'))).map(({ key }) => key)).toEqual(['', 'x'])
      expect(await all(await stores.open(stores.source, 'none/'))).toEqual([])
    })

    test('shows size, ETag without quotes, time and storage class of an object', async () => {
      await put('shown/x', { Body: 'hello' })
      const object = await one(await stores.open(stores.source, 'shown/'), 'x')
      expect(object).toMatchObject({ size: 5, etag: '5d41402abc4b2a76b9719d911017c592', storageClass: 'STANDARD' })
      expect(Math.abs(Date.parse(object.lastModified) - Date.now())).toBeLessThan(3_600_000)
    })

    test('copies odd keys to the very same names', async () => {
      await putAll('odd/', ODD)
      const from = await stores.open(stores.source, 'odd/')
      const to = await stores.open(stores.destination, 'new +%é/')
      for (const object of await all(from)) await to.copyFrom!(from, object)
      const copied = await keysIn(stores.client, stores.destination, 'new +%é/')
      expect(copied).toEqual([...ODD].sort(compareKeys).map((key) => `new +%é/${key}`))
      for (const key of ['cr\rx', 'a%2Fb', 'a+b', 'dir/../file', '\u{1f600}']) {
        const got = await stores.client.send(
          new GetObjectCommand({ Bucket: stores.destination, Key: `new +%é/${key}` }),
        )
        expect(await got.Body?.transformToString()).toBe(`content of odd/${key}`)
      }
    })

    test('copies content, headers, user metadata and tags, over what is there, as often as asked', async () => {
      await put('whole', {
        ContentType: 'text/x-test',
        CacheControl: 'max-age=5',
        ContentDisposition: 'attachment; filename="a b"',
        ContentLanguage: 'cy',
        Metadata: { colour: 'blue', empty: 'x' },
        Tagging: 'team=red&a%20b=c%2Bd',
      })
      await put('whole', { Body: 'something else', Metadata: { old: 'yes' } }, stores.destination)
      const from = await stores.open(stores.source, '')
      const to = await stores.open(stores.destination, '')
      const object = await one(from, 'whole')
      for (let n = 0; n < 2; n++) await to.copyFrom!(from, object)

      const at = { Bucket: stores.destination, Key: 'whole' }
      const head = await stores.client.send(new HeadObjectCommand(at))
      expect(head).toMatchObject({
        ContentType: 'text/x-test',
        CacheControl: 'max-age=5',
        ContentDisposition: 'attachment; filename="a b"',
        ContentLanguage: 'cy',
        ContentLength: 'content of whole'.length,
        Metadata: { colour: 'blue', empty: 'x' },
      })
      const { TagSet } = await stores.client.send(new GetObjectTaggingCommand(at))
      const tags = (TagSet ?? []).map(({ Key, Value }) => `${Key ?? ''}=${Value ?? ''}`)
      expect(tags.sort()).toEqual(['a b=c+d', 'team=red'])
    })

    test('keeps the storage class', async (context) => {
      context.skip(!stores.storageClasses, 'this store has one storage class')
      await put('class', { StorageClass: 'STANDARD_IA' })
      const from = await stores.open(stores.source, '')
      const object = await one(from, 'class')
      expect(object.storageClass).toBe('STANDARD_IA')
      await (
        await stores.open(stores.destination, '')
      ).copyFrom!(from, object)
      const head = await stores.client.send(new HeadObjectCommand({ Bucket: stores.destination, Key: 'class' }))
      expect(head.StorageClass).toBe('STANDARD_IA')
    })

    test('rewrites a large object in parts, with its content, headers and tags, or not at all', async () => {
      const Body = Buffer.alloc(12 * 1024 ** 2, 'twelve')
      const more = { Body, ContentType: 'x/y', Metadata: { a: 'b' }, Tagging: 'team=red' }
      await put('large/one', more)
      const store = await stores.open(stores.source, 'large/')
      const object = await one(store, 'one')
      const act = (value: string) =>
        setHeadersAction(
          {
            ...{ kind: 'set-headers', source: { bucket: stores.source, prefix: 'large/' }, folderMarkers: false },
            ...{ acl: 'preserve', rules: [{ set: [['cache-control', value]], remove: [] }] },
          },
          store,
          { copy: 6 * 1024 ** 2, part: 5 * 1024 ** 2 },
        )(object)
      expect(await act('new')).toEqual({ kind: 'copied' })
      const at = { Bucket: stores.source, Key: 'large/one' }
      const read = await stores.client.send(new GetObjectCommand(at))
      expect(read).toMatchObject({ ContentType: 'x/y', CacheControl: 'new', Metadata: { a: 'b' } })
      expect(read.ETag).toMatch(/-3"$/)
      expect(Buffer.from(await read.Body!.transformToByteArray()).equals(Body)).toBe(true)
      const { TagSet } = await stores.client.send(new GetObjectTaggingCommand(at))
      expect(TagSet).toEqual([{ Key: 'team', Value: 'red' }])
      expect(await act('new')).toEqual({ kind: 'skipped', reason: 'unchanged' })

      // A part that cannot be copied: nothing is changed, and no upload is left behind.
      const uploading = { ...store.uploading!, copyPart: () => Promise.reject(new Error('no part')) }
      const { place, reading } = store
      const work = { source: store, key: 'one', fields: [], conditions: [], partSize: 5 * 1024 ** 2 }
      await expect(
        copyInParts({
          ...{ ...work, object: { ...object, etag: read.ETag!.slice(1, -1) } },
          destination: { place, reading, uploading, list: (from) => store.list(from) },
        }),
      ).rejects.toThrow('no part')
      const { Uploads } = await stores.client.send(new ListMultipartUploadsCommand({ Bucket: stores.source }))
      expect(Uploads).toBeUndefined()
      await expect(
        copyInParts({ ...work, destination: store, object: { ...object, etag: 'another' } }),
      ).rejects.toMatchObject({ code: 'PreconditionFailed' })
      expect((await stores.client.send(new HeadObjectCommand(at))).ETag).toBe(read.ETag)
    })

    test('copies a large object in parts, with all that a copy keeps and what was asked for beside', async () => {
      const Body = Buffer.alloc(12 * 1024 ** 2, 'twelve')
      const Metadata = { owner: 'me; "you" = 100%', 'x-y.z': 'two  blanks' }
      const headers = { ContentType: 'x/y; a=b', CacheControl: 'no-cache', ContentDisposition: 'inline', Metadata }
      await put('parts/one', { ...{ Body, ContentEncoding: 'gzip', Tagging: 'team=red%20blue&sum=1%2B1' }, ...headers })
      const [from, to] = [await stores.open(stores.source, 'parts/'), await stores.open(stores.destination, 'parts/')]
      const places = { source: from.place, destination: to.place }
      const object = await one(from, 'one')
      const act = (attributes: Attributes | undefined) =>
        copyAction(
          { kind: 'copy', ...places, ...(attributes === undefined ? {} : { attributes }) },
          { source: from, destination: to, settings: { streamed: false } },
          { copy: 6 * 1024 ** 2, part: 5 * 1024 ** 2 },
        )(object)
      const at = { Bucket: stores.destination, Key: 'parts/one' }
      expect(await act(undefined)).toMatchObject({
        kind: 'copied',
        etag: expect.stringMatching(/^[0-9a-f]{32}-3$/) as string,
      })
      const read = await stores.client.send(new GetObjectCommand(at))
      expect(read).toMatchObject({ ...headers, ContentEncoding: 'gzip' })
      expect(Buffer.from(await read.Body!.transformToByteArray()).equals(Body)).toBe(true)
      const tags = async () => (await stores.client.send(new GetObjectTaggingCommand(at))).TagSet
      const sorted = (await tags())!.sort((a, b) => (a.Key! < b.Key! ? -1 : 1))
      expect(sorted).toEqual([
        { Key: 'sum', Value: '1+1' },
        { Key: 'team', Value: 'red blue' },
      ])
      expect(
        await act({ tagging: 'a=%C3%A9', set: [['cache-control', 'new']], remove: ['content-encoding'] }),
      ).toMatchObject({
        kind: 'copied',
      })
      const changed = await stores.client.send(new HeadObjectCommand(at))
      expect(changed).toMatchObject({ ...headers, CacheControl: 'new' })
      expect(changed.ContentEncoding).toBeUndefined()
      expect(await tags()).toEqual([{ Key: 'a', Value: 'é' }])
    })

    test('goes on with the parts of an upload that are there, as long as the source is the same', async () => {
      const part = 5 * 1024 ** 2
      await put('again/one', { Body: Buffer.alloc(2 * part + 1, 'again') })
      const [from, to] = [await stores.open(stores.source, 'again/'), await stores.open(stores.destination, 'again/')]
      const { size, etag, lastModified } = await from.reading.head('one')
      const object = { ...(await one(from, 'one')), size, etag, lastModified }
      let sent = 0
      const counting: Storage = {
        ...{ place: to.place, reading: to.reading, list: (at) => to.list(at) },
        uploading: {
          ...to.uploading!,
          copyPart: (...args) => {
            sent++
            return to.uploading!.copyPart(...args)
          },
        },
      }
      const work = {
        source: from,
        destination: counting,
        object,
        key: 'one',
        fields: [],
        conditions: [],
        partSize: part,
      }
      const upload = async (ofEtag: string) => {
        const id = await to.uploading!.begin('one', [])
        await to.uploading!.copyPart(from, object, {
          key: 'one',
          upload: id,
          number: 2,
          first: part,
          last: 2 * part - 1,
        })
        return { id, partSize: part, etag: ofEtag, lastModified }
      }
      expect(await copyInParts({ ...work, before: await upload(etag) })).toMatch(/-3$/)
      expect(sent).toBe(2)
      const stale = await upload('of what was there before')
      expect(await copyInParts({ ...work, before: stale })).toMatch(/-3$/)
      expect(sent).toBe(5)
      expect(await to.uploading!.parts('one', stale.id)).toBeUndefined()
      expect(await copyInParts({ ...work, before: stale, partSize: 2 * part })).toMatch(/-2$/)
      const { Uploads } = await stores.client.send(new ListMultipartUploadsCommand({ Bucket: stores.destination }))
      expect(Uploads).toBeUndefined()
    })

    test('copies with headers and tags of its own', async () => {
      await put('own/one', { ContentType: 'x/y', Metadata: { a: 'b' }, Tagging: 'team=red', ContentLanguage: 'de' })
      const [from, to] = [await stores.open(stores.source, 'own/'), await stores.open(stores.destination, 'own/')]
      const object = await one(from, 'one')
      const at = { Bucket: stores.destination, Key: 'own/one' }
      const after = async (attributes: Attributes) => {
        const job = { kind: 'copy', source: from.place, destination: to.place, attributes } as const
        const ways = { source: from, destination: to, settings: { streamed: false } }
        expect(await copyAction(job, ways)(object)).toMatchObject({ kind: 'copied', etag: object.etag })
        const { ContentType, ContentLanguage, Metadata } = await stores.client.send(new HeadObjectCommand(at))
        const { TagSet } = await stores.client.send(new GetObjectTaggingCommand(at))
        return { ContentType, ContentLanguage, Metadata, TagSet }
      }
      const kept = { ContentType: 'x/y', ContentLanguage: 'de', Metadata: { a: 'b' } }
      const red = [{ Key: 'team', Value: 'red' }]
      const change = { set: [['x-amz-meta-c', 'd']], remove: ['content-language'] } as const
      expect(await after(change)).toEqual({ ContentType: 'x/y', Metadata: { a: 'b', c: 'd' }, TagSet: red })
      const blue = [{ Key: 'team', Value: 'blue & <red>' }]
      expect(await after({ tagging: 'team=blue%20%26%20%3Cred%3E' })).toEqual({ ...kept, TagSet: blue })
      expect(await after({ drop: ['tags'] })).toEqual({ ...kept, TagSet: [] })
      const bare = await after({ drop: ['metadata'], set: [['content-type', 'a/b']] })
      expect(bare).toEqual({ ContentType: 'a/b', Metadata: {}, TagSet: red })
    })

    const contentOfPieces = (
      body: Buffer,
      { size = body.length, md5 }: Partial<ObjectContent> = {},
    ): ObjectContent => ({
      size,
      md5,
      async *pieces() {
        const piece = 3_000_000
        for (let at = 0; at < body.length; at += piece) {
          await Promise.resolve()
          yield body.subarray(at, at + piece)
        }
      },
    })
    const uploadsLeft = async (): Promise<unknown> =>
      (await stores.client.send(new ListMultipartUploadsCommand({ Bucket: stores.destination }))).Uploads

    test('writes content of any size with headers, metadata and tags, over what is there', async () => {
      const store = await stores.open(stores.destination, 'written/')
      const fields: HeaderFields = [
        ['content-type', 'text/x-test; charset="a b"'],
        ['cache-control', 'max-age=5'],
        ['expires', 'not a date'],
        ['x-amz-meta-bytes', Buffer.from('größe – 1').toString('latin1')],
        ['x-amz-meta-plain', 'a  b'],
        ['x-amz-tagging', 'team=red&a%20b=c%2Bd%26%3C'],
      ]
      for (const size of [0, 1, 70_000, 8 * 1024 ** 2, 8 * 1024 ** 2 + 1, 21_000_000]) {
        const body = randomBytes(size)
        const key = `ä ${size}`
        await put(`written/${key}`, { Metadata: { old: 'yes' } }, stores.destination)
        // Every other one as content whose MD5 is not known before.
        const md5 = size % 2 === 0 ? hash('md5', body, 'buffer') : undefined
        const etag = await store.writing!.write(key, contentOfPieces(body, { md5 }), fields, '2024-01-01T00:00:00.000Z')
        const at = { Bucket: stores.destination, Key: `written/${key}` }
        const got = await stores.client.send(new GetObjectCommand(at))
        expect(got).toMatchObject({
          ETag: `"${etag}"`,
          ContentType: 'text/x-test; charset="a b"',
          CacheControl: 'max-age=5',
        })
        expect(Buffer.from(await got.Body!.transformToByteArray()).equals(body), `${size} bytes`).toBe(true)
        const { headers, tags } = await store.reading.head(key)
        expect(Object.fromEntries(headers)).toEqual({
          ...Object.fromEntries(fields.slice(0, 3)),
          'x-amz-meta-bytes': fields[3]![1],
          'x-amz-meta-plain': 'a  b',
        })
        expect(tags).toBe(2)
        const { TagSet } = await stores.client.send(new GetObjectTaggingCommand(at))
        expect(TagSet!.map(({ Key, Value }) => `${Key ?? ''}=${Value ?? ''}`).sort()).toEqual(['a b=c+d&<', 'team=red'])
      }
    })

    test('writes nothing when content breaks off, comes short, is too much or other content, and leaves no upload behind', async () => {
      const store = await stores.open(stores.destination, 'broken/')
      const breaking = (body: Buffer, md5?: Buffer): ObjectContent => ({
        size: body.length + 1,
        md5,
        async *pieces() {
          yield* contentOfPieces(body).pieces()
          throw new Error('broken off')
        },
      })
      await put('broken/x', { Body: 'as it was' }, stores.destination)
      for (const size of [10, 20_000_000]) {
        const body = randomBytes(size)
        const write = (content: ObjectContent) => store.writing!.write('x', content, [], '')
        for (const md5 of [undefined, hash('md5', body, 'buffer')]) {
          await expect(write(breaking(body, md5))).rejects.toThrow('broken off')
          for (const wrong of [size + 1, size - 1]) {
            const content = contentOfPieces(body, { size: wrong, md5 })
            await expect(write(content)).rejects.toMatchObject({ code: 'BrokenContent' })
          }
        }
        const md5 = hash('md5', 'others', 'buffer')
        await expect(write(contentOfPieces(body, { md5 }))).rejects.toMatchObject({ code: 'BrokenContent' })
        expect(await uploadsLeft()).toBeUndefined()
      }
      expect((await store.reading.read({ key: 'x', etag: '' }, 0, 8)).toString()).toBe('as it was')
    })

    test('finds the parts of an upload again, and knows when it is gone', async () => {
      await put('parts/x', { Body: Buffer.alloc(6 * 1024 ** 2, 'p') })
      const store = await stores.open(stores.source, 'parts/')
      const uploading = store.uploading!
      const object = await one(store, 'x')
      const upload = await uploading.begin('y', [])
      const range = (number: number, first: number, last: number) => ({ key: 'y', upload, number, first, last })
      const part = await uploading.copyPart(store, object, range(2, 0, 5 * 1024 ** 2 - 1))
      expect(await uploading.parts('y', upload)).toEqual(new Map([[2, part]]))
      expect(part.size).toBe(5 * 1024 ** 2)
      await uploading.abort('y', upload)
      await uploading.abort('y', upload)
      expect(await uploading.parts('y', upload)).toBeUndefined()
    })

    test('lists every version and delete marker, by key and the newest first, and copies and removes each', async (context) => {
      const Bucket = stores.source
      const versioned = { Bucket, VersioningConfiguration: { Status: 'Enabled' as const } }
      const made = await stores.client.send(new PutBucketVersioningCommand(versioned)).catch((error: unknown) => error)
      context.skip(made instanceof Error, 'this store has no versions')
      try {
        const keys = ['a', 'a/b', 'a+b \n', 'é', '\u{1f600}']
        for (const key of keys) await put(`versions/${key}`, { Body: '1' })
        for (const key of keys) await put(`versions/${key}`, { Body: '22' })
        await stores.client.send(new DeleteObjectCommand({ Bucket, Key: 'versions/a' }))
        const store = await stores.open(Bucket, 'versions/')
        const listed = async (): Promise<ObjectVersion[]> => (await store.versions!.list(undefined)).versions.slice()
        const shown = (await listed()).map(({ key, size, latest, deleteMarker }) => [key, size, latest, deleteMarker])
        expect(shown).toEqual(
          [...keys]
            .sort(compareKeys)
            .flatMap((key) => [
              ...(key === 'a' ? [[key, 0, true, true]] : []),
              [key, 2, key !== 'a', false],
              [key, 1, false, false],
            ]),
        )
        const [marker, , oldest] = await listed()
        expect((await store.versions!.list({ key: 'a' })).versions[0]!.key).not.toBe('a')
        expect((await store.versions!.list(undefined, 'a+')).versions.map(({ key }) => key)).toEqual([
          'a+b \n',
          'a+b \n',
        ])
        expect((await store.reading.head('a', oldest!.version)).size).toBe(1)
        const to = await stores.open(stores.destination, 'versions/')
        await to.copyFrom!(store, oldest!)
        expect((await one(to, 'a')).size).toBe(1)
        expect(await store.removing!.remove([{ key: 'a', version: marker!.version }])).toEqual([undefined])
        expect((await store.reading.head('a')).size).toBe(2)
        const rest = await listed()
        await store.removing!.remove(rest.map(({ key, version }) => ({ key, version })))
        expect(await listed()).toEqual([])
      } finally {
        await stores.client.send(
          new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Suspended' } }),
        )
      }
    })

    test('says that a source object is gone', async () => {
      const from = await stores.open(stores.source, 'gone/')
      const to = await stores.open(stores.destination, 'gone/')
      const object = {
        key: 'x',
        size: 1,
        etag: 'e',
        lastModified: '2024-01-01T00:00:00.000Z',
        storageClass: 'STANDARD',
      }
      await expect(to.copyFrom!(from, object)).rejects.toMatchObject({
        ...{ name: 'StorageError', severity: 'skip', code: 'NoSuchKey', operation: 'CopyObject', key: 'gone/x' },
      })
    })

    test('stops at a bucket that does not exist', async () => {
      const store = await stores.open(`s3move-none-${randomUUID().slice(0, 8)}`, '')
      await expect(store.list({})).rejects.toMatchObject({ severity: 'stop-run', code: 'NoSuchBucket', status: 404 })
    })
  })
}
