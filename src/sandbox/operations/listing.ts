import type { IncomingHttpHeaders } from 'node:http'
import { ByteWriter } from '../wire/byte-writer.js'
import type { KeyIndex, S3Object } from '../buckets/object.js'
import { compareByUtf8, firstWhere } from '../buckets/order.js'
import { requestHeader } from '../wire/request.js'
import { restoreStatus } from './restore.js'
import { invalidArgument } from '../wire/s3-error.js'
import { escapeXml } from '../wire/xml.js'

const constant = (text: string) => Buffer.from(text, 'latin1')
const beforeTime = constant('<LastModified>')
const beforeEtag = constant('</LastModified><ETag>&quot;')
const beforeSize = constant('&quot;</ETag><Size>')
const afterSize = constant('</Size>')
const standard = constant('<StorageClass>STANDARD</StorageClass>')

/** One page is written at a time, wholly in one turn, so one writer serves all. */
export const page = new ByteWriter()

const everyUrlUnsafe = /[!'()~]/g

/** Encodes a key as `encoding-type=url` does: a space as `+`, `/` left alone. */
export function urlEncodeKey(key: string): string {
  return encodeURIComponent(key)
    .replaceAll('%2F', '/')
    .replaceAll('%20', '+')
    .replace(everyUrlUnsafe, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

const asciiCharacters = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code))
/** How keys stand in a page. */
export interface KeyText {
  /** True for `encoding-type=url`. */
  readonly url: boolean
  readonly write: (text: string) => string
  /** What `write` makes of each ASCII character, by its code. */
  readonly ascii: readonly string[]
}

const urlText: KeyText = { url: true, write: urlEncodeKey, ascii: asciiCharacters.map(urlEncodeKey) }
const xmlText: KeyText = { url: false, write: escapeXml, ascii: asciiCharacters.map(escapeXml) }

/** Reads `encoding-type`. Throws InvalidArgument. */
export function readEncoding(value: string | undefined): KeyText {
  if (value === undefined) return xmlText
  if (value === 'url') return urlText
  throw invalidArgument('Invalid Encoding Method specified in Request', 'encoding-type', value)
}

/** Whether a listing is to tell what was restored. Throws InvalidArgument for other optional attributes. */
export function wantsRestoreStatus(headers: IncomingHttpHeaders): boolean {
  const name = 'x-amz-optional-object-attributes'
  const value = requestHeader(headers, name)
  if (value !== undefined && value !== 'RestoreStatus')
    throw invalidArgument('Invalid attribute name specified', name, value)
  return value !== undefined
}

/** Writes what both listings tell of an object, but for its key. */
export function writeFacts(object: S3Object, withRestore: boolean): void {
  page.constant(beforeTime)
  page.time(object.seconds)
  page.constant(beforeEtag)
  page.ascii(object.listedEtag ?? object.etag)
  page.constant(beforeSize)
  page.ascii(String(object.size))
  page.constant(afterSize)
  const { storageClass } = object.extras
  if (storageClass === 'STANDARD') page.constant(standard)
  else page.ascii(`<StorageClass>${storageClass}</StorageClass>`)
  if (withRestore) page.ascii(restoreStatus(object))
}

/** Reads `max-keys`, 1,000 at most. Throws InvalidArgument. */
export function readMaxKeys(value: string | undefined): number {
  if (value === undefined || value === '') return 1000
  const maxKeys = /^\d+$/.test(value) ? Number(value) : NaN
  if (!(maxKeys <= 2 ** 31 - 1)) {
    throw invalidArgument('Provided max-keys not an integer or within integer range', 'max-keys', value)
  }
  return Math.min(maxKeys, 1000)
}

/** A place in a listing. */
export interface Position {
  readonly name: string
  /** True: after every key that begins with `name`. */
  readonly afterPrefix: boolean
}

/** The first position that begins with `prefix` and is not passed by `after`. */
export function startOf(index: KeyIndex, prefix: string, delimiter: string, after: Position | undefined): number {
  const from = prefix === '' ? 0 : firstWhere(index.count, (n) => compareByUtf8(index.keyAt(n), prefix) >= 0)
  if (after === undefined || after.name === '') return from
  // A start-after that is itself a common prefix has been seen: what it stands for is not listed again.
  const { name } = after
  const rolledUp =
    after.afterPrefix ||
    (delimiter !== '' &&
      name.startsWith(prefix) &&
      name.indexOf(delimiter, prefix.length) === name.length - delimiter.length)
  return firstWhere(
    index.count,
    (n) => {
      const key = index.keyAt(n)
      return compareByUtf8(key, name) > 0 && !(rolledUp && key.startsWith(name))
    },
    from,
  )
}
