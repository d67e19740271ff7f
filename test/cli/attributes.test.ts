import { GetObjectAclCommand, HeadObjectCommand, type PutObjectCommandInput } from '@aws-sdk/client-s3'
import { createHash, randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { contentOf, put, sandbox, traitsOf, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'

const copy = (server: { readonly url: string }, cwd: string, ...more: string[]) =>
  run(['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--checkpoint', 'run', ...more], { cwd })

const head = ({ s3 }: TestSandbox, Key: string) => s3.send(new HeadObjectCommand({ Bucket: 'dst', Key }))
const requests = (server: TestSandbox, operation: string): number => server.stats().byOperation[operation] ?? 0

const RICH: Partial<PutObjectCommandInput> = {
  ...{ Body: 'x', ContentType: 'text/plain', CacheControl: 'no-cache', Metadata: { owner: 'me' } },
  ...{ Tagging: 'team=red', StorageClass: 'STANDARD_IA', WebsiteRedirectLocation: '/there' },
}

describe('s3move copy with attributes', () => {
  test('without any, nothing is looked up but one object before the start, and some copies', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:500', 'dst'] })
    expect((await copy(server, cwd, '--lanes', '1', '--threads', '1')).code).toBe(0)
    const { byOperation } = server.stats()
    // Three copies are looked at, and each with its source.
    const looks = 1 + 3 * 2
    expect(byOperation).toMatchObject({ CopyObject: 501, HeadObject: looks, GetObjectTagging: 1, GetObjectAcl: 1 })
  })

  test('headers and metadata are set and taken away, all else stays', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    await put(server, 'src', 'rich', RICH)
    const change = ['--cache-control', 'public', '--metadata', 'by=us', '--remove-metadata', 'owner']
    expect((await copy(server, cwd, ...change)).code).toBe(0)
    const { CacheControl, ContentType, Metadata, StorageClass } = await head(server, 'rich')
    expect({ CacheControl, ContentType, Metadata, StorageClass }).toEqual({
      ...{ CacheControl: 'public', ContentType: 'text/plain', Metadata: { by: 'us' }, StorageClass: 'STANDARD_IA' },
    })
    expect(await traitsOf(server, 'dst', 'rich')).toMatchObject({ tags: [{ Key: 'team', Value: 'red' }] })
  })

  test('what S3 loses is kept when asked to, and what it keeps is left out', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:acl', 'dst:acl'] })
    await put(server, 'src', 'rich', { ...RICH, ACL: 'public-read' })
    const acl = async (Bucket: string) =>
      (await server.s3.send(new GetObjectAclCommand({ Bucket, Key: 'rich' }))).Grants
    const keep = ['--preserve', 'acl,redirect', '--preserve', 'lock', '--no-preserve', 'tags,metadata']
    expect((await copy(server, cwd, ...keep, '--no-preserve', 'storage-class')).code).toBe(0)
    expect(await acl('dst')).toEqual(await acl('src'))
    const kept = await head(server, 'rich')
    expect(kept).toMatchObject({ WebsiteRedirectLocation: '/there', ContentType: 'binary/octet-stream', Metadata: {} })
    expect(kept.StorageClass ?? 'STANDARD').toBe('STANDARD')
    expect(await traitsOf(server, 'dst', 'rich')).toMatchObject({ tags: [] })
  })

  test('storage class, tags and a canned list are those that were asked for', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:50:tags=2', 'dst:acl'] })
    const given = ['--storage-class', 'GLACIER_IR', '--tagging', 'a=1&b=x%20y', '--acl', 'public-read']
    expect((await copy(server, cwd, ...given)).code).toBe(0)
    for (const [key, { storageClass }] of await contentOf(server, 'dst')) {
      expect(storageClass).toBe('GLACIER_IR')
      const tags = [
        { Key: 'a', Value: '1' },
        { Key: 'b', Value: 'x y' },
      ]
      expect(await traitsOf(server, 'dst', key)).toMatchObject({ tags })
      const { Grants } = await server.s3.send(new GetObjectAclCommand({ Bucket: 'dst', Key: key }))
      expect(Grants).toHaveLength(2)
    }
  })

  test('an object that somebody writes to meanwhile never gets the headers of another', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'], latency: 'head=10-20' })
    const keys = Array.from({ length: 60 }, (_, index) => `k${index}`)
    const write = (key: string, version: string) =>
      put(server, 'src', key, { Body: version, Metadata: { version }, CacheControl: version })
    await Promise.all(keys.map((key) => write(key, 'one')))
    const running = copy(server, cwd, '--metadata', 'seen=yes', '--concurrency', '8')
    for (let turn = 2; turn < 8; turn++) await Promise.all(keys.map((key) => write(key, `version ${turn}`)))
    expect((await running).code).toBe(0)
    for (const key of keys) {
      const { ETag, Metadata } = await head(server, key)
      const md5 = createHash('md5').update(Metadata!.version!).digest('hex')
      expect(ETag, key).toBe(`"${md5}"`)
      expect(Metadata!.seen).toBe('yes')
    }
  })

  test('a run that is resumed goes on with the same wish, and another wish is another job', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:400', 'dst'], latency: 'copy=20-40' })
    const argv = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--checkpoint', 'run']
    const wish = ['--storage-class', 'STANDARD_IA', '--metadata', 'a=b', '--concurrency', '16']
    const running = start([...argv, ...wish], { cwd })
    await until(() => requests(server, 'CopyObject') > 50, running)
    running.kill('SIGINT')
    expect((await running.finished).code).toBe(130)
    expect((await run(['resume', 'run'], { cwd })).code).toBe(0)
    expect((await contentOf(server, 'dst')).size).toBe(400)
    for (const { storageClass } of (await contentOf(server, 'dst')).values()) expect(storageClass).toBe('STANDARD_IA')
    expect(refusal(await copy(server, cwd))).toContain('holds the checkpoint of another job')
  })
})

describe('what a copy would lose', () => {
  test('is said before it begins, of one object, and why; --on-loss fail refuses, and nothing is written', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:acl', 'dst'] })
    await put(server, 'src', 'a/', {})
    await put(server, 'src', 'a/rich', { ...RICH, ACL: 'public-read' })
    const line = refusal(await copy(server, cwd, '--on-loss', 'fail'))
    expect(line).toMatch(/s3:\/\/src\/a\/rich .*website redirect: --preserve redirect.*access control list.*--acl/)
    expect(requests(server, 'CopyObject'), 'but for the probe').toBe(1)
    expect(await readdir(cwd)).toEqual([])
    const { code, stderr } = await copy(server, cwd)
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(/^warning: of s3:\/\/src\/a\/rich, the first object, the only/),
    ])
    const kept = await workFolder()
    expect((await copy(server, kept, '--on-loss', 'fail', '--preserve', 'redirect', '--acl', OWNER)).code).toBe(0)
  })

  const OWNER = 'bucket-owner-full-control'

  test('includes lists that the bucket does not take', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:acl', 'dst'] })
    await put(server, 'src', 'k', { ACL: 'public-read' })
    const refused = await copy(server, cwd, '--preserve', 'acl', '--on-loss', 'fail')
    expect(refusal(refused)).toContain('BucketOwnerEnforced')
    expect((await copy(server, cwd, '--preserve', 'acl')).code).toBe(3)
    expect(await readFile(join(cwd, 'run/failures.ndjson'), 'utf8')).toContain('AccessControlListNotSupported')
  })

  test('is nothing for an ordinary object, of which nothing is said', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:5', 'dst'] })
    const { code, stderr } = await copy(server, cwd, '--on-loss', 'fail')
    expect(code).toBe(0)
    expect(stderr).not.toContain('warning')
  })
})

describe('SSE-C', () => {
  const ENCRYPTION = 'encryption-customer-key'

  test('both keys go with every request that needs them, are read again by a resume, and are stored nowhere', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:20:denied=5', 'dst'] })
    const seen: IncomingHttpHeaders[] = []
    const proxy = createServer((request, response) => {
      const { method, url, headers, rawHeaders } = request
      if (method === 'PUT' && headers['x-amz-copy-source'] !== undefined) seen.push(headers)
      const target = new URL(url ?? '/', server.url)
      const fields = rawHeaders.flatMap((name, at): [string, string][] =>
        at % 2 > 0 ? [] : [[name, rawHeaders[at + 1]!]],
      )
      const body: Buffer[] = []
      request.on('data', (chunk: Buffer) => body.push(chunk))
      request.on('end', () => {
        void fetch(target, {
          method: method ?? 'GET',
          headers: fields.filter(([name]) => !/^(host|connection|content-length)$/i.test(name)),
          ...(body.length > 0 ? { body: Buffer.concat(body) } : {}),
        }).then(async (answer) => {
          const bytes = Buffer.from(await answer.arrayBuffer())
          const kept = [...answer.headers].filter(
            ([name]) => !/^(connection|transfer-encoding|content-length)$/.test(name),
          )
          response.writeHead(answer.status, {
            ...Object.fromEntries(kept),
            'content-length': method === 'HEAD' ? (answer.headers.get('content-length') ?? '0') : bytes.length,
          })
          response.end(bytes)
        })
      })
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void proxy.close())
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
    const [raw, other] = [randomBytes(32), randomBytes(32)]
    await writeFile(join(cwd, 'raw'), raw)
    await writeFile(join(cwd, 'text'), `${other.toString('base64')}\n`)
    const keys = ['--source-sse-c-key-file', 'raw', '--sse-c-key-file', 'text']
    expect((await copy({ url }, cwd, ...keys)).code).toBe(3)
    const before = seen.length
    expect(before).toBeGreaterThanOrEqual(20)
    expect((await run(['resume', '--only-failed', 'run'], { cwd })).code).toBe(3)
    expect(seen.length - before).toBeGreaterThanOrEqual(4)
    for (const headers of seen) {
      expect(headers[`x-amz-server-side-${ENCRYPTION}`]).toBe(other.toString('base64'))
      expect(headers[`x-amz-copy-source-server-side-${ENCRYPTION}`]).toBe(raw.toString('base64'))
    }
    const stored = await readFile(join(cwd, 'run/checkpoint.json'), 'utf8')
    expect(stored).toContain(join(cwd, 'raw'))
    for (const secret of [raw, other]) {
      for (const form of ['base64', 'hex'] as const) expect(stored).not.toContain(secret.toString(form))
    }
    await writeFile(join(cwd, 'raw'), 'short')
    expect(refusal(await run(['resume', '--only-failed', 'run'], { cwd }))).toContain('holds no key for SSE-C')
  })

  test.each([
    ['nowhere', undefined, 'cannot be read: there is no such file'],
    ['short', 'too short', 'holds no key for SSE-C'],
    ['almost', `${'A'.repeat(42)}=`, 'holds no key for SSE-C'],
  ])('a file that is no key is refused before any request: %s', async (name, content, why) => {
    const cwd = await workFolder()
    if (content !== undefined) await writeFile(join(cwd, name), content)
    const line = refusal(await copy({ url: 'http://127.0.0.1:1' }, cwd, '--sse-c-key-file', name))
    expect(line).toContain(why)
    if (content !== undefined) expect(line).not.toContain(content)
  })
})
