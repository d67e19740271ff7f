import { createHmac, hash } from 'node:crypto'
import type { Credentials } from '../credential-source.js'

/** Whether two are the same, wherever they were copied to. */
export function sameCredentials(one: Credentials | undefined, other: Credentials | undefined): boolean {
  return one?.accessKeyId === other?.accessKeyId && one?.sessionToken === other?.sessionToken
}

/** A request to be signed. */
export interface Unsigned {
  readonly method: string
  /** The `Host` field. */
  readonly host: string
  /** Already encoded (`encodePath`). */
  readonly path: string
  /** Already encoded and sorted by name: `a=1&b=2`, or ''. */
  readonly query: string
  /** Further fields as [lower-case name, value], sorted by name, none of them one that signing adds. Values are one byte a character. */
  readonly headers: Fields
  /** Lower-case hex SHA-256 of the body, or `UNSIGNED_BODY`. */
  readonly bodyHash: string
}

/** Header fields: [lower-case name, value]. */
export type Fields = readonly (readonly [string, string])[]

// The fields that signing adds, in order, and a name above every other.
const OWN = ['host', 'x-amz-content-sha256', 'x-amz-date', 'x-amz-security-token', '~'] as const
// The same for a session with a directory bucket.
const ZONAL = ['host', 'x-amz-content-sha256', 'x-amz-date', 'x-amz-s3session-token', '~'] as const

/** SHA-256 of an empty body. */
export const EMPTY_HASH = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

/** In the place of the hash of a body that is not signed itself. */
export const UNSIGNED_BODY = 'UNSIGNED-PAYLOAD'

/**
 * Turns a request into the bytes of its head, signed with Signature Version 4
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html). Synchronous, with the day's key derived once.
 */
export interface Signer {
  /** The head of the request, from the request line to the empty line. `now` in milliseconds since the epoch. */
  head(request: Unsigned, contentLength: number, credentials: Credentials | undefined, now: number): string
}

/** A signer for one region and service (`s3`, or what endpoint resolution says). Without credentials a request goes unsigned. */
export function createSigner(region: string, service: string): Signer {
  let second = Number.NaN
  let timestamp = ''
  let scope = ''
  let keyFor = ''
  let mac = hmacSha256(Buffer.alloc(0))

  return {
    head(request, contentLength, credentials, now) {
      const { method, host, path, query, headers, bodyHash } = request
      const target = query === '' ? path : `${path}?${query}`
      let lines = `${method} ${target} HTTP/1.1\r\nhost: ${host}\r\n`
      if (contentLength > 0 || method === 'PUT' || method === 'POST') lines += `content-length: ${contentLength}\r\n`
      if (credentials === undefined) {
        for (const [name, value] of headers) {
          canonicalValue(value)
          lines += `${name}: ${value}\r\n`
        }
        return `${lines}\r\n`
      }

      const thisSecond = Math.floor(now / 1000)
      if (thisSecond !== second) {
        second = thisSecond
        timestamp = `${new Date(thisSecond * 1000).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`
        scope = `${timestamp.slice(0, 8)}/${region}/${service}/aws4_request`
      }
      const keyName = `${scope} ${credentials.secretAccessKey}`
      if (keyName !== keyFor) {
        mac = hmacSha256(signingKey(credentials.secretAccessKey, timestamp.slice(0, 8), region, service))
        keyFor = keyName
      }

      let canonical = `${method}\n${path}\n${query}\n`
      let names = ''
      // The caller's fields, with those that signing adds at their places in the order.
      const { sessionToken, zonal } = credentials
      const ownNames = zonal === true ? ZONAL : OWN
      const values = [host, bodyHash, timestamp, sessionToken]
      let i = 0
      for (let own = 0; own < ownNames.length; own++) {
        const ownName = ownNames[own] ?? ''
        for (let field = headers[i]; field !== undefined && field[0] < ownName; field = headers[++i]) {
          canonical += `${field[0]}:${canonicalValue(field[1])}\n`
          names += `${field[0]};`
          lines += `${field[0]}: ${field[1]}\r\n`
        }
        const value = values[own]
        if (value === undefined) continue
        canonical += `${ownName}:${value}\n`
        names += `${ownName};`
        if (own > 0) lines += `${ownName}: ${value}\r\n`
      }
      names = names.slice(0, -1)

      canonical += `\n${names}\n${bodyHash}`
      const signature = mac(`AWS4-HMAC-SHA256\n${timestamp}\n${scope}\n${hashOf(canonical)}`)
      return (
        `${lines}authorization: AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, ` +
        `SignedHeaders=${names}, Signature=${signature}\r\n\r\n`
      )
    },
  }
}

// Rejects what would end the field, and begin another.
function canonicalValue(value: string): string {
  if (!UNTIDY.test(value)) return value
  if (BREAKING.test(value)) throw new UnsafeValue('a header value has a line break or a NUL')
  return value.replace(/^[ \t]+|[ \t]+$/g, '').replace(/[ \t]+/g, ' ')
}

const UNTIDY = /^[ \t]|[ \t]$|[ \t]{2}|[\t\r\n\0]/
const BREAKING = /[\r\n\0]/

/** A value cannot be sent as a header field. */
export class UnsafeValue extends Error {
  override readonly name = 'UnsafeValue'
}

// Text is hashed as UTF-8, and these are bytes.
function hashOf(bytes: string): string {
  return hash('sha256', BEYOND_ASCII.test(bytes) ? Buffer.from(bytes, 'latin1') : bytes)
}

const BEYOND_ASCII = /[^\0-\x7f]/

function signingKey(secret: string, day: string, region: string, service: string): Buffer {
  let key: Buffer = Buffer.from(`AWS4${secret}`)
  for (const part of [day, region, service, 'aws4_request']) key = createHmac('sha256', key).update(part).digest()
  return key
}

// HMAC of ASCII text (RFC 2104), as two one-shot hashes: an Hmac object for each request costs three times as much.
function hmacSha256(key: Buffer): (text: string) => string {
  const inner = Buffer.alloc(1024, 0x36)
  const outer = Buffer.alloc(96, 0x5c)
  for (let i = 0; i < key.length; i++) {
    inner[i] = (key[i] ?? 0) ^ 0x36
    outer[i] = (key[i] ?? 0) ^ 0x5c
  }
  return (text) => {
    const length = 64 + inner.write(text, 64, 'latin1')
    outer.write(hash('sha256', inner.subarray(0, length), 'binary'), 64, 'latin1')
    return hash('sha256', outer)
  }
}
