import type { Socket } from 'node:net'
import { MOST_READ, READ_BUFFER, type Dialer, type Forward } from '../../connections/connect.js'
import type { Bandwidth } from '../../job/pace.js'
import { spend } from '../bandwidth.js'
import type { Timeout } from './adaptive-timeout.js'
import { RestingPlace } from './idle-connections.js'
import { judge, MIN_RATE, PoolClock, ReadRate, SWEEP, type ReadLimits } from './least-rate.js'

/** A body that is sent as it comes; while nothing comes, the server may be silent. When it fails, so does the request, with its error. */
export interface Pieces extends AsyncIterable<Buffer> {
  /** Bytes, all together. */
  readonly length: number
}

/** A request ready for the wire. Everything is ASCII; a body, if any, is bytes. */
export interface HttpRequest {
  /** Request line and header fields, ending in an empty line. */
  readonly head: string
  readonly body?: Buffer | Pieces | undefined
  /** The answer to HEAD has no body, whatever its Content-Length says. */
  readonly bodiless?: boolean | undefined
  /** How long the server may stay silent, and take for the whole answer. */
  readonly silence: Timeout
  /** Takes the body of a 2xx as it comes, which is then empty in the answer. The bytes are its own only until it returns. */
  readonly sink?: ((bytes: Uint8Array) => void) | undefined
  /** Where the next bytes for the sink may be read into at once. It gets them all the same, and some from elsewhere. */
  readonly room?: (() => Buffer) | undefined
  /** Most bytes that the sink takes or, without one, the body may have; an answer that is longer is given up with the code `TOO_LONG`. */
  readonly most?: number | undefined
  /** Bytes behind the content are no fault of this answer; nothing else is asked over its connection then. */
  readonly surplus?: boolean | undefined
}

/** The code of an answer that brings more content than was asked for. */
export const TOO_LONG = 'EMSGSIZE'

/** A whole answer. */
export interface HttpResponse {
  readonly status: number
  /** Status line and header fields, one byte a character. */
  readonly head: string
  /** The body, one byte a character: cheap to scan, and turned into text only where it is not ASCII. */
  readonly body: string
  /** What a refusal may come of that it does not say, for a person. */
  readonly cause?: string | undefined
}

/** No whole answer came: `code` is the socket's error code, or `EPROTO` (not HTTP), `ETIMEDOUT` (silence), `ECONNRESET`, `TOO_LONG`. */
export class HttpError extends Error {
  override readonly name = 'HttpError'

  constructor(
    message: string,
    readonly code: string,
    options?: ErrorOptions,
    /** What came before the body, where it is the body that was given up. */
    readonly answer?: Pick<HttpResponse, 'status' | 'head'>,
  ) {
    super(message, options)
  }
}

/**
 * A pool of HTTP/1.1 connections to one server, each with one request at a time. There is no queue: as many
 * connections are opened as requests are made at once, so the caller's bound on requests bounds them.
 * It exists because it costs a third of the CPU of the general clients (docs/design/decisions.md has the figures).
 */
export interface HttpPool {
  /** Sends once. Rejects with an `HttpError` if no whole answer comes, or with what `dialer` or the pieces of the body say. */
  send(request: HttpRequest): Promise<HttpResponse>
  /** Closes every connection; requests under way reject. */
  close(): void
}

/** The value of the header field `name` (lower case), or undefined. */
export function responseHeader(response: Pick<HttpResponse, 'head'>, name: string): string | undefined {
  const at = response.head.toLowerCase().indexOf(`\r\n${name}:`)
  if (at < 0) return undefined
  const from = at + name.length + 3
  const end = response.head.indexOf('\r\n', from)
  return response.head.slice(from, end < 0 ? undefined : end).trim()
}

/** Whether an answer says itself where its body ends, without saying how long it is. */
export function isChunked({ head }: Pick<HttpResponse, 'head'>): boolean {
  return CHUNKED.test(head)
}

/**
 * A pool for the server of `dialer`. Bodies that are sent, and those that go to a sink, keep to `bandwidth`; the latter also to `limits`. A server
 * that sends more than its answers say gets each further request on a connection of its own; `onExcess` is told of the first time.
 */
export function createHttpPool(
  dialer: Dialer,
  bandwidth?: Bandwidth,
  limits: ReadLimits = USUAL,
  onExcess: () => void = ignore,
): HttpPool {
  const idle = new RestingPlace<Connection>()
  const all = new Set<Connection>()
  const clock = new PoolClock()
  let closed = false
  let stopped: number | undefined
  let exceeded = false

  // One timer for all connections: a timer each would cost as much as the request.
  const sweeper = setInterval(() => {
    // Answers that came meanwhile have not been read yet: it was not the server who was silent.
    if (!clock.sweep()) return
    const now = clock.now()
    if (limits.stop?.aborted === true) stopped ??= now
    for (const connection of all) connection.sweep(now, limits, stopped)
  }, SWEEP)
  sweeper.unref()

  async function connect(request: HttpRequest): Promise<HttpResponse> {
    const connection = new Connection(
      {
        idle: () => idle.rest(connection),
        closed: () => {
          all.delete(connection)
          idle.remove(connection)
        },
        excess: () => {
          if (exceeded) return
          exceeded = true
          for (const other of all) other.useOnce()
          onExcess()
        },
      },
      bandwidth,
      clock,
    )
    if (exceeded) connection.useOnce()
    const socket = await dialer.open(
      (buffer, length) => connection.read(buffer, length),
      () => connection.next(),
    )
    if (closed) {
      socket.destroy()
      throw new HttpError('the run is ending', 'ECANCELED')
    }
    all.add(connection)
    connection.attach(socket)
    return connection.send(request)
  }

  const { forward } = dialer
  return {
    send(asked) {
      const request = forward === undefined ? asked : forwarded(asked, forward)
      const connection = idle.take()
      if (connection !== undefined) return connection.send(request)
      const rested = idle.next()
      return rested === undefined
        ? connect(request)
        : rested.then((connection) => (connection === undefined ? connect(request) : connection.send(request)))
    },
    close() {
      closed = true
      clearInterval(sweeper)
      for (const connection of all) connection.destroy('the run is ending', 'ECANCELED')
    },
  }
}

// The whole URL in the request line, and the fields at the end of the head.
function forwarded(request: HttpRequest, { origin, fields }: Forward): HttpRequest {
  const { head } = request
  const path = head.indexOf(' ') + 1
  return { ...request, head: `${head.slice(0, path)}${origin}${head.slice(path, -2)}${fields}\r\n` }
}

/** Connections unused for this long are not used again: servers close them about then, and a request would be lost with them. */
const IDLE_LIMIT = 10_000
/** How content is read where nobody says otherwise. */
const USUAL: ReadLimits = { minRate: MIN_RATE, window: 60_000 }
/** Bytes of a body that are sent at once: a server that takes them, however slowly, is not silent. */
const SLICE = 256 * 1024
/** The end of a body is read like all else, so that what lies behind it shows. */
const TAIL = MOST_READ / 2
/** Most of a body that is read at once into its room. */
const ROOM_READ = 4 * MOST_READ
const HEAD_LIMIT = 64 * 1024
const BODY_LIMIT = 256 * 1024 * 1024

/** What its pool is told of a connection: it may be used again, it is closed, its server sent what belongs to no answer. */
interface ConnectionEvents {
  readonly idle: () => void
  readonly closed: () => void
  readonly excess: () => void
}

const enum Phase {
  Idle,
  Head,
  Length,
  Chunked,
  UntilClose,
  Closed,
}

/** What is needed of a request until its answer is there. Its head is not: kept, it would be moved by the collector instead of dropped. */
type Pending = Pick<HttpRequest, 'silence' | 'sink' | 'room' | 'most' | 'bodiless' | 'surplus'>

/**
 * One connection. Idle, it accepts a request; it then reads the head of the answer, the body in the way the head says,
 * settles the promise, and is idle again, or closed if the server wants that or anything was not as it should be.
 * Bytes that nobody asked for close it.
 */
class Connection {
  private phase = Phase.Idle
  private socket: Socket | undefined
  private pending: Pending | undefined
  private resolve: (response: HttpResponse) => void = ignore
  private reject: (error: unknown) => void = ignore
  /** When the server was last heard of (or, idle, the connection used), and when the request was sent. */
  private heard = 0
  private sent = 0
  private status = 0
  private head = ''
  private body = ''
  /** Bytes of the body still to come, in phase Length. */
  private missing = 0
  /** Bytes that went to the sink, and how fast bytes come. */
  private taken = 0
  private readonly rate = new ReadRate()
  /** Whether some of the request's body is still to be sent. */
  private sending = false
  /** Bytes of a chunked body not yet decoded. */
  private raw = ''
  private reusable = true
  private once = false
  private used = false
  /** Whether nothing has come over it yet. */
  private fresh = true

  constructor(
    private readonly on: ConnectionEvents,
    private readonly bandwidth: Bandwidth | undefined,
    private readonly clock: PoolClock,
  ) {}

  attach(socket: Socket): void {
    this.socket = socket
    let cause: NodeJS.ErrnoException | undefined
    socket.on('error', (error) => (cause = error))
    socket.on('end', () => this.ended())
    socket.on('close', () => {
      const options = cause === undefined ? undefined : { cause }
      this.fail(new HttpError(cause?.message ?? 'the connection was closed', cause?.code ?? 'ECONNRESET', options))
    })
  }

  /** No request after the one that it has now. */
  useOnce(): void {
    this.once = true
    this.reusable = false
    if (this.phase === Phase.Idle && this.used) this.destroy('the connection is used no more', 'ECONNRESET')
  }

  send(request: HttpRequest): Promise<HttpResponse> {
    const { body } = request
    this.used = true
    let sent = Promise.resolve()
    const answer = new Promise<HttpResponse>((resolve, reject) => {
      if (this.phase !== Phase.Idle || this.socket === undefined) {
        reject(new HttpError('the connection was closed', 'ECONNRESET'))
        return
      }
      this.resolve = resolve
      this.reject = reject
      const { silence, sink, room, most, bodiless, surplus } = request
      const pending = { silence, sink, room, most, bodiless, surplus }
      this.pending = pending
      this.phase = Phase.Head
      this.head = ''
      this.body = ''
      this.taken = 0
      this.sent = this.heard = this.clock.now()
      this.sending = body !== undefined
      if (body === undefined) this.socket.write(request.head, 'latin1')
      else {
        this.socket.cork()
        this.socket.write(request.head, 'latin1')
        sent = this.sendBody(pending, body)
        this.socket.uncork()
      }
    })
    if (body === undefined || Buffer.isBuffer(body)) return answer
    // Whoever has the answer frees the memory that the pieces are in, so none may be on its way any more.
    answer.catch(ignore)
    return sent.then(() => answer)
  }

  // Resolves when all is sent, or nothing more is to be.
  private async sendBody(pending: Pending, body: Buffer | Pieces): Promise<void> {
    try {
      if (Buffer.isBuffer(body)) await this.sendBytes(pending, body)
      else await this.sendPieces(pending, body)
      if (this.pending === pending) this.sending = false
    } catch (error) {
      if (this.pending === pending) this.abandon(error)
    }
  }

  private async sendPieces(pending: Pending, pieces: Pieces): Promise<void> {
    this.sent = this.heard = Infinity
    for await (const piece of pieces) {
      if (this.pending !== pending) return
      await this.sendBytes(pending, piece)
      if (this.pending !== pending) return
      this.sent = this.heard = Infinity
    }
    this.sent = this.heard = this.clock.now()
  }

  private async sendBytes(pending: Pending, body: Buffer): Promise<void> {
    for (let at = 0; at < body.length || at === 0; at += SLICE) {
      const slice = body.length <= SLICE ? body : body.subarray(at, at + SLICE)
      this.sent = this.heard = this.clock.now()
      await new Promise<void>((resolve) => this.socket?.write(slice, () => resolve()))
      if (this.pending !== pending) return
      const wait = this.bandwidth === undefined ? 0 : spend(this.bandwidth, 'up', slice.length)
      this.sent = this.heard = this.clock.now() + wait
      if (wait >= 1) await new Promise((resolve) => setTimeout(resolve, wait))
      if (this.pending !== pending) return
    }
  }

  read(buffer: Buffer, length: number): void {
    this.rate.add(length)
    this.fresh = false
    switch (this.phase) {
      case Phase.Head:
        this.readHead(buffer.subarray(0, length))
        break
      case Phase.Length: {
        const { missing } = this
        this.missing -= length
        // What comes behind the end is told of below.
        if (this.missing >= 0) this.take(buffer.subarray(0, length))
        else if (this.pending?.surplus === true) {
          this.take(buffer.subarray(0, missing))
          this.missing = 0
        }
        break
      }
      case Phase.Chunked:
        this.raw += buffer.toString('latin1', 0, length)
        this.readChunks()
        break
      case Phase.UntilClose:
        this.take(buffer.subarray(0, length))
        break
      case Phase.Idle:
        // Some servers say why they close a connection that was not used.
        if (!TIMED_OUT.test(buffer.toString('latin1', 0, Math.min(length, 16)))) this.on.excess()
        this.destroy('the server sent bytes that nobody asked for', 'EPROTO')
        return
      case Phase.Closed:
        return
    }
    // readHead and readChunks change the phase.
    const phase = this.phase as Phase
    if (phase === Phase.Length && this.missing <= 0) {
      if (this.missing < 0) this.longerThanTold()
      else {
        // What filled the buffer may be followed by more that has come already.
        if (length === MOST_READ) this.reusable = false
        this.finish()
      }
    } else if (phase !== Phase.Idle && phase !== Phase.Closed) {
      if (this.body.length > this.bodyLimit()) this.tooLong()
      this.heard = this.clock.now()
      if (this.bandwidth !== undefined && this.pending?.sink !== undefined) this.pauseFor(this.bandwidth, length)
    }
  }

  /** What the next bytes are to be read into. */
  next(): Buffer {
    const most = this.phase === Phase.Length && this.sink() !== undefined ? this.missing - TAIL : 0
    const room = most < MOST_READ ? undefined : this.pending?.room?.()
    if (room === undefined || room.length < most) return READ_BUFFER
    return room.subarray(0, Math.min(most, this.bandwidth === undefined ? ROOM_READ : MOST_READ))
  }

  private pauseFor(bandwidth: Bandwidth, length: number): void {
    const { socket } = this
    const wait = spend(bandwidth, 'down', length)
    if (wait < 1 || socket === undefined) return
    this.heard += wait
    this.rate.pause(wait)
    socket.pause()
    setTimeout(() => socket.resume(), wait)
  }

  sweep(now: number, limits: ReadLimits, stopped: number | undefined): void {
    const { pending, fresh, sent, heard } = this
    if (pending === undefined) {
      if (now - heard >= IDLE_LIMIT) this.destroy('the connection was idle', 'ECONNRESET')
      return
    }
    const { silence, sink } = pending
    const rate = this.phase === Phase.Head || this.sink() === undefined ? undefined : this.rate
    const ending = sink === undefined ? undefined : stopped
    switch (judge(now, { silence, fresh, sent, heard, rate, stopped: ending }, limits)) {
      case 'waiting':
        return
      case 'silent':
        this.destroy('the server did not answer in time', 'ETIMEDOUT')
        return
      case 'slow':
        this.giveUp(`less than ${limits.minRate} bytes a second came for ${limits.window / 1000} s`, 'ETIMEDOUT')
        return
      case 'ending':
        this.destroy('the run is ending', 'ECANCELED')
    }
  }

  destroy(reason: string, code: string): void {
    this.abandon(new HttpError(reason, code))
  }

  // An answer that has begun.
  private giveUp(reason: string, code: string): void {
    const { status, head } = this
    this.abandon(new HttpError(reason, code, undefined, { status, head }))
  }

  private abandon(error: unknown): void {
    this.fail(error)
    this.socket?.destroy()
  }

  // Only what is a head becomes text: content may come with it.
  private readHead(bytes: Buffer): void {
    let rest = this.head === '' ? bytes : Buffer.concat([Buffer.from(this.head, 'latin1'), bytes])
    for (;;) {
      const end = rest.indexOf('\r\n\r\n')
      this.head = rest.toString('latin1', 0, end < 0 ? rest.length : end)
      if (end < 0) {
        if (this.head.length > HEAD_LIMIT) this.destroy('the head of the answer is too long', 'EPROTO')
        return
      }
      rest = rest.subarray(end + 4)
      const status = STATUS_LINE.exec(this.head)?.[1]
      if (status === undefined) {
        this.destroy('the answer is not HTTP/1.1', 'EPROTO')
        return
      }
      this.status = Number(status)
      if (this.status >= 200) {
        this.rate.begin(this.clock.now())
        this.startBody(rest)
        return
      }
      // 1xx announces the real answer.
    }
  }

  // The ways in which a body may end, in the order of RFC 9112 §6.3.
  private startBody(rest: Buffer): void {
    const head = this.head
    const surplus = this.pending?.surplus === true
    this.reusable = !this.once && head.startsWith('HTTP/1.1') && !CLOSE.test(head) && !surplus
    if (this.pending?.bodiless === true || this.status === 204 || this.status === 304) {
      this.phase = Phase.Length
      this.missing = 0
      // The answer is whole all the same.
      if (rest.length > 0) {
        this.reusable = false
        this.on.excess()
      }
      return
    }
    if (CHUNKED.test(head)) {
      // With a length as well somebody on the way may have ended the body elsewhere (RFC 9112 §6.1).
      if (CONTENT_LENGTH.test(head)) this.reusable = false
      this.phase = Phase.Chunked
      this.raw = rest.toString('latin1')
      this.readChunks()
      return
    }
    const found = CONTENT_LENGTH.exec(head)
    const length = found?.[1]
    if (found !== null && hasOtherLength(head, found.index + 2, length)) {
      this.destroy('the answer has two lengths', 'EPROTO')
      return
    }
    if (length !== undefined && this.exceeds(Number(length))) return
    const isMore = length !== undefined && rest.length > Number(length)
    if (isMore && !surplus) {
      this.longerThanTold()
      return
    }
    const content = isMore ? rest.subarray(0, Number(length)) : rest
    this.take(content)
    // What came with the head may be too long.
    if (this.phase === Phase.Closed) return
    if (length === undefined) {
      this.phase = Phase.UntilClose
      this.reusable = false
    } else {
      this.phase = Phase.Length
      this.missing = Number(length) - content.length
      if (!LENGTH.test(length)) this.destroy('the answer has a malformed Content-Length', 'EPROTO')
    }
  }

  private longerThanTold(): void {
    this.on.excess()
    this.destroy('the answer is longer than its Content-Length', 'EPROTO')
  }

  // What a sink takes has a bound of its own; an explanation why there is nothing for it has the usual one.
  private bodyLimit(): number {
    const { most, sink } = this.pending ?? {}
    return most === undefined || sink !== undefined ? BODY_LIMIT : most
  }

  private tooLong(): void {
    this.destroy('the answer is too long', this.bodyLimit() === BODY_LIMIT ? 'EPROTO' : TOO_LONG)
  }

  private take(bytes: Buffer): void {
    const sink = this.sink()
    if (sink === undefined) this.body += bytes.toString('latin1')
    else this.pour(bytes, sink)
  }

  private pour(bytes: Uint8Array, sink: (bytes: Uint8Array) => void): void {
    if (this.exceeds(bytes.length)) return
    this.taken += bytes.length
    sink(bytes)
  }

  // Whether so many further bytes are more than the sink takes; then the answer is given up.
  private exceeds(bytes: number): boolean {
    const most = this.pending?.most
    if (most === undefined || this.sink() === undefined || this.taken + bytes <= most) return false
    this.giveUp(`the answer is longer than ${most} bytes`, TOO_LONG)
    return true
  }

  private sink(): Pending['sink'] {
    return this.status < 300 ? this.pending?.sink : undefined
  }

  private readChunks(): void {
    let at = 0
    for (;;) {
      const lineEnd = this.raw.indexOf('\r\n', at)
      if (lineEnd < 0) {
        if (this.raw.length - at > HEAD_LIMIT) this.destroy('the answer has a malformed chunk', 'EPROTO')
        break
      }
      const size = CHUNK_SIZE.exec(this.raw.slice(at, lineEnd))?.[1]
      if (size === undefined) {
        this.destroy('the answer has a malformed chunk', 'EPROTO')
        return
      }
      const length = Number.parseInt(size, 16)
      if (length === 0) {
        // Trailer fields, if any, end in an empty line; nobody here reads them.
        const end = this.raw.startsWith('\r\n', lineEnd + 2) ? lineEnd + 4 : this.raw.indexOf('\r\n\r\n', lineEnd) + 4
        if (end < 4 || this.raw.length < lineEnd + 4) {
          if (this.raw.length - lineEnd > HEAD_LIMIT) this.destroy('the trailer of the answer is too long', 'EPROTO')
          break
        }
        if (end < this.raw.length) {
          this.on.excess()
          this.destroy('the server sent bytes that nobody asked for', 'EPROTO')
        } else this.finish()
        return
      }
      const start = lineEnd + 2
      if (this.exceeds(length)) return
      if (length > this.bodyLimit()) {
        this.tooLong()
        return
      }
      if (this.raw.length < start + length + 2) break
      if (!this.raw.startsWith('\r\n', start + length)) {
        this.destroy('the answer has a malformed chunk', 'EPROTO')
        return
      }
      this.take(Buffer.from(this.raw.slice(start, start + length), 'latin1'))
      if (this.phase !== Phase.Chunked) return
      at = start + length + 2
    }
    this.raw = this.raw.slice(at)
  }

  private finish(): void {
    const { resolve, status, head, body, sending } = this
    this.release()
    if (this.reusable && !sending && status !== TEMPORARY_REDIRECT) {
      this.phase = Phase.Idle
      this.heard = this.clock.now()
      this.on.idle()
    } else {
      this.phase = Phase.Closed
      this.on.closed()
      this.socket?.destroy()
    }
    resolve({ status, head, body })
  }

  private ended(): void {
    if (this.phase === Phase.UntilClose) this.finish()
    else this.destroy('the connection was closed in the middle of an answer', 'ECONNRESET')
  }

  private fail(error: unknown): void {
    if (this.phase === Phase.Closed) return
    const { reject } = this
    this.phase = Phase.Closed
    this.release()
    this.on.closed()
    reject(error)
  }

  // Nothing of a finished request may stay in memory with an idle connection.
  private release(): void {
    this.resolve = ignore
    this.reject = ignore
    this.pending = undefined
    this.head = ''
    this.body = ''
    this.raw = ''
    this.sending = false
  }
}

/** The name led to the wrong place, and the next request is to look it up anew. */
const TEMPORARY_REDIRECT = 307
/** What comes on an idle connection before it is closed. */
const TIMED_OUT = /^HTTP\/1\.[01] 408/
const STATUS_LINE = /^HTTP\/1\.[01] ([1-5]\d\d)(?: |\r\n|$)/
const CONTENT_LENGTH = /\r\ncontent-length:[ \t]*([^\r\n]*)/i
const FURTHER_LENGTH = /\r\ncontent-length:[ \t]*([^\r\n]*)/gi
const LENGTH = /^\d{1,15}[ \t]*$/
const CHUNKED = /\r\ntransfer-encoding:[^\r\n]*\bchunked\b/i
const CLOSE = /\r\n(?:proxy-)?connection:[^\r\n]*\bclose\b/i
const CHUNK_SIZE = /^([0-9a-f]{1,8})[ \t]*(?:;|$)/i

// Whether a further Content-Length tells another length: where the body ends is then a guess (RFC 9112 §6.3).
function hasOtherLength(head: string, from: number, length: string | undefined): boolean {
  FURTHER_LENGTH.lastIndex = from
  const further = FURTHER_LENGTH.exec(head)
  return further !== null && further[1] !== length
}

function ignore(): void {
  // Nobody waits.
}
