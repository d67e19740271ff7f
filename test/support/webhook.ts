import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** What a receiver was sent. */
export interface Posted {
  readonly method: string | undefined
  readonly path: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/**
 * A receiver of webhooks, for the time of the test: it answers with each of `statuses` in turn, then with the last, and not at all for 0.
 */
export async function receiver(
  ...statuses: readonly number[]
): Promise<{ readonly url: string; readonly posted: readonly Posted[] }> {
  const posted: Posted[] = []
  const server = createServer((incoming, outgoing) => {
    void (async () => {
      const chunks: Buffer[] = []
      for await (const chunk of incoming) chunks.push(chunk as Buffer)
      const status = statuses[Math.min(posted.length, statuses.length - 1)] ?? 204
      const { method, url: path, headers } = incoming
      posted.push({ method, path, headers, body: Buffer.concat(chunks).toString() })
      if (status === 0) return
      outgoing.writeHead(status, status < 400 && status >= 300 ? { location: '/elsewhere' } : {})
      outgoing.end('an answer that nobody reads')
    })()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, posted }
}
