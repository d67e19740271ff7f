import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { isAbsolute, join, normalize } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compareKeys, standInFor } from '../../../../src/keys.js'
import { isStorable, pathOf, segmentOf, type Names } from '../../../../src/storage/disk/names.js'
import { openFolder, openFolderToWrite } from '../../../../src/storage/disk/open-folder.js'
import { DiskStore } from '../../../../src/storage/disk/store.js'
import type { ObjectContent, HeaderFields, Storage } from '../../../../src/storage/storage.js'
import { workFolder } from '../../../support/cli-program.js'
import { contractOfAll } from '../../../support/storage-contract.js'

const warnings: string[] = []
const open = async (folder: string, write = true): Promise<DiskStore> =>
  new DiskStore(
    { bucket: folder, prefix: '' },
    await (write ? openFolderToWrite(folder) : openFolder(folder)),
    ({ message }) => void warnings.push(message),
  )

const contentOf = (body: Buffer, size = body.length): ObjectContent => ({
  size,
  async *pieces() {
    for (let at = 0; at < body.length; at += 300_000) yield await Promise.resolve(body.subarray(at, at + 300_000))
  },
})

const THEN = '2024-01-02T03:04:05.000Z'

function put(store: Storage, key: string, body: string | Buffer, fields: HeaderFields = []): Promise<string> {
  return store.writing!.write(key, contentOf(Buffer.from(body)), fields, THEN)
}

async function keysOf(store: Storage, limit = 1_000): Promise<string[]> {
  const keys: string[] = []
  for (let after: string | undefined; ;) {
    const { objects, truncated } = await store.list({ after, limit })
    keys.push(...objects.map(({ key }) => key))
    after = keys.at(-1)
    if (!truncated) return keys
  }
}

const bodyOf = async (store: Storage, key: string): Promise<string> => {
  const { size, etag } = await store.reading.head(key)
  return size === 0 ? '' : (await store.reading.open({ key, size, etag })).bytes.toString()
}

describe('DiskStore', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 's3move-disk-'))
  })
  afterAll(() => rm(folder, { recursive: true }))
  // A folder has no prefix.
  const opened = new Map<string, Promise<DiskStore>>()
  const at = (prefix: string): Promise<DiskStore> => {
    const store = opened.get(prefix) ?? open(join(folder, prefix))
    opened.set(prefix, store)
    return store
  }
  contractOfAll(() => ({
    async put(key, body = `content of ${key}`) {
      const prefix = key.slice(0, key.indexOf('/') + 1)
      await put(await at(prefix), key.slice(prefix.length), body)
    },
    open: at,
  }))
})

const HOSTILE = [
  ...['.', '..', '../x', '/', '//', '/etc/passwd', 'a//b', 'a/', 'a', 'a/b', 'a/b/', 'a/b/c', 'a/../../x', 'a/./b'],
  ...['nul\0byte', 'new\nline', '\u001b[31m', 'back\\slash', '\u202eabc', 'A', 'Case', 'case', 'CASE', 'é', 'e\u0301'],
  ...[
    '.s3move',
    '.s3move/format.json',
    '.s3move/attributes/a%.json',
    '.s3move/tmp/x',
    'a%object',
    'a%.json',
    '%',
    '%5f',
  ],
  ...['%_', '%+', 'x%+/%+y', '%2e', '%2f', 'con', 'nul.txt', 'ends.', 'ends ', ' ', '\u{1f600}', '\uffee', '\ud7ff'],
  ...[
    'n'.repeat(1_024),
    'é'.repeat(500),
    `${'/'.repeat(900)}x`,
    '\n'.repeat(300),
    `${'p'.repeat(240)}/q`,
    'p'.repeat(241),
  ],
]

const PIECES = [
  '/',
  '.',
  '..',
  '%',
  '%2e',
  '%_',
  '%+',
  '%object',
  '%.json',
  '.s3move',
  'a',
  'A',
  '\0',
  '\n',
  '\\',
  'é',
  ' ',
]
const anyKey = fc.oneof(
  fc.string({ unit: fc.constantFrom(...PIECES, 'b', '\u{1f600}', 'p'.repeat(120)), minLength: 1, maxLength: 12 }),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }).filter((key) => isStorable(key, 'exact')),
  fc.constantFrom(...HOSTILE),
)

function keyAt(path: string, names: Names): string {
  const segments: string[] = []
  let part = ''
  for (const name of path.split('/')) {
    const meaning = segmentOf(part + name, names, segments.length === 0)
    if (meaning === undefined) throw new Error(`no key has ${path}`)
    part = meaning === 'part' ? `${part}${name}/` : ''
    if (meaning !== 'part') segments.push(meaning.segment)
  }
  return segments.join('/')
}

describe.each(['exact', 'folded'] as const)('names that are %s', (names) => {
  test('can be turned back into their keys, so no two keys share one', () => {
    fc.assert(fc.property(anyKey, (key) => keyAt(pathOf(key, names), names) === key))
  })

  test('never leave the folder nor enter what is ours, and fit into a file system', () => {
    fc.assert(
      fc.property(anyKey, (key) => {
        const path = pathOf(key, names)
        expect(isAbsolute(path)).toBe(false)
        expect(normalize(path)).toBe(path)
        const parts = path.split('/')
        expect(parts).not.toContain('..')
        expect(parts[0]!.toLowerCase()).not.toBe('.s3move')
        for (const part of parts) {
          expect(Buffer.byteLength(`${part}%object%.json`)).toBeLessThanOrEqual(255)
          expect(part).not.toMatch(/[\0-\x1f\\]/)
          // What ends so is an object that made room, or attributes.
          expect(part).not.toMatch(/%(?:object|\.json)$/)
        }
      }),
    )
  })
})

test('names that are folded stay apart where capitals are not told from small letters', () => {
  fc.assert(
    fc.property(anyKey, anyKey, (a, b) => {
      const [one, other] = [a, b].map((key) => pathOf(key, 'folded').normalize('NFKC').toLowerCase())
      return a === b || one !== other
    }),
  )
})

test('holds objects of hostile keys side by side, each with its own content, in byte order', async () => {
  const folder = await workFolder()
  const store = await open(join(folder, 'new', 'backup'))
  const keys = HOSTILE.toSorted(() => Math.random() - 0.5)
  await Promise.all(
    keys.map((key) => put(store, key, `content of ${key}`, [['x-amz-meta-key', encodeURIComponent(key)]])),
  )
  expect(await readdir(folder)).toEqual(['new'])
  const again = await open(join(folder, 'new', 'backup'), false)
  expect(await keysOf(again)).toEqual(HOSTILE.toSorted(compareKeys))
  for (const key of keys) {
    expect(await bodyOf(again, key)).toBe(`content of ${key}`)
    expect((await again.reading.head(key)).headers.get('x-amz-meta-key')).toBe(encodeURIComponent(key))
  }
  const [gone, left] = [keys.slice(0, 30), keys.slice(30)]
  expect(await store.removing.remove(gone.map((key) => ({ key })))).toEqual(gone.map(() => undefined))
  expect(await keysOf(store)).toEqual(left.toSorted(compareKeys))
  for (const key of left) expect(await bodyOf(store, key)).toBe(`content of ${key}`)
  await store.removing.remove(left.map((key) => ({ key })))
  expect(await readdir(join(folder, 'new', 'backup'))).toEqual(['.s3move'])
})

test('lists in UTF-8 byte order from any key on, in pages of any size, whatever the folders look like', async () => {
  const keys = fc.uniqueArray(
    fc.oneof(
      fc.string({ unit: fc.constantFrom('a', 'b', '/', '.', '-', '\u{1f600}', '\uffee'), minLength: 1, maxLength: 6 }),
      anyKey,
    ),
    { minLength: 1, maxLength: 25 },
  )
  await fc.assert(
    fc.asyncProperty(
      keys,
      fc.option(anyKey, { nil: undefined }),
      fc.integer({ min: 1, max: 7 }),
      async (keys, after, limit) => {
        const folder = await mkdtemp(join(tmpdir(), 's3move-disk-'))
        try {
          const store = await open(folder)
          await Promise.all(keys.map((key) => put(store, key, '')))
          const sorted = keys.toSorted(compareKeys)
          expect(await keysOf(store, limit)).toEqual(sorted)
          const behind = sorted.filter((key) => after === undefined || compareKeys(key, after) > 0)
          const page = await store.list({ after, limit })
          expect(page.objects.map(({ key }) => key)).toEqual(behind.slice(0, limit))
          expect(page.truncated).toBe(behind.length > limit)
        } finally {
          await rm(folder, { recursive: true })
        }
      },
    ),
    { numRuns: 40 },
  )
}, 60_000)

test('gives content, headers, tags and time back as they were written, over what was there', async () => {
  const folder = await workFolder()
  const store = await open(folder)
  const headers: HeaderFields = [
    ['content-type', 'text/x; charset="a"'],
    ['cache-control', 'max-age=5'],
    ['expires', 'not a date'],
    ['x-amz-meta-bytes', Buffer.from('größe – 1').toString('latin1')],
  ]
  const fields: HeaderFields = [
    ...headers,
    ['x-amz-tagging', 'team=red&a%20b=c%26%3C'],
    ['x-amz-storage-class', 'GLACIER_IR'],
  ]
  for (const size of [0, 1, 300_001, 2_500_000]) {
    const body = randomBytes(size)
    await put(store, 'a/x', 'old', [['x-amz-meta-old', 'yes']])
    const etag = await put(store, 'a/x', body, fields)
    expect(etag).toBe(createHash('md5').update(body).digest('hex'))
    const head = await store.reading.head('a/x')
    expect(head).toMatchObject({ size, etag, lastModified: THEN, storageClass: 'GLACIER_IR', tags: 2, plainEtag: true })
    expect([...head.headers]).toEqual(headers)
    expect(head.carried).toEqual([['x-amz-storage-class', 'GLACIER_IR']])
    expect(await store.reading.tagging('a/x')).toEqual({
      header: 'team=red&a%20b=c%26%3C',
      xml: '<TagSet><Tag><Key>team</Key><Value>red</Value></Tag><Tag><Key>a b</Key><Value>c&#38;&#60;</Value></Tag></TagSet>',
    })
    expect(await store.reading.digest('a/x', { size, etag })).toBe(createHash('sha256').update(body).digest('hex'))
    const { objects } = await store.list({})
    expect(objects).toEqual([{ key: 'a/x', size, etag, lastModified: THEN, storageClass: 'GLACIER_IR' }])
    if (size > 1) expect(await store.reading.read({ key: 'a/x', etag }, 1, size - 1)).toEqual(body.subarray(1))
  }
  expect(await readdir(join(folder, '.s3move', 'tmp'))).toEqual([])
})

test('keeps what was there when content breaks off, comes short or is too much, and leaves nothing behind', async () => {
  const folder = await workFolder()
  const store = await open(folder)
  await put(store, 'x', 'as it was', [['x-amz-meta-a', 'b']])
  const body = randomBytes(700_000)
  const breaking: ObjectContent = {
    size: body.length,
    async *pieces() {
      yield await Promise.resolve(body.subarray(0, 5))
      throw new Error('broken off')
    },
  }
  const write = (content: ObjectContent): Promise<string> => store.writing!.write('x', content, [], THEN)
  await expect(write(breaking)).rejects.toThrow('broken off')
  await expect(write(contentOf(body, body.length + 1))).rejects.toMatchObject({ code: 'BrokenContent' })
  await expect(write(contentOf(body, body.length - 1))).rejects.toMatchObject({ code: 'BrokenContent' })
  expect(await bodyOf(store, 'x')).toBe('as it was')
  expect((await store.reading.head('x')).headers.get('x-amz-meta-a')).toBe('b')
  expect(await readdir(join(folder, '.s3move', 'tmp'))).toEqual([])
})

test('of many who write what must not be there yet one succeeds, and its content and headers stay', async () => {
  const folder = await workFolder()
  const stores = [await open(folder), await open(folder)]
  for (const key of ['plain', 'deep/er', 'both']) {
    // The last has to make room for a folder.
    if (key === 'both') await put(stores[0]!, 'both/in it', 'x')
    const tries = Array.from({ length: 30 }, (_, index) =>
      put(stores[index % 2]!, key, `body ${'x'.repeat(index)}`, [
        ['if-none-match', '*'],
        ['x-amz-meta-size', String(5 + index)],
      ]),
    )
    const ended = await Promise.allSettled(tries)
    const [winner, ...more] = ended.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    expect(more).toEqual([])
    for (const one of ended) {
      if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'PreconditionFailed' })
    }
    const { etag, size, headers } = await stores[0]!.reading.head(key)
    expect([etag, Number(headers.get('x-amz-meta-size'))]).toEqual([winner, size])
  }
  expect(await readdir(join(folder, '.s3move', 'tmp'))).toEqual([])
})

test('tells an object that was written to since, and one that is gone', async () => {
  const { reading, removing, writing } = await open(await workFolder())
  const store = { reading, writing } as unknown as Storage
  const etag = await put(store, 'x', 'hello')
  await put(store, 'x', 'other')
  const object = { key: 'x', size: 5, etag }
  const changed = { code: 'PreconditionFailed' }
  await expect(reading.read(object, 0, 4)).rejects.toMatchObject(changed)
  await expect(reading.open(object)).rejects.toMatchObject(changed)
  await expect(reading.digest('x', object)).rejects.toMatchObject(changed)
  expect(await removing.remove([object, { key: 'none' }])).toMatchObject([changed, undefined])
  expect(await bodyOf(store, 'x')).toBe('other')
  await expect(reading.head('y')).rejects.toMatchObject({ severity: 'skip', code: 'NoSuchKey' })
})

test('neither follows a symbolic link nor lists it, and says so', async () => {
  const [folder, outside] = [await workFolder(), await workFolder()]
  const store = await open(folder)
  await writeFile(join(outside, 'secret'), 'secret')
  await put(store, 'a', '1')
  await symlink(outside, join(folder, 'link'))
  await symlink(join(outside, 'secret'), join(folder, 'file'))
  warnings.length = 0
  expect(await keysOf(store)).toEqual(['a'])
  expect(await keysOf(store)).toEqual(['a'])
  // Each once, however often it is listed.
  expect(warnings.map((warning) => warning.replace(folder, '')).sort()).toEqual([
    'passed over: /file is a symbolic link, which s3move does not follow (NotAKey)',
    'passed over: /link is a symbolic link, which s3move does not follow (NotAKey)',
  ])
  await expect(store.reading.head('link/secret')).rejects.toMatchObject({ code: 'NotAFile' })
  await expect(store.reading.head('file')).rejects.toMatchObject({ code: 'NotAFile' })
  await expect(put(store, 'link/new', 'x')).rejects.toMatchObject({ code: 'NotAFile' })
  expect(await readdir(outside)).toEqual(['secret'])
  expect(await readFile(join(outside, 'secret'), 'utf8')).toBe('secret')
})

test.runIf(process.platform === 'linux')(
  'lists what is no object apart from objects, in order, however a page ends',
  async () => {
    const folder = await workFolder()
    const raw = (...parts: (string | number)[]): Buffer =>
      Buffer.concat([
        Buffer.from(`${folder}/`),
        ...parts.map((part) => (typeof part === 'number' ? Buffer.from([part]) : Buffer.from(part))),
      ])
    await mkdir(raw('d'))
    await mkdir(raw('d/', 0xff, 'x'))
    await writeFile(raw('d/', 0xff, 'x/', 'lost'), 'x')
    await writeFile(raw('d/caf', 0xe9), 'abc')
    await writeFile(raw('d/caf', 0xe8), 'ab')
    // What really has the replacement character in its name is an object like any other.
    await writeFile(raw('d/caf\ufffd'), 'a')
    await writeFile(raw('d/cafe'), 'a')
    await symlink('cafe', raw('d/to'))
    execFileSync('mkfifo', [join(folder, 'pipe')])
    const opened = { ...(await openFolder(folder)), strays: true }
    const store = new DiskStore({ bucket: folder, prefix: '' }, opened, ({ message }) => void warnings.push(message))
    const expected = [
      ...[
        `d/cafe`,
        `d/caf\ufffd`,
        `d/caf${standInFor(0xe8)}`,
        `d/caf${standInFor(0xe9)}`,
        'd/to',
        `d/${standInFor(0xff)}x`,
      ],
      'pipe',
    ]
    warnings.length = 0
    for (const limit of [1, 2, 3, 1000]) expect(await keysOf(store, limit)).toEqual(expected)
    expect(warnings).toEqual([])
    const { objects } = await store.list({})
    expect(objects.map(({ notAKey, size }) => [notAKey?.standsFor, size])).toEqual([
      ...[
        [undefined, 1],
        [undefined, 1],
        ['object', 2],
        ['object', 3],
        ['either', 0],
        ['folder', 0],
        ['object', 0],
      ],
    ])
    const above = async (key: string): Promise<string[]> => (await store.notKeysAbove(key)).map((stray) => stray.key)
    expect(await above('d2/x')).toEqual(['pipe'])
    expect((await above('d/sub/x')).sort()).toEqual([...expected.slice(2)].sort())
    expect((await above('d/to/x')).sort()).toEqual([...expected.slice(2)].sort())
    // A FIFO would be waited for.
    await expect(store.reading.head('pipe')).rejects.toMatchObject({ code: 'NotAFile' })
  },
)

test('reads a folder that somebody else made as it is, and refuses to write into it', async () => {
  const folder = await workFolder()
  await mkdir(join(folder, 'a'))
  await writeFile(join(folder, 'a', '100%25'), 'plain')
  await writeFile(join(folder, 'a-b'), '')
  const store = await open(folder, false)
  expect(await keysOf(store)).toEqual(['a-b', 'a/100%25'])
  expect(await bodyOf(store, 'a/100%25')).toBe('plain')
  await expect(open(folder)).rejects.toThrow('is neither empty nor written by s3move')
})

test('says in one line that a folder is missing, or is none', async () => {
  const folder = await workFolder()
  await writeFile(join(folder, 'file'), '')
  await expect(open(join(folder, 'none'), false)).rejects.toThrow(/^the folder .* does not exist$/)
  await expect(open(join(folder, 'file'), false)).rejects.toThrow(/is no folder$/)
  await expect(open(join(folder, 'file'))).rejects.toThrow(/^cannot open the folder /)
})

test('a folder that vanished is an error, not a store without objects', async () => {
  const folder = join(await workFolder(), 'x')
  const store = await open(folder)
  await put(store, 'a', '1')
  await rm(folder, { recursive: true })
  await expect(store.list({})).rejects.toMatchObject({ severity: 'stop-run' })
  await expect(store.reading.head('a')).rejects.toMatchObject({ severity: 'stop-run' })
})
