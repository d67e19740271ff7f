import { StorageError } from '../../errors.js'
import { compareKeys, printable } from '../../keys.js'
import type { ObjectVersion, VersionPage, Versions } from '../object-versions.js'
import { bareEtag, type Channel } from './request.js'
import { decodeListed, encodeQuery } from './encode.js'
import { brokenAnswer, faultOf, type Asked } from './storage-errors.js'
import { inUtc, UnreadableTime, unreadableTime } from './list-time.js'
import { MOST_OF_LIST } from './list-page.js'
import { decodeUtf8, elementText, unescapeXml } from './xml.js'

/** How the versions of an S3 bucket's objects are listed: ListObjectVersions. */
export function createVersions({ place, always, bucketPath, request }: Channel): Versions {
  const { prefix } = place
  return {
    async list(from, within = '', limit = 1000): Promise<VersionPage> {
      const asked = { operation: 'ListObjectVersions', bucket: place.bucket }
      const query = [
        'encoding-type=url',
        ...(from === undefined ? [] : [`key-marker=${encodeQuery(prefix + from.key)}`]),
        `max-keys=${limit}`,
        ...(prefix + within === '' ? [] : [`prefix=${encodeQuery(prefix + within)}`]),
        ...(from?.version === undefined ? [] : [`version-id-marker=${encodeQuery(from.version)}`]),
        'versions=',
      ].join('&')
      const response = await request(asked, {
        method: 'GET',
        path: `${bucketPath}/`,
        query,
        fields: always,
        most: MOST_OF_LIST,
      })
      if (response.status !== 200) throw faultOf(response, asked)
      const { body } = response
      const truncated = elementText(body, 'IsTruncated')
      if (!body.includes('</ListVersionsResult>') || (truncated !== 'true' && truncated !== 'false')) {
        throw body.includes('<Error>')
          ? faultOf(response, asked)
          : brokenAnswer(response, asked, 'the list of versions is cut')
      }
      const versions: ObjectVersion[] = []
      let entries = 0
      let before = from === undefined ? undefined : prefix + from.key
      for (const [, kind = '', xml = ''] of body.matchAll(ENTRY)) {
        const key = keyOf(xml, 'Key')
        const version = textOf(xml, 'VersionId')
        if (key === undefined || version === undefined)
          throw brokenAnswer(response, asked, 'a version has no key or id')
        const [deleteMarker, size] = [kind === 'DeleteMarker', Number(textOf(xml, 'Size') ?? NaN)]
        if (!deleteMarker && !Number.isSafeInteger(size)) throw brokenAnswer(response, asked, 'a version has no size')
        if (!key.startsWith(prefix) || (before !== undefined && compareKeys(before, key) > 0)) {
          throw new StorageError(`the versions are not in UTF-8 byte order: ${printable(key)} is out of place`, {
            ...{ severity: 'stop-run', code: 'UnorderedListing', ...asked },
            hint: 'this store does not list as S3 does, so s3move cannot promise that no key is lost; nothing further was done',
          })
        }
        before = key
        if (++entries > MOST) {
          throw new StorageError(`the list holds more than the ${MOST} versions that were asked for`, {
            ...{ severity: 'stop-run', code: 'OverfullListing', ...asked },
          })
        }
        // Ceph begins with the key itself.
        if (from !== undefined && from.version === undefined && key === prefix + from.key) continue
        versions.push({
          key: key.slice(prefix.length),
          version,
          latest: textOf(xml, 'IsLatest') === 'true',
          deleteMarker,
          size: deleteMarker ? 0 : size,
          etag: bareEtag(textOf(xml, 'ETag')),
          lastModified: timeOf(xml, asked),
          storageClass: textOf(xml, 'StorageClass') ?? 'STANDARD',
        })
      }
      if (truncated === 'false') return { versions }
      const [nextKey, version] = [keyOf(body, 'NextKeyMarker'), textOf(body, 'NextVersionIdMarker')]
      // With the key alone it would be open whether the rest of its versions is still to come.
      if (nextKey?.startsWith(prefix) !== true || version === undefined) {
        throw brokenAnswer(response, asked, 'the list of versions does not say where it goes on')
      }
      return { versions, next: { key: nextKey.slice(prefix.length), version } }
    },
  }
}

/** Versions and delete markers of one page. */
const MOST = 1_000
const ENTRY = /<(Version|DeleteMarker)>([^]*?)<\/\1>/g

function textOf(xml: string, name: string): string | undefined {
  const found = elementText(xml, name)
  return found === '' ? undefined : found
}

function timeOf(xml: string, asked: Asked): string {
  try {
    return inUtc(textOf(xml, 'LastModified') ?? '')
  } catch (error) {
    throw error instanceof UnreadableTime ? unreadableTime(asked, error) : error
  }
}

function keyOf(xml: string, name: string): string | undefined {
  const open = xml.indexOf(`<${name}>`)
  const close = open < 0 ? -1 : xml.indexOf(`</${name}>`, open)
  return close < 0 ? undefined : decodeListed(unescapeXml(decodeUtf8(xml.slice(open + name.length + 2, close))))
}
