import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { UserError } from '../errors.js'
import { contentSecurityPolicy, htmlDocument } from '../report/pages/html.js'
import { accessOf } from './access.js'
import type { ListenAddress } from './listen-address.js'
import { LIVE_SCRIPT, liveBody, liveParts, type LiveView } from './live-page.js'

/** What a server shows. */
export interface Shown {
  /** What is at a path now; undefined where nothing is. */
  view(path: string): Promise<LiveView | undefined>
  /** Metrics for a scrape, in the format that the `Accept` header asks for. */
  metrics(accept: string): Promise<{ readonly type: string; readonly text: string }>
  /** What the page may do to the run that is shown; absent for nothing. */
  readonly controls?: Controls | undefined
}

/** What buttons do to a run. */
export interface Controls {
  /** Ends it, as a signal does. */
  stop(): void
  /** Changes its pace as the fields of a form say. Throws a UserError where it cannot be so. */
  pace(fields: URLSearchParams): void
}

/** A server of pages. */
export interface WatchServer {
  /** Where it is reached, without a token. */
  readonly url: string
  /** Shows what there is for the last time, and ends all connections. */
  close(): Promise<void>
}

/** Followers at once; more are turned away. */
const MOST_FOLLOWERS = 256
/**
 * Between two looks, in milliseconds; more where looks take long, so that looking takes a hundredth of a core at most: of two that follow each other the
 * shorter one is taken, which is less than their mean.
 */
const INTERVAL = 1000
const IDLE_SHARE = 150
/** Bytes that a follower may leave unread before its connection is ended. */
const MOST_UNREAD = 1024 ** 2

/** Serves pages that follow what they show by server-sent events, and nothing that changes anything. Throws a UserError where it cannot listen. */
export async function serveViews(
  shown: Shown,
  address: ListenAddress,
  token: string | undefined,
): Promise<WatchServer> {
  const feeds = new Map<string, Feed>()
  const ended = new AbortController()
  // Known to pages of this server alone.
  const { controls } = shown
  const secret = controls === undefined ? undefined : randomUUID()
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = urlOf(request)
    const access = url === undefined ? undefined : accessOf(request, url, token, secret)
    if (url === undefined || access === undefined) {
      plain(response, 400, 'this is no address')
      return
    }
    if (access.kind === 'refused') {
      plain(response, access.status, access.reason)
      return
    }
    if (access.kind === 'to-cookie') {
      response.writeHead(303, { location: url.pathname, 'set-cookie': access.cookie, 'cache-control': 'no-store' })
      return void response.end()
    }
    if (request.method === 'POST') await change(url.pathname, request, response)
    else await route(url.pathname, request, response)
  }
  const change = async (path: string, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (path === '/stop') {
      controls?.stop()
      plain(response, 202, 'what is in flight ends, and then the run')
    } else if (path === '/pace') {
      const problem = await paceProblem(controls, request)
      if (problem === undefined) plain(response, 202, 'the run was told; the numbers below follow')
      else plain(response, 400, problem)
    } else plain(response, 404, 'there is no such page')
  }
  const route = async (path: string, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (path === '/metrics') {
      const { type, text } = await shown.metrics(request.headers.accept ?? '')
      response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' })
      return void response.end(text)
    }
    if (path.startsWith(EVENTS)) {
      await follow(path.slice(EVENTS.length - 1), response)
      return
    }
    const view = await shown.view(path)
    if (view === undefined) {
      plain(response, 404, 'there is no such page')
      return
    }
    const page = { title: view.title, body: liveBody(view, secret), script: LIVE_SCRIPT }
    response.writeHead(200, {
      ...HEADERS,
      'content-security-policy': `${contentSecurityPolicy(page)}; frame-ancestors 'none'`,
    })
    response.end(htmlDocument(page))
  }
  const follow = async (path: string, response: ServerResponse): Promise<void> => {
    const followers = [...feeds.values()].reduce((sum, feed) => sum + feed.followers, 0)
    if (followers >= MOST_FOLLOWERS) {
      plain(response, 503, `${MOST_FOLLOWERS} pages follow it already`)
      return
    }
    if ((await shown.view(path)) === undefined) {
      plain(response, 404, 'there is no such page')
      return
    }
    let feed = feeds.get(path)
    if (feed === undefined) {
      const parts = async (): Promise<Readonly<Record<string, string>> | undefined> => {
        const view = await shown.view(path)
        return view && liveParts(view, controls !== undefined)
      }
      feeds.set(path, (feed = new Feed(parts, ended.signal)))
    }
    feed.add(response)
  }
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy()
      else plain(response, 500, error instanceof UserError ? error.message : 'this cannot be shown')
    })
  })
  const url = await listening(server, address)
  return {
    url,
    async close() {
      ended.abort()
      await Promise.all([...feeds.values()].map((feed) => feed.end()))
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeIdleConnections()
        void setTimeout(INTERVAL, undefined, { ref: false }).then(() => server.closeAllConnections())
      })
    },
  }
}

const EVENTS = '/events/'

/** Bytes that the fields of a form may take. */
const MOST_ASKED = 1024

async function fieldsOf(request: IncomingMessage): Promise<URLSearchParams> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8') as AsyncIterable<string>) {
    text += chunk
    if (text.length > MOST_ASKED) throw new UserError('that is too long for a pace')
  }
  return new URLSearchParams(text)
}

async function paceProblem(controls: Controls | undefined, request: IncomingMessage): Promise<string | undefined> {
  try {
    controls?.pace(await fieldsOf(request))
    return undefined
  } catch (error) {
    if (error instanceof UserError) return error.message
    throw error
  }
}

const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
}

function urlOf({ url = '/', headers }: IncomingMessage): URL | undefined {
  const text = `http://${headers.host ?? ''}${url}`
  return url.startsWith('/') && URL.canParse(text) ? new URL(text) : undefined
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' })
  response.end(`${text}\n`)
}

async function listening(server: Server, { host, port }: ListenAddress): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(refusal(error, host, port)))
    server.listen(port, host, resolve)
  })
  const { port: taken } = server.address() as AddressInfo
  return `http://${host.includes(':') ? `[${host}]` : host}:${taken}/`
}

function refusal({ code = '', message }: NodeJS.ErrnoException, host: string, port: number): UserError {
  if (code === 'EADDRINUSE') {
    return new UserError(`port ${port} of ${host} is in use`, 'name another with --listen, or 0 for one that is free')
  }
  const hint =
    code === 'EACCES'
      ? 'ports below 1024 are for root: name a higher one'
      : 'name an address of this machine with --listen'
  return new UserError(`cannot listen on port ${port} of ${host}: ${message}`, hint)
}

/** Those who follow one view: it is looked at while there are any, and each gets what has changed. */
class Feed {
  private readonly responses = new Set<ServerResponse>()
  private told: Readonly<Record<string, string>> = {}
  private looking = false

  constructor(
    private readonly parts: () => Promise<Readonly<Record<string, string>> | undefined>,
    private readonly ended: AbortSignal,
  ) {}

  get followers(): number {
    return this.responses.size
  }

  add(response: ServerResponse): void {
    response.writeHead(200, EVENT_STREAM)
    response.write('retry: 2000\n\n')
    // What the page was made of may be older than what the others were told.
    if (this.looking) response.write(eventOf(this.told))
    this.responses.add(response)
    response.on('close', () => this.responses.delete(response))
    if (!this.looking) void this.look()
  }

  /** Tells the last of it, and that nothing comes any more. */
  async end(): Promise<void> {
    await this.tell()
    for (const response of this.responses) response.end('event: end\ndata: \n\n')
  }

  private async look(): Promise<void> {
    this.looking = true
    // The first one takes long by itself, and is no measure.
    let last = 0
    let before = process.cpuUsage()
    while (this.responses.size > 0 && !this.ended.aborted) {
      await this.tell()
      // With what sending it and collecting garbage took since the look before.
      const { user, system } = process.cpuUsage(before)
      before = process.cpuUsage()
      const took = (user + system) / 1000
      const pause = Math.max(INTERVAL, Math.min(took, last) * IDLE_SHARE)
      last = took
      await setTimeout(pause, undefined, { signal: this.ended }).catch(() => undefined)
    }
    this.looking = false
    this.told = {}
  }

  private async tell(): Promise<void> {
    // What cannot be seen now may be seen at the next look.
    const parts = await this.parts().catch(() => undefined)
    if (parts === undefined) return
    const changed = Object.entries(parts).filter(([id, markup]) => this.told[id] !== markup)
    this.told = parts
    if (changed.length === 0) return
    const text = eventOf(Object.fromEntries(changed))
    for (const response of this.responses) {
      if (response.writableLength > MOST_UNREAD) response.destroy()
      else response.write(text)
    }
  }
}

const EVENT_STREAM = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  // A proxy is not to collect them.
  'x-accel-buffering': 'no',
}

function eventOf(parts: Readonly<Record<string, string>>): string {
  return `data: ${JSON.stringify(parts)}\n\n`
}
