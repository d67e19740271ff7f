import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf, sandbox } from '../support/cli-buckets.js'
import { run, workFolder } from '../support/cli-program.js'
import { front, type Hooks } from '../support/proxy.js'

type After = NonNullable<Hooks['after']>

const isList = (url = ''): boolean => url.includes('list-type=2')
const isOfAll = (url = ''): boolean => isList(url) && !/max-keys=1(&|$)/.test(url)
const EMPTY =
  '<ListBucketResult><MaxKeys>1000</MaxKeys><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>'

/** A listing from which some objects are left out. */
const without =
  (pattern: RegExp): After =>
  (request, body) => {
    if (!isOfAll(request.url)) return body
    let left = 0
    const rest = body.replace(/<Contents>[^]*?<\/Contents>/g, (entry) => {
      if (!pattern.test(entry)) return entry
      left++
      return ''
    })
    return rest.replace(/<KeyCount>(\d+)/, (_, count: string) => `<KeyCount>${Number(count) - left}`)
  }

describe('a store whose listing contradicts itself', () => {
  test.each<[string, string[]]>([
    ['copy', ['copy', 's3://src', 's3://dst']],
    ['sync --delete', ['sync', 's3://src', 's3://dst', '--delete', '--yes']],
    ['move', ['move', '--yes', 's3://src', 's3://dst']],
    ['ls', ['ls', 's3://src']],
    ['du', ['du', 's3://src']],
    ['verify', ['verify', 's3://src', 's3://dst']],
  ])('by being empty after it had an object stops %s, and nothing is done', async (_, args) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:20', 'dst:seq:30'] })
    const url = await front(server.url, {
      before: (request) =>
        isOfAll(request.url) && request.url?.startsWith('/src') === true ? { status: 200, body: EMPTY } : undefined,
    })
    const { code, stderr } = await run([...args, '--endpoint-url', url], { cwd })
    expect([code, stderr]).toEqual([4, expect.stringContaining('ContradictoryListing') as string])
    expect(stderr).toMatch(/is empty, though it began with \S+ before, and that is still there/)
    expect((await contentOf(server, 'src')).size).toBe(20)
    expect((await contentOf(server, 'dst')).size).toBe(30)
  })

  test('by beginning behind an object that it had stops the run, unless that object is gone', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:20', 'dst', 'dst2'] })
    const [first = ''] = (await contentOf(server, 'src')).keys()
    const late = await front(server.url, { after: without(new RegExp(first)) })
    const { code, stderr } = await run(['copy', 's3://src', 's3://dst', '--endpoint-url', late], { cwd })
    expect([code, stderr]).toEqual([4, expect.stringContaining('ContradictoryListing') as string])
    // The same, but it is deleted between the two listings.
    let deleted = false
    const gone = await front(server.url, {
      async before(request) {
        if (!isOfAll(request.url) || deleted) return undefined
        deleted = true
        expect((await fetch(`${server.url}/src/${first}`, { method: 'DELETE' })).status).toBe(204)
        return undefined
      },
    })
    expect((await run(['copy', 's3://src', 's3://dst2', '--endpoint-url', gone], { cwd })).code).toBe(0)
    expect((await contentOf(server, 'dst2')).size).toBe(19)
  })

  test('by a page of more keys than were asked for stops the run, and so does one without an end', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:20', 'dst'] })
    const entry = (i: number): string =>
      `<Contents><Key>z${String(i).padStart(7, '0')}</Key><LastModified>2020-01-01T00:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>1</Size><StorageClass>STANDARD</StorageClass></Contents>`
    const flood = (count: number): After => {
      const more = Array.from({ length: count }, (_, i) => entry(i)).join('')
      return (request, body) =>
        isOfAll(request.url)
          ? body.replace(/<KeyCount>\d+<\/KeyCount>/, '').replace('</ListBucketResult>', `${more}</ListBucketResult>`)
          : body
    }
    for (const [count, told] of [
      [981, 'OverfullListing'],
      [150_000, 'EMSGSIZE'],
    ] as const) {
      const url = await front(server.url, { after: flood(count) })
      const { code, stderr } = await run(['copy', 's3://src', 's3://dst', '--fresh', '--endpoint-url', url], { cwd })
      expect([code, stderr]).toEqual([4, expect.stringContaining(told) as string])
    }
  })

  test('by a full last page that is not the last costs nothing: what is behind it is found', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:3700'] })
    const url = await front(server.url, {
      after: (request, body) => (isList(request.url) ? body.replace('<IsTruncated>true', '<IsTruncated>false') : body),
    })
    const { code } = await run(['ls', 's3://src', '--to', 'all.txt', '--endpoint-url', url], { cwd })
    expect(code).toBe(0)
    const lines = (await readFile(join(cwd, 'all.txt'), 'utf8')).trimEnd().split('\n')
    expect(new Set(lines).size).toBe(3700)
    expect(lines.length).toBe(3700)
  })
})

test('a first page that takes longer than usual servers do is waited for as --read-timeout says', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src:seq:3', 'dst'] })
  let lists = 0
  const url = await front(server.url, {
    async before(request) {
      if (isList(request.url)) {
        lists++
        await new Promise((resolve) => setTimeout(resolve, 7_000))
      }
      return undefined
    },
  })
  const { code } = await run(['copy', 's3://src', 's3://dst', '--endpoint-url', url], { cwd })
  expect(code).toBe(0)
  expect((await contentOf(server, 'dst')).size).toBe(3)
  // The key and the page of the preflight are each asked for a second time, for they might have been lost; one more is for a run that lists anew.
  expect(lists).toBeLessThanOrEqual(5)
})
