import { ownerId } from './acl.js'
import { page, readEncoding, readMaxKeys, startOf, wantsRestoreStatus, writeFacts } from './listing.js'
import type { KeyIndex, Version } from '../buckets/object.js'
import { firstWhere } from '../buckets/order.js'
import type { Reply } from '../wire/reply.js'
import type { S3Request } from '../wire/request.js'
import { invalidArgument } from '../wire/s3-error.js'
import { orderOf } from '../buckets/version-id.js'
import { bucketOf, type World } from './world.js'
import { element, xmlDeclaration, xmlNamespace } from '../wire/xml.js'

type Entry =
  { readonly key: string; readonly version: Version; readonly isLatest: boolean } | { readonly commonPrefix: string }

interface Versions {
  readonly entries: Entry[]
  /** Whether there is more behind the last entry. */
  readonly truncated: boolean
}

/** Where the listing begins: after that key, or after that version of it. */
interface Marker {
  readonly key: string
  readonly versionId: string | undefined
}

/** The versions of the marker's key that are older than the marker. */
function olderThan(versions: readonly Version[], versionId: string): readonly Version[] {
  const found = versions.findIndex(({ id }) => id === versionId)
  if (found !== -1) return versions.slice(found + 1)
  // It was deleted since. A `null` version says nothing of its age: rather list the others twice than not at all.
  const order = orderOf(versionId) ?? Infinity
  return versions.filter((version) => version.order < order)
}

function collect(index: KeyIndex, prefix: string, delimiter: string, marker: Marker, maxKeys: number): Versions {
  const entries: Entry[] = []
  let at = startOf(index, prefix, delimiter, { name: marker.key, afterPrefix: false })
  const add = (key: string, versions: readonly Version[], newest: Version | undefined) => {
    for (const version of versions) {
      if (entries.length === maxKeys) return false
      entries.push({ key, version, isLatest: version === newest })
    }
    return true
  }
  if (marker.versionId !== undefined && marker.key.startsWith(prefix) && at > 0 && index.keyAt(at - 1) === marker.key) {
    const versions = index.versionsAt(at - 1)
    if (!add(marker.key, olderThan(versions, marker.versionId), versions[0])) return { entries, truncated: true }
  }
  while (at < index.count) {
    const key = index.keyAt(at)
    if (prefix !== '' && !key.startsWith(prefix)) break
    const versions = index.versionsAt(at)
    const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
    if (versions.length === 0 || cut === -1) {
      if (!add(key, versions, versions[0])) return { entries, truncated: true }
      at++
    } else {
      if (entries.length === maxKeys) return { entries, truncated: true }
      const commonPrefix = key.slice(0, cut + delimiter.length)
      entries.push({ commonPrefix })
      at = firstWhere(index.count, (n) => !index.keyAt(n).startsWith(commonPrefix), at + 1)
    }
  }
  return { entries, truncated: false }
}

function readMarker(query: ReadonlyMap<string, string>): Marker {
  const key = query.get('key-marker') ?? ''
  const versionId = query.get('version-id-marker')
  if (versionId === undefined) return { key, versionId }
  if (key === '') {
    const message = 'A version-id marker cannot be specified without a key marker.'
    throw invalidArgument(message, 'version-id-marker', versionId)
  }
  if (versionId === '') {
    throw invalidArgument('A version-id marker cannot be empty.', 'version-id-marker', versionId)
  }
  if (versionId !== 'null' && orderOf(versionId) === undefined) {
    throw invalidArgument('Invalid version id specified', 'version-id-marker', versionId)
  }
  return { key, versionId }
}

/** Answers ListObjectVersions: keys in order, the newest version of each first, delete markers among them. */
export function listObjectVersions(world: World, request: S3Request): Reply {
  const { query } = request
  const bucket = bucketOf(world, request.bucket)
  const prefix = query.get('prefix') ?? ''
  const delimiter = query.get('delimiter') ?? ''
  const { url, write, ascii } = readEncoding(query.get('encoding-type'))
  const withRestore = wantsRestoreStatus(request.headers)
  const maxKeys = readMaxKeys(query.get('max-keys'))
  const marker = readMarker(query)
  const { entries, truncated } =
    maxKeys === 0 ? { entries: [], truncated: false } : collect(bucket.index(), prefix, delimiter, marker, maxKeys)
  const owner = `<Owner>${element('ID', ownerId)}</Owner>`
  page.reset()
  page.utf8(
    `${xmlDeclaration}<ListVersionsResult ${xmlNamespace}>${element('Name', request.bucket)}<Prefix>${write(prefix)}</Prefix>` +
      `<KeyMarker>${write(marker.key)}</KeyMarker>${element('VersionIdMarker', marker.versionId ?? '')}` +
      (truncated ? nextMarkers(entries.at(-1), write) : '') +
      `<MaxKeys>${maxKeys}</MaxKeys>` +
      (delimiter === '' ? '' : `<Delimiter>${write(delimiter)}</Delimiter>`) +
      (url ? '<EncodingType>url</EncodingType>' : '') +
      `<IsTruncated>${String(truncated)}</IsTruncated>`,
  )
  let prefixes = ''
  for (const entry of entries) {
    if ('commonPrefix' in entry) {
      prefixes += `<CommonPrefixes><Prefix>${write(entry.commonPrefix)}</Prefix></CommonPrefixes>`
      continue
    }
    const { key, version, isLatest } = entry
    const name = version.object === undefined ? 'DeleteMarker' : 'Version'
    page.ascii(`<${name}><Key>`)
    page.encoded(key, ascii, write)
    page.ascii(`</Key><VersionId>${version.id}</VersionId><IsLatest>${String(isLatest)}</IsLatest>`)
    if (version.object === undefined) {
      page.ascii('<LastModified>')
      page.time(version.seconds)
      page.ascii('</LastModified>')
    } else {
      writeFacts(version.object, withRestore)
    }
    page.ascii(`${owner}</${name}>`)
  }
  page.utf8(`${prefixes}</ListVersionsResult>`)
  const headers = ['Content-Type', 'application/xml', 'x-amz-bucket-region', world.region]
  return { status: 200, headers, body: page.finish() }
}

/** Both markers are exclusive: they name the last entry of this page. */
function nextMarkers(last: Entry | undefined, write: (text: string) => string): string {
  if (last === undefined) return ''
  if ('commonPrefix' in last) return `<NextKeyMarker>${write(last.commonPrefix)}</NextKeyMarker>`
  return `<NextKeyMarker>${write(last.key)}</NextKeyMarker>${element('NextVersionIdMarker', last.version.id)}`
}
