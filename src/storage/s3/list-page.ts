import { decodeListed } from './encode.js'
import { inLowerCase } from '../etags.js'
import { inUtc } from './list-time.js'
import { decodeUtf8, unescapeXml } from './xml.js'

/** What a ListObjectsV2 answer says. Keys are full keys, in the order of the answer. */
export interface ListAnswer {
  readonly objects: ListedObject[]
  /** The common prefixes, where a delimiter was asked for: whole, in the order of the answer. */
  readonly folders: readonly string[]
  readonly truncated: boolean
  readonly nextToken: string | undefined
}

/** An `ObjectSummary` in the making, still with its full key. */
interface ListedObject {
  key: string
  size: number
  etag: string
  lastModified: string
  storageClass: string
}

/** The body is not a whole, well-formed ListBucketResult: cut, or something else altogether. */
export class MalformedList extends Error {
  override readonly name = 'MalformedList'
}

/** The page holds more keys than were asked for. */
export class OverfullList extends Error {
  override readonly name = 'OverfullList'
}

/** Most bytes that a page of a thousand keys can have: each of 1,024 bytes, url-encoded, with all that is told of it, several times over. */
export const MOST_OF_LIST = 16 * 1024 ** 2

/** A listed key is not valid UTF-8, so it has no name that could be sent back. `message` holds it as it was listed. */
export class UndecodableKey extends Error {
  override readonly name = 'UndecodableKey'
}

/**
 * Reads the body of a ListObjectsV2 answer, given one byte a character. Elements may come in any order and unknown ones are
 * passed over. Nothing is guessed: a missing IsTruncated, a count that differs from KeyCount or a missing end is a `MalformedList`, a time that is not
 * understood an `UnreadableTime`. More than `most` keys are an `OverfullList`.
 */
export function parseListPage(body: string, most = Infinity): ListAnswer {
  const cursor: Cursor = { xml: body, at: 0 }
  skipProlog(cursor)
  if (nextTag(cursor) !== 'ListBucketResult') throw new MalformedList('the answer is not a ListBucketResult')

  const raw: ListedObject[] = []
  let truncated: string | undefined
  let nextToken: string | undefined
  let keyCount: string | undefined
  const folders: string[] = []
  let urlEncoded = false
  for (let tag = nextTag(cursor); tag !== '/ListBucketResult'; tag = nextTag(cursor)) {
    switch (tag) {
      case 'Contents':
        raw.push(readUsual(cursor) ?? readObject(cursor))
        if (raw.length + folders.length > most)
          throw new OverfullList(`the list holds more than the ${most} keys that were asked for`)
        break
      case 'IsTruncated':
        truncated = text(cursor, tag)
        break
      case 'NextContinuationToken':
        nextToken = decodeToken(text(cursor, tag))
        break
      case 'KeyCount':
        keyCount = text(cursor, tag)
        break
      case 'EncodingType':
        urlEncoded = text(cursor, tag) === 'url'
        break
      case 'CommonPrefixes':
        folders.push(readCommonPrefix(cursor))
        if (raw.length + folders.length > most)
          throw new OverfullList(`the list holds more than the ${most} names that were asked for`)
        break
      default:
        skip(cursor, tag)
    }
  }
  if (truncated !== 'true' && truncated !== 'false')
    throw new MalformedList('the list does not say whether there is more')
  if (keyCount !== undefined && Number(keyCount) !== raw.length + folders.length) {
    throw new MalformedList(`the list announces ${keyCount} keys and holds ${raw.length + folders.length}`)
  }
  // EncodingType may come after the first keys, so they are decoded last.
  const decode = urlEncoded ? decodeUrl : decodePlain
  for (const object of raw) object.key = decodeKey(object.key, decode)
  return {
    objects: raw,
    folders: folders.map((folder) => decodeKey(folder, decode)),
    truncated: truncated === 'true',
    nextToken: nextToken === '' ? undefined : nextToken,
  }
}

interface Cursor {
  readonly xml: string
  at: number
}

// An object as S3 and most other stores write it, in a third of the time that its elements would take one by one.
// Undefined, and nothing consumed, for every other order or form.
function readUsual(cursor: Cursor): ListedObject | undefined {
  USUAL_OBJECT.lastIndex = cursor.at
  const match = USUAL_OBJECT.exec(cursor.xml)
  if (match === null) return undefined
  cursor.at = USUAL_OBJECT.lastIndex
  const [, key = '', lastModified = '', etag = '', , size, storageClass = ''] = match
  return {
    key,
    size: Number(size),
    etag: inLowerCase(etag),
    lastModified: inUtc(lastModified),
    storageClass: shared(storageClass),
  }
}

const USUAL_OBJECT =
  /<Key>([^<]*)<\/Key><LastModified>([^<]*)<\/LastModified><ETag>&quot;([^<&]*)&quot;<\/ETag>(?:<(Checksum(?:Algorithm|Type))>[^<]*<\/\4>)*<Size>(\d{1,15})<\/Size><StorageClass>([^<]*)<\/StorageClass><\/Contents>/y

function readObject(cursor: Cursor): ListedObject {
  let key: string | undefined
  let size = Number.NaN
  let etag = ''
  let lastModified = ''
  let storageClass = STANDARD
  for (let tag = nextTag(cursor); tag !== '/Contents'; tag = nextTag(cursor)) {
    switch (tag) {
      case 'Key':
        key = text(cursor, tag)
        break
      case 'Size':
        size = wholeNumber(text(cursor, tag))
        break
      case 'ETag':
        etag = inLowerCase(unquote(text(cursor, tag)))
        break
      case 'LastModified':
        lastModified = inUtc(text(cursor, tag))
        break
      case 'StorageClass':
        storageClass = shared(text(cursor, tag))
        break
      default:
        skip(cursor, tag)
    }
  }
  if (key === undefined) throw new MalformedList('an object in the list has no key')
  if (!Number.isSafeInteger(size)) throw new MalformedList('an object in the list has no size')
  return { key, size, etag, lastModified, storageClass }
}

function readCommonPrefix(cursor: Cursor): string {
  let prefix: string | undefined
  for (let tag = nextTag(cursor); tag !== '/CommonPrefixes'; tag = nextTag(cursor)) {
    if (tag === 'Prefix') prefix = text(cursor, tag)
    else skip(cursor, tag)
  }
  if (prefix === undefined) throw new MalformedList('a common prefix in the list has no name')
  return prefix
}

const STANDARD = 'STANDARD'

// One string for all objects instead of one each. None is that of an object of which nobody said another.
function shared(storageClass: string): string {
  return storageClass === STANDARD || storageClass === '' ? STANDARD : storageClass
}

function unquote(etag: string): string {
  if (etag.startsWith('&quot;') && etag.indexOf('&quot;', 6) === etag.length - 6) return etag.slice(6, -6)
  const plain = unescapeXml(etag).trim()
  return plain.startsWith('"') && plain.endsWith('"') && plain.length > 1 ? plain.slice(1, -1) : plain
}

function skipProlog(cursor: Cursor): void {
  const { xml } = cursor
  cursor.at = xml.startsWith('\xef\xbb\xbf') ? 3 : 0
  skipSpace(cursor)
  if (xml.startsWith('<?xml', cursor.at)) {
    const end = xml.indexOf('?>', cursor.at)
    if (end < 0) throw new MalformedList('the list is cut')
    cursor.at = end + 2
  }
}

function skipSpace(cursor: Cursor): void {
  while (SPACE.includes(cursor.xml.charAt(cursor.at)) && cursor.at < cursor.xml.length) cursor.at++
}

const SPACE = ' \t\r\n'

// The name of the tag at the cursor (`/name` for an end tag), which is moved behind it. An empty element counts as
// `name` and leaves the cursor before a made-up end, which `text` and `skip` know as `/>`.
function nextTag(cursor: Cursor): string {
  const { xml } = cursor
  if (xml.charCodeAt(cursor.at) !== 0x3c) skipSpace(cursor)
  if (xml.charCodeAt(cursor.at) !== 0x3c)
    throw new MalformedList(cursor.at >= xml.length ? 'the list is cut' : 'the list is not XML')
  for (const known of USUAL) {
    if (xml.startsWith(known.tag, cursor.at)) {
      cursor.at += known.tag.length
      return known.name
    }
  }
  const end = xml.indexOf('>', cursor.at)
  if (end < 0) throw new MalformedList('the list is cut')
  let name = xml.slice(cursor.at + 1, end)
  cursor.at = end + 1
  if (name.endsWith('/')) {
    cursor.at = end - 1
    name = name.slice(0, -1)
  }
  const space = name.search(/[ \t\r\n]/)
  return space < 0 ? name : name.slice(0, space)
}

// The tags of which a list has thousands, found without making a string of each.
const USUAL = ['Contents', 'Key', 'LastModified', 'ETag', 'Size', 'StorageClass', '/Contents'].map((name) => ({
  name,
  tag: `<${name}>`,
}))

// The raw text up to the end tag of `name`, behind which the cursor is moved.
function text(cursor: Cursor, name: string): string {
  const { xml } = cursor
  if (xml.startsWith('/>', cursor.at)) {
    cursor.at += 2
    return ''
  }
  const end = xml.indexOf('<', cursor.at)
  if (end < 0) throw new MalformedList('the list is cut')
  if (!xml.startsWith(`/${name}>`, end + 1)) throw new MalformedList(`the list has no plain text in ${name}`)
  const value = xml.slice(cursor.at, end)
  cursor.at = end + name.length + 3
  return value
}

function skip(cursor: Cursor, name: string): void {
  if (cursor.xml.startsWith('/>', cursor.at)) {
    cursor.at += 2
    return
  }
  if (name.startsWith('/')) throw new MalformedList(`the list has a stray end of ${name.slice(1)}`)
  const end = cursor.xml.indexOf(`</${name}>`, cursor.at)
  if (end < 0) throw new MalformedList('the list is cut')
  cursor.at = end + name.length + 3
}

function wholeNumber(digits: string): number {
  return /^\d+$/.test(digits) ? Number(digits) : Number.NaN
}

function decodePlain(key: string): string {
  const escaped = decodeUtf8(key)
  if (!escaped.includes('&')) return escaped
  const plain = unescapeXml(escaped)
  if (STRAY_REFERENCE.test(escaped) || LONE_SURROGATE.test(plain)) throw new URIError('no such character')
  return plain
}

const STRAY_REFERENCE = /&(?!(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|amp|lt|gt|quot|apos);)/
const LONE_SURROGATE = /\p{Cs}/u

// S3 leaves nothing but ASCII in a url-encoded key; other stores leave bare UTF-8 and XML's references there.
function decodeUrl(key: string): string {
  return decodeListed(BEYOND_URL.test(key) ? decodePlain(key) : key)
}

const BEYOND_URL = /[&\x80-\xff]/

function decodeToken(token: string): string {
  try {
    return unescapeXml(decodeUtf8(token))
  } catch {
    throw new MalformedList('the list goes on at a place that is not UTF-8')
  }
}

function decodeKey(key: string, decode: (key: string) => string): string {
  try {
    return decode(key)
  } catch (error) {
    if (error instanceof URIError) throw new UndecodableKey(key)
    throw error
  }
}
