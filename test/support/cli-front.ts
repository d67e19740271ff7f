import {
  createServer,
  request as ask,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** What a server behind the front answered, to be changed. */
interface Answered {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
}

/** What a front does to requests and answers. */
export interface Hooks {
  /** Answers itself, and says so by true. */
  readonly before?: (request: IncomingMessage, response: ServerResponse, body: Buffer) => boolean
  readonly after?: (request: IncomingMessage, answered: Answered) => void
  /** What is sent behind the answer, which says nothing of it: in one piece with it, or a moment later. `less`: the answer is cut instead. */
  readonly behind?: (
    request: IncomingMessage,
  ) => { readonly bytes: string; readonly late: boolean } | 'less' | undefined
}

/** A server before the one at `url`, for the time of the test; what it says no length of is sent in chunks. */
export async function front(url: string, { before, after, behind }: Hooks): Promise<string> {
  const { hostname, port } = new URL(url)
  const server = createServer((request, response) => {
    void collected(request).then((sent) => {
      if (before?.(request, response, sent) === true) return
      const { method, url: path, headers } = request
      const through = ask({ hostname, port, method, path, headers }, (answer) => {
        void collected(answer).then((body) => {
          const answered: Answered = { status: answer.statusCode ?? 500, headers: { ...answer.headers }, body }
          after?.(request, answered)
          const more = behind?.(request)
          const { socket } = response
          if (more === 'less') answered.headers['content-length'] = `${answered.body.length + 5}`
          else if (more !== undefined) socket?.cork()
          response.writeHead(answered.status, answered.headers)
          if (method !== 'HEAD') response.write(answered.body)
          response.end()
          if (more === 'less') socket?.destroySoon()
          if (more === undefined || more === 'less') return
          if (!more.late) socket?.write(more.bytes)
          socket?.uncork()
          if (more.late) setTimeout(() => socket?.write(more.bytes), 1)
        })
      })
      through.end(sent)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function collected(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of stream) pieces.push(piece)
  return Buffer.concat(pieces)
}
