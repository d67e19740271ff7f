import type { IncomingMessage, ServerResponse } from 'node:http'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf, put, sandbox, type Server } from '../support/cli-buckets.js'
import { front } from '../support/cli-front.js'
import { run, workFolder } from '../support/cli-program.js'

const md5 = (bytes: Buffer | string): string => createHash('md5').update(bytes).digest('hex')
const OF_NOTHING = md5('')

/** A large object as Swift's API makes it: its content is that of other objects, in their order. */
interface Manifest {
  readonly kind: 'dynamic' | 'static'
  readonly parts: readonly string[]
}

interface LargeObjects {
  readonly url: string
  /** The paths that are manifests now: copies of manifests become some, too. */
  readonly manifests: Map<string, Manifest>
  /** The sources of copies inside the store. */
  readonly copied: string[]
}

async function partOf(url: string, path: string): Promise<Buffer> {
  const answer = await fetch(url + path)
  return answer.ok ? Buffer.from(await answer.arrayBuffer()) : Buffer.alloc(0)
}

/**
 * A store before the sandbox at `url` in which the objects at some paths are manifests, behaving as Ceph 16.2 or Swift 2.30 do: listed as empty
 * (of a static one Ceph lists the size of its manifest). Ceph copies the manifest, drops it with new headers, knows conditions by the ETag of
 * nothing, says of a range that it began with the first byte, and sends more than was asked for.
 */
async function largeObjects(
  url: string,
  software: 'ceph' | 'swift',
  given: Record<string, Manifest>,
): Promise<LargeObjects> {
  const manifests = new Map(Object.entries(given))
  const copied: string[] = []
  const serve = async (request: IncomingMessage, response: ServerResponse, manifest: Manifest): Promise<void> => {
    const path = request.url!.split('?')[0]!
    const there = await fetch(url + path, { method: 'HEAD' })
    const parts = await Promise.all(manifest.parts.map((part) => partOf(url, part)))
    const content = Buffer.concat(parts)
    const etag = content.length === 0 ? OF_NOTHING : md5(parts.map(md5).join(''))
    const wanted = request.headers['if-match']?.replaceAll('"', '')
    if (!there.ok || (wanted !== undefined && wanted !== (software === 'ceph' ? OF_NOTHING : etag))) {
      const [status, code] = there.ok ? [412, 'PreconditionFailed'] : [404, 'NoSuchKey']
      response.writeHead(status).end(request.method === 'HEAD' ? undefined : `<Error><Code>${code}</Code></Error>`)
      return
    }
    const sign = manifest.kind === 'dynamic' ? 'x-object-manifest' : 'x-object-meta-static-large-object'
    const headers = {
      ...{ etag: `"${etag}"`, 'content-type': 'video/mp4', 'last-modified': there.headers.get('last-modified')! },
      ...(software === 'ceph' ? { [sign]: manifest.kind === 'dynamic' ? 'parts/' : 'True' } : {}),
    }
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')
    const [first, last] = range === null ? [0, content.length - 1] : [Number(range[1]), Number(range[2])]
    const bytes = content.subarray(first, last + 1)
    const told = `bytes ${software === 'ceph' ? 0 : first}-${first + bytes.length - 1}/${content.length}`
    response.writeHead(range === null ? 200 : 206, {
      ...headers,
      'content-length': bytes.length,
      ...(range === null ? {} : { 'content-range': told }),
    })
    if (request.method === 'HEAD') response.end()
    else if (range === null || software === 'swift' || last + 1 >= content.length) response.end(bytes)
    // The rest of the part in which the range ends.
    else response.end(content.subarray(first, last + 1 + 1_000))
  }
  const frontUrl = await front(url, {
    before(request, response) {
      const path = request.url!.split('?')[0]!
      const source = request.headers['x-amz-copy-source']
      if (request.method === 'PUT') {
        const from = source === undefined ? '' : decodeURIComponent(String(source)).replace(/\?.*/, '')
        const manifest = manifests.get(from)
        if (source !== undefined) copied.push(from)
        const carried = software === 'ceph' && request.headers['x-amz-metadata-directive'] !== 'REPLACE'
        if (manifest !== undefined && carried) manifests.set(path, manifest)
        else manifests.delete(path)
        return false
      }
      const manifest = manifests.get(path)
      if (manifest === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) return false
      void serve(request, response, manifest)
      return true
    },
    after(request, answered) {
      answered.headers['x-amz-request-id'] = 'tx000002fa8a99b158c0bfc-006b0b510a'
      if (software === 'swift') answered.headers['x-openstack-request-id'] = 'tx000002fa8a99b158c0bfc-006b0b510a'
      delete answered.headers['transfer-encoding']
      if (/list-type=2/.test(request.url!) && software === 'ceph') {
        const bucket = request.url!.split('?')[0]!.replace(/\/$/, '')
        const text = answered.body.toString().replace(/<Contents>[^]*?<\/Contents>/g, (one) => {
          const key = decodeURIComponent(/<Key>([^<]*)/.exec(one)![1]!)
          const kind = manifests.get(`${bucket}/${key}`)?.kind
          return kind === 'static' ? one.replace(/<Size>0</, '<Size>159<') : one
        })
        answered.body = Buffer.from(text)
      }
      if (request.method !== 'HEAD') answered.headers['content-length'] = String(answered.body.length)
    },
  })
  return { url: frontUrl, manifests, copied }
}

const [ONE, TWO] = [Buffer.from('the beginning, '), Buffer.from('and the end')]
const WHOLE = Buffer.concat([ONE, TWO])

/** Buckets src, parts and dst; `src/film` and `src/disc` are large objects of two parts, and there are some of the ordinary kind. */
async function library(software: 'ceph' | 'swift' = 'ceph', within = '/parts/film/') {
  const server = await sandbox({ buckets: ['src', 'parts', 'dst', 'other'] })
  const parts = ['1', '2'].map((name) => within + name)
  const bucketOf = (path: string): [string, string] => [path.split('/')[1]!, path.split('/').slice(2).join('/')]
  for (const [at, Body] of [ONE, TWO].entries()) await put(server, ...bucketOf(parts[at]!), { Body })
  for (const key of ['disc', 'film', 'empty', 'folder/']) await put(server, 'src', key)
  await put(server, 'src', 'plain', { Body: 'hello' })
  const large = await largeObjects(server.url, software, {
    '/src/disc': { kind: software === 'ceph' ? 'static' : 'dynamic', parts },
    '/src/film': { kind: 'dynamic', parts },
  })
  return { server, large, cwd: await workFolder() }
}

async function textIn({ url }: Pick<Server, 'url'>, path: string): Promise<string> {
  return (await partOf(url, path)).toString()
}

async function codesIn(cwd: string): Promise<string[]> {
  const lines = (await readFile(join(cwd, 'run', 'failures.ndjson'), 'utf8').catch(() => '')).trim()
  return lines === '' ? [] : lines.split('\n').map((line) => (JSON.parse(line) as { code: string }).code)
}

const ENDS = ['--retry-for', '5s', '--checkpoint', 'run']

describe('large objects of Swift’s API on Ceph', () => {
  test.each([
    ['copy', []],
    ['copy', ['--cache-control', 'no-cache']],
    ['copy', ['--no-clobber']],
    ['copy', ['--preserve', 'redirect']],
    ['copy', ['--files-from', 'list']],
    ['sync', []],
    ['move', ['--yes']],
    ['move', ['--map', 's/^/new-/', '--yes']],
  ] as const)(
    'are read and written anew by %s %j: the copy outlives the parts of its source',
    async (command, flags) => {
      const { server, large, cwd } = await library()
      await writeFile(join(cwd, 'list'), 'disc\nempty\nfilm\nfolder/\nplain\n')
      const args = [command, 's3://src', 's3://dst', ...flags, '--endpoint-url', large.url, ...ENDS]
      const { code, stderr } = await run(args, { cwd })
      expect(code, stderr).toBe(0)
      const named = flags[0] === '--map' ? 'new-' : ''
      expect([...(await contentOf(server, 'dst')).keys()]).toHaveLength(5)
      // Directly, so that nothing but its own content is there.
      for (const key of ['disc', 'film']) expect(await textIn(server, `/dst/${named}${key}`)).toBe(WHOLE.toString())
      expect(large.copied.filter((from) => /film|disc/.test(from))).toEqual([])
      expect(large.copied).toContain('/src/empty')
      expect((await contentOf(server, 'src')).size).toBe(command === 'move' ? 0 : 5)
    },
  )

  test('a copy is like its source to verify, and sync leaves it', async () => {
    const { large, cwd } = await library()
    const ends = ['s3://src', 's3://dst', '--endpoint-url', large.url]
    expect((await run(['copy', ...ends, ...ENDS], { cwd })).code).toBe(0)
    for (const how of [[], ['--bytes'], ['--deep']]) {
      const { code, stdout, stderr } = await run(['verify', ...ends, ...how], { cwd })
      expect([code, stdout], stderr).toEqual([0, ''])
    }
    for (const by of [[], ['--size-only']]) {
      const { code, stderr } = await run(['sync', ...ends, ...by, '--fresh', ...ENDS], { cwd })
      expect(code, stderr).toBe(0)
      expect(stderr).toContain('0 objects copied, 5 skipped')
    }
  })

  test('a copy that points to the parts of its source is different to verify, which mends it', async () => {
    const { server, large, cwd } = await library()
    for (const key of ['disc', 'film', 'empty', 'folder/', 'plain'])
      await fetch(`${large.url}/dst/${key}`, { method: 'PUT', headers: { 'x-amz-copy-source': `/src/${key}` } })
    const ends = ['s3://src', 's3://dst', '--endpoint-url', large.url]
    for (const how of [[], ['--bytes'], ['--deep']]) {
      const { code, stdout } = await run(['verify', ...ends, ...how], { cwd })
      expect(code).toBe(3)
      expect(
        stdout
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as unknown),
      ).toMatchObject([
        { key: 'disc', verdict: 'different', differs: ['manifest'] },
        { key: 'film', verdict: 'different', differs: ['manifest'] },
      ])
    }
    expect((await run(['verify', ...ends, '--fix'], { cwd })).code).toBe(0)
    for (const key of ['disc', 'film']) expect(await textIn(server, `/dst/${key}`)).toBe(WHOLE.toString())
  })

  test('set-headers fails them by name and leaves them whole; empty objects of the ordinary kind are rewritten', async () => {
    const { server, large, cwd } = await library()
    const flags = ['--cache-control', 'no-cache', '--reset-acl', '--endpoint-url', large.url]
    const { code, stderr } = await run(['set-headers', 's3://src', ...flags, ...ENDS], { cwd })
    expect(code).toBe(3)
    expect(stderr).toContain('large object of Swift’s API')
    expect(await codesIn(cwd)).toEqual(['SwiftLargeObject', 'SwiftLargeObject'])
    for (const key of ['disc', 'film']) expect(await textIn(large, `/src/${key}`)).toBe(WHOLE.toString())
    const told = await fetch(`${server.url}/src/empty`, { method: 'HEAD' })
    expect(told.headers.get('cache-control')).toBe('no-cache')
    // Neither does a rehearsal call it a rewrite.
    const rehearsal = await run(['set-headers', 's3://src', ...flags, '--dry-run'], { cwd })
    expect(rehearsal.stdout).toContain('2 SwiftLargeObject')
  })

  test('move takes parts and what is made of them from one place: the content is whole at the destination', async () => {
    const { server, large, cwd } = await library('ceph', '/src/a-parts/')
    const args = ['move', '--yes', 's3://src', 's3://dst', '--endpoint-url', large.url, ...ENDS]
    const { code, stderr } = await run(args, { cwd })
    expect(code, stderr).toBe(0)
    for (const key of ['disc', 'film']) expect(await textIn(server, `/dst/${key}`)).toBe(WHOLE.toString())
    expect(await textIn(server, '/dst/a-parts/1')).toBe(ONE.toString())
    expect((await contentOf(server, 'src')).size).toBe(0)
  })

  test('one whose parts are gone is a failure by name, and move leaves it', async () => {
    const { server, large, cwd } = await library()
    for (const name of ['1', '2']) await fetch(`${server.url}/parts/film/${name}`, { method: 'DELETE' })
    const args = ['move', '--yes', 's3://src', 's3://dst', '--endpoint-url', large.url, ...ENDS]
    expect((await run(args, { cwd })).code).toBe(3)
    expect(await codesIn(cwd)).toEqual(['SwiftLargeObject', 'SwiftLargeObject'])
    expect([...(await contentOf(server, 'src')).keys()]).toEqual(['disc', 'film'])
    expect([...(await contentOf(server, 'dst')).keys()]).toEqual(['empty', 'folder/', 'plain'])
  })

  test('what failed is still no manifest of its copy when it is tried again', async () => {
    const { server, large, cwd } = await library()
    await fetch(`${server.url}/parts/film/1`, { method: 'DELETE' })
    await fetch(`${server.url}/parts/film/2`, { method: 'DELETE' })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', large.url, ...ENDS]
    expect((await run(args, { cwd })).code).toBe(3)
    await put(server, 'parts', 'film/1', { Body: ONE })
    await put(server, 'parts', 'film/2', { Body: TWO })
    expect((await run(['resume', 'run', '--only-failed'], { cwd })).code).toBe(0)
    for (const key of ['disc', 'film']) expect(await textIn(server, `/dst/${key}`)).toBe(WHOLE.toString())
  })

  test('more than one request can hold is read in ranges, though the store says another beginning and sends too much', async () => {
    const server = await sandbox({ buckets: ['src', 'parts', 'dst'] })
    const parts = [randomBytes(19 * 1024 ** 2), randomBytes(17 * 1024 ** 2 + 11)]
    for (const [at, Body] of parts.entries()) await put(server, 'parts', `film/${at}`, { Body })
    await put(server, 'src', 'film')
    const manifest: Manifest = { kind: 'dynamic', parts: ['/parts/film/0', '/parts/film/1'] }
    const large = await largeObjects(server.url, 'ceph', { '/src/film': manifest })
    const cwd = await workFolder()
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', large.url, ...ENDS]
    const { code, stderr } = await run(args, { cwd })
    expect(code, stderr).toBe(0)
    expect((await partOf(server.url, '/dst/film')).equals(Buffer.concat(parts))).toBe(true)
    await mkdir(join(cwd, 'disk'))
    const toDisk = ['copy', 's3://src', `file://${join(cwd, 'disk')}`, '--endpoint-url', large.url]
    expect((await run(toDisk, { cwd })).code).toBe(0)
    expect((await readFile(join(cwd, 'disk', 'film'))).equals(Buffer.concat(parts))).toBe(true)
  })
})

describe('dynamic large objects on Swift, of which S3 shows nothing but a size', () => {
  test.each([[[]], [['--files-from', 'list']]])('are whole on the disk, and at another store (%j)', async (flags) => {
    const { large, cwd } = await library('swift')
    const elsewhere = await sandbox({ buckets: ['far'] })
    await writeFile(join(cwd, 'list'), 'disc\nempty\nfilm\nplain\n')
    await mkdir(join(cwd, 'disk'))
    const away = ['--source-endpoint-url', large.url, '--destination-endpoint-url', elsewhere.url]
    const far = await run(['copy', 's3://src', 's3://far', ...flags, ...away, ...ENDS], { cwd })
    expect(far.code, far.stderr).toBe(0)
    const disk = await run(
      ['copy', 's3://src', `file://${join(cwd, 'disk')}`, ...flags, '--endpoint-url', large.url, '--retry-for', '5s'],
      { cwd },
    )
    expect(disk.code, disk.stderr).toBe(0)
    for (const key of ['disc', 'film']) {
      expect(await textIn(elsewhere, `/far/${key}`)).toBe(WHOLE.toString())
      expect(await readFile(join(cwd, 'disk', key), 'utf8')).toBe(WHOLE.toString())
    }
    expect(await textIn(elsewhere, '/far/empty')).toBe('')
  })

  test('what S3 does not show of Swift is told before a rewrite and before copies, and not on Ceph', async () => {
    const { large, cwd } = await library('swift')
    const ends = ['--endpoint-url', large.url, '--dry-run']
    const rewrite = await run(['set-headers', 's3://src', '--cache-control', 'no-cache', '--reset-acl', ...ends], {
      cwd,
    })
    expect(rewrite.stderr).toMatch(/^warning: s3:\/\/src is in OpenStack Swift.*X-Delete-At.*src\+segments/m)
    const copy = await run(['copy', 's3://src', 's3://dst', ...ends], { cwd })
    expect(copy.stderr).toMatch(/^warning: s3:\/\/dst is in OpenStack Swift.*dst\+segments/m)
    expect(copy.stderr).not.toContain('X-Delete-At')
    const away = await run(['copy', 's3://src', `file://${join(cwd, 'disk')}`, ...ends], { cwd })
    expect(away.stderr).toMatch(/^warning: s3:\/\/src is in OpenStack Swift.*X-Delete-At/m)
    const ceph = await library('ceph')
    const there = await run(['copy', 's3://src', 's3://dst', '--endpoint-url', ceph.large.url, '--dry-run'], { cwd })
    expect(there.stderr).not.toContain('Swift')
  })
})
