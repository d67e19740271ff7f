import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf, put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, workFolder } from '../support/cli-program.js'
import { standIn, type Hooks } from '../support/stand-in.js'

/** A stand-in that takes for one name what `one` makes one: of the path of a bucket and a key, still encoded. It copies onto itself, as most stores do. */
function folding(one: (path: string) => string): Hooks {
  const folded = (path: string): string => path.replace(/^[^?]*/, one)
  return {
    before(request) {
      request.url = folded(request.url)
      const source = request.headers['x-amz-copy-source']
      if (typeof source !== 'string') return undefined
      request.headers['x-amz-copy-source'] = folded(source)
      if (folded(source) === request.url) request.headers['x-amz-metadata-directive'] ??= 'REPLACE'
      return undefined
    },
  }
}

async function left(server: TestSandbox, bucket: string): Promise<string[]> {
  return [...(await contentOf(server, bucket)).keys()]
}

const failures = async (cwd: string): Promise<string[]> => {
  const text = await readFile(join(cwd, 'run/failures.ndjson'), 'utf8')
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { code: string }).code)
}

// Long enough ago that a copy has another date.
const aged = () => new Promise((resolve) => setTimeout(resolve, 1_100))

const alias = (path: string): string => path.replace(/^\/new(?=\/|$)/, '/old')
const lower = (path: string): string => path.replace(/^\/fold\/.*/s, (name) => name.toLowerCase())
const slashes = (path: string): string => path.replace(/^\/fold\/.*/s, (name) => name.replace(/\/+/g, '/'))

describe('one bucket, or one place in it, that has two names', () => {
  test.each<[string, (path: string) => string, string[], string[], string]>([
    [
      'the bucket',
      alias,
      ['move', '--yes', 's3://old', 's3://new'],
      ['old/a', 'old/b/c'],
      'source and destination are the same',
    ],
    ['the bucket, below a prefix', alias, ['move', '--yes', 's3://old/p/', 's3://new/p/'], ['old/p/a'], 'are the same'],
    [
      'the bucket, into itself',
      alias,
      ['move', '--yes', 's3://old/', 's3://new/x/'],
      ['old/x/a'],
      'lies inside the source',
    ],
    [
      'the bucket, out of itself',
      alias,
      ['sync', 's3://old/in/', 's3://new', '--delete', '--yes'],
      ['old/in/a', 'old/in/in/b'],
      '--delete would delete the source',
    ],
    [
      'a prefix in capitals',
      lower,
      ['move', '--yes', 's3://fold/p/', 's3://fold/P/'],
      ['fold/p/a'],
      'under another name',
    ],
    [
      'a prefix in capitals that lies in the source',
      lower,
      ['move', '--yes', 's3://fold/p/', 's3://fold/P/in/'],
      ['fold/p/in/a'],
      'under another name',
    ],
    [
      'a prefix in capitals that the source lies in',
      lower,
      ['sync', 's3://fold/p/in/', 's3://fold/P/', '--delete', '--yes'],
      ['fold/p/in/a', 'fold/p/b'],
      'under another name',
    ],
    [
      'a prefix with an empty folder',
      slashes,
      ['move', '--yes', 's3://fold/p/', 's3://fold//p/'],
      ['fold/p/a'],
      'under another name',
    ],
  ])('%s: is found out before anything is copied or deleted', async (_title, one, command, keys, said) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['old', 'fold'] })
    const objects = keys.map((name) => name.split(/\/(.*)/s))
    for (const [bucket, key] of objects) await put(server, bucket!, key!, { Body: key! })
    const url = await standIn(server.url, folding(one))
    expect(refusal(await run([...command, '--endpoint-url', url, '--checkpoint', 'run'], { cwd }))).toContain(said)
    for (const [bucket, key] of objects) expect(await left(server, bucket!)).toContain(key)
    expect(server.stats().copies).toEqual({})
  })

  // Whoever cannot tell before the start, as a store that folds names keeps its uploads by the names that were asked for.
  const blind = (hooks: Hooks, more: Hooks = {}): Hooks => ({
    ...more,
    async before(request) {
      const asksForParts = request.method === 'GET' && request.url.includes('uploadId=')
      if (asksForParts) return { status: 404, body: '<Error><Code>NoSuchUpload</Code></Error>' }
      return (await more.before?.(request)) ?? (await hooks.before?.(request))
    },
  })

  test('that nothing told before: what its own copy has replaced stays, as does each that follows', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['old'] })
    for (const key of ['a', 'b', 'c']) await put(server, 'old', key, { Body: key })
    await aged()
    const url = await standIn(server.url, blind(folding(alias)))
    const command = ['move', '--yes', 's3://old', 's3://new', '--endpoint-url', url, '--checkpoint', 'run'] as const
    const told = await run(command, { cwd })
    expect([told.code, told.stderr]).toEqual([3, expect.stringContaining('0 objects moved, none skipped, 3 failed')])
    expect(told.stderr).toContain('with the same Last-Modified')
    expect(await failures(cwd)).toEqual(['SourceChanged', 'SourceChanged', 'SourceChanged'])
    expect((await run(['resume', '--only-failed', 'run'], { cwd })).code).toBe(3)
    expect(await left(server, 'old')).toEqual(['a', 'b', 'c'])
  })

  test('that nothing told before, in a store that takes a copy onto itself for done: CopyNotToldApart', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['old'] })
    for (const key of ['a', 'b']) await put(server, 'old', key, { Body: key })
    const { etag } = (await contentOf(server, 'old')).get('a')!
    const other = (await contentOf(server, 'old')).get('b')!.etag
    const nothing: Hooks = {
      before({ method, headers, url }) {
        if (method !== 'PUT' || headers['x-amz-copy-source'] === undefined || url.includes('probe')) return undefined
        const found = url.startsWith('/new/a') ? etag : other
        return { status: 200, body: `<CopyObjectResult><ETag>${found}</ETag></CopyObjectResult>` }
      },
    }
    const url = await standIn(server.url, blind(folding(alias), nothing))
    const command = ['move', '--yes', 's3://old', 's3://new', '--endpoint-url', url, '--checkpoint', 'run'] as const
    expect((await run(command, { cwd })).code).toBe(3)
    expect(await failures(cwd)).toEqual(['CopyNotToldApart', 'CopyNotToldApart'])
    expect(await left(server, 'old')).toEqual(['a', 'b'])
  })

  test('by --map alone, within one prefix and another that a proxy takes for it: nothing is deleted', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['fold'] })
    for (const key of ['in/a', 'in/b']) await put(server, 'fold', key, { Body: key })
    await aged()
    // Only these names are one, so no test of the two prefixes shows it.
    const dots = (path: string): string =>
      path.replace('/fold/out/..%2Fin/', '/fold/in/').replace('/fold/out/../in/', '/fold/in/')
    const url = await standIn(server.url, folding(dots))
    const command = ['move', '--yes', 's3://fold/in/', 's3://fold/out/', '--map', 's|^|../in/|'] as const
    const told = await run([...command, '--endpoint-url', url, '--checkpoint', 'run'], { cwd })
    expect([told.code, await left(server, 'fold')]).toEqual([3, ['in/a', 'in/b']])
    expect(await failures(cwd)).toEqual(['SourceChanged', 'SourceChanged'])
  })

  test('and two buckets, however alike their names are, are moved between as ever, objects of this very second too', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['old', 'fold'] })
    for (const key of ['p/a', 'p/b']) await put(server, 'fold', key, { Body: key })
    const to = ['--endpoint-url', server.url, '--checkpoint', 'run'] as const
    expect((await run(['move', '--yes', 's3://fold/p/', 's3://fold/P/', ...to], { cwd })).code).toBe(0)
    expect(await left(server, 'fold')).toEqual(['P/a', 'P/b'])
    expect((await run(['move', '--yes', 's3://fold', 's3://old', ...to, '--fresh'], { cwd })).code).toBe(0)
    expect([await left(server, 'fold'), await left(server, 'old')]).toEqual([[], ['P/a', 'P/b']])
  })
})
