import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** A request on its way to the server behind. */
export interface Passing {
  readonly method: string
  /** May be changed before it is passed on, as may the headers. */
  url: string
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
}

/** What is answered in place of the server. */
export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** What a stand-in does with each request: it may answer before the server has seen it, or in place of what that has answered; 'lost' breaks the connection. */
export interface Hooks {
  readonly before?: (request: Passing) => Answer | 'lost' | undefined | Promise<Answer | 'lost' | undefined>
  readonly after?: (
    request: Passing,
    status: number,
    body: string,
  ) => Answer | 'lost' | undefined | Promise<Answer | 'lost' | undefined>
}

/** A stand-in before the server at `url`, for the time of the test. Answers its own URL. */
export async function standIn(url: string, { before, after }: Hooks): Promise<string> {
  const { hostname, port } = new URL(url)
  const pass = (request: Passing): Promise<{ status: number; headers: http.IncomingHttpHeaders; body: Buffer }> =>
    new Promise((resolve, reject) => {
      const { method, url: path, headers, body } = request
      http
        .request({ hostname, port, method, path, headers }, (answer) => {
          const chunks: Buffer[] = []
          answer.on('data', (chunk: Buffer) => chunks.push(chunk))
          answer.on('end', () =>
            resolve({ status: answer.statusCode!, headers: answer.headers, body: Buffer.concat(chunks) }),
          )
        })
        .on('error', reject)
        .end(body)
    })
  const server = http.createServer((asked, reply) => {
    const serve = async (): Promise<void> => {
      const chunks: Buffer[] = []
      for await (const chunk of asked) chunks.push(chunk as Buffer)
      const request = { method: asked.method!, url: asked.url!, headers: asked.headers, body: Buffer.concat(chunks) }
      const send = (answer: Answer | 'lost'): void => {
        if (answer === 'lost') {
          asked.socket.destroy()
          return
        }
        reply.writeHead(answer.status, answer.headers).end(request.method === 'HEAD' ? undefined : answer.body)
      }
      const early = await before?.(request)
      if (early !== undefined) {
        send(early)
        return
      }
      const { status, headers, body } = await pass(request)
      const late = await after?.(request, status, body.toString('latin1'))
      if (late !== undefined) {
        send(late)
        return
      }
      delete headers['transfer-encoding']
      reply.writeHead(status, headers).end(request.method === 'HEAD' ? undefined : body)
    }
    serve().catch(() => asked.socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A store that is asked to slow down. */
export const SLOW_DOWN: Answer = {
  status: 503,
  body: '<Error><Code>SlowDown</Code><Message>slow down</Message></Error>',
}
