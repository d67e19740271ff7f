const UNRESERVED = /^[A-Za-z0-9\-._~/]*$/

/** A key or path for a request line or `x-amz-copy-source`: UTF-8, percent-encoded but for unreserved characters (RFC 3986) and `/`, as Signature Version 4 has it. */
export function encodePath(path: string): string {
  if (UNRESERVED.test(path)) return path
  return encode(path).replaceAll('%2F', '/')
}

/** A name or value of a query string, encoded as Signature Version 4 has it: like `encodePath`, and `/` too. */
export function encodeQuery(text: string): string {
  return encode(text)
}

function encode(text: string): string {
  // encodeURIComponent leaves these five alone, Signature Version 4 does not.
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

/**
 * Undoes `encoding-type=url` of a listing: percent-encoding, and `+` for a space (a plus itself comes as `%2B`).
 * Throws `URIError` where the bytes are not UTF-8.
 */
export function decodeListed(text: string): string {
  if (text.includes('+')) text = text.replaceAll('+', ' ')
  return text.includes('%') ? decodeURIComponent(text) : text
}
