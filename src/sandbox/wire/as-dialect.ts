import type { IncomingHttpHeaders } from 'node:http'
import type { Dialect, Switch } from './dialects.js'
import type { Operation } from './operation-names.js'
import type { Reply } from './reply.js'
import { requestHeader, type RequestTarget, type S3Request } from './request.js'
import {
  invalidArgument,
  malformedXml,
  methodNotAllowed,
  notImplemented,
  preconditionFailed,
  S3Error,
} from './s3-error.js'

/** What a server refuses: an error, or undefined for what it knows. */
type Refusal = (operation: Operation, request: S3Request) => S3Error | undefined

const writes: ReadonlySet<Operation> = new Set(['PutObject', 'CopyObject', 'CompleteMultipartUpload'])
const copies: ReadonlySet<Operation> = new Set(['CopyObject', 'UploadPartCopy'])
const taggings: ReadonlySet<Operation> = new Set(['PutObjectTagging', 'DeleteObjectTagging'])

const oneMebibyte = 2 ** 20

const refusals: Readonly<Partial<Record<Switch, Refusal>>> = {
  'no-checksum-mode': (_, { headers }) =>
    given(headers, 'x-amz-checksum-mode') ? unknownHeader('x-amz-checksum-mode') : undefined,
  'no-checksums': (_, { method, headers }) => {
    const name = Object.keys(headers).find((one) => /^x-amz-(?:sdk-)?checksum-(?!mode)/.test(one))
    return method === 'GET' || method === 'HEAD' || name === undefined ? undefined : unknown(name)
  },
  'no-multi-delete': (operation) => (operation === 'DeleteObjects' ? notImplemented() : undefined),
  'multi-delete-405': (operation) => (operation === 'DeleteObjects' ? methodNotAllowed('POST') : undefined),
  'no-etag-in-deletes': (operation, { body }) =>
    operation === 'DeleteObjects' && body.includes('<ETag>') ? malformedXml() : undefined,
  'delete-body-1mb': (operation, { body }) =>
    operation === 'DeleteObjects' && body.length > oneMebibyte
      ? new S3Error(416, 'InvalidRange', 'The body is too long')
      : undefined,
  'no-put-conditions': (operation, { headers }) =>
    writes.has(operation) && (given(headers, 'if-match') || given(headers, 'if-none-match'))
      ? new S3Error(501, 'NotImplemented', 'Conditional object PUTs are not supported.')
      : undefined,
  'bare-if-match': (operation, { headers }) =>
    operation === 'PutObject' && requestHeader(headers, 'if-match')?.startsWith('"') === true
      ? preconditionFailed('If-Match')
      : undefined,
  'no-copy-conditions-on-parts': (operation, { headers }) =>
    copies.has(operation) && /-\d+"?$/.test(requestHeader(headers, 'x-amz-copy-source-if-match') ?? '')
      ? preconditionFailed('x-amz-copy-source-If-Match')
      : undefined,
  'no-tagging': (operation, { headers }) =>
    taggings.has(operation) || given(headers, 'x-amz-tagging')
      ? new S3Error(501, 'NotImplemented', 'Object tagging is not supported.')
      : undefined,
  'no-get-tagging': (operation) => (operation === 'GetObjectTagging' ? notImplemented() : undefined),
  'no-part-copy': (operation) => (operation === 'UploadPartCopy' ? notImplemented() : undefined),
  'etag-capitals': (_, { headers }) => {
    const name = conditions.find((one) => /[a-f]/.test(requestHeader(headers, one) ?? ''))
    return name === undefined ? undefined : preconditionFailed(name)
  },
}

/** Conditions that must hold, and name an ETag. */
const conditions = ['if-match', 'x-amz-copy-source-if-match']

function given(headers: IncomingHttpHeaders, name: string): boolean {
  return headers[name] !== undefined
}

function unknownHeader(name: string): S3Error {
  return invalidArgument(`Unsupported header '${name}' received for this API call.`, name, '')
}

function unknown(name: string): S3Error {
  return new S3Error(501, 'NotImplemented', `Header '${name}' not implemented`)
}

/** What a request names, as a server of that dialect understands it. */
export function asNamed<T extends RequestTarget>({ has }: Dialect, target: T): T {
  if (!has.has('ignores-annotations') || !target.query.has('annotation')) return target
  const query = new Map([...target.query].filter(([name]) => !name.startsWith('annotation')))
  return { ...target, query }
}

/** The request as a server of that dialect understands it. Throws what it refuses. */
export function asUnderstood({ has, mostParts }: Dialect, operation: Operation, request: S3Request): S3Request {
  if (has.size === 0 && request.query.get('partNumber') === undefined) return request
  for (const name of has) {
    const refusal = refusals[name]?.(operation, request)
    if (refusal !== undefined) throw refusal
  }
  const part = request.query.get('partNumber')
  if (part !== undefined && Number(part) > mostParts) {
    const message = `Part number must be an integer between 1 and ${mostParts}, inclusive`
    throw invalidArgument(message, 'partNumber', part)
  }
  const headers = { ...request.headers }
  for (const name of Object.keys(headers)) {
    const value = requestHeader(headers, name) ?? ''
    if (isIgnored(has, operation, name)) headers[name] = undefined
    else if (has.has('etag-capitals') && /if-(?:none-)?match$/.test(name)) headers[name] = value.toLowerCase()
    else if (name.startsWith('x-amz-meta-')) rename(headers, name, has, value)
  }
  if (has.has('copy-if-match')) headers['x-amz-copy-source-if-match'] = headers['x-amz-copy-if-match']
  for (const name of Object.keys(headers)) if (headers[name] === undefined) Reflect.deleteProperty(headers, name)
  return asNamed({ has, mostParts }, { ...request, headers })
}

function isIgnored(has: ReadonlySet<Switch>, operation: Operation, name: string): boolean {
  if (name === 'x-amz-acl' || name.startsWith('x-amz-grant-')) return has.has('ignores-acl')
  if (name.endsWith('-expected-bucket-owner')) return has.has('ignores-owner')
  if (name !== 'if-match' && name !== 'if-none-match') return false
  if (operation === 'DeleteObject') return has.has('ignores-delete-conditions')
  return writes.has(operation) && has.has('ignores-put-conditions')
}

function rename(headers: IncomingHttpHeaders, name: string, has: ReadonlySet<Switch>, value: string): void {
  const kept = has.has('metadata-dashes') ? name.replaceAll('_', '-') : name
  headers[name] = undefined
  if (/^[\x20-\x7e]*$/.test(value)) headers[kept] = value
  else if (has.has('latin1-metadata')) headers[kept] = encodedWord(Buffer.from(value, 'utf8').toString('latin1'))
  else headers[kept] = has.has('rfc2047') ? encodedWord(value) : value
}

/** Bytes of UTF-8, one a character, as an encoded word (RFC 2047). */
function encodedWord(bytes: string): string {
  const text = bytes.replace(/[^0-9A-Za-z]/g, (one) =>
    one === ' ' ? '_' : `=${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
  return `=?utf-8?q?${text}?=`
}

const plainMd5 = /(?<![0-9a-fA-F-])[0-9a-f]{32}(?![0-9a-f])/g
const etagElement = /<ETag>[^<]*<\/ETag>/g

const capitals = (text: string): string => text.replace(plainMd5, (md5) => md5.toUpperCase())

/** An ETag in the body of a request, as a server of that dialect understands it. */
export function etagAsUnderstood<T extends string | undefined>({ has }: Dialect, etag: T): T | string {
  if (etag === undefined || !has.has('etag-capitals')) return etag
  return /[a-f]/.test(etag) ? 'unlike any' : etag.toLowerCase()
}

/** The answer as a server of that dialect gives it. */
export function asAnswered({ has }: Dialect, operation: Operation, reply: Reply): Reply {
  let { headers, body } = reply
  if (has.has('no-tagging')) headers = without(headers, 'x-amz-tagging-count')
  const changes: ((element: string) => string)[] = []
  if (has.has('etag-capitals')) {
    headers = headers.map((value, index) => (headers[index - 1] === 'ETag' ? capitals(value) : value))
    changes.push(capitals)
  }
  if (has.has('unquoted-copy-etag') && operation === 'CopyObject') {
    changes.push((element) => element.replaceAll('&quot;', ''))
  }
  if (body !== undefined && changes.length > 0) {
    const text = typeof body === 'string' ? body : Buffer.from(body).toString('utf8')
    body = text.replace(etagElement, (element) => changes.reduce((one, change) => change(one), element))
  }
  return { ...reply, headers, ...(body === undefined ? {} : { body }) }
}

function without(headers: readonly string[], name: string): readonly string[] {
  return headers.filter((one, index) => (index % 2 === 0 ? one : headers[index - 1]) !== name)
}
