import { createServer, request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** What a front answers by itself: a status with the code of an S3 error, or a connection that breaks. */
export type FrontAnswer = { readonly status: number; readonly code?: string } | 'reset'

/** A request as a front sees it. */
export interface FrontRequest {
  readonly method: string
  /** Path and query, decoded. */
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A server before another one. */
export interface Front {
  readonly url: string
  /** Requests whose connection the other side closed before they were answered. */
  readonly unanswered: number
}

/** Starts a server before that at `port` which answers by itself what `answer` says, for the time of the test. */
export async function front(port: number, answer: (asked: FrontRequest) => FrontAnswer | undefined): Promise<Front> {
  let unanswered = 0
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const { method = '', url = '', headers } = incoming
      const body = Buffer.concat(chunks)
      const own = answer({ method, url: decodeURIComponent(url), headers, body: body.toString() })
      if (own === 'reset') {
        incoming.socket.resetAndDestroy()
        return
      }
      outgoing.on('close', () => {
        if (!outgoing.writableFinished) unanswered++
      })
      if (own !== undefined) {
        const { status, code = 'InternalError' } = own
        const text = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>it said ${String(status)}</Message></Error>`
        outgoing.writeHead(status, { 'content-type': 'application/xml', 'content-length': text.length })
        outgoing.end(method === 'HEAD' ? undefined : text)
        return
      }
      const onward = request({ host: '127.0.0.1', port, method, path: url, headers }, (back) => {
        outgoing.writeHead(back.statusCode ?? 0, back.headers)
        back.pipe(outgoing)
      })
      onward.on('error', () => outgoing.destroy())
      onward.end(body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    get unanswered() {
      return unanswered
    },
  }
}
