import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf, put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, workFolder, type Finished } from '../support/cli-program.js'
import { front, type FrontAnswer, type FrontRequest } from '../support/front.js'

const keysOf = async (server: TestSandbox, bucket: string) => [...(await contentOf(server, bucket)).keys()]

const DENIED: FrontAnswer = { status: 403, code: 'AccessDenied' }

/** Whether a request is for a bucket and not for an object in it. */
const isOnBucket = ({ url }: FrontRequest): boolean => /^\/[^/?]+\/?(?:\?|$)/.test(url)

/** What AWS answers without s3:ListBucket: no listing, and what does not exist looks forbidden. */
function withoutListBucket(existing: ReadonlySet<string>) {
  return (asked: FrontRequest): FrontAnswer | undefined => {
    const { method, url, headers } = asked
    if (isOnBucket(asked))
      return method === 'POST' || /[?&](?:ownershipControls|versioning)=/.test(url) ? undefined : DENIED
    const source = headers['x-amz-copy-source']
    if (typeof source === 'string') return existing.has(decodeURIComponent(source)) ? undefined : DENIED
    return method === 'PUT' || method === 'POST' || existing.has(url) ? undefined : DENIED
  }
}

interface Given {
  readonly cwd: string
  readonly server: TestSandbox
  readonly url: string
}

/** A bucket `src` with a, b/ü and c, of which a list names the first two, behind a front that answers by itself what `answer` says. */
async function given(answer: (asked: FrontRequest) => FrontAnswer | undefined): Promise<Given> {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src', 'dst'] })
  for (const key of ['a', 'b/ü', 'c']) await put(server, 'src', key, { Body: key })
  await writeFile(join(cwd, 'list'), 'a\nb/ü\n')
  const { url } = await front(server.port, answer)
  return { cwd, server, url }
}

const named = ({ cwd, url }: Given, ...args: string[]): Promise<Finished> =>
  run([...args, '--files-from', 'list', '--endpoint-url', url, '--checkpoint', 'run', '--retry-for', '2s'], { cwd })

const ALL = new Set(['/src/a', '/src/b/ü', '/src/c'])

describe('credentials that may not list', () => {
  test('copy what a list names', async () => {
    const all = await given(withoutListBucket(ALL))
    const { code, stderr } = await named(all, 'copy', 's3://src', 's3://dst/to/')
    expect([code, stderr]).toEqual([0, expect.stringContaining('2 objects copied')])
    expect(await keysOf(all.server, 'dst')).toEqual(['to/a', 'to/b/ü'])
  })

  test('copy it to a folder', async () => {
    const all = await given(withoutListBucket(ALL))
    expect((await named(all, 'copy', 's3://src', `file://${all.cwd}/out`)).code).toBe(0)
    expect(await readFile(join(all.cwd, 'out/a'), 'utf8')).toBe('a')
  })

  test('delete what a list names, and nothing else', async () => {
    const all = await given(withoutListBucket(ALL))
    expect((await named(all, 'delete', 's3://src', '--yes')).code).toBe(0)
    expect(await keysOf(all.server, 'src')).toEqual(['c'])
  })

  test('set the headers of what a list names', async () => {
    const all = await given(withoutListBucket(ALL))
    const { code, stderr } = await named(all, 'set-headers', 's3://src', '--cache-control', 'no-cache')
    expect([code, stderr]).toEqual([0, expect.stringContaining('2 objects rewritten')])
  })

  test('see beforehand what would be done', async () => {
    const all = await given(withoutListBucket(ALL))
    expect((await named(all, 'copy', 's3://src', 's3://dst', '--dry-run')).code).toBe(0)
    expect(await keysOf(all.server, 'dst')).toEqual([])
  })

  test('find an object that is not there forbidden, on the ledger; resume --only-failed copies it once it is there', async () => {
    const existing = new Set(['/src/a'])
    const all = await given(withoutListBucket(existing))
    expect((await named(all, 'copy', 's3://src', 's3://dst')).code).toBe(3)
    const [line = ''] = (await readFile(join(all.cwd, 'run/failures.ndjson'), 'utf8')).split('\n')
    expect(JSON.parse(line)).toMatchObject({ key: 'b/ü', code: 'AccessDenied' })
    existing.add('/src/b/ü')
    const { code, stderr } = await run(['resume', 'run', '--only-failed'], { cwd: all.cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('2 objects copied, none skipped, none failed')])
    expect(await keysOf(all.server, 'dst')).toEqual(['a', 'b/ü'])
  })

  test('are refused where all is to be copied', async () => {
    const { cwd, url, server } = await given(withoutListBucket(ALL))
    const line = refusal(await run(['copy', 's3://src', 's3://dst', '--endpoint-url', url], { cwd }))
    expect(line).toMatch(/s3:\/\/src: ListObjectsV2 failed: .*AccessDenied/)
    expect(await keysOf(server, 'dst')).toEqual([])
  })
})

describe('credentials that may write certain names alone', () => {
  test('copy what a list names', async () => {
    const allowed = new Set(['/dst/a', '/dst/b/ü'])
    const all = await given((asked) => (asked.method === 'PUT' && !allowed.has(asked.url) ? DENIED : undefined))
    expect((await named(all, 'copy', 's3://src', 's3://dst')).code).toBe(0)
    expect(await keysOf(all.server, 'dst')).toEqual(['a', 'b/ü'])
  })
})

describe('credentials that are wrong', () => {
  test.each(['InvalidAccessKeyId', 'SignatureDoesNotMatch'])('(%s) are refused before the start', async (code) => {
    const all = await given(() => ({ status: 403, code }))
    const { stderr, code: exit } = await named(all, 'copy', 's3://src', 's3://dst')
    expect([exit, stderr]).toEqual([2, expect.stringContaining(code)])
  })
})

describe('prefixes that leave little room for a name', () => {
  const cases: readonly (readonly [number, string, string])[] = [
    [1000, 'x', '1.jpg'],
    [1019, 'x', '1.jpg'],
    [1023, 'x', 'y'],
    [999, 'é', 'ü.jpg'],
    [1015, 'x', '日本.g'],
  ]
  const prefixOf = (bytes: number, letter: string): string =>
    `${letter.repeat(Math.floor((bytes - 1) / Buffer.byteLength(letter)))}/`

  test.each(cases)('of %i bytes (%s): copy and sync find %s its place', async (bytes, letter, name) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    await put(server, 'src', `a/${name}`, { Body: 'hello' })
    const prefix = prefixOf(bytes, letter)
    const args = ['s3://src/a/', `s3://dst/${prefix}`, '--endpoint-url', server.url]
    for (const command of ['copy', 'sync']) {
      const { code, stderr } = await run([command, ...args, '--checkpoint', command], { cwd })
      expect([code, stderr]).toEqual([0, expect.not.stringContaining('warning')])
    }
    expect(await keysOf(server, 'dst')).toEqual([prefix + name])
    expect((await run(['verify', ...args, '--bytes'], { cwd })).code).toBe(0)
  })

  test('of the source, where nothing is mistaken for the object that must not exist', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    const prefix = prefixOf(1023, 'x')
    // Every name that is left to a prefix of 1,023 bytes.
    const names = Array.from({ length: 16 }, (_, digit) => digit.toString(16))
    for (const name of names) await put(server, 'src', prefix + name, { Body: name })
    const args = [`s3://src/${prefix}`, 's3://dst/', '--endpoint-url', server.url, '--include', 'a', '--exclude', '*']
    expect((await run(['copy', ...args, '--include', 'a'], { cwd })).code).toBe(0)
    expect(await keysOf(server, 'dst')).toEqual(['a'])
  })

  test('may be those of one bucket that two URLs name, or two credentials', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src'] })
    const prefix = prefixOf(1020, 'x')
    await put(server, 'src', 'b', { Body: 'hello' })
    const sides = ['--source-endpoint-url', server.url.replace('127.0.0.1', 'localhost')]
    const args = ['copy', 's3://src', `s3://src/${prefix}`, ...sides, '--destination-endpoint-url', server.url]
    const { code, stderr } = await run(args, { cwd })
    // A copy into its own source is refused as such, and not for the length of a name.
    expect([code, stderr]).toEqual([2, expect.not.stringMatching(/KeyTooLong|too long/)])
  })

  test('are deleted below as below any other', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src'] })
    for (const bytes of [1019, 1021, 1023]) {
      const folder = 'x'.repeat(bytes - 2)
      await put(server, 'src', `${folder}/y`, { Body: 'y' })
      await put(server, 'src', `${folder}0`, { Body: 'z' })
      const args = [
        'delete',
        `s3://src/${folder}`,
        '--yes',
        '--endpoint-url',
        server.url,
        '--checkpoint',
        String(bytes),
      ]
      const line = refusal(await run(args, { cwd }))
      expect(line).toContain('belongs to it as well')
      const { code } = await run([...args, '--prefix-as-text'], { cwd })
      expect(code).toBe(0)
    }
    expect(await keysOf(server, 'src')).toEqual([])
  })
})

test.each([
  [500, 'set-headers', ['--cache-control', 'no-store', '--reset-acl'], 'finished: 3 objects rewritten'],
  [503, 'copy', ['s3://dst'], 'finished: 3 objects copied'],
  [500, 'delete', ['--yes'], 'finished: 3 objects deleted'],
] as const)(
  'settings of a bucket that are answered with %i each time do not stop %s',
  async (status, command, more, told) => {
    const { url, cwd } = await given(({ url: path }) =>
      /[?&](?:ownershipControls|versioning)=/.test(path) ? { status, code: 'InternalError' } : undefined,
    )
    const args = [command, 's3://src', ...more, '--endpoint-url', url, '--checkpoint', 'run']
    const { code, stderr } = await run(args, { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining(told) as string])
  },
)
