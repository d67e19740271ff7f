import type { Server } from './cli-buckets.js'
import { front } from './proxy.js'

/** How a command reaches a server as if it were that of AWS in us-east-1, for the time of the test: by a proxy. */
export async function asAws({ url }: Pick<Server, 'url'>): Promise<{
  readonly env: Readonly<Record<string, string | undefined>>
  readonly aws: readonly string[]
}> {
  // The client of a proxy names the server in full.
  const proxy = await front(url, {
    before(request) {
      const { pathname, search } = new URL(request.url ?? '')
      request.url = pathname + search
      return undefined
    },
  })
  return {
    env: { HTTP_PROXY: proxy, NO_PROXY: undefined, no_proxy: undefined },
    aws: ['--endpoint-url', 'http://s3.us-east-1.amazonaws.com', '--region', 'us-east-1', '--path-style'],
  }
}
