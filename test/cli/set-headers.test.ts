import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GetObjectAclCommand, HeadObjectCommand } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { contentOf, put, sandbox, traitsOf, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder, type Finished } from '../support/cli-program.js'
import { front } from '../support/front.js'

const setHeaders = (server: TestSandbox, cwd: string, place: string, ...flags: string[]): Promise<Finished> =>
  run(['set-headers', place, '--endpoint-url', server.url, '--checkpoint', 'run', ...flags], { cwd })

const head = (server: TestSandbox, Key: string, Bucket = 'web') =>
  server.s3.send(new HeadObjectCommand({ Bucket, Key }))

const copies = (server: TestSandbox): number => server.stats().byOperation.CopyObject ?? 0

async function ledger(cwd: string): Promise<{ key: string; code: string }[]> {
  const text = await readFile(join(cwd, 'run/failures.ndjson'), 'utf8').catch(() => '')
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { key: string; code: string })
}

const RICH = {
  ...{
    ContentType: 'text/html; charset=utf-8',
    ContentEncoding: 'gzip',
    ContentLanguage: 'de-CH',
    CacheControl: 'no-store',
  },
  ...{ ContentDisposition: 'attachment; filename="a  b.txt"', Expires: new Date('2030-01-01T00:00:00Z') },
  ...{
    Metadata: { owner: 'team 1', note: '"100%"; a=b+c', 'x-y.z': 'two  blanks' },
    Tagging: 'team=red%20x&sum=1%2B1',
  },
  ...{ StorageClass: 'STANDARD_IA' as const, WebsiteRedirectLocation: '/elsewhere' },
} as const
const ODD = [
  'a b+c%20',
  'ü/\u{1f600}',
  'cr\rx',
  'lf\nx',
  '../up',
  '//two',
  'quote\'"<&>',
  ' lead',
  'trail ',
  '\u001b[2J',
]

describe('s3move set-headers s3://web', () => {
  test('changes what was asked for on odd keys with rich headers, and nothing else; again it writes nothing', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['web'] })
    for (const key of ODD) await put(server, 'web', key, { ...RICH, Body: key })
    const before = await Promise.all(ODD.map((key) => traitsOf(server, 'web', key)))
    const flags = [
      '--cache-control',
      'public, max-age=31536000',
      '--metadata',
      'owner=web',
      '--remove-metadata',
      'note',
      '--remove',
      'Expires',
    ]
    const first = await setHeaders(server, cwd, 's3://web', ...flags)
    expect([first.code, first.stderr]).toEqual([
      0,
      expect.stringContaining('10 objects rewritten, none skipped, none failed') as string,
    ])
    for (const [index, key] of ODD.entries()) {
      const { Expires, ExpiresString, ...kept } = before[index] as Record<string, unknown>
      expect([Expires, ExpiresString]).toEqual([RICH.Expires, RICH.Expires.toUTCString()])
      expect(await traitsOf(server, 'web', key)).toEqual({
        ...kept,
        CacheControl: 'public, max-age=31536000',
        Metadata: { owner: 'web', 'x-y.z': 'two  blanks' },
      })
    }
    const written = copies(server)
    const again = await setHeaders(server, cwd, 's3://web', ...flags, '--again')
    expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('10 unchanged') as string])
    expect(copies(server) - written, 'but for the probe').toBe(1)
  })

  test('a bucket with access control lists is refused, unless it is said what becomes of them', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['web:acl'] })
    const acl = async (Key: string) => (await server.s3.send(new GetObjectAclCommand({ Bucket: 'web', Key }))).Grants
    await put(server, 'web', 'public', { ACL: 'public-read' })
    await put(server, 'web', 'open', { ACL: 'public-read-write' })
    await put(server, 'web', 'private')
    const grantee = '1'.repeat(64)
    await put(server, 'web', 'shared', {
      GrantRead: `id="${grantee}"`,
      GrantWriteACP: `id="${grantee}"`,
      GrantFullControl: 'id="owner"',
    })
    const keys = ['public', 'open', 'private', 'shared']
    const before = await Promise.all(keys.map(acl))
    const refused = await setHeaders(server, cwd, 's3://web', '--cache-control', 'a')
    expect(refusal(refused)).toMatch(/public would become private\n.*--preserve acl.*--reset-acl/)
    expect(await Promise.all(keys.map(acl))).toEqual(before)
    expect(copies(server)).toBe(1)

    expect((await setHeaders(server, cwd, 's3://web', '--cache-control', 'a', '--preserve', 'acl')).code).toBe(0)
    expect(await Promise.all(keys.map(acl))).toEqual(before)
    for (const key of keys) expect((await head(server, key)).CacheControl).toBe('a')
    expect(
      (await setHeaders(server, cwd, 's3://web', '--cache-control', 'b', '--acl', 'public-read', '--fresh')).code,
    ).toBe(0)
    expect(await acl('private')).toEqual(before[0])
    expect((await setHeaders(server, cwd, 's3://web', '--cache-control', 'c', '--reset-acl', '--fresh')).code).toBe(0)
    expect(await acl('public')).toEqual(before[2])
  })

  test('rules of a file say which objects get which headers; the rest is skipped', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['web'] })
    for (const key of ['site/a.html', 'site/b.css', 'site/c.bin', 'site/d/'])
      await put(server, 'web', key, {
        ContentType: 'binary/octet-stream',
        ...(key === 'site/b.css' ? { CacheControl: 'x' } : {}),
      })
    await writeFile(
      join(cwd, 'r.yaml'),
      'rules:\n  - match: {key: "site/*.html"}\n    set: {cache-control: no-cache}\n  - match: {key: "*.css", header: {cache-control: x}}\n    set: {x-amz-meta-seen: "yes"}\n',
    )
    const { code, stderr } = await setHeaders(
      server,
      cwd,
      's3://web/site/',
      '--rules',
      'r.yaml',
      '--guess-content-type',
      '-v',
    )
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining('2 objects rewritten, 2 skipped, none failed') as string,
    ])
    expect(stderr).toContain('skipped site/c.bin: no rule for it\n')
    expect(stderr).toContain('skipped site/d/: folder marker\n')
    expect(await head(server, 'site/a.html')).toMatchObject({
      CacheControl: 'no-cache',
      ContentType: 'text/html',
      Metadata: {},
    })
    expect(await head(server, 'site/b.css')).toMatchObject({
      CacheControl: 'x',
      ContentType: 'text/css',
      Metadata: { seen: 'yes' },
    })
    expect((await head(server, 'site/c.bin')).ContentType).toBe('binary/octet-stream')
  })

  test('--dry-run shows old and new values and the totals, and writes nothing', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['web'] })
    await put(server, 'web', 'a\u001b[2J', { CacheControl: 'no-store' })
    await put(server, 'web', 'b', { CacheControl: 'new', ContentType: 'x/y' })
    await put(server, 'web', 'c', { ContentType: 'x/y' })
    const asked = copies(server)
    // One after the other, they are told in their order.
    const args = ['--cache-control', 'new', '--dry-run', '--concurrency', '1']
    const { code, stdout, stderr } = await setHeaders(server, cwd, 's3://web', ...args)
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout.replace(/^time {9}about .*\n/m, '')).toBe(
      'dry run: nothing was changed\nwould set    headers of 2 objects, 0 B, in s3://web/\nwould skip   1 unchanged\n' +
        'requests     2 CopyObject; to look at what was written, up to 2 HeadObject; as in this dry run, 3 HeadObject, about 2 ListObjectsV2, 3 to begin with (copies and lists are in the price class of PUT; see docs/cost.md)\n' +
        'examples     set s3://web/a\\x1b[2J\n               cache-control: "no-store" -> "new"\n' +
        '             set s3://web/c\n               cache-control: (none) -> "new"\n',
    )
    const json = await setHeaders(server, cwd, 's3://web', ...args, '--json', '-v')
    expect(
      json.stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([
      expect.objectContaining({
        type: 'would-set',
        key: 'a\u001b[2J',
        changes: [{ name: 'cache-control', from: 'no-store', to: 'new' }],
      }),
      expect.objectContaining({ type: 'would-set', key: 'c', changes: [{ name: 'cache-control', to: 'new' }] }),
      expect.objectContaining({
        type: 'plan',
        complete: true,
        totals: expect.objectContaining({ copied: 2, skipped: { unchanged: 1 } }) as unknown,
        requests: expect.objectContaining({ ListObjectsV2: 2, HeadObject: 3, CopyObject: 3 }) as unknown,
        checkRequestsAtMost: { HeadObject: 2 },
      }),
    ])
    // Each has tried one of an object that is not there.
    expect(copies(server)).toBe(asked + 2)
    expect((await head(server, 'c')).CacheControl).toBeUndefined()
  })

  test('an Expires that is no date stays as it is, byte for byte; only a store that refuses it makes a failure', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['web'] })
    const values = ['-1', 'Never', '2031-05', 'Fri, 31 Feb 2031 00:00:00 GMT', '1893456000']
    for (const [i, expires] of values.entries()) {
      await fetch(`${server.url}/web/${String(i)}`, { method: 'PUT', body: 'x', headers: { expires } })
    }
    const { url } = await front(server.port, ({ method, url, headers }) =>
      method === 'PUT' && url === '/web/1' && headers.expires === 'Never'
        ? { status: 400, code: 'InvalidArgument' }
        : undefined,
    )
    const { code } = await setHeaders({ ...server, url }, cwd, 's3://web', '--cache-control', 'a')
    expect(code).toBe(3)
    expect(await ledger(cwd)).toMatchObject([{ key: '1', code: 'InvalidArgument', operation: 'CopyObject' }])
    for (const [i, expires] of values.entries()) {
      const { ExpiresString, CacheControl } = await head(server, String(i))
      expect([ExpiresString, CacheControl]).toEqual([expires, i === 1 ? undefined : 'a'])
    }
  })

  test('what cannot be rewritten without loss is skipped or failed, and stays as it was', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:200:glacier=10,denied=40'] })
    const mixed = await setHeaders(server, cwd, 's3://src', '--cache-control', 'a')
    expect([mixed.code, mixed.stderr]).toEqual([
      3,
      expect.stringMatching(/20 skipped.*\n[^]*20 objects: 20 archived/) as string,
    ])
    const failed = (await ledger(cwd)).map(({ code }) => code)
    expect(new Set(failed)).toEqual(new Set(['AccessDenied']))
    expect(failed.length + 20 + (await changed(server, 'src', 'a')).length).toBe(200)
  })

  test('killed with -9 again and again and resumed, it sets every header and loses none', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:4000:tags=5'], latency: 'head=1-10,copy=5-20' })
    const at = ['--concurrency', '64', '--lanes', '4', '--threads', '2']
    let running = start(
      ['set-headers', 's3://src', '--cache-control', 'new', '--endpoint-url', server.url, '--checkpoint', 'run', ...at],
      { cwd },
    )
    for (const part of [0.2, 0.4, 0.6]) {
      await until(() => copies(server) > 4000 * part, running)
      running.kill('SIGKILL')
      expect((await running.finished).signal).toBe('SIGKILL')
      running = start(['resume', 'run'], { cwd })
    }
    const { code, stderr } = await running.finished
    expect([code, stderr]).toEqual([0, expect.stringContaining('none failed') as string])
    expect(await changed(server, 'src', 'new')).toHaveLength(4000)
    expect(copies(server)).toBeLessThan(4000 + 3 * 64 + 10)
  })

  test('of two who write to the same objects it is the one who gives way: no write of the other is lost or gets old headers', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['web'], latency: 'head=0-8,copy=0-8' })
    const keys = Array.from({ length: 60 }, (_, n) => `k${n}`)
    const latest = new Map<string, string>()
    const write = async (key: string, rev: string): Promise<void> => {
      await put(server, 'web', key, { Body: rev, ContentType: `x/${rev}`, Metadata: { rev } })
      latest.set(key, rev)
    }
    await Promise.all(keys.map((key) => write(key, 'r0')))
    const running = start(
      ['set-headers', 's3://web', '--cache-control', 'new', '--endpoint-url', server.url, '--concurrency', '20'],
      { cwd },
    )
    let writes = 0
    while (!running.isOver()) {
      await write(keys[(writes * 7) % keys.length]!, `r${++writes}`)
    }
    const { code, stderr } = await running.finished
    expect([code, stderr]).toEqual([0, expect.stringContaining('none failed') as string])
    expect(writes).toBeGreaterThan(10)
    for (const key of keys) {
      const rev = latest.get(key)!
      expect(await head(server, key), key).toMatchObject({
        ContentType: `x/${rev}`,
        Metadata: { rev },
        ContentLength: rev.length,
      })
    }
  })

  test('--only-failed does what failed, once the cause is mended', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['web'] })
    await put(server, 'web', 'odd', { Body: 'y', ContentType: 'text/plain' })
    let refuses = true
    const { url } = await front(server.port, ({ method, url }) =>
      refuses && method === 'PUT' && url === '/web/odd' ? { status: 403, code: 'AccessDenied' } : undefined,
    )
    expect((await setHeaders({ ...server, url }, cwd, 's3://web', '--cache-control', 'new')).code).toBe(3)
    refuses = false
    const { code, stderr } = await run(['resume', '--only-failed', 'run'], { cwd })
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining('1 object rewritten, none skipped, none failed') as string,
    ])
    expect(await head(server, 'odd')).toMatchObject({ CacheControl: 'new', ContentType: 'text/plain' })
  })

  test.each<[string, string[], RegExp]>([
    ['no header', [], /nothing to set/],
    ['an empty value', ['--cache-control', ''], /--cache-control is empty.*\n.*--remove cache-control/],
    ['a value with a line break', ['--cache-control', 'a\r\nb: c'], /beyond printable ASCII/],
    ['a bad date', ['--expires', 'soon'], /--expires soon is not a date/],
    ['metadata without a value', ['--metadata', 'a'], /--metadata a is not NAME=VALUE/],
    ['metadata of an odd name', ['--metadata', 'a b=c'], /a name of metadata is/],
    ['an unknown header', ['--remove', 'etag'], /--remove etag/],
    ['the content type removed', ['--remove', 'Content-Type'], /cannot be removed/],
    [
      'a header set and removed',
      ['--expires', '2027-01-01', '--remove', 'expires'],
      /both to be set and to be removed/,
    ],
    ['rules and headers', ['--rules', 'x', '--expires', '2027-01-01'], /do not go together/],
    ['rules that are not there', ['--rules', 'none.yaml'], /none\.yaml cannot be read: there is no such file/],
    [
      'two policies for access control lists',
      ['--expires', '2027-01-01', '--preserve', 'acl', '--reset-acl'],
      /contradict/,
    ],
    ['something else to preserve', ['--expires', '2027-01-01', '--preserve', 'tags'], /--preserve cannot be tags/],
    ['--force alone', ['--expires', '2027-01-01', '--force'], /--guess-content-type/],
    ['--if-unset alone', ['--remove', 'expires', '--if-unset'], /--if-unset sets nothing/],
  ])('%s is refused, with a hint and without a request', async (_, flags, message) => {
    const cwd = await workFolder()
    const finished = await run(['set-headers', 's3://web', '--endpoint-url', 'http://127.0.0.1:9', ...flags], { cwd })
    expect(refusal(finished)).toMatch(message)
  })
})

async function changed(server: TestSandbox, bucket: string, value: string): Promise<string[]> {
  const found: string[] = []
  const keys = [...(await contentOf(server, bucket)).keys()]
  for (let at = 0; at < keys.length; at += 50) {
    await Promise.all(
      keys.slice(at, at + 50).map(async (key) => {
        const response = await fetch(`${server.url}/${bucket}/${encodeURIComponent(key)}`, { method: 'HEAD' })
        if (response.headers.get('cache-control') === value) found.push(key)
      }),
    )
  }
  return found
}
