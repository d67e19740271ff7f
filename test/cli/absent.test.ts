import { CreateMultipartUploadCommand, CompleteMultipartUploadCommand, UploadPartCommand } from '@aws-sdk/client-s3'
import { createHash, randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { contentOf, put, sandbox, type Server } from '../support/cli-buckets.js'
import { front, type Hooks } from '../support/cli-front.js'
import { run, start, until, workFolder } from '../support/cli-program.js'

const MIB = 1024 ** 2

const md5 = (text: string): string => createHash('md5').update(text).digest('base64')

async function bytesIn({ url }: Server, path: string): Promise<Buffer> {
  const answer = await fetch(`${url}/${path}`)
  return Buffer.from(await answer.arrayBuffer())
}

async function putInParts({ s3 }: Server, Bucket: string, Key: string, parts: readonly Buffer[]): Promise<void> {
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
  const made = []
  for (const [index, Body] of parts.entries()) {
    const PartNumber = index + 1
    const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }))
    made.push({ ETag, PartNumber })
  }
  await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts: made } }))
}

async function failuresIn(cwd: string, folder = 'run'): Promise<{ key: string; code: string }[]> {
  const lines = await readFile(join(cwd, folder, 'failures.ndjson'), 'utf8').catch(() => '')
  return lines.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as { key: string; code: string }]))
}

const LENGTHLESS: Hooks = {
  after(request, answered) {
    if (request.method === 'HEAD') delete answered.headers['content-length']
  },
}

const missing = (response: ServerResponse): boolean => {
  response
    .writeHead(404)
    .end('<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>')
  return true
}

/** A store that does not find keys that begin with `lost`, whatever its listing shows. */
const DAMAGED: Hooks = {
  before: (request, response) =>
    (/\/lost/.test(request.url ?? '') || /\/lost/.test(String(request.headers['x-amz-copy-source']))) &&
    !/[?&](?:prefix|list-type)=/.test(request.url ?? '') &&
    missing(response),
}

describe('where HEAD tells no length', () => {
  const parts = [randomBytes(5 * MIB), randomBytes(5 * MIB), randomBytes(7)]
  const whole = Buffer.concat(parts)

  test('an object of parts is moved to a folder and to another store with all of its bytes, also when a list names it', async () => {
    const cwd = await workFolder()
    const box = await sandbox({ buckets: ['src'] })
    const two = await sandbox({ buckets: ['dst'] })
    for (const key of ['disk', 'store']) await putInParts(box, 'src', key, parts)
    await put(box, 'src', 'disk-empty')
    const cdn = await front(box.url, LENGTHLESS)
    await writeFile(join(cwd, 'disk.keys'), 'disk\ndisk-empty\n')
    const source = ['--source-endpoint-url', cdn]
    const toDisk = ['move', '--yes', 's3://src', `file://${cwd}/to`, '--files-from', 'disk.keys', ...source]
    expect((await run(toDisk, { cwd })).code).toBe(0)
    expect((await readFile(join(cwd, 'to/disk'))).equals(whole)).toBe(true)
    expect((await readFile(join(cwd, 'to/disk-empty'))).length).toBe(0)
    const toStore = ['move', '--yes', 's3://src', 's3://dst', ...source, '--destination-endpoint-url', two.url]
    expect((await run(toStore, { cwd })).code).toBe(0)
    expect((await bytesIn(two, 'dst/store')).equals(whole)).toBe(true)
    expect((await contentOf(box, 'src')).size).toBe(0)
  })

  test('sync and verify compare with what is really there', async () => {
    const cwd = await workFolder()
    const box = await sandbox({ buckets: ['src', 'dst'] })
    await put(box, 'src', 'same', { Body: 'hello' })
    await put(box, 'dst', 'same', { Body: 'hello' })
    await put(box, 'src', 'other', { Body: 'hello' })
    await put(box, 'dst', 'other', { Body: 'jello' })
    const cdn = await front(box.url, LENGTHLESS)
    const verify = ['verify', 's3://src', 's3://dst', '--deep', '--endpoint-url', cdn]
    const { code, stdout } = await run(verify, { cwd })
    expect([code, stdout.split('\n').filter((line) => line.includes('"verdict":"different"')).length]).toEqual([3, 1])
    expect((await run(['sync', 's3://src', 's3://dst', '--endpoint-url', cdn], { cwd })).code).toBe(0)
    expect((await bytesIn(box, 'dst/other')).toString()).toBe('hello')
  })
})

describe('objects that are listed and not found', () => {
  async function damaged() {
    const cwd = await workFolder()
    const box = await sandbox({ buckets: ['src', 'dst'] })
    for (const key of ['a', 'lost1', 'lost/2', 'z']) await put(box, 'src', key, { Body: key })
    return { cwd, box, url: await front(box.url, DAMAGED) }
  }
  const lost = ['lost/2 ListedButNotFound', 'lost1 ListedButNotFound']
  const told = async (cwd: string): Promise<string[]> =>
    (await failuresIn(cwd)).map(({ key, code }) => `${key} ${code}`).sort()

  test.each([
    ['copy', ['copy', 's3://src', 's3://dst']],
    ['move', ['move', '--yes', 's3://src', 's3://dst']],
    ['sync', ['sync', 's3://src', 's3://dst']],
    ['set-headers', ['set-headers', 's3://src', '--cache-control', 'no-cache']],
    ['copy after a look', ['copy', 's3://src', 's3://dst', '--preserve', 'redirect']],
    ['copy --no-clobber', ['copy', 's3://src', 's3://dst', '--no-clobber']],
  ])('fail, and are told of: %s', async (_name, args) => {
    const { cwd, url } = await damaged()
    const { code, stderr } = await run([...args, '--endpoint-url', url, '--checkpoint', 'run'], { cwd })
    expect([code, await told(cwd)], stderr).toEqual([3, lost])
  })

  test('are done by resume --only-failed once the store finds them again', async () => {
    const { cwd, url, box } = await damaged()
    await run(['copy', 's3://src', 's3://dst', '--endpoint-url', url, '--checkpoint', 'run'], { cwd })
    expect((await run(['resume', '--only-failed', 'run', '--endpoint-url', box.url], { cwd })).code).toBe(0)
    expect([...(await contentOf(box, 'dst')).keys()]).toEqual(['a', 'lost/2', 'lost1', 'z'])
  })

  test('are unknown to verify', async () => {
    const { cwd, url, box } = await damaged()
    for (const key of ['a', 'lost1', 'lost/2', 'z']) await put(box, 'dst', key, { Body: key })
    const { code, stdout } = await run(['verify', 's3://src', 's3://dst', '--deep', '--endpoint-url', url], { cwd })
    const lines = stdout.split('\n').filter((line) => line.includes('ListedButNotFound'))
    expect([code, lines.length]).toEqual([3, 2])
  })

  test('are passed over as gone when the listing shows them no longer', async () => {
    const { cwd, box } = await damaged()
    // It is deleted between listing and copy.
    const url = await front(box.url, {
      before(request, response) {
        const query = request.url ?? ''
        if (!String(request.headers['x-amz-copy-source']).includes('/lost1')) return false
        void fetch(`${box.url}/src/lost1`, { method: 'DELETE' }).then(() => missing(response))
        return query !== ''
      },
    })
    const { code, stderr } = await run(['copy', 's3://src', 's3://dst', '--endpoint-url', url], { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('1 skipped')])
  })

  test('and said to be deleted are failures of delete', async () => {
    const { cwd, box } = await damaged()
    // DeleteObjects does as if, for some.
    const url = await front(box.url, {
      before(request, response, body) {
        if (request.method !== 'POST' || !body.includes('lost1')) return false
        const others = body.toString().replace(/<Object><Key>lost1<\/Key><\/Object>/, '')
        void fetch(`${box.url}/src/?delete`, {
          method: 'POST',
          body: others,
          headers: { 'content-md5': md5(others) },
        }).then(() => response.end('<DeleteResult></DeleteResult>'))
        return true
      },
    })
    const { code } = await run(['delete', 's3://src', '--yes', '--endpoint-url', url, '--checkpoint', 'run'], { cwd })
    expect([code, await told(cwd), [...(await contentOf(box, 'src')).keys()]]).toEqual([
      3,
      ['lost1 StillListed'],
      ['lost1'],
    ])
  }, 60_000)
})

describe('a store that sends what is stored as gzip unpacked', () => {
  const UNPACKING: Hooks = {
    after(request, answered) {
      const { headers } = answered
      if (headers['content-encoding'] !== 'gzip' || /gzip/.test(String(request.headers['accept-encoding']))) return
      delete headers['content-encoding']
      delete headers['content-length']
      delete headers['content-range']
      headers.warning = '214 UploadServer gunzipped'
      answered.status = 200
      // A part of it cannot be unpacked: all of it comes.
      if (request.method !== 'HEAD') answered.body = whole
    },
  }
  const text = Buffer.from(Array.from({ length: 40_000 }, (_, i) => `${i} ${Math.sin(i)}\n`).join(''))
  const stored = gzipSync(text)
  const whole = gunzipSync(stored)

  test('is copied as it is stored, to a folder and to a store, and compared so', async () => {
    const cwd = await workFolder()
    const box = await sandbox({ buckets: ['src'] })
    const two = await sandbox({ buckets: ['dst'] })
    await put(box, 'src', 'page', { Body: stored, ContentEncoding: 'gzip', ContentType: 'text/plain' })
    await put(box, 'src', 'plain', { Body: 'hello' })
    const url = await front(box.url, UNPACKING)
    const ends = ['--source-endpoint-url', url, '--destination-endpoint-url', two.url]
    expect((await run(['copy', 's3://src', 's3://dst', ...ends], { cwd })).code).toBe(0)
    expect((await run(['copy', 's3://src', `file://${cwd}/to`, '--source-endpoint-url', url], { cwd })).code).toBe(0)
    expect((await bytesIn(two, 'dst/plain')).toString()).toBe('hello')
    expect((await readFile(join(cwd, 'to/page'))).equals(stored)).toBe(true)
    const there = await fetch(`${two.url}/dst/page`, { method: 'HEAD', headers: { 'accept-encoding': 'gzip' } })
    expect([there.headers.get('content-encoding'), there.headers.get('content-length')]).toEqual([
      'gzip',
      String(stored.length),
    ])
    const verify = ['verify', 's3://src', 's3://dst', '--bytes', '--deep', ...ends]
    expect((await run(verify, { cwd })).code).toBe(0)
  })
})

describe('content that trickles', () => {
  /** A store of one object of a megabyte, the content of which comes with so many bytes every 100 ms; `reading` once it does. */
  async function trickling(bytes: number): Promise<{ url: string; reading: () => boolean }> {
    const etag = '"0123456789abcdef0123456789abcdef-2"'
    let begun = false
    const server = createServer((request, response) => {
      request.resume()
      const { searchParams } = new URL(request.url ?? '', 'http://x')
      if (searchParams.has('list-type')) {
        const listed = `<Key>a</Key><LastModified>2020-01-01T00:00:00.000Z</LastModified><ETag>${etag}</ETag><Size>1000000</Size>`
        return void response.end(
          `<ListBucketResult><IsTruncated>false</IsTruncated><Contents>${listed}</Contents></ListBucketResult>`,
        )
      }
      if (searchParams.size > 0) return void response.writeHead(404).end('<Error><Code>NoSuchKey</Code></Error>')
      response.writeHead(200, { etag, 'content-length': 1_000_000 })
      if (request.method === 'HEAD') return void response.end()
      begun = true
      const timer = setInterval(() => response.write(Buffer.alloc(bytes)), 100)
      response.on('close', () => clearInterval(timer))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, reading: () => begun }
  }

  test.each([
    ['a few bytes, by the rate that is usual', 3, []],
    ['more than that, by the rate that is asked for', 1000, ['--min-rate', '100K']],
  ])(
    'is given up and is a failure of its object: %s',
    async (_title, bytes, flags) => {
      const cwd = await workFolder()
      const { url } = await trickling(bytes)
      const waits = ['--read-timeout', '1s', '--retry-for', '1s', '--checkpoint', 'run', ...flags]
      const { code, stderr } = await run(['copy', 's3://src', `file://${cwd}/to`, '--endpoint-url', url, ...waits], {
        cwd,
      })
      expect([code, await failuresIn(cwd)], stderr).toMatchObject([3, [{ key: 'a', code: 'ETIMEDOUT' }]])
    },
    60_000,
  )

  test('does not hold up a run that is told to end, which can be resumed', async () => {
    const cwd = await workFolder()
    const { url, reading } = await trickling(1000)
    const args = ['copy', 's3://src', `file://${cwd}/to`, '--endpoint-url', url, '--checkpoint', 'run']
    const running = start([...args, '--min-rate', '0'], { cwd })
    await until(reading, running)
    running.kill('SIGINT')
    const { code, stdout, stderr } = await running.finished
    expect(code, stderr).toBe(130)
    expect(stdout + stderr).toContain('interrupted')
    expect(await failuresIn(cwd)).toEqual([])
  }, 60_000)

  test.each(['-1', 'fast', '2X'])('--min-rate %s is refused', async (rate) => {
    const cwd = await workFolder()
    const { code, stderr } = await run(['copy', 's3://a', 's3://b', '--min-rate', rate], { cwd })
    expect([code, stderr]).toEqual([2, expect.stringContaining('--min-rate')])
  })
})
