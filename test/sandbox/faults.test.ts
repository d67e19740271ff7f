import {
  CopyObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { PassThrough } from 'node:stream'
import { afterEach, describe, expect, test } from 'vitest'
import { sandbox } from '../../src/commands/sandbox.js'
import { UserError } from '../../src/errors.js'
import { startSandbox, type Sandbox, type SandboxOptions } from '../../src/sandbox/server.js'
import type { SandboxStats } from '../../src/sandbox/wire/stats.js'

const servers: Sandbox[] = []
const clients: S3Client[] = []

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  for (const server of servers.splice(0)) await server.close()
})

async function start(options: SandboxOptions): Promise<Sandbox> {
  const server = await startSandbox({ buckets: ['src:seq:5000', 'dst'], ...options })
  servers.push(server)
  return server
}

function clientOf(server: Sandbox, more: object = {}): S3Client {
  const client = new S3Client({
    ...{ endpoint: server.url, region: 'us-east-1', forcePathStyle: true, maxAttempts: 1 },
    credentials: { accessKeyId: 'AKID', secretAccessKey: 'secret' },
    ...more,
  })
  clients.push(client)
  return client
}

const photo = (index: number) => `photos/${String(index).padStart(12, '0')}.jpg`
const copyOf = (index: number, Key = photo(index)) =>
  new CopyObjectCommand({ Bucket: 'dst', Key, CopySource: `src/${photo(index)}` })

/** Status, body and how it ended, of a request sent without any client's retries. */
function raw(
  server: Sandbox,
  path: string,
  method = 'GET',
  headers: Record<string, string> = {},
): Promise<{ status: number | undefined; body: string; whole: boolean; error: string | undefined; metadata: unknown }> {
  return new Promise((resolve) => {
    let status: number | undefined
    let body = ''
    let metadata: unknown
    const end = (whole: boolean, error?: string) => resolve({ status, body, whole, error, metadata })
    httpRequest({ host: '127.0.0.1', port: server.port, path, method, headers, agent: false }, (response) => {
      status = response.statusCode
      metadata = response.headers['x-amz-meta-u']
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (body += chunk))
      response.on('error', () => undefined)
      response.on('close', () => end(response.complete))
    })
      .on('error', (error: NodeJS.ErrnoException) => end(false, error.code))
      .end()
  })
}

describe('faults', () => {
  test.each([
    ['301', 301, 'PermanentRedirect'],
    ['region', 400, 'AuthorizationHeaderMalformed'],
    ['500', 500, 'InternalError'],
    ['503', 503, 'SlowDown'],
    ['expired', 400, 'ExpiredToken'],
    ['denied', 403, 'AccessDenied'],
  ])('%s answers with %i %s and does nothing', async (kind, status, code) => {
    const server = await start({ faults: [`${kind}=1@CopyObject`] })
    const s3 = clientOf(server)
    await expect(s3.send(copyOf(1))).rejects.toMatchObject({ name: code, $metadata: { httpStatusCode: status } })
    expect(server.stats()).toMatchObject({ faults: { [kind]: 1 }, byStatus: { [status]: 1 }, copies: {} })
    await s3.send(new HeadObjectCommand({ Bucket: 'src', Key: photo(1) }))
  })

  test('copy200err hides an error in a 200, copy200empty answers a 200 with nothing; neither copies', async () => {
    for (const kind of ['copy200err', 'copy200empty']) {
      const server = await start({ faults: [`${kind}=1`] })
      const answer = await raw(server, '/dst/x', 'PUT', {
        'x-amz-copy-source': `src/${photo(1)}`,
        'content-length': '0',
      })
      expect(answer.status).toBe(200)
      if (kind === 'copy200err') expect(answer.body).toContain('<Error><Code>InternalError</Code>')
      else expect(answer.body).toBe('')
      await expect(clientOf(server).send(copyOf(1))).rejects.toThrow()
      expect(server.stats().copies).toEqual({})
    }
  })

  test('reset ends the connection before the request is carried out, reset-after once it has been', async () => {
    for (const [kind, done] of [
      ['reset', false],
      ['reset-after', true],
    ] as const) {
      const server = await start({ faults: [`${kind}=1@CopyObject`] })
      const answer = await raw(server, '/dst/x', 'PUT', {
        'x-amz-copy-source': `src/${photo(1)}`,
        'content-length': '0',
      })
      expect(answer).toMatchObject({ status: undefined, error: 'ECONNRESET' })
      expect((await raw(server, '/dst/x', 'HEAD')).status).toBe(done ? 200 : 404)
      expect(server.stats().byStatus['none']).toBe(1)
      expect(server.stats().copies['dst']?.total).toBe(done ? 1 : undefined)
    }
  })

  test('truncate sends half of the body and closes', async () => {
    const server = await start({ faults: ['truncate=1'] })
    const list = await raw(server, '/src?list-type=2')
    expect(list).toMatchObject({ status: 200, whole: false })
    expect(list.body.length).toBeGreaterThan(50_000)
    expect(list.body).not.toContain('</ListBucketResult>')
    const object = await raw(server, `/src/${photo(1)}`)
    expect(object).toMatchObject({ status: 200, whole: false })
    expect(object.body.length).toBeGreaterThan(10)
    // The head of an answer to HEAD is all of it.
    expect((await raw(server, `/src/${photo(1)}`, 'HEAD')).status).toBeUndefined()
  })

  test('truncate leaves metadata beyond ASCII as it is', async () => {
    const server = await start({ buckets: ['kept'], faults: ['truncate=1@GetObject'] })
    // One character a byte, as header fields are.
    const metadata = Buffer.from('grün').toString('latin1')
    const Body = Buffer.from('some content')
    await clientOf(server).send(new PutObjectCommand({ Bucket: 'kept', Key: 'b', Body, Metadata: { u: metadata } }))
    const { whole, metadata: told } = await raw(server, '/kept/b')
    expect([whole, told]).toEqual([false, metadata])
  })

  test('hang never answers, and the request is over when the client leaves', async () => {
    const server = await start({ faults: ['hang=1@HeadObject'] })
    const socket = connect(server.port, '127.0.0.1')
    socket.write(`HEAD /src/${photo(1)} HTTP/1.1\r\nHost: x\r\n\r\n`)
    // A second request that is answered shows that the first was received and left alone.
    await expect.poll(() => server.stats().faults['hang']).toBe(1)
    expect((await raw(server, '/src?list-type=2&max-keys=1')).status).toBe(200)
    expect(server.stats().inFlight.now).toBe(1)
    expect(socket.bytesRead).toBe(0)
    socket.destroy()
    await expect.poll(() => server.stats().inFlight.now).toBe(0)
  })

  test('space trickles white space before the result, which the SDK still reads', async () => {
    const server = await start({ faults: ['space=1@CopyObject'] })
    const headers = { 'x-amz-copy-source': `src/${photo(1)}`, 'content-length': '0' }
    const bodies = [await raw(server, '/dst/x', 'PUT', headers), await raw(server, '/dst/x', 'PUT', headers)]
    expect(bodies.some(({ body }) => /^\s+<\?xml/.test(body))).toBe(true)
    expect(bodies.some(({ body }) => /^<\?xml[^>]*>\s{4,}<CopyObjectResult/.test(body))).toBe(true)
    const s3 = clientOf(server)
    for (let i = 0; i < 2; i++) expect((await s3.send(copyOf(i))).CopyObjectResult?.ETag).toMatch(/^"[0-9a-f]{32}"$/)
  })

  test('disorder lists the right keys, two of them out of order', async () => {
    const server = await start({ faults: ['disorder=1'] })
    const { Contents } = await clientOf(server).send(new ListObjectsV2Command({ Bucket: 'src' }))
    const keys = Contents!.map(({ Key }) => Key!)
    const right = Array.from({ length: 1000 }, (_, index) => photo(index))
    expect(keys).not.toEqual(right)
    expect([...keys].sort()).toEqual(right)
  })

  test('which requests are hit depends on the seed and their number alone', async () => {
    const hits = async (seed: number) => {
      const server = await start({ faults: ['503=10%@HeadObject'], seed })
      const hit: number[] = []
      for (let n = 0; n < 300; n++) {
        // Requests that the rule does not concern must not shift the sequence.
        if (seed === 7 && n % 50 === 0) await raw(server, '/src?list-type=2&max-keys=1')
        if ((await raw(server, `/src/${photo(n)}`, 'HEAD')).status === 503) hit.push(n)
      }
      return hit
    }
    const first = await hits(7)
    expect(first.length).toBeGreaterThan(10)
    expect(first.length).toBeLessThan(60)
    expect(await hits(7)).toEqual(first)
    expect(await hits(8)).not.toEqual(first)
  })

  test('faults are changed while it runs, and wrong ones refused', async () => {
    const server = await start({})
    const change = (query: string) => fetch(`${server.url}/_sandbox/faults?${query}`, { method: 'POST' })
    expect((await change('kind=503&rate=1&op=HeadObject')).status).toBe(200)
    expect((await raw(server, `/src/${photo(1)}`, 'HEAD')).status).toBe(503)
    expect((await raw(server, `/src/${photo(1)}`)).status).toBe(200)
    expect(await (await change('kind=503&rate=0&op=HeadObject')).json()).toEqual([])
    expect((await raw(server, `/src/${photo(1)}`, 'HEAD')).status).toBe(200)
    const wrong = await change('kind=nonsense&rate=1')
    expect(wrong.status).toBe(400)
    expect(await wrong.json()).toMatchObject({ hint: expect.stringContaining('Kinds are') as string })
  })
})

describe('load shaping', () => {
  test('requests beyond the rate of a folder are 503 SlowDown, and other folders unaffected', async () => {
    // One token each, and the next after a quarter of an hour.
    const server = await start({ rate: 'write=0.001,read=0.001' })
    const s3 = clientOf(server)
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => s3.send(copyOf(i))))
    const refused = outcomes.filter(({ status }) => status === 'rejected')
    expect(refused.length).toBe(19)
    for (const outcome of refused) expect(outcome).toMatchObject({ reason: { name: 'SlowDown' } })
    await s3.send(copyOf(1, 'elsewhere/x'))
    await s3.send(new HeadObjectCommand({ Bucket: 'src', Key: photo(1) }))
    await expect(s3.send(new GetObjectCommand({ Bucket: 'src', Key: photo(1) }))).rejects.toMatchObject({
      name: 'SlowDown',
    })
  })

  test('answers under latency are held back together, not one after the other', async () => {
    const server = await start({ latency: 'copy=1000,list=20' })
    const s3 = clientOf(server)
    await Promise.all(Array.from({ length: 20 }, (_, i) => s3.send(copyOf(i))))
    expect(server.stats().inFlight.peak).toBe(20)
    expect((await s3.send(new ListObjectsV2Command({ Bucket: 'dst' }))).KeyCount).toBe(20)
  })

  test('statistics count requests, statuses, connections and copies', async () => {
    const server = await start({})
    await raw(server, `/src/${photo(1)}`, 'HEAD')
    await raw(server, '/src/absent', 'HEAD')
    await clientOf(server).send(copyOf(1))
    const stats = (await (await fetch(`${server.url}/_sandbox/stats`)).json()) as SandboxStats
    expect(stats).toMatchObject({
      ...{ requests: 3, byOperation: { HeadObject: 2, CopyObject: 1 }, byStatus: { 200: 2, 404: 1 } },
      copies: { dst: { total: 1, unique: 1, duplicates: 0 } },
    })
    expect(stats.connections.peak).toBeGreaterThanOrEqual(1)
    expect(server.stats().requests).toBe(3)
  })
})

describe('signatures', () => {
  const credentials = { accessKeyId: 'AKID', secretAccessKey: 'secret' }

  test("the SDK's signatures are accepted for odd keys, headers and bodies", async () => {
    const server = await start(credentials)
    const s3 = clientOf(server)
    for (const Key of ['a b+c%d/é//../.', "!'()*~", '\u{1f600}&?=#', ' leading', 'x\r\n\t']) {
      await s3.send(new PutObjectCommand({ Bucket: 'dst', Key, Body: 'text', Metadata: { a: '  two   blanks  ' } }))
      const CopySource = `dst/${encodeURIComponent(Key)}`
      await s3.send(new CopyObjectCommand({ Bucket: 'dst', Key: `copy ${Key}`, CopySource }))
      await s3.send(new ListObjectsV2Command({ Bucket: 'dst', Prefix: Key, StartAfter: Key, EncodingType: 'url' }))
    }
    expect(server.stats().byStatus).toEqual({ 200: 15 })
  })

  test('a wrong secret, access key, region or no signature at all is refused', async () => {
    const server = await start(credentials)
    const head = new ListObjectsV2Command({ Bucket: 'dst' })
    const refused = (more: object) => expect(clientOf(server, more).send(head)).rejects
    await refused({ credentials: { ...credentials, secretAccessKey: 'other' } }).toMatchObject({
      ...{ name: 'SignatureDoesNotMatch', $metadata: { httpStatusCode: 403 } },
    })
    await refused({ credentials: { ...credentials, accessKeyId: 'OTHER' } }).toMatchObject({
      name: 'InvalidAccessKeyId',
    })
    await refused({ systemClockOffset: -3_600_000 }).toMatchObject({ name: 'RequestTimeTooSkewed' })
    expect(await raw(server, '/dst?list-type=2')).toMatchObject({ status: 403 })
  })

  test('another region in the signature is refused with the right one, also when signatures are not verified', async () => {
    const server = await start({ region: 'eu-central-1' })
    await expect(clientOf(server).send(new ListObjectsV2Command({ Bucket: 'dst' }))).rejects.toMatchObject({
      ...{ name: 'AuthorizationHeaderMalformed', Region: 'eu-central-1', $metadata: { httpStatusCode: 400 } },
    })
    await clientOf(server, { region: 'eu-central-1' }).send(new ListObjectsV2Command({ Bucket: 'dst' }))
  })
})

describe('the sandbox command', () => {
  test('tells where it listens and what to paste, and ends with 0 when stopped', async () => {
    const stdout = new PassThrough()
    const stop = new AbortController()
    const code = sandbox({ buckets: ['in:seq:10', 'out'] }, { stdout, stop: stop.signal })
    const text = await new Promise<string>((resolve) =>
      stdout.once('data', (chunk: Buffer) => resolve(chunk.toString())),
    )
    const url = /^sandbox listening on (http:\/\/127\.0\.0\.1:\d+)\n/.exec(text)?.[1]
    expect(text).toContain('export AWS_ACCESS_KEY_ID=')
    expect(text).toContain(`s3move copy s3://in s3://out --endpoint-url ${url ?? ''}\n`)
    expect((await fetch(`${url ?? ''}/in?list-type=2`)).status).toBe(200)
    stop.abort()
    expect(await code).toBe(0)
    await expect(fetch(`${url ?? ''}/in?list-type=2`)).rejects.toThrow()
  })

  test('a taken port is a mistake of the user, with a way out', async () => {
    const { port } = await start({})
    const error = await startSandbox({ port }).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(UserError)
    expect(error).toMatchObject({
      message: expect.stringContaining('in use') as string,
      hint: expect.stringContaining('--port 0') as string,
    })
  })

  test.each<[string, SandboxOptions]>([
    ['a bucket without a good name', { buckets: ['-'] }],
    ['an unknown layout', { buckets: ['src:maze:10'] }],
    ['a count that is none', { buckets: ['src:seq:many'] }],
    ['a layout without a count', { buckets: ['src:seq'] }],
    ['an unknown bucket option', { buckets: ['src:seq:10:colour=red'] }],
    ['a bucket option of zero', { buckets: ['src:seq:10:big=0'] }],
    ['too many odd keys', { buckets: ['src:odd:1e6'] }],
    ['a bucket given twice', { buckets: ['src', 'src:seq:1'] }],
    ['an unknown fault', { faults: ['gremlins=1%'] }],
    ['a fault rate above one', { faults: ['500=2'] }],
    ['a fault of an unknown operation', { faults: ['500=1@Dance'] }],
    ['a fault that cannot hit the operation', { faults: ['disorder=1@CopyObject'] }],
    ['an unknown latency class', { latency: 'swim=10' }],
    ['a latency whose end is before its start', { latency: 'list=20-10' }],
    ['a rate of nothing', { rate: 'write=0' }],
    ['a port out of range', { port: 70_000 }],
    ['an access key without a secret', { accessKeyId: 'AKID' }],
  ])('%s is a mistake of the user, with a hint', async (_, options) => {
    const error = await startSandbox(options).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(UserError)
    expect((error as UserError).hint).toMatch(/\w/)
  })
})
