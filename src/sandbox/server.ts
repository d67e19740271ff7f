import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { UserError } from '../errors.js'
import { RequestGate, type KnownCredentials } from './auth.js'
import { makeBucket } from './buckets/buckets.js'
import { control, info } from './control.js'
import { readDialect } from './wire/dialects.js'
import { Exchange } from './exchange.js'
import { Faults, readFault } from './faults.js'
import { serve, type Simulation } from './serve.js'
import { Latency, Rate } from './shaping.js'
import { Stats, type SandboxStats } from './wire/stats.js'
import { noJobs } from './operations/batch-jobs.js'
import { Sessions } from './operations/sessions.js'
import { nowInSeconds, type World } from './operations/world.js'

export interface SandboxOptions {
  /** Address to listen on; 127.0.0.1 when absent. */
  host?: string
  /** 0, the default, takes a free one. */
  port?: number
  /** Bucket specifications: `NAME[:FLAG,...]` or `NAME:LAYOUT:COUNT[:option=value,...]`. */
  buckets?: readonly string[]
  /** us-east-1 when absent. */
  region?: string
  /** When given, together with the secret, signatures are verified; else any request is accepted. */
  accessKeyId?: string
  secretAccessKey?: string
  /** Milliseconds by which answers are held back, as `list=50-150,copy=20`. */
  latency?: string
  /** Requests a second for each bucket and first folder, as `write=3500,read=5500`. */
  rate?: string
  /** `KIND=RATE[@Operation]` each. */
  faults?: readonly string[]
  /** Seconds that the restoration of an archived object takes; 0, the default, has it ready at once. */
  restoreSeconds?: number
  /** Seconds that a session of a directory bucket lasts; 300 when absent, as on AWS. */
  sessionSeconds?: number
  /** What it knows less of than S3: names of dialects and switches, as `swift,no-part-copy`. */
  dialect?: string
  /** Of keys, attributes, latencies and faults; 1 when absent. */
  seed?: number
  /** Serves HTTPS with this key and certificate (PEM). */
  tls?: { key: string | Buffer; cert: string | Buffer }
}

export interface Sandbox {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string
  readonly port: number
  stats(): SandboxStats
  /** Stops listening and ends all connections. */
  close(): Promise<void>
}

function credentialsOf(options: SandboxOptions): KnownCredentials | undefined {
  const { accessKeyId, secretAccessKey } = options
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined)) {
    throw new UserError(
      'An access key needs its secret, and the other way round.',
      'Give both, or neither to accept all.',
    )
  }
  return accessKeyId === undefined || secretAccessKey === undefined ? undefined : { accessKeyId, secretAccessKey }
}

function simulate(options: SandboxOptions): Simulation {
  const { region = 'us-east-1', seed = 1, faults = [], restoreSeconds = 0, sessionSeconds = 300 } = options
  const dialect = readDialect(options.dialect)
  const world: World = {
    ...{ region, buckets: new Map(), uploads: new Map(), jobs: noJobs() },
    ...{ sessions: new Sessions(sessionSeconds), renames: new Map() },
    ...{ stats: new Stats(), restoreSeconds, dialect },
  }
  for (const spec of options.buckets ?? []) {
    const bucket = makeBucket(spec, seed, nowInSeconds())
    if (world.buckets.has(bucket.name)) {
      throw new UserError(`Bucket ${JSON.stringify(bucket.name)} is specified twice.`, 'Give each bucket another name.')
    }
    world.buckets.set(bucket.name, bucket)
  }
  return {
    world,
    gate: new RequestGate(region, credentialsOf(options)),
    faults: new Faults(faults.map(readFault), seed),
    latency: new Latency(options.latency, seed),
    rate: new Rate(options.rate),
  }
}

function listen(server: Server, host: string, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const where = `${host}:${port}`
      if (error.code === 'EADDRINUSE') {
        reject(
          new UserError(`Port ${port} of ${host} is in use.`, 'Use --port 0 to take a free one, or another number.'),
        )
      } else {
        reject(new UserError(`Cannot listen on ${where}: ${error.message}.`, 'Use --host 127.0.0.1 --port 0.'))
      }
    })
    server.listen(port, host, 1024, () => {
      resolve(server.address() as AddressInfo)
    })
  })
}

/**
 * Starts a simulated S3 server in this process. Its buckets live as long as it does.
 * Throws UserError when an option is malformed or the port is taken.
 */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const simulation = simulate(options)
  const { stats, dialect } = simulation.world
  const listener: RequestListener = (request, response) => {
    const url = request.url ?? ''
    if (url.startsWith('/_sandbox/')) {
      request.resume()
      const { status, headers, body } = control(request.method ?? '', url, stats, simulation.faults)
      response.writeHead(status, [...headers]).end(body)
    } else if (url === '/info' && dialect.has.has('info') && request.headers.authorization === undefined) {
      const { status, headers, body } = info(dialect)
      response.writeHead(status, [...headers]).end(body)
    } else {
      serve(simulation, new Exchange(request, response, stats, dialect))
    }
  }
  const { host = '127.0.0.1', port = 0, tls } = options
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new UserError(`A port is a number from 0 to 65535, got ${String(port)}.`, 'Use --port 0 to take a free one.')
  }
  const server: Server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  // Clients under test keep connections idle and uploads slow for as long as they like.
  server.keepAliveTimeout = 0
  server.requestTimeout = 0
  server.headersTimeout = 0
  server.on('connection', (socket: Socket) => {
    socket.setNoDelay(true)
    stats.connected()
    socket.on('close', () => {
      stats.disconnected()
    })
  })
  const address = await listen(server, host, port)
  const name = host.includes(':') ? `[${host}]` : host
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${name}:${address.port}`,
    port: address.port,
    stats: () => stats.snapshot(),
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => {
          if (error === undefined) resolve()
          else reject(error)
        })
        server.closeAllConnections()
      }),
  }
}
