import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

const COOKIE = 's3move-token'

/** What a request may have. */
export type Access =
  | { readonly kind: 'granted' }
  /** The token was in the address: it becomes a cookie, and the address goes without it. */
  | { readonly kind: 'to-cookie'; readonly cookie: string }
  | { readonly kind: 'refused'; readonly status: 401 | 403 | 405; readonly reason: string }

/** The header of what asks for a change, which no page from elsewhere may send: it would have to ask first, and gets no answer to that. */
export const CONTROL_HEADER = 'x-s3move-control'

/**
 * Judges a request by its method, by the host that it asks for, and by the token, where there is one. Whoever asks for a change gives the `secret` that is
 * in the page; without one nobody may.
 */
export function accessOf(request: IncomingMessage, url: URL, token: string | undefined, secret?: string): Access {
  const { method, headers } = request
  const changes = method === 'POST' && secret !== undefined
  if (!changes && method !== 'GET' && method !== 'HEAD') return refused(405, 'only GET and HEAD are known here')
  if (changes && !isToken(String(headers[CONTROL_HEADER]), secret)) return refused(403, 'reload the page')
  if (token === undefined) {
    // A page from elsewhere, whose name was made to lead here, asks for its own host.
    return isLocalName(url.hostname) ? GRANTED : refused(403, 'ask for localhost, or an address of this machine')
  }
  if (isToken(bearerOf(headers.authorization) ?? cookieOf(headers.cookie), token)) return GRANTED
  const given = url.searchParams.get('token') ?? undefined
  if (!isToken(given, token)) return refused(401, 'add ?token= and the token, or give it as Authorization: Bearer')
  return { kind: 'to-cookie', cookie: `${COOKIE}=${encodeURIComponent(token)}; HttpOnly; SameSite=Strict; Path=/` }
}

const GRANTED: Access = { kind: 'granted' }

function refused(status: 401 | 403 | 405, reason: string): Access {
  return { kind: 'refused', status, reason }
}

function isLocalName(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname)
}

// Their digests have the same length, and tell nothing by the time that they take.
function isToken(given: string | undefined, token: string): boolean {
  return given !== undefined && timingSafeEqual(digest(given), digest(token))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function bearerOf(authorization: string | undefined): string | undefined {
  return /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
}

function cookieOf(cookies: string | undefined): string | undefined {
  const found = cookies?.split(/; */).find((one) => one.startsWith(`${COOKIE}=`))
  try {
    return found === undefined ? undefined : decodeURIComponent(found.slice(COOKIE.length + 1))
  } catch {
    return undefined
  }
}
