import type { Place } from '../../job/place.js'
import type { HeaderFields } from '../storage.js'
import { encodePath, encodeQuery } from './encode.js'
import { inLowerCase } from '../etags.js'
import type { EtagCase } from './etag-case.js'
import { brokenAnswer, brokenContent, faultOf, type Asked } from './storage-errors.js'
import { responseHeader, type HttpResponse, type Pieces } from './http.js'
import type { Fields } from './sign.js'
import type { Unsupported } from './unsupported.js'
import { elementText } from './xml.js'

/** A request to a store, but for its signature. */
export interface StoreRequest {
  readonly method: string
  /** Encoded, from the root of the host on. */
  readonly path: string
  /** Encoded. */
  readonly query?: string
  /** Sorted by name. */
  readonly fields: Fields
  /** In pieces only where the fields say its MD5, or the answer does. */
  readonly body?: Buffer | Pieces
  /** As those of `HttpRequest`. */
  readonly sink?: (bytes: Uint8Array) => void
  readonly room?: (() => Buffer) | undefined
  readonly most?: number
  readonly surplus?: boolean
  /** `Accept-Encoding`, which is not signed: proxies change it. */
  readonly accept?: string | undefined
  /** Lower-case hex SHA-256 of a body in pieces, where it is known. */
  readonly bodyHash?: string | undefined
  /** Sent without a signature. */
  readonly unsigned?: boolean
  /** Milliseconds that the answer may take beyond what is usual. */
  readonly extra?: number
}

/** How the parts of a store send requests. */
export interface Channel {
  readonly place: Place
  /** The path of the prefix: a key's path is this and the encoded key. */
  readonly path: string
  /** The path of the bucket. */
  readonly bucketPath: string
  /** Whether this is AWS, or a store that may differ from it. */
  readonly aws: boolean
  /** Whether it is a directory bucket: it has other rules, and its ETags say nothing of the content. */
  readonly directory: boolean
  /** Whether each body must be all here, to be hashed, before it is sent. */
  readonly signPayload: boolean
  /** Sent with every request: who pays, whose the bucket must be. */
  readonly always: Fields
  /** Sent with requests for the content of an object, or for what is known of it: the key of the customer's that it is encrypted with. */
  readonly customerKey: Fields
  /** Sent with every copy: whose the bucket of the source must be, and the key of the customer's that its objects are encrypted with. */
  readonly copySource: Fields
  /** What the store has refused, and is sent no more. */
  readonly unsupported: Unsupported
  /** Conditions among the fields are put into its case; ETags in a body are not. */
  readonly etagCase: EtagCase
  /** Sends once and answers whatever comes, but for expired credentials and broken connections, which reject. What is refused for something that can be left out is sent once more without. */
  readonly request: (asked: Asked, request: StoreRequest) => Promise<HttpResponse>
}

/** What an operation on an object of the channel's place is, for errors. */
export function askedOf({ place }: Channel, operation: string, key: string): Asked {
  return { operation, bucket: place.bucket, key: place.prefix + key }
}

/** The path of an object. */
export function objectPath({ path }: Channel, key: string): string {
  return path + encodePath(key)
}

/** Fields in the order in which they are signed. */
export function sorted(fields: HeaderFields): Fields {
  return [...fields].sort(([a], [b]) => (a < b ? -1 : 1))
}

/** An ETag as a condition has it. */
export function quoted(etag: string): string {
  return `"${etag}"`
}

/** The ETag that the body of an answer names; Ceph leaves the quotes out. Empty where it names none, which is equal to no other. */
export function etagIn({ body }: Pick<HttpResponse, 'body'>): string {
  return inLowerCase(PLAIN_ETAG.exec(body)?.[1] ?? '') || bareEtag(elementText(body, 'ETag'))
}

/** An ETag without its quotes, MD5s in lower case; empty when there is none. */
export function bareEtag(etag: string | undefined): string {
  return etag === undefined ? '' : inLowerCase(etag.replaceAll('"', '').trim())
}

// Nearly every ETag is like this, and each copy has one: to decode and unescape it takes longer than the rest of the answer.
const PLAIN_ETAG = /<ETag>&quot;([0-9A-Za-z-]+)&quot;<\/ETag>/

/** The value of `x-amz-copy-source` for a key of `place`; access points have a form of their own. */
export function copySource({ bucket, prefix }: Place, key: string, version?: string): string {
  const path = bucket.startsWith('arn:')
    ? encodePath(`${bucket}/object/${prefix}${key}`)
    : `/${bucket}/${encodePath(prefix + key)}`
  return version === undefined ? path : `${path}?versionId=${encodeQuery(version)}`
}

/** The fields which make a copy one of `key` in `place` only as long as its ETag is `etag`. */
export function sourceFields(
  { aws }: Channel,
  place: Place,
  key: string,
  etag: string,
  version?: string,
): HeaderFields {
  return [
    // Ceph knows this name instead of the next, and S3 does not mind it.
    ...(aws ? [] : ([['x-amz-copy-if-match', quoted(etag)]] as const)),
    ['x-amz-copy-source-if-match', quoted(etag)],
    ['x-amz-copy-source', copySource(place, key, version)],
  ]
}

/** Milliseconds that S3 may need for the bytes of a copy, at the least rate that it is known to keep; 0 where they do not count. */
export function copyTime(size: number): number {
  return size < 500_000 ? 0 : size / 5_000
}

/** The ETag in the answer to bytes that were sent, of which `md5` is the MD5; an error of code `BrokenContent` if it is the MD5 of others. */
export function etagOfBytes(channel: Channel, response: HttpResponse, asked: Asked, md5: Buffer): string {
  const etag = bareEtag(responseHeader(response, 'etag'))
  if (etag === '') throw brokenAnswer(response, asked, 'the answer has no ETag')
  const encryption = responseHeader(response, 'x-amz-server-side-encryption')
  // What is encrypted with KMS, or with a customer's key, has an ETag that is no MD5.
  const plain =
    !channel.directory && channel.customerKey.length === 0 && (encryption === undefined || encryption === 'AES256')
  const sent = md5.toString('hex')
  if (!plain || !/^[0-9a-f]{32}$/.test(etag) || etag === sent) return etag
  throw brokenContent(asked, `the store has bytes with the MD5 ${etag} where ${sent} was sent`)
}

/** The ETag that a 200 to a copy names. Throws what it stands for when it is no success: an error in the body, or a body that is empty, cut or without an ETag. */
export function etagOfCopy(response: HttpResponse, asked: Asked): string {
  const { body } = response
  const whole = body.includes('</CopyObjectResult>')
  const etag = whole ? etagIn(response) : ''
  if (etag !== '') return etag
  if (body.includes('<Error>') && body.includes('</Error>')) throw faultOf(response, asked)
  const what = body.trim() === '' ? 'is empty' : whole ? 'names no ETag' : 'is cut'
  throw brokenAnswer(response, asked, `the answer to the copy ${what}`)
}
