import { createHash } from 'node:crypto'
import { ownerId } from './acl.js'
import { page, readEncoding, readMaxKeys, startOf, wantsRestoreStatus, writeFacts, type Position } from './listing.js'
import type { KeyIndex, S3Object } from './object.js'
import { firstWhere } from './order.js'
import type { Reply } from './reply.js'
import type { S3Request } from './request.js'
import { invalidArgument } from './s3-error.js'
import { bucketOf, type World } from './world.js'
import { element, xmlDeclaration, xmlNamespace } from './xml.js'

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

/** Answers ListObjectsV2; `disordered` swaps two entries of the page, which S3 never does. */
export function listObjectsV2(world: World, request: S3Request, disordered: boolean): Reply {
  const { query } = request
  const bucket = bucketOf(world, request.bucket)
  const prefix = query.get('prefix') ?? ''
  const delimiter = query.get('delimiter') ?? ''
  const startAfter = query.get('start-after')
  const token = query.get('continuation-token')
  const { url, write, ascii } = readEncoding(query.get('encoding-type'))
  if (token === '') {
    throw invalidArgument('The continuation token provided is incorrect', 'continuation-token', token)
  }
  const withRestore = wantsRestoreStatus(request.headers)
  const maxKeys = readMaxKeys(query.get('max-keys'))
  const after = token === undefined ? { name: startAfter ?? '', afterPrefix: false } : readToken(token)
  const index = bucket.index()
  const { entries, next } =
    maxKeys === 0
      ? { entries: [], next: undefined }
      : collect(index, startOf(index, prefix, delimiter, after), prefix, delimiter, maxKeys)
  if (disordered && entries.length > 1)
    entries.splice(entries.length >> 1, 0, ...entries.splice((entries.length >> 1) - 1, 1))

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
    page.constant(afterKey)
    writeFacts(object, withRestore)
    if (owner !== '') page.ascii(owner)
    page.constant(afterEntry)
  }
  page.utf8(`${prefixes}</ListBucketResult>`)
  const headers = ['Content-Type', 'application/xml', 'x-amz-bucket-region', world.region]
  return { status: 200, headers, body: page.finish() }
}
