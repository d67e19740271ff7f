import { createHash } from 'node:crypto'
import * as zlib from 'node:zlib'
import { HeldContent } from './content.js'
import { requestHeader, type S3Request } from './request.js'
import { S3Error } from './s3-error.js'

const incomplete = () =>
  new S3Error(
    400,
    'IncompleteBody',
    'You did not provide the number of bytes specified by the Content-Length HTTP header',
  )

interface Unframed {
  readonly bytes: Buffer
  readonly trailers: ReadonlyMap<string, string>
}

/** Takes an aws-chunked body apart: `SIZE[;chunk-signature=...]CRLF bytes CRLF ... 0 CRLF trailers CRLF`. */
function unframe(body: Buffer): Unframed {
  const parts: Buffer[] = []
  const trailers = new Map<string, string>()
  let at = 0
  const line = () => {
    const end = body.indexOf('\r\n', at)
    if (end === -1) throw incomplete()
    const text = body.toString('latin1', at, end)
    at = end + 2
    return text
  }
  for (;;) {
    const size = parseInt(line(), 16)
    if (Number.isNaN(size) || at + size > body.length) throw incomplete()
    if (size === 0) break
    parts.push(body.subarray(at, at + size))
    at += size
    if (line() !== '') throw incomplete()
  }
  while (at < body.length) {
    const text = line()
    const colon = text.indexOf(':')
    if (colon > 0) trailers.set(text.slice(0, colon).toLowerCase(), text.slice(colon + 1).trim())
  }
  return { bytes: Buffer.concat(parts), trailers }
}

function crc32(bytes: Buffer): string {
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(zlib.crc32(bytes))
  return sum.toString('base64')
}

const checksums: Readonly<Record<string, (bytes: Buffer) => string>> = {
  'x-amz-checksum-crc32': crc32,
  'x-amz-checksum-sha1': (bytes) => createHash('sha1').update(bytes).digest('base64'),
  'x-amz-checksum-sha256': (bytes) => createHash('sha256').update(bytes).digest('base64'),
}

const badDigest = (what: string) =>
  new S3Error(400, 'BadDigest', `The ${what} you specified did not match the calculated checksum.`)

/** The bytes that a request uploads, as `uploadedContent` has them. */
export function uploadedBytes(request: S3Request): Buffer {
  return uploadedContent(request).bytes
}

/**
 * What a request uploads, freed from aws-chunked framing, checked against Content-MD5, the decoded length
 * and a CRC32, SHA-1 or SHA-256 sent along (in a header or trailer). Throws BadDigest, InvalidDigest, IncompleteBody.
 */
export function uploadedContent(request: S3Request): HeldContent {
  const { headers, body } = request
  const framed = requestHeader(headers, 'x-amz-content-sha256')?.startsWith('STREAMING-') === true
  const { bytes, trailers } = framed ? unframe(body) : { bytes: body, trailers: undefined }
  const decoded = requestHeader(headers, 'x-amz-decoded-content-length')
  if (decoded !== undefined && Number(decoded) !== bytes.length) throw incomplete()
  const content = new HeldContent(bytes)
  const md5 = requestHeader(headers, 'content-md5')
  if (md5 !== undefined) {
    if (Buffer.from(md5, 'base64').length !== 16) {
      throw new S3Error(400, 'InvalidDigest', 'The Content-MD5 you specified was invalid.', { 'Content-MD5': md5 })
    }
    const calculated = Buffer.from(content.digest(), 'hex').toString('base64')
    if (md5 !== calculated) {
      const message = 'The Content-MD5 you specified did not match what we received.'
      throw new S3Error(400, 'BadDigest', message, { ExpectedDigest: md5, CalculatedDigest: calculated })
    }
  }
  for (const [name, checksum] of Object.entries(checksums)) {
    const expected = trailers?.get(name) ?? requestHeader(headers, name)
    if (expected !== undefined && expected !== checksum(bytes)) throw badDigest(name.slice(15).toUpperCase())
  }
  return content
}
