import type { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Dialect } from './wire/dialects.js'
import { hex32, mix } from './wire/hash.js'
import type { Reply } from './wire/reply.js'
import type { S3Error } from './wire/s3-error.js'
import type { Stats } from './wire/stats.js'
import { element, xmlDeclaration } from './wire/xml.js'

let served = 0

/** One request and its answer, sent once: whole, cut, or not at all. */
export class Exchange {
  private ended = false
  private readonly requestId: string
  private readonly isSwift: boolean
  private readonly hostId: string

  constructor(
    readonly request: IncomingMessage,
    private readonly response: ServerResponse,
    private readonly stats: Stats,
    { has }: Dialect,
  ) {
    const n = ++served
    const id = hex32(mix(1, n, 95)) + hex32(n)
    const transaction = `tx${id.padStart(21, '0')}-00${hex32(n)}`
    this.isSwift = has.has('swift-ids')
    this.requestId = this.isSwift ? transaction : has.has('ceph-ids') ? `${transaction}-1-default` : id.toUpperCase()
    this.hostId = `sandbox${hex32(mix(2, n, 95))}MtEr8zXvW0uQyT5kLhN3pJgF7dSaB1cR9eO2iU4mKxVbY6wZqHs=`
    stats.begun()
  }

  /** True when the client has gone, or an answer was sent. */
  get isOver(): boolean {
    return this.ended || this.response.destroyed
  }

  /** The document of a refusal. */
  private errorDocument(error: S3Error): string {
    let document = `<Error>${element('Code', error.code)}${element('Message', error.message)}`
    for (const [name, value] of Object.entries(error.details)) document += element(name, value)
    return `${xmlDeclaration}${document}${element('RequestId', this.requestId)}${element('HostId', this.hostId)}</Error>`
  }

  /** Sends the refusal; `status` if not its own, as S3 does with errors after the 200 of a copy. */
  refuse(error: S3Error, status = error.status): void {
    this.send({
      status,
      headers: ['Content-Type', 'application/xml', ...error.headers],
      body: this.errorDocument(error),
    })
  }

  /** Sends the answer; `cut` ends the connection half-way through the body. */
  send(reply: Reply, cut = false): void {
    if (!this.end(reply.status)) return
    const { response } = this
    const isHead = this.request.method === 'HEAD'
    const { status, body, stream } = reply
    const length = stream === undefined ? Buffer.byteLength(body ?? '') : stream.end - stream.start
    const headers = this.head(reply)
    if (!isHead && status !== 204 && status !== 304) headers.push('Content-Length', String(length))
    else if (reply.length !== undefined) headers.push('Content-Length', String(reply.length))
    response.writeHead(status, headers)
    if (cut) this.cut(reply, length)
    else if (isHead) response.end()
    else if (stream === undefined) response.end(body)
    else void this.pour(stream.content.chunks(stream.start, stream.end))
  }

  /** Sends the answer in chunks, white space first, as S3 does while a copy takes long; `declared` puts it after the XML declaration. */
  sendSlowly(reply: Reply, declared: boolean): void {
    const { response } = this
    const { body } = reply
    if (typeof body !== 'string') {
      this.send(reply)
      return
    }
    if (!this.end(reply.status)) return
    response.writeHead(reply.status, this.head(reply))
    response.write(declared ? xmlDeclaration : ' ')
    const rest = declared ? body.slice(xmlDeclaration.length) : body
    let blanks = 3
    const trickle = () => {
      if (response.destroyed) return
      if (blanks-- === 0) {
        response.end(rest)
        return
      }
      response.write(' \n')
      setTimeout(trickle, 2)
    }
    trickle()
  }

  /** Resets the connection instead of answering. */
  reset(): void {
    if (!this.end(undefined)) return
    const { socket } = this.request
    // Only a plain socket can be reset; of an encrypted one the client sees the end.
    if (socket.constructor === Socket) socket.resetAndDestroy()
    else socket.destroy()
  }

  /** Never answers; the exchange is over when the client gives up. */
  hang(): void {
    this.response.on('close', () => this.end(undefined))
  }

  /** Ends the exchange because the client went away. */
  abandon(): void {
    this.end(undefined)
  }

  private end(status: number | undefined): boolean {
    if (this.ended) return false
    this.ended = true
    const gone = this.response.destroyed
    this.stats.ended(gone ? undefined : status)
    return !gone
  }

  private head(reply: Reply): string[] {
    const id = ['x-amz-id-2', this.hostId, 'x-amz-request-id', this.requestId, 'Server', 'AmazonS3']
    if (this.isSwift) id.push('x-openstack-request-id', this.requestId)
    return id.concat(reply.headers)
  }

  private cut(reply: Reply, length: number): void {
    const { socket } = this.request
    const half = length >> 1
    const { body, stream } = reply
    // `flushHeaders` would send metadata beyond ASCII encoded once more. The head of an answer without content is all of it, and is not sent.
    this.response.write(Buffer.alloc(0))
    if (stream !== undefined) {
      for (const chunk of stream.content.chunks(stream.start, stream.start + Math.min(half, 2 ** 20)))
        this.response.write(chunk)
    } else if (body !== undefined && half > 0) this.response.write(Buffer.from(body as string).subarray(0, half))
    // What was written stands in the socket's buffer only after this turn.
    setImmediate(() => {
      socket.destroySoon()
    })
  }

  private async pour(chunks: Iterable<Uint8Array>): Promise<void> {
    const { response } = this
    for (const chunk of chunks) {
      if (response.destroyed) return
      if (!response.write(chunk)) {
        await new Promise<void>((resolve) => {
          const go = () => {
            response.off('drain', go).off('close', go)
            resolve()
          }
          response.on('drain', go).on('close', go)
        })
      }
    }
    response.end()
  }
}
