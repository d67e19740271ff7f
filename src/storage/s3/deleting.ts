import { hash } from 'node:crypto'
import { StorageError } from '../../errors.js'
import type { Removal, Removing } from '../storage.js'
import { askedOf, objectPath, quoted, sorted, type Channel } from './request.js'
import { encodeQuery } from './encode.js'
import { brokenAnswer, deletionFault, faultOf } from './storage-errors.js'
import { Fit, sendFitting } from './fitting-batches.js'
import { isOtherAnswer, mayBeUnsupported } from './unsupported.js'
import { elementsOf, elementText, escapeXml } from './xml.js'

/** DeleteObject requests at once, where the store has no DeleteObjects. */
const AT_ONCE = 64
/** As they are told where a store does not support them. */
const DELETE_OBJECTS = 'DeleteObjects'
const CONDITIONS = '<ETag> in DeleteObjects'

/**
 * How objects of an S3 bucket are removed: DeleteObjects, a thousand at once, or as many as the store takes; one by one where it does not know
 * that. A store that refuses ETags in it is sent none: whatever rests on them looks right before the request, where the store is not AWS.
 */
export function createRemoving(channel: Channel): Removing {
  const fit = new Fit()
  return {
    async remove(objects) {
      const errors = new Map<Removal, StorageError>()
      const named = objects.filter((object) => !UNNAMEABLE.test(object.key))
      // What was removed before it must not be asked for again, so what is wrong with one is no error of all.
      const alone = async (object: Removal): Promise<void> => {
        const error = await refusalOf(removeAlone(channel, object))
        if (error !== undefined) errors.set(object, error)
      }
      const elements = named.map((object) => elementOf(channel, object, !channel.unsupported.has(CONDITIONS)))
      const sizes = elements.map((element) => Buffer.byteLength(element))
      await sendFitting(fit, sizes, {
        send: (from, count) =>
          removeSome(channel, named.slice(from, from + count), {
            elements: elements.slice(from, from + count).join(''),
            errors,
            alone,
          }),
        alone: async (at) => {
          const object = named[at]
          if (object !== undefined) await alone(object)
        },
        failed: (from, error) => {
          for (const object of named.slice(from)) errors.set(object, error)
        },
      })
      await oneByOne(
        objects.filter(({ key }) => UNNAMEABLE.test(key)),
        alone,
      )
      return objects.map((object) => errors.get(object))
    },
  }
}

// What no XML document can hold, however it is written.

const UNNAMEABLE = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/

/** Removes an object by a request of its own, and keeps what is said against it. */
type RemoveAlone = (object: Removal) => Promise<void>

/** How some objects are removed. */
interface Ways {
  /** The XML elements that name them all. */
  readonly elements: string
  readonly errors: Map<Removal, StorageError>
  readonly alone: RemoveAlone
}

// In one request, or however the store lets them be removed.
async function removeSome(
  channel: Channel,
  objects: readonly Removal[],
  { elements, errors, alone }: Ways,
): Promise<void> {
  const { aws, unsupported } = channel
  if (unsupported.has(DELETE_OBJECTS)) {
    await oneByOne(objects, alone)
    return
  }
  try {
    await removeTogether(channel, objects, elements, errors)
  } catch (error) {
    if (aws || !(error instanceof StorageError)) throw error
    if (error.code === 'MalformedXML' && elements.includes('<ETag>')) {
      const bare = objects.map((object) => elementOf(channel, object, false)).join('')
      await removeTogether(channel, objects, bare, errors)
      unsupported.add(CONDITIONS, error, 'objects are looked at right before each of them instead')
    } else if (mayBeUnsupported(error)) {
      // When the first of them is refused as well, it was not the operation.
      const [first, ...others] = objects
      if (first === undefined) throw error
      const refusal = await refusalOf(removeAlone(channel, first))
      if (refusal !== undefined) {
        if (!isOtherAnswer(error, refusal.status ?? 500, refusal.code)) throw refusal
        errors.set(first, refusal)
      }
      unsupported.add(DELETE_OBJECTS, error, 'objects are deleted one by one with DeleteObject')
      await oneByOne(others, alone)
    } else throw error
  }
}

async function oneByOne(objects: readonly Removal[], alone: RemoveAlone): Promise<void> {
  const left = objects.values()
  const worker = async (): Promise<void> => {
    for (const object of left) await alone(object)
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, objects.length) }, worker))
}

function elementOf({ place, etagCase }: Channel, { key, version, etag }: Removal, conditional: boolean): string {
  const condition = etag === undefined || !conditional ? undefined : quoted(etagCase.own(etag))
  return `<Object>${element('Key', place.prefix + key)}${element('VersionId', version)}${element('ETag', condition)}</Object>`
}

async function removeTogether(
  { place, always, bucketPath, request }: Channel,
  objects: readonly Removal[],
  elements: string,
  errors: Map<Removal, StorageError>,
): Promise<void> {
  const asked = { operation: 'DeleteObjects', bucket: place.bucket }
  // Quiet: only what was not removed is told.
  const body = Buffer.from(
    `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>${elements}</Delete>`,
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
    const key = elementText(entry, 'Key') ?? ''
    told.set(nameOf(key, elementText(entry, 'VersionId')), deletionFault(entry, { ...asked, key }, response.status))
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

async function refusalOf(request: Promise<void>): Promise<StorageError | undefined> {
  try {
    await request
    return undefined
  } catch (error) {
    if (error instanceof StorageError) return error
    throw error
  }
}

async function removeAlone(channel: Channel, object: Removal): Promise<void> {
  const { key, version, etag } = object
  const asked = askedOf(channel, 'DeleteObject', key)
  const fields = sorted([...(etag === undefined ? [] : ([['if-match', quoted(etag)]] as const)), ...channel.always])
  const query = version === undefined ? '' : `versionId=${encodeQuery(version)}`
  const response = await channel.request(asked, { method: 'DELETE', path: objectPath(channel, key), query, fields })
  if (response.status === 204 || response.status === 200 || response.status === 404) return
  throw faultOf(response, asked)
}

function element(name: string, value: string | undefined): string {
  return value === undefined ? '' : `<${name}>${escapeXml(value)}</${name}>`
}
