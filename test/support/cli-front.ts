import {
  createServer,
  request as ask,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
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
          const reply = (): void => {
            response.writeHead(answered.status, answered.headers)
            if (method !== 'HEAD') response.write(answered.body)
            response.end()
          }
          if (more !== undefined && more !== 'less' && !more.late && socket !== null)
            inOnePiece(socket, reply, more.bytes)
          else reply()
          if (more === 'less') socket?.destroySoon()
          else if (more?.late === true) setTimeout(() => socket?.write(more.bytes), 1)
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

// Corked, a socket would not do: the end of an answer uncorks it, and what is written then may arrive when the next request has been sent.
function inOnePiece(socket: Socket, answer: () => void, behind: string): void {
  const pieces: Uint8Array[] = []
  const write = socket.write.bind(socket)
  socket.write = (piece: string | Uint8Array, encoding?: unknown): boolean => {
    pieces.push(typeof piece === 'string' ? Buffer.from(piece, encoding as BufferEncoding | undefined) : piece)
    return true
  }
  answer()
  socket.write = write
  socket.write(Buffer.concat([...pieces, Buffer.from(behind)]))
}

async function collected(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of stream) pieces.push(piece)
  return Buffer.concat(pieces)
}
