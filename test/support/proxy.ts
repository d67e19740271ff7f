import { createServer, request as send, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** An answer. */
export interface Reply {
  readonly status: number
  readonly headers?: IncomingHttpHeaders
  readonly body?: string
}

/** What a server in front of another does. */
export interface Hooks {
  /** May change the headers that are passed on, or answer in place of the server. */
  readonly before?: (request: IncomingMessage, body: Buffer) => Reply | undefined | Promise<Reply | undefined>
  /** May change the body of an answer of status 200. */
  readonly after?: (request: IncomingMessage, body: string) => string
}

/** An error as S3 writes it. */
export const refused = (status: number, code: string, more = ''): Reply => ({
  status,
  headers: { 'content-type': 'application/xml' },
  body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>why</Message>${more}</Error>`,
})

/** Starts a server in front of the one at `url`, for the time of the test. */
export async function front(url: string, { before, after }: Hooks): Promise<string> {
  const { hostname, port } = new URL(url)
  const server = createServer((incoming, outgoing) => {
    void (async () => {
      const chunks: Buffer[] = []
      for await (const chunk of incoming) chunks.push(chunk as Buffer)
      const body = Buffer.concat(chunks)
      const reply = await before?.(incoming, body)
      if (reply !== undefined) {
        outgoing.writeHead(reply.status, reply.headers)
        outgoing.end(incoming.method === 'HEAD' ? undefined : reply.body)
        return
      }
      const { method, headers, url: path } = incoming
      send({ hostname, port, method, path, headers }, (answer) => {
        const got: Buffer[] = []
        answer.on('data', (chunk: Buffer) => got.push(chunk))
        answer.on('end', () => {
          const was = Buffer.concat(got)
          const changed = after !== undefined && method !== 'HEAD' && answer.statusCode === 200
          const now = changed ? Buffer.from(after(incoming, was.toString('latin1')), 'latin1') : was
          const { 'transfer-encoding': _, ...kept } = answer.headers
          outgoing.writeHead(answer.statusCode ?? 500, {
            ...kept,
            ...(method === 'HEAD' ? {} : { 'content-length': now.length }),
          })
          outgoing.end(method === 'HEAD' ? undefined : now)
        })
      }).end(body)
    })()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
