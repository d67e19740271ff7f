import type { IncomingHttpHeaders } from 'node:http'
import { S3Error } from './s3-error.js'

/** What a request names: decoded, nothing normalised (`..`, `//` and `.` are parts of keys). */
export interface RequestTarget {
  /** The path as it was sent, still percent-encoded. */
  readonly rawPath: string
  /** Empty for a request to the service itself. */
  readonly bucket: string
  /** Undefined for a request to a bucket. */
  readonly key: string | undefined
  /** Names and values in the order sent; a parameter without a value has an empty one. */
  readonly query: ReadonlyMap<string, string>
}

export interface S3Request extends RequestTarget {
  readonly method: string
  readonly headers: IncomingHttpHeaders
  /** The body as it was sent (not yet freed from aws-chunked framing). */
  readonly body: Buffer
}

const virtualHost = /\.localhost(?::\d+)?$/i
const noQuery: ReadonlyMap<string, string> = new Map()
const plain = /^[\x20-\x24\x26-\x7e]*$/

/**
 * Undoes percent-encoding; a `+` stays a plus. Bytes above 0x7f that were sent raw count as UTF-8.
 * Throws 400 InvalidURI when the bytes are not UTF-8.
 */
export function percentDecode(text: string): string {
  if (plain.test(text)) return text
  try {
    const raw = Buffer.from(text, 'latin1')
    return decodeURIComponent(raw.some((byte) => byte > 0x7f) ? raw.toString('utf8') : text)
  } catch {
    throw new S3Error(400, 'InvalidURI', "Couldn't parse the specified URI.")
  }
}

function parseQuery(raw: string): ReadonlyMap<string, string> {
  const query = new Map<string, string>()
  for (const pair of raw.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = equals === -1 ? pair : pair.slice(0, equals)
    const value = equals === -1 ? '' : pair.slice(equals + 1)
    query.set(percentDecode(name.replaceAll('+', ' ')), percentDecode(value.replaceAll('+', ' ')))
  }
  return query
}

/** Reads bucket, key and query from a request line and its Host (`BUCKET.localhost` is virtual-host style). */
export function parseTarget(url: string, host: string | undefined): RequestTarget {
  const mark = url.indexOf('?')
  const rawPath = mark === -1 ? url : url.slice(0, mark)
  const query = mark === -1 ? noQuery : parseQuery(url.slice(mark + 1))
  const virtual = host?.includes('.') === true ? host.search(virtualHost) : -1
  if (host !== undefined && virtual > 0) {
    const key = percentDecode(rawPath.slice(1))
    return { rawPath, bucket: host.slice(0, virtual), key: key === '' ? undefined : key, query }
  }
  const slash = rawPath.indexOf('/', 1)
  const bucket = percentDecode(slash === -1 ? rawPath.slice(1) : rawPath.slice(1, slash))
  const rawKey = slash === -1 ? '' : rawPath.slice(slash + 1)
  return { rawPath, bucket, key: rawKey === '' ? undefined : percentDecode(rawKey), query }
}

/** The value of a header that can be sent only once; repeated ones are joined as HTTP says. */
export function requestHeader(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value.join(',') : value
}
