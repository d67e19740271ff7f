import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer, get as getHttp, type Server as HttpServer } from 'node:http'
import { createServer as createHttpsServer, get as getHttps } from 'node:https'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { UserError } from '../../../src/errors.js'
import { agentsFor, dialerFor, timeConnection, type Trust } from '../../../src/connections/connect.js'
import { createHttpPool } from '../../../src/storage/s3/http.js'
import { selfSigned, type Identity } from '../../support/certificate.js'

const PROXY_VARIABLES = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY']

let folder: string
let good: Identity
let misnamed: Identity
let bundle: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 's3move-tls-'))
  good = selfSigned()
  misnamed = selfSigned('elsewhere.example')
  bundle = join(folder, 'ca.pem')
  writeFileSync(bundle, good.cert + misnamed.cert)
  writeFileSync(join(folder, 'other.pem'), selfSigned().cert)
  writeFileSync(join(folder, 'nonsense.pem'), 'no certificate')
})
afterAll(() => rmSync(folder, { recursive: true }))

const closing: (() => void)[] = []
beforeEach(() => {
  // Whatever the machine's own proxies are, they are none of these tests'.
  for (const name of PROXY_VARIABLES) {
    vi.stubEnv(name, '')
    vi.stubEnv(name.toLowerCase(), '')
    vi.stubEnv(`npm_config_${name.toLowerCase()}`, '')
  }
  vi.stubEnv('AWS_CA_BUNDLE', '')
})
afterEach(() => {
  vi.unstubAllEnvs()
  for (const close of closing.splice(0)) close()
})

async function listening(server: Server | HttpServer): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}

/** A server that answers with the path it was asked for. */
async function origin(identity?: Identity): Promise<number> {
  const answer: Parameters<typeof createHttpServer>[1] = (request, response) =>
    response.end(`asked ${new URL(request.url ?? '', 'http://127.0.0.1').pathname}`)
  return listening(
    identity === undefined
      ? createHttpServer({}, answer)
      : createHttpsServer({ key: identity.key, cert: identity.cert }, answer),
  )
}

/** A proxy for CONNECT and for whole URLs; `heads` are the requests that it got, one for each connection that it passes on. */
async function proxy(options: { status?: string; answer?: string; identity?: Identity } = {}) {
  const heads: string[] = []
  const serve = (socket: Socket): void => {
    socket.on('error', () => undefined)
    socket.once('data', (bytes: Buffer) => {
      const head = bytes.toString('latin1')
      heads.push(head)
      if (options.answer !== undefined || options.status !== undefined) {
        socket.end(options.answer ?? `HTTP/1.1 ${options.status ?? ''}\r\nContent-Length: 0\r\n\r\n`)
        return
      }
      const [, host = '', port = ''] = /^(?:CONNECT |\w+ http:\/\/)([^/]*):(\d+)[ /]/.exec(head) ?? []
      // Any name leads to this machine: the proxy looks names up, not the client.
      const upstream = connect(Number(port), host === 'localhost' || host.endsWith('.test') ? '127.0.0.1' : host)
      upstream.on('error', () => socket.destroy())
      upstream.on('close', () => socket.destroy())
      socket.on('close', () => upstream.destroy())
      upstream.on('connect', () => {
        if (head.startsWith('CONNECT')) socket.write('HTTP/1.1 200 Connection established\r\nProxy-Agent: test\r\n\r\n')
        else upstream.write(bytes)
        socket.pipe(upstream).pipe(socket)
      })
    })
  }
  if (options.identity === undefined) return { heads, port: await listening(createServer(serve)) }
  const server = createHttpsServer({ key: options.identity.key, cert: options.identity.cert }, (request, response) => {
    heads.push(`${request.method ?? ''} ${request.url ?? ''}`)
    getHttp(request.url ?? '', (answer) => answer.pipe(response))
  })
  server.on('connect', (request, socket: Socket) => {
    const [host = '', port = ''] = (request.url ?? '').split(':')
    heads.push(`CONNECT ${request.url ?? ''}`)
    const upstream = connect(Number(port), host)
    upstream.on('error', () => socket.destroy())
    upstream.on('connect', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      socket.pipe(upstream).pipe(socket)
    })
  })
  return { heads, port: await listening(server) }
}

/** Asks by the fast lane: its pool over its dialer. */
async function fastLane(url: string, trust: Trust = {}, times = 1): Promise<string> {
  const target = new URL(url)
  const pool = createHttpPool(dialerFor(target, trust))
  try {
    let body = ''
    for (let n = 0; n < times; n++) {
      const head = `GET ${target.pathname} HTTP/1.1\r\nHost: ${target.host}\r\n\r\n`
      body = (await pool.send({ head, silence: { ms: 10_000, whole: 50_000 } })).body
    }
    return body
  } finally {
    pool.close()
  }
}

/** Asks as the SDK does: Node's client over the agents that the SDK is given. */
function sdkLane(url: string, trust: Trust = {}): Promise<string> {
  const { httpAgent, httpsAgent } = agentsFor(trust)
  return new Promise<string>((resolve, reject) => {
    const get = url.startsWith('https:') ? getHttps : getHttp
    const request = get(url, { agent: url.startsWith('https:') ? httpsAgent : httpAgent }, (response) => {
      let body = ''
      response.on('data', (bytes: Buffer) => (body += bytes.toString()))
      response.on('end', () => resolve(body))
      response.on('error', reject)
    })
    request.on('error', reject)
  }).finally(() => {
    httpAgent.destroy()
    httpsAgent.destroy()
  })
}

const lanes = [
  ['the fast lane', fastLane],
  ['the SDK', sdkLane],
] as const

const codeOf = (sending: Promise<string>): Promise<unknown> =>
  sending.then(
    (body) => `answered ${body}`,
    (error: unknown) => (error as NodeJS.ErrnoException).code,
  )

describe.each(lanes)('TLS on %s', (_name, ask) => {
  test('refuses a certificate that nobody vouches for', async () => {
    const port = await origin(good)
    expect(await codeOf(ask(`https://127.0.0.1:${port}/a`))).toBe('DEPTH_ZERO_SELF_SIGNED_CERT')
  })

  test('trusts the certificates of --ca-bundle and of AWS_CA_BUNDLE, by address and by name', async () => {
    const port = await origin(good)
    expect(await ask(`https://127.0.0.1:${port}/a`, { caBundle: bundle })).toBe('asked /a')
    expect(await ask(`https://localhost:${port}/b`, { caBundle: bundle })).toBe('asked /b')
    vi.stubEnv('AWS_CA_BUNDLE', bundle)
    expect(await ask(`https://127.0.0.1:${port}/c`)).toBe('asked /c')
  })

  test('refuses a certificate that the bundle does not vouch for', async () => {
    const port = await origin(good)
    expect(await codeOf(ask(`https://127.0.0.1:${port}/`, { caBundle: join(folder, 'other.pem') }))).toMatch(
      /^(?:DEPTH_ZERO_SELF_SIGNED_CERT|CERT_SIGNATURE_FAILURE|UNABLE_TO_VERIFY_LEAF_SIGNATURE)$/,
    )
  })

  test('refuses a trusted certificate of another name', async () => {
    const port = await origin(misnamed)
    for (const host of ['127.0.0.1', 'localhost']) {
      const code = await codeOf(ask(`https://${host}:${port}/`, { caBundle: bundle }))
      expect(code).toBe('ERR_TLS_CERT_ALTNAME_INVALID')
    }
  })

  test('accepts any certificate with --no-verify-ssl', async () => {
    for (const identity of [good, misnamed]) {
      const port = await origin(identity)
      expect(await ask(`https://127.0.0.1:${port}/x`, { noVerifySsl: true })).toBe('asked /x')
    }
  })

  test('ends in an error when the server does not speak TLS', async () => {
    const port = await origin()
    expect(await codeOf(ask(`https://127.0.0.1:${port}/`, { noVerifySsl: true }))).toMatch(
      /^(?:ERR_SSL_|EPROTO|ECONNRESET)/,
    )
  })
})

describe.each(lanes)('a CA bundle on %s', (_name, ask) => {
  test.each([
    ['missing.pem', /cannot be read/],
    ['nonsense.pem', /holds no PEM certificate/],
  ])('%s is refused in one line', async (name, message) => {
    const error = await Promise.resolve()
      .then(() => ask('https://127.0.0.1:1/', { caBundle: join(folder, name) }))
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(UserError)
    expect((error as UserError).message).toMatch(message)
    expect((error as UserError).hint).toContain('--ca-bundle')
  })
})

describe.each(lanes)('a proxy on %s', (_name, ask) => {
  test('carries http when HTTP_PROXY names it', async () => {
    const [port, via] = [await origin(), await proxy()]
    vi.stubEnv('HTTP_PROXY', `http://127.0.0.1:${via.port}`)
    expect(await ask(`http://127.0.0.1:${port}/a`)).toBe('asked /a')
    // Many proxies let nobody CONNECT to a port that is not that of https.
    expect(via.heads).toHaveLength(1)
    expect(via.heads[0]).toMatch(new RegExp(`^GET http://127\\.0\\.0\\.1:${port}/a HTTP/1\\.1\\r\\n`))
    expect(via.heads[0]).toMatch(new RegExp(`\\r\\nhost: 127\\.0\\.0\\.1:${port}\\r\\n`, 'i'))
    expect(via.heads[0]).not.toMatch(/proxy-authorization/i)
  })

  test('carries https in a tunnel', async () => {
    const [port, via] = [await origin(good), await proxy()]
    vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${via.port}`)
    expect(await ask(`https://127.0.0.1:${port}/a`, { caBundle: bundle })).toBe('asked /a')
    expect(via.heads[0]).toMatch(
      new RegExp(`^CONNECT 127\\.0\\.0\\.1:${port} HTTP/1\\.1\\r\\nHost: 127\\.0\\.0\\.1:${port}\\r\\n`),
    )
    expect(via.heads[0]).not.toContain('Proxy-Authorization')
  })

  test('is an http proxy where its scheme is left away, whatever it carries', async () => {
    const [port, other, via] = [await origin(good), await origin(), await proxy()]
    vi.stubEnv('HTTPS_PROXY', `us%40er:pw@127.0.0.1:${via.port}`)
    expect(await ask(`https://127.0.0.1:${port}/a`, { caBundle: bundle })).toBe('asked /a')
    vi.stubEnv('HTTP_PROXY', `localhost:${via.port}`)
    expect(await ask(`http://127.0.0.1:${other}/b`)).toBe('asked /b')
    expect(via.heads.map((head) => head.split(' ')[0])).toEqual(['CONNECT', 'GET'])
    expect(via.heads[0]).toContain(`Basic ${Buffer.from('us@er:pw').toString('base64')}\r\n`)
  })

  test('carries https when HTTPS_PROXY names it, and the server behind it is verified', async () => {
    const [port, via] = [await origin(good), await proxy()]
    vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${via.port}`)
    expect(await ask(`https://127.0.0.1:${port}/b`, { caBundle: bundle })).toBe('asked /b')
    expect(await codeOf(ask(`https://127.0.0.1:${port}/b`))).toBe('DEPTH_ZERO_SELF_SIGNED_CERT')
    const wrong = await origin(misnamed)
    expect(await codeOf(ask(`https://127.0.0.1:${wrong}/b`, { caBundle: bundle }))).toBe('ERR_TLS_CERT_ALTNAME_INVALID')
    expect(via.heads).toHaveLength(3)
  })

  test('looks names up itself', async () => {
    const [port, via] = [await origin(), await proxy()]
    vi.stubEnv('HTTP_PROXY', `http://127.0.0.1:${via.port}`)
    expect(await ask(`http://bucket.s3.test:${port}/c`)).toBe('asked /c')
    expect(via.heads[0]).toContain(`GET http://bucket.s3.test:${port}/c `)
  })

  test('gets the credentials of its URL, decoded', async () => {
    const [port, via] = [await origin(), await proxy()]
    vi.stubEnv('HTTP_PROXY', `http://us%40er:p%3Aw%25@127.0.0.1:${via.port}`)
    expect(await ask(`http://127.0.0.1:${port}/d`)).toBe('asked /d')
    const expected = Buffer.from('us@er:p:w%').toString('base64')
    expect(via.heads[0]).toMatch(new RegExp(`\\r\\nproxy-authorization: Basic ${expected}\\r\\n`, 'i'))
  })

  test('gets credentials that hold a bare percent sign as they are', async () => {
    const [port, via] = [await origin(), await proxy()]
    vi.stubEnv('HTTP_PROXY', `http://user:100%@127.0.0.1:${via.port}`)
    expect(await ask(`http://127.0.0.1:${port}/e`)).toBe('asked /e')
    expect(via.heads[0]).toContain(`Basic ${Buffer.from('user:100%').toString('base64')}\r\n`)
  })

  test('is passed by for hosts that NO_PROXY names', async () => {
    const [port, via] = [await origin(), await proxy()]
    vi.stubEnv('HTTP_PROXY', `http://127.0.0.1:${via.port}`)
    vi.stubEnv('NO_PROXY', 'example.com,127.0.0.1')
    expect(await ask(`http://127.0.0.1:${port}/f`)).toBe('asked /f')
    expect(via.heads).toEqual([])
  })

  test('may be reached by TLS itself', async () => {
    const [port, via] = [await origin(), await proxy({ identity: good })]
    vi.stubEnv('HTTP_PROXY', `https://127.0.0.1:${via.port}`)
    expect(await ask(`http://127.0.0.1:${port}/g`, { caBundle: bundle })).toBe('asked /g')
    const secure = await origin(good)
    vi.stubEnv('HTTPS_PROXY', `https://127.0.0.1:${via.port}`)
    expect(await ask(`https://127.0.0.1:${secure}/h`, { caBundle: bundle })).toBe('asked /h')
    expect(via.heads).toEqual([`GET http://127.0.0.1:${port}/g`, `CONNECT 127.0.0.1:${secure}`])
  })

  test.each([
    ['407 Proxy Authentication Required', 'EPROXYREFUSED'],
    ['403 Forbidden', 'EPROXYREFUSED'],
    ['502 Bad Gateway', 'EPROXY'],
    ['503 Service Unavailable', 'EPROXY'],
  ])('that answers %s ends the attempt with %s, named in the error', async (status, code) => {
    const via = await proxy({ status })
    vi.stubEnv('HTTPS_PROXY', `http://user:secret@127.0.0.1:${via.port}`)
    const error = await ask('https://127.0.0.1:1/').catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code })
    const { message } = error as Error
    expect(message).toContain(`127.0.0.1:${via.port}`)
    expect(message).toContain(status.slice(0, 3))
    expect(message).not.toContain('secret')
  })

  test.each([
    ['does not speak HTTP', 'SSH-2.0-x\r\n\r\n'],
    ['closes at once', ''],
    ['cuts its answer', 'HTTP/1.1 200 Conn'],
  ])('that %s ends the attempt', async (_what, answer) => {
    const via = await proxy({ answer })
    vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${via.port}`)
    expect(await codeOf(ask('https://127.0.0.1:1/'))).toBe('EPROXY')
  })

  test('that is not there ends the attempt', async () => {
    const via = await proxy()
    for (const close of closing.splice(0)) close()
    vi.stubEnv('HTTP_PROXY', `http://127.0.0.1:${via.port}`)
    expect(await codeOf(ask('http://127.0.0.1:1/'))).toBe('ECONNREFUSED')
  })

  test('whose URL makes no sense is a mistake of the environment, said so', async () => {
    vi.stubEnv('HTTP_PROXY', 'socks5://127.0.0.1:1080')
    const error = await Promise.resolve()
      .then(() => ask('http://127.0.0.1:1/'))
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(UserError)
    expect((error as UserError).hint).toContain('HTTPS_PROXY')
  })
})

describe('the fast lane', () => {
  test('keeps its tunnels, and its TLS sessions, from request to request', async () => {
    const [port, via] = [await origin(good), await proxy()]
    expect(await fastLane(`https://127.0.0.1:${port}/a`, { caBundle: bundle }, 3)).toBe('asked /a')
    vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${via.port}`)
    expect(await fastLane(`https://127.0.0.1:${port}/b`, { caBundle: bundle }, 3)).toBe('asked /b')
    expect(via.heads).toHaveLength(1)
  })

  test('keeps its connections to a proxy that reads the requests itself', async () => {
    const [port, via] = [await origin(), await proxy()]
    vi.stubEnv('HTTP_PROXY', `http://127.0.0.1:${via.port}`)
    expect(await fastLane(`http://127.0.0.1:${port}/a`, {}, 3)).toBe('asked /a')
    expect(via.heads).toHaveLength(1)
  })

  test('closes a connection that the proxy wants closed', async () => {
    const via = await proxy({ answer: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nProxy-Connection: close\r\n\r\nhi' })
    vi.stubEnv('HTTP_PROXY', `http://127.0.0.1:${via.port}`)
    expect(await fastLane('http://store.test/a', {}, 2)).toBe('hi')
    expect(via.heads).toHaveLength(2)
  })
})

describe('a server that takes connections and says nothing', () => {
  test('is given up after the time for connecting, with the TLS handshake in it', async () => {
    let taken = 0
    const port = await listening(createServer(() => taken++))
    const dialer = dialerFor(new URL(`https://127.0.0.1:${port}`), { connectTimeout: 100, noVerifySsl: true })
    await expect(dialer.open(() => undefined)).rejects.toMatchObject({ code: 'ETIMEDOUT' })
    expect(taken).toBe(1)
  })
})

describe('content that has its place in memory', () => {
  test.each([['http', undefined] as const, ['https', true] as const])(
    'comes whole by %s, most of it read right into its place, and the connection is used again',
    async (scheme, secure) => {
      const content = randomBytes(5_000_000)
      const sockets = new Set<unknown>()
      const serve: Parameters<typeof createHttpServer>[1] = ({ socket }, response) => {
        sockets.add(socket)
        response.setHeader('content-length', content.length)
        response.end(content)
      }
      const port = await listening(
        secure === undefined
          ? createHttpServer({}, serve)
          : createHttpsServer({ key: good.key, cert: good.cert }, serve),
      )
      const pool = createHttpPool(dialerFor(new URL(`${scheme}://127.0.0.1:${port}`), { noVerifySsl: true }))
      try {
        for (let n = 0; n < 3; n++) {
          const memory = Buffer.alloc(content.length)
          let [length, direct] = [0, 0]
          await pool.send({
            head: 'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
            silence: { ms: 10_000, whole: 50_000 },
            room: () => memory.subarray(length),
            sink: (bytes) => {
              if (bytes.buffer === memory.buffer) {
                expect(bytes.byteOffset).toBe(memory.byteOffset + length)
                direct += bytes.length
              } else memory.set(bytes, length)
              length += bytes.length
            },
          })
          expect(length).toBe(content.length)
          expect(memory.equals(content)).toBe(true)
          expect(direct).toBeGreaterThan(content.length / 2)
        }
        expect(sockets.size).toBe(1)
      } finally {
        pool.close()
      }
    },
  )
})

const A_NUMBER = expect.any(Number) as number

describe('the set-up of a connection', () => {
  test('to an address is one step, and to a name it is preceded by the question for it', async () => {
    const port = await origin()
    expect(await timeConnection(new URL(`http://127.0.0.1:${port}`), {})).toEqual({
      ...{ tcp: A_NUMBER, whole: A_NUMBER },
    })
    const named = await timeConnection(new URL(`http://localhost:${port}`), {})
    expect(named).toEqual({ dns: A_NUMBER, tcp: A_NUMBER, whole: A_NUMBER })
    expect(named.dns! + named.tcp!).toBeLessThanOrEqual(named.whole)
  })

  test('to a name that nobody has fails with the code of the question', async () => {
    await expect(timeConnection(new URL('http://no-such-name.invalid:1'), {})).rejects.toMatchObject({
      code: expect.stringMatching(/^E(?:NOTFOUND|AI_AGAIN)$/) as string,
    })
  })

  test('through a proxy is known as a whole alone, and a name is the proxy’s to look up', async () => {
    const port = await origin(good)
    const behind = await proxy()
    vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${behind.port}`)
    const time = await timeConnection(new URL(`https://bucket.test:${port}`), { noVerifySsl: true })
    expect(time).toEqual({ whole: A_NUMBER })
    expect(behind.heads).toEqual([expect.stringContaining(`CONNECT bucket.test:${port} `)])
  })

  test('that a proxy refuses fails as it does for requests', async () => {
    const behind = await proxy({ status: '403 Forbidden' })
    vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${behind.port}`)
    await expect(timeConnection(new URL('https://bucket.test'), {})).rejects.toMatchObject({ code: 'EPROXYREFUSED' })
  })
})
