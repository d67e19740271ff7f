import { createHash } from 'node:crypto'
import { ownerId } from './acl.js'
import {
  page,
  readEncoding,
  readMaxKeys,
  startOf,
  wantsRestoreStatus,
  writeFacts,
  type KeyText,
  type Position,
} from './listing.js'
import { listUnordered, type UnorderedEntry } from './list-unordered.js'
import { DirectoryBucket } from '../buckets/directory-bucket.js'
import type { Bucket, KeyIndex } from '../buckets/object.js'
import { firstWhere } from '../buckets/order.js'
import type { Reply } from '../wire/reply.js'
import type { S3Request } from '../wire/request.js'
import { invalidArgument } from '../wire/s3-error.js'
import { bucketOf, type World } from './world.js'
import { element, xmlDeclaration, xmlNamespace } from '../wire/xml.js'

const beforeKey = Buffer.from('<Contents><Key>')
const afterKey = Buffer.from('</Key>')
const afterEntry = Buffer.from('</Contents>')

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

interface Page {
  readonly entries: UnorderedEntry[]
  /** Where the next page goes on; undefined when there is no more. */
  readonly next: Position | undefined
}

/** Walks the index from `start` until `maxKeys` entries are found and it is known whether there is one more. */
function collect(index: KeyIndex, start: number, prefix: string, delimiter: string, maxKeys: number): Page {
  const entries: UnorderedEntry[] = []
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

/** What both versions of the listing are asked. */
interface Asked extends KeyText {
  readonly prefix: string
  readonly delimiter: string
  readonly maxKeys: number
  readonly withRestore: boolean
}

function readAsked({ query, headers }: S3Request): Asked {
  return {
    ...readEncoding(query.get('encoding-type')),
    prefix: query.get('prefix') ?? '',
    delimiter: query.get('delimiter') ?? '',
    withRestore: wantsRestoreStatus(headers),
    maxKeys: readMaxKeys(query.get('max-keys')),
  }
}

function find(bucket: Bucket, { prefix, delimiter, maxKeys }: Asked, after: Position, disordered: boolean): Page {
  if (maxKeys === 0) return { entries: [], next: undefined }
  const index = bucket.index()
  const found = collect(index, startOf(index, prefix, delimiter, after), prefix, delimiter, maxKeys)
  const { entries } = found
  if (disordered && entries.length > 1)
    entries.splice(entries.length >> 1, 0, ...entries.splice((entries.length >> 1) - 1, 1))
  return found
}

function shuffledPage({ uploads }: World, bucket: DirectoryBucket, asked: Asked, after: string | undefined): Page {
  const begun = [...uploads.values()].flatMap((one) => (one.bucket === bucket.name ? [one.key] : []))
  const { entries, next } = listUnordered(bucket, { ...asked, after, uploads: begun })
  return { entries, next: next === undefined ? undefined : { name: next, afterPrefix: false } }
}

/** The whole answer; `facts` are the elements that only one of the versions has. */
function answer(
  world: World,
  name: string,
  { entries, next }: Page,
  { prefix, delimiter, maxKeys, url, write, ascii, withRestore }: Asked,
  { facts, owner }: { readonly facts: string; readonly owner: string },
): Reply {
  page.reset()
  page.utf8(
    `${xmlDeclaration}<ListBucketResult ${xmlNamespace}>${element('Name', name)}<Prefix>${write(prefix)}</Prefix>` +
      `${facts}<MaxKeys>${maxKeys}</MaxKeys>` +
      (delimiter === '' ? '' : `<Delimiter>${write(delimiter)}</Delimiter>`) +
      (url ? '<EncodingType>url</EncodingType>' : '') +
      `<IsTruncated>${next === undefined ? 'false' : 'true'}</IsTruncated>`,
  )
  let prefixes = ''
  for (const entry of entries) {
    if ('commonPrefix' in entry) {
      prefixes += `<CommonPrefixes><Prefix>${write(entry.commonPrefix)}</Prefix></CommonPrefixes>`
      continue
    }
    const { key, object } = entry
    page.constant(beforeKey)
    page.encoded(key, ascii, write)
    page.constant(afterKey)
    writeFacts(object, withRestore)
    if (owner !== '') page.ascii(owner)
    page.constant(afterEntry)
  }
  page.utf8(`${prefixes}</ListBucketResult>`)
  const headers = ['Content-Type', 'application/xml', 'x-amz-bucket-region', world.region]
  return { status: 200, headers, body: page.finish() }
}

const ownerElement = `<Owner>${element('ID', ownerId)}</Owner>`

/** Answers the first version of ListObjects, which goes on behind a key; it tells which only where there is a delimiter. */
export function listObjects(world: World, request: S3Request, disordered: boolean): Reply {
  const bucket = bucketOf(world, request.bucket)
  const marker = request.query.get('marker') ?? ''
  const asked = readAsked(request)
  const found = find(bucket, asked, { name: marker, afterPrefix: false }, disordered)
  const next = asked.delimiter === '' ? undefined : found.next
  const facts =
    `<Marker>${asked.write(marker)}</Marker>` +
    (next === undefined ? '' : `<NextMarker>${asked.write(next.name)}</NextMarker>`)
  return answer(world, request.bucket, found, asked, { facts, owner: ownerElement })
}

/** Answers ListObjectsV2; `disordered` swaps two entries of the page, which S3 never does. */
export function listObjectsV2(world: World, request: S3Request, disordered: boolean): Reply {
  const { query } = request
  const bucket = bucketOf(world, request.bucket)
  const startAfter = query.get('start-after')
  const token = query.get('continuation-token')
  const asked = readAsked(request)
  if (token === '') {
    throw invalidArgument('The continuation token provided is incorrect', 'continuation-token', token)
  }
  const after = token === undefined ? { name: startAfter ?? '', afterPrefix: false } : readToken(token)
  const found =
    bucket instanceof DirectoryBucket
      ? shuffledPage(world, bucket, asked, token === undefined ? undefined : after.name)
      : find(bucket, asked, after, disordered)
  const facts =
    (token === undefined ? '' : element('ContinuationToken', token)) +
    (found.next === undefined ? '' : element('NextContinuationToken', writeToken(found.next))) +
    (startAfter === undefined ? '' : `<StartAfter>${asked.write(startAfter)}</StartAfter>`) +
    `<KeyCount>${found.entries.length}</KeyCount>`
  const owner = query.get('fetch-owner') === 'true' ? ownerElement : ''
  return answer(world, request.bucket, found, asked, { facts, owner })
}
