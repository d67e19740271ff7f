import { hash } from 'node:crypto'
import { StorageError } from '../../errors.js'
import type { Removal, Removing } from '../storage.js'
import { askedOf, pathOf, quoted, sorted, type Channel } from './channel.js'
import { encodeQuery } from './encode.js'
import { brokenAnswer, deletionSeverity, faultOf } from './faults.js'
import { elementsOf, elementText, escapeXml } from './xml.js'

/** How objects of an S3 bucket are removed: DeleteObjects, a thousand at once. */
export function createRemoving(channel: Channel): Removing {
  return {
    async remove(objects) {
      const errors = new Map<Removal, StorageError>()
      const named = objects.filter((object) => !UNNAMEABLE.test(object.key))
      if (named.length > 0) await removeTogether(channel, named, errors)
      for (const object of objects) if (UNNAMEABLE.test(object.key)) await removeAlone(channel, object, errors)
      return objects.map((object) => errors.get(object))
    },
  }
}

// What no XML document can hold, however it is written.

const UNNAMEABLE = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/

async function removeTogether(
  { place, always, bucketPath, request }: Channel,
  objects: readonly Removal[],
  errors: Map<Removal, StorageError>,
): Promise<void> {
  const asked = { operation: 'DeleteObjects', bucket: place.bucket }
  const named = objects.map(
    ({ key, version, etag }) =>
      `<Object>${element('Key', place.prefix + key)}${element('VersionId', version)}${element('ETag', etag === undefined ? undefined : quoted(etag))}</Object>`,
  )
  // Quiet: only what was not removed is told.
  const body = Buffer.from(
    `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>${named.join('')}</Delete>`,
  )
  const fields = sorted([['content-md5', hash('md5', body, 'base64')], ['content-type', 'application/xml'], ...always])
  const response = await request(asked, { method: 'POST', path: `${bucketPath}/`, query: 'delete=', fields, body })
  if (response.status !== 200) throw faultOf(response, asked)
  if (!WHOLE.test(response.body)) {
    throw elementText(response.body, 'Code') === undefined
      ? brokenAnswer(response, asked, 'the answer to the removal is empty or cut')
      : faultOf(response, asked)
  }
  const told = new Map<string, StorageError>()
  for (const entry of elementsOf(response.body, 'Error')) {
    const code = elementText(entry, 'Code') ?? 'Unknown'
    const key = elementText(entry, 'Key') ?? ''
    const details = { severity: deletionSeverity(code), code, status: 200, ...asked, key }
    told.set(
      nameOf(key, elementText(entry, 'VersionId')),
      new StorageError(elementText(entry, 'Message') ?? code, details),
    )
  }
  for (const object of objects) {
    const name = nameOf(place.prefix + object.key, object.version)
    const error = told.get(name)
    if (error !== undefined) errors.set(object, error)
  }
  // An error for something that was not asked for means that the names of the others cannot be trusted either.
  const known = new Set(objects.map(({ key, version }) => nameOf(place.prefix + key, version)))
  if ([...told.keys()].some((name) => !known.has(name))) {
    throw brokenAnswer(response, asked, 'the answer names objects that were not to be removed')
  }
}

const WHOLE = /<\/DeleteResult>\s*$|<DeleteResult(?: [^>]*)?\/>\s*$/

function nameOf(key: string, version: string | undefined): string {
  return version === undefined || version === '' || version === 'null' ? key : `${key}\n${version}`
}

async function removeAlone(channel: Channel, object: Removal, errors: Map<Removal, StorageError>): Promise<void> {
  const { key, version, etag } = object
  const asked = askedOf(channel, 'DeleteObject', key)
  const fields = sorted([...(etag === undefined ? [] : ([['if-match', quoted(etag)]] as const)), ...channel.always])
  const query = version === undefined ? '' : `versionId=${encodeQuery(version)}`
  const response = await channel.request(asked, { method: 'DELETE', path: pathOf(channel, key), query, fields })
  if (response.status === 204 || response.status === 200 || response.status === 404) return
  const fault = faultOf(response, asked)
  if (fault.severity !== 'fail-object') throw fault
  errors.set(object, fault)
}

function element(name: string, value: string | undefined): string {
  return value === undefined ? '' : `<${name}>${escapeXml(value)}</${name}>`
}
