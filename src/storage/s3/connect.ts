import { readFileSync } from 'node:fs'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { getProxyForUrl } from 'proxy-from-env'
import { UserError } from '../../errors.js'

/** How TLS trusts a server, and how long it is waited for. */
export interface Trust {
  /** Path of a file of PEM certificates trusted in place of the built-in ones; default: `AWS_CA_BUNDLE`, `NODE_EXTRA_CA_CERTS` is Node's own affair. */
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

/** Receives the bytes a socket reads. The buffer is shared between sockets and holds them only during the call. */
export type OnBytes = (buffer: Buffer, length: number) => void

/** Opens sockets to one server, through the proxy that the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`) names for it. */
export interface Dialer {
  /** A socket whose bytes go to `onBytes`, connected and, for https, verified. */
  open(onBytes: OnBytes): Promise<Socket>
  /** The name that requests carry in `Host`. */
  readonly host: string
}

/** How long a connection may take to be established, in milliseconds. */
export function connectTimeout(trust: Trust): number {
  return trust.connectTimeout ?? 10_000
}

/** Bytes that are read at once, at most. */
export const MOST_READ = 256 * 1024

const READ_BUFFER = Buffer.allocUnsafe(MOST_READ)

/** A dialer for the server of `url` (scheme, host and port count). A CA bundle that cannot be read is a `UserError`. */
export function dialerFor(url: URL, trust: Trust): Dialer {
  const secure = url.protocol === 'https:'
  const hostname = bare(url.hostname)
  const port = Number(url.port) || (secure ? 443 : 80)
  const tls = secure ? tlsOptions(hostname, trust) : undefined
  const proxy = proxyFor(url)
  let session: Buffer | undefined
  return {
    host: url.host,
    async open(onBytes) {
      const onread = {
        buffer: READ_BUFFER,
        callback(length: number, buffer: Uint8Array): boolean {
          onBytes(buffer as Buffer, length)
          return true
        },
      }
      if (proxy === undefined && tls === undefined) {
        return settled(connectTcp({ host: hostname, port, noDelay: true, keepAlive: true, onread }), 'connect', trust)
      }
      const below = proxy === undefined ? undefined : await tunnel(proxy, hostname, port, trust)
      if (tls === undefined) {
        below?.on('data', (bytes: Buffer) => onBytes(bytes, bytes.length))
        return below?.resume() as Socket
      }
      const transport = below === undefined ? { host: hostname, port, onread } : { socket: below }
      const socket = connectTls({ ...tls, ...transport, ...(session === undefined ? {} : { session }) })
      socket.setNoDelay(true)
      socket.on('session', (latest) => (session = latest))
      if (below !== undefined) socket.on('data', (bytes: Buffer) => onBytes(bytes, bytes.length))
      return settled(socket, 'secureConnect', trust)
    },
  }
}

/** Agents with which the SDK reaches servers by the same proxies and the same trust as the fast lane. */
export function agentsFor(trust: Trust): { httpAgent: HttpAgent; httpsAgent: HttpsAgent } {
  const settings = { keepAlive: true, maxSockets: 50 }
  const httpAgent = new HttpAgent(settings)
  const httpsAgent = new HttpsAgent({ ...settings, ...trustOptions(trust) })
  throughProxy(httpAgent, 'http:', trust)
  throughProxy(httpsAgent, 'https:', trust)
  return { httpAgent, httpsAgent }
}

function throughProxy(agent: HttpAgent, protocol: 'http:' | 'https:', trust: Trust): void {
  const direct = agent.createConnection.bind(agent)
  agent.createConnection = (options, opened) => {
    const hostname = options.host ?? 'localhost'
    const port = Number(options.port) || (protocol === 'https:' ? 443 : 80)
    const proxy = proxyFor(new URL(`${protocol}//${isIP(hostname) === 6 ? `[${hostname}]` : hostname}:${port}`))
    if (proxy === undefined) return direct(options, opened)
    tunnel(proxy, hostname, port, trust).then(
      (below) => {
        const socket =
          protocol === 'http:' ? below.resume() : connectTls({ ...tlsOptions(hostname, trust), socket: below })
        opened?.(null, socket)
      },
      // Node's own agent hands over no stream with an error; the type does not know that.
      (error: unknown) => opened?.(error instanceof Error ? error : new Error(String(error)), undefined as never),
    )
    return undefined
  }
}

function proxyFor(url: URL): URL | undefined {
  const proxy = getProxyForUrl(url.href)
  if (proxy === '') return undefined
  const parsed = URL.canParse(proxy) ? new URL(proxy) : undefined
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    throw new UserError(
      `the proxy that the environment names for ${url.host} is not an http:// or https:// URL`,
      'correct HTTPS_PROXY (or HTTP_PROXY, ALL_PROXY), or exempt the host with NO_PROXY',
    )
  }
  return parsed
}

// CONNECT of RFC 9110 §9.3.6, for both schemes: what goes through the proxy is then the same as without one. The socket
// is handed over paused, so that nothing is read before somebody listens.
async function tunnel(proxy: URL, hostname: string, port: number, trust: Trust): Promise<Socket> {
  const proxyHost = bare(proxy.hostname)
  const secure = proxy.protocol === 'https:'
  const proxyPort = Number(proxy.port) || (secure ? 443 : 80)
  const socket = secure
    ? await settled(
        connectTls({ ...tlsOptions(proxyHost, trust), host: proxyHost, port: proxyPort }),
        'secureConnect',
        trust,
      )
    : await settled(connectTcp({ host: proxyHost, port: proxyPort, noDelay: true, keepAlive: true }), 'connect', trust)
  const target = `${isIP(hostname) === 6 ? `[${hostname}]` : hostname}:${port}`
  const credentials = `${percentDecoded(proxy.username)}:${percentDecoded(proxy.password)}`
  const authorization =
    proxy.username === '' ? '' : `Proxy-Authorization: Basic ${Buffer.from(credentials).toString('base64')}\r\n`
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${authorization}\r\n`)
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

// People write passwords with a bare percent sign, and URL leaves it as it is.
function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function tlsOptions(hostname: string, trust: Trust): ConnectionOptions {
  // A literal address must not be sent as a server name (RFC 6066 §3).
  const servername = isIP(hostname) === 0 ? { servername: hostname } : { host: hostname }
  return { ...servername, ALPNProtocols: ['http/1.1'], ...trustOptions(trust) }
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
      'give --ca-bundle (or AWS_CA_BUNDLE) the path of a file of PEM certificates',
    )
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----')) {
    throw new UserError(
      `the CA bundle ${path} holds no PEM certificate`,
      'give --ca-bundle (or AWS_CA_BUNDLE) the path of a file of PEM certificates',
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

// URL keeps the brackets of an IPv6 address, sockets want it without.
function bare(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
}
