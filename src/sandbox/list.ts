import { createHash } from 'node:crypto'
import { ownerId } from './acl.js'
import { ByteWriter } from './byte-writer.js'
import type { KeyIndex, S3Object } from './object.js'
import { compareKeys, firstWhere } from './order.js'
import type { Reply } from './reply.js'
import type { S3Request } from './request.js'
import { invalidArgument } from './s3-error.js'
import { bucketOf, type World } from './world.js'
import { element, escapeXml, xmlDeclaration, xmlNamespace } from './xml.js'

const constant = (text: string) => Buffer.from(text, 'latin1')
const beforeKey = constant('<Contents><Key>')
const beforeTime = constant('</Key><LastModified>')
const beforeEtag = constant('</LastModified><ETag>&quot;')
const beforeSize = constant('&quot;</ETag><Size>')
const standardEnd = constant('<StorageClass>STANDARD</StorageClass></Contents>')

// One page is written at a time, wholly in one turn, so one writer serves all.
const page = new ByteWriter()

const everyUrlUnsafe = /[!'()~]/g

/** Encodes a key as `encoding-type=url` does: a space as `+`, `/` left alone. */
export function urlEncodeKey(key: string): string {
  return encodeURIComponent(key)
    .replaceAll('%2F', '/')
    .replaceAll('%20', '+')
    .replace(everyUrlUnsafe, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

const asciiCharacters = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code))
const asciiInUrl = asciiCharacters.map(urlEncodeKey)
const asciiInXml = asciiCharacters.map(escapeXml)

interface Position {
  readonly name: string
  /** True: after every key that begins with `name`. */
  readonly afterPrefix: boolean
}

const check = (text: string) => createHash('sha256').update(`sandbox ${text}`).digest('base64url').slice(0, 11)

function writeToken(position: Position): string {
  const text = Buffer.from((position.afterPrefix ? 'p' : 'k') + position.name).toString('base64url')
  return `${check(text)}${text}`
}

function readToken(token: string): Position {
  const text = token.slice(11)
  if (text === '' || check(text) !== token.slice(0, 11)) {
    throw invalidArgument('The continuation token provided is incorrect', 'continuation-token', token)
  }
  const decoded = Buffer.from(text, 'base64url').toString()
  return { name: decoded.slice(1), afterPrefix: decoded.startsWith('p') }
}

function readMaxKeys(value: string | undefined): number {
  if (value === undefined || value === '') return 1000
  const maxKeys = /^\d+$/.test(value) ? Number(value) : NaN
  if (!(maxKeys <= 2 ** 31 - 1)) {
    throw invalidArgument('Provided max-keys not an integer or within integer range', 'max-keys', value)
  }
  return Math.min(maxKeys, 1000)
}

type Entry = { readonly key: string; readonly object: S3Object } | { readonly commonPrefix: string }

interface Page {
  readonly entries: Entry[]
  /** Where the next page goes on; undefined when there is no more. */
  readonly next: Position | undefined
}

/** Walks the index from `start` until `maxKeys` entries are found and it is known whether there is one more. */
function collect(index: KeyIndex, start: number, prefix: string, delimiter: string, maxKeys: number): Page {
  const entries: Entry[] = []
  let last = ''
  let afterPrefix = false
  let at = start
  while (at < index.count) {
    const key = index.keyAt(at)
    if (prefix !== '' && !key.startsWith(prefix)) break
    const object = index.objectAt(at)
    if (object === undefined) {
      at++
      continue
    }
    if (entries.length === maxKeys) return { entries, next: { name: last, afterPrefix } }
    const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
    if (cut === -1) {
      entries.push({ key, object })
      last = key
      afterPrefix = false
      at++
    } else {
      const commonPrefix = key.slice(0, cut + delimiter.length)
      entries.push({ commonPrefix })
      last = commonPrefix
      afterPrefix = true
      at = firstWhere(index.count, (n) => !index.keyAt(n).startsWith(commonPrefix), at + 1)
    }
  }
  return { entries, next: undefined }
}

function startOf(index: KeyIndex, prefix: string, delimiter: string, after: Position | undefined): number {
  const from = prefix === '' ? 0 : firstWhere(index.count, (n) => compareKeys(index.keyAt(n), prefix) >= 0)
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
      return compareKeys(key, name) > 0 && !(rolledUp && key.startsWith(name))
    },
    from,
  )
}

/** Answers ListObjectsV2; `disordered` swaps two entries of the page, which S3 never does. */
export function listObjectsV2(world: World, request: S3Request, disordered: boolean): Reply {
  const { query } = request
  const bucket = bucketOf(world, request.bucket)
  const prefix = query.get('prefix') ?? ''
  const delimiter = query.get('delimiter') ?? ''
  const startAfter = query.get('start-after')
  const token = query.get('continuation-token')
  const encoding = query.get('encoding-type')
  if (encoding !== undefined && encoding !== 'url') {
    throw invalidArgument('Invalid Encoding Method specified in Request', 'encoding-type', encoding)
  }
  if (token === '') {
    throw invalidArgument('The continuation token provided is incorrect', 'continuation-token', token)
  }
  const maxKeys = readMaxKeys(query.get('max-keys'))
  const after = token === undefined ? { name: startAfter ?? '', afterPrefix: false } : readToken(token)
  const index = bucket.index()
  const { entries, next } =
    maxKeys === 0
      ? { entries: [], next: undefined }
      : collect(index, startOf(index, prefix, delimiter, after), prefix, delimiter, maxKeys)
  if (disordered && entries.length > 1)
    entries.splice(entries.length >> 1, 0, ...entries.splice((entries.length >> 1) - 1, 1))

  const url = encoding === 'url'
  const write = url ? urlEncodeKey : escapeXml
  const ascii = url ? asciiInUrl : asciiInXml
  page.reset()
  page.utf8(
    `${xmlDeclaration}<ListBucketResult ${xmlNamespace}>${element('Name', request.bucket)}<Prefix>${write(prefix)}</Prefix>` +
      (token === undefined ? '' : element('ContinuationToken', token)) +
      (next === undefined ? '' : element('NextContinuationToken', writeToken(next))) +
      (startAfter === undefined ? '' : `<StartAfter>${write(startAfter)}</StartAfter>`) +
      `<KeyCount>${entries.length}</KeyCount><MaxKeys>${maxKeys}</MaxKeys>` +
      (delimiter === '' ? '' : `<Delimiter>${write(delimiter)}</Delimiter>`) +
      (url ? '<EncodingType>url</EncodingType>' : '') +
      `<IsTruncated>${next === undefined ? 'false' : 'true'}</IsTruncated>`,
  )
  const owner = query.get('fetch-owner') === 'true' ? `<Owner>${element('ID', ownerId)}</Owner>` : ''
  let prefixes = ''
  for (const entry of entries) {
    if ('commonPrefix' in entry) {
      prefixes += `<CommonPrefixes><Prefix>${write(entry.commonPrefix)}</Prefix></CommonPrefixes>`
      continue
    }
    const { key, object } = entry
    page.constant(beforeKey)
    page.encoded(key, ascii, write)
    page.constant(beforeTime)
    page.time(object.seconds)
    page.constant(beforeEtag)
    object.writeEtag(page)
    page.constant(beforeSize)
    page.ascii(String(object.size))
    page.ascii('</Size>')
    if (owner !== '') page.ascii(owner)
    const { storageClass } = object.extras
    if (storageClass === 'STANDARD') {
      page.constant(standardEnd)
    } else {
      page.ascii(`<StorageClass>${storageClass}</StorageClass></Contents>`)
    }
  }
  page.utf8(`${prefixes}</ListBucketResult>`)
  const headers = ['Content-Type', 'application/xml', 'x-amz-bucket-region', world.region]
  return { status: 200, headers, body: page.finish() }
}
