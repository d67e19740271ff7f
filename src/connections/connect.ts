import { readFileSync } from 'node:fs'
import { Agent as HttpAgent, type ClientRequest } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls, TLSSocket, type ConnectionOptions } from 'node:tls'
import { UserError } from '../errors.js'
import { proxyAuthorization, proxyFor } from './proxy.js'

/** How long it took to set up a connection, in milliseconds. A step that there was not, or that a proxy took, is absent. */
export interface SetUpTime {
  readonly dns?: number
  readonly tcp?: number
  readonly tls?: number
  readonly whole: number
  /** As `TLSv1.3`. */
  readonly protocol?: string
}

/** How TLS trusts a server, and how long it is waited for. */
export interface Trust {
  /** Path of a file of PEM certificates trusted in place of the built-in ones; default: `AWS_CA_BUNDLE`. `NODE_EXTRA_CA_CERTS` is Node's own affair. */
  readonly caBundle?: string | undefined
  /** Accept any certificate. */
  readonly noVerifySsl?: boolean | undefined
  /** How long a connection may take to be established, in milliseconds; default 10,000. */
  readonly connectTimeout?: number | undefined
  /** How long a server may stay silent, in milliseconds; default 60,000. */
  readonly readTimeout?: number | undefined
  /** Bytes a second at which content must come, on average over that time; 0 for as few as may be; default 1,024. */
  readonly minRate?: number | undefined
}

/** Receives the bytes a socket reads. The buffer may be shared between sockets, and holds them only during the call then. */
export type OnBytes = (buffer: Buffer, length: number) => void

/** Opens sockets to one server, through the proxy that the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`) names for it. */
export interface Dialer {
  /**
   * A socket whose bytes go to `onBytes`, connected and, for https, verified. `next` is asked, where it can be, what the next of them are to be read into;
   * `made` is given it before it is connected.
   */
  open(onBytes: OnBytes, next?: () => Buffer, made?: (socket: Socket) => void): Promise<Socket>
  /** The name that requests carry in `Host`. */
  readonly host: string
  /** How requests are written for a proxy that reads them itself; absent where there is none, or it carries a tunnel. */
  readonly forward?: Forward | undefined
}

/** What a request to a proxy has more than one to the server (RFC 9112 §3.2.2). */
export interface Forward {
  /** Scheme, host and port of the server, before the path of the request. */
  readonly origin: string
  /** Further header fields, each with its line end. */
  readonly fields: string
}

/** How long a connection may take to be established, in milliseconds. */
export function connectTimeout(trust: Trust): number {
  return trust.connectTimeout ?? 10_000
}

/** How long a server may stay silent where nothing else is said, in milliseconds. */
export const READ_TIMEOUT = 60_000

/** Bytes that are read at once, at most. */
export const MOST_READ = 256 * 1024

/** What sockets read into where nothing else is said, one after the other. */
export const READ_BUFFER = Buffer.allocUnsafe(MOST_READ)

/** A dialer for the server of `url` (scheme, host and port count). A CA bundle that cannot be read is a `UserError`. */
export function dialerFor(url: URL, trust: Trust): Dialer {
  const proxy = proxyFor(url)
  // What is not encrypted is asked of the proxy itself: many of them let nobody CONNECT to a port other than 443.
  const forward = proxy === undefined || url.protocol === 'https:' ? undefined : forwardBy(proxy, url)
  const below = forward === undefined ? proxy : undefined
  const { hostname, port, secure } = serverOf(forward === undefined ? url : (proxy ?? url))
  const tls = secure ? tlsOptions(hostname, trust) : undefined
  let session: Buffer | undefined
  return {
    host: url.host,
    forward,
    async open(onBytes, next, made) {
      const onread = {
        buffer: next ?? READ_BUFFER,
        callback(length: number, buffer: Uint8Array): boolean {
          onBytes(buffer as Buffer, length)
          return true
        },
      }
      if (tls === undefined) {
        const socket = connectTcp({ host: hostname, port, noDelay: true, keepAlive: true, onread })
        made?.(socket)
        return settled(socket, 'connect', trust)
      }
      const carrier = below === undefined ? undefined : await tunnel(below, hostname, port, trust)
      const transport = carrier === undefined ? { host: hostname, port, onread } : { socket: carrier }
      const socket = connectTls({ ...tls, ...transport, ...(session === undefined ? {} : { session }) })
      made?.(socket)
      socket.setNoDelay(true)
      socket.on('session', (latest) => (session = latest))
      if (carrier !== undefined) socket.on('data', (bytes: Buffer) => onBytes(bytes, bytes.length))
      return settled(socket, 'secureConnect', trust)
    },
  }
}

function forwardBy(proxy: URL, url: URL): Forward {
  const authorization = proxyAuthorization(proxy)
  return {
    origin: url.origin,
    fields: authorization === undefined ? '' : `proxy-authorization: ${authorization}\r\n`,
  }
}

/** Sets up a connection to the server of `url` as if it were the first, and closes it. Rejects as a dialer does. */
export async function timeConnection(url: URL, trust: Trust): Promise<SetUpTime> {
  const began = performance.now()
  let looked: number | undefined
  let connected: number | undefined
  const socket = await dialerFor(url, trust).open(
    () => undefined,
    undefined,
    (made) => {
      made.once('lookup', () => (looked = performance.now()))
      made.once('connect', () => (connected = performance.now()))
    },
  )
  const ended = performance.now()
  const protocol = socket instanceof TLSSocket ? socket.getProtocol() : null
  socket.destroy()
  const whole = ended - began
  // What a proxy does is one step.
  if (proxyFor(url) !== undefined || connected === undefined) return { whole }
  return {
    ...(looked === undefined || isIP(serverOf(url).hostname) !== 0 ? {} : { dns: looked - began }),
    tcp: connected - (looked ?? began),
    ...(protocol === null ? {} : { tls: ended - connected, protocol }),
    whole,
  }
}

/** Host and port as sockets want them: URL keeps the brackets of an IPv6 address. */
export function serverOf({ protocol, hostname, port }: URL): { hostname: string; port: number; secure: boolean } {
  const secure = protocol === 'https:'
  return { hostname: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || (secure ? 443 : 80), secure }
}

/** Agents with which the SDK reaches servers by the same proxies and the same trust as the fast lane. */
export function agentsFor(trust: Trust): { httpAgent: HttpAgent; httpsAgent: HttpsAgent } {
  const settings = { keepAlive: true, maxSockets: 50 }
  const httpAgent = new HttpAgent(settings)
  const httpsAgent = new HttpsAgent({ ...settings, ...trustOptions(trust) })
  forwarded(httpAgent, trust)
  tunnelled(httpsAgent, trust)
  return { httpAgent, httpsAgent }
}

interface Asked {
  readonly host?: string | null | undefined
  readonly port?: number | string | null | undefined
}

function urlOf(protocol: 'http:' | 'https:', { host, port }: Asked): URL {
  const hostname = host ?? 'localhost'
  return new URL(`${protocol}//${isIP(hostname) === 6 ? `[${hostname}]` : hostname}:${Number(port) || ''}`)
}

// Node's agents write requests for the server, and have no other place where that could be changed (https://nodejs.org/api/http.html tells of
// `createConnection` alone, and its own proxy support does the same).
function forwarded(agent: HttpAgent & { addRequest?: AddRequest }, trust: Trust): void {
  const add = agent.addRequest?.bind(agent)
  agent.addRequest = (request, options) => {
    const url = urlOf('http:', options)
    const proxy = proxyFor(url)
    if (proxy !== undefined) {
      request.path = url.origin + request.path
      const authorization = proxyAuthorization(proxy)
      if (authorization !== undefined) request.setHeader('proxy-authorization', authorization)
    }
    add?.(request, options)
  }
  const direct = agent.createConnection.bind(agent)
  agent.createConnection = (options, opened) => {
    const proxy = proxyFor(urlOf('http:', options))
    if (proxy === undefined) return direct(options, opened)
    const { hostname, port, secure } = serverOf(proxy)
    return secure
      ? connectTls({ ...tlsOptions(hostname, trust), host: hostname, port })
      : direct({ ...options, host: hostname, port }, opened)
  }
}

type AddRequest = (request: ClientRequest, options: Asked) => void

function tunnelled(agent: HttpsAgent, trust: Trust): void {
  const direct = agent.createConnection.bind(agent)
  agent.createConnection = (options, opened) => {
    const url = urlOf('https:', options)
    const proxy = proxyFor(url)
    if (proxy === undefined) return direct(options, opened)
    const { hostname, port } = serverOf(url)
    tunnel(proxy, hostname, port, trust).then(
      (carrier) => opened?.(null, connectTls({ ...tlsOptions(hostname, trust), socket: carrier })),
      // Node's own agent hands over no stream with an error; the type does not know that.
      (error: unknown) => opened?.(error instanceof Error ? error : new Error(String(error)), undefined as never),
    )
    return undefined
  }
}

// CONNECT of RFC 9110 §9.3.6. The socket is handed over paused, so that nothing is read before somebody listens.
async function tunnel(proxy: URL, hostname: string, port: number, trust: Trust): Promise<Socket> {
  const { hostname: proxyHost, port: proxyPort, secure } = serverOf(proxy)
  const socket = secure
    ? await settled(
        connectTls({ ...tlsOptions(proxyHost, trust), host: proxyHost, port: proxyPort }),
        'secureConnect',
        trust,
      )
    : await settled(connectTcp({ host: proxyHost, port: proxyPort, noDelay: true, keepAlive: true }), 'connect', trust)
  const target = `${isIP(hostname) === 6 ? `[${hostname}]` : hostname}:${port}`
  const authorization = proxyAuthorization(proxy)
  const field = authorization === undefined ? '' : `Proxy-Authorization: ${authorization}\r\n`
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${field}\r\n`)
  return new Promise((resolve, reject) => {
    let head = ''
    const fail = (reason: string, code = 'EPROXY'): void => {
      socket.destroy()
      reject(Object.assign(new Error(`the proxy ${proxy.host} ${reason}`), { code }))
    }
    const timer = setTimeout(() => fail('did not answer'), connectTimeout(trust))
    const closed = (): void => {
      clearTimeout(timer)
      fail('closed the connection')
    }
    const read = (bytes: Buffer): void => {
      head += bytes.toString('latin1')
      const end = head.indexOf('\r\n\r\n')
      if (end < 0 && head.length < 16_384) return
      clearTimeout(timer)
      socket.off('data', read)
      socket.off('close', closed)
      const status = /^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1]
      if (end < 0 || status === undefined) fail('did not answer in HTTP')
      else if (!status.startsWith('2')) {
        // A 4xx is the proxy's own refusal; a 5xx is about what lies behind it, and may pass.
        const code = status.startsWith('4') ? 'EPROXYREFUSED' : 'EPROXY'
        fail(`refused the connection to ${target} with status ${status}`, code)
      } else {
        socket.pause()
        const rest = head.slice(end + 4)
        if (rest !== '') socket.unshift(Buffer.from(rest, 'latin1'))
        resolve(socket)
      }
    }
    socket.on('data', read)
    socket.on('close', closed)
    socket.on('error', () => undefined)
  })
}

function tlsOptions(hostname: string, trust: Trust): ConnectionOptions {
  // A literal address must not be sent as a server name (RFC 6066 §3).
  const servername = isIP(hostname) === 0 ? { servername: hostname } : { host: hostname }
  return { ...servername, ALPNProtocols: ['http/1.1'], ...trustOptions(trust) }
}

/** Throws a `UserError` for a CA bundle that cannot be read. */
export function checkTrust(trust: Trust): void {
  trustOptions(trust)
}

function trustOptions(trust: Trust): ConnectionOptions {
  if (trust.noVerifySsl === true) return { rejectUnauthorized: false }
  const path = trust.caBundle ?? process.env.AWS_CA_BUNDLE
  if (path === undefined || path === '') return {}
  return { ca: bundle(path) }
}

const bundles = new Map<string, string>()

function bundle(path: string): string {
  let text = bundles.get(path)
  if (text !== undefined) return text
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new UserError(
      `the CA bundle ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      'give --ca-bundle (or AWS_CA_BUNDLE, or ca_bundle of the profile) the path of a file of PEM certificates',
    )
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----')) {
    throw new UserError(
      `the CA bundle ${path} holds no PEM certificate`,
      'give --ca-bundle (or AWS_CA_BUNDLE, or ca_bundle of the profile) the path of a file of PEM certificates',
    )
  }
  bundles.set(path, text)
  return text
}

// A socket once `event` has come; on the way there an error, a close, or the time that `trust` allows rejects.
function settled<S extends Socket>(socket: S, event: 'connect' | 'secureConnect', trust: Trust): Promise<S> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      socket.destroy(Object.assign(new Error('the connection could not be established in time'), { code: 'ETIMEDOUT' }))
    }, connectTimeout(trust))
    const failed = (error?: Error): void => {
      clearTimeout(timer)
      reject(error ?? Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' }))
    }
    const closed = (): void => failed()
    socket.once('error', failed)
    socket.once('close', closed)
    socket.once(event, () => {
      clearTimeout(timer)
      socket.off('error', failed)
      socket.off('close', closed)
      // Whoever takes the socket listens for 'close'; an error always ends in one.
      socket.on('error', () => undefined)
      resolve(socket)
    })
  })
}
