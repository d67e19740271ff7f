import { StorageError } from '../../errors.js'
import type { Describing, Reading } from '../storage.js'
import { responseHeader, type HttpResponse } from './http.js'
import { askedOf, objectPath, sorted, type Channel } from './request.js'
import { faultOf } from './storage-errors.js'
import type { Fields } from './sign.js'
import { versionQuery } from './get-content.js'
import { elementText } from './xml.js'

/** How all that a bucket tells of an object is asked for. */
export function createDescribing(channel: Channel, reading: Reading): Describing {
  const { always, customerKey, request } = channel
  const head = (key: string, fields: Fields, query: string): Promise<HttpResponse> =>
    request(askedOf(channel, 'HeadObject', key), { method: 'HEAD', path: objectPath(channel, key), query, fields })
  const checksums = sorted([['x-amz-checksum-mode', 'ENABLED'], ...always, ...customerKey])

  // The text of an element of a subresource. Undefined where the object has none, or the store does not know of it.
  const told = async (
    operation: string,
    subresource: string,
    { key, version }: { readonly key: string; readonly version: string | undefined },
  ): Promise<HttpResponse | undefined> => {
    const asked = askedOf(channel, operation, key)
    const query = versionQuery(version, `${subresource}=`)
    // A store that does not know the question would answer all of the content.
    const fields = sorted([['range', 'bytes=0-0'], ...always])
    const response = await request(asked, { method: 'GET', path: objectPath(channel, key), query, fields })
    if (response.status < 300) return response
    const fault = faultOf(response, asked)
    if (fault.status !== 403 && isNone(fault)) return undefined
    throw fault
  }

  return {
    async fields(key, version) {
      const response = await head(key, checksums, versionQuery(version))
      if (response.status === 200) return shownFields(response)
      checkMarker(response, channel, key)
      // Says why, which HEAD does not.
      await reading.head(key, version)
      throw faultOf(response, askedOf(channel, 'HeadObject', key))
    },

    async parts(key, version) {
      const fields = sorted([...always, ...customerKey])
      const response = await head(key, fields, versionQuery(version, 'partNumber=1'))
      const count = Number(responseHeader(response, 'x-amz-mp-parts-count') ?? NaN)
      const first = Number(responseHeader(response, 'content-length') ?? NaN)
      return response.status < 300 && count > 0 && first >= 0 ? { count, first } : undefined
    },

    async retention(key, version) {
      const body = (await told('GetObjectRetention', 'retention', { key, version }))?.body ?? ''
      const mode = elementText(body, 'Mode')
      return mode === undefined ? undefined : { mode, until: elementText(body, 'RetainUntilDate') ?? '' }
    },

    async legalHold(key, version) {
      const answer = await told('GetObjectLegalHold', 'legal-hold', { key, version })
      return answer === undefined ? undefined : elementText(answer.body, 'Status')
    },
  }
}

// A bucket without Object Lock, an object without a lock, a store without the operation.
function isNone({ status, code }: StorageError): boolean {
  return (status === 404 && code !== 'NoSuchKey') || status === 400 || status === 405 || status === 501
}

function checkMarker(response: HttpResponse, channel: Channel, key: string): void {
  if (responseHeader(response, 'x-amz-delete-marker') !== 'true') return
  const version = responseHeader(response, 'x-amz-version-id')
  throw new StorageError(`it is a delete marker${version === undefined ? '' : `, version ${version}`}`, {
    ...{ severity: 'skip', code: 'NoSuchKey', status: response.status, ...askedOf(channel, 'HeadObject', key) },
  })
}

/** What is of the object, and not of the answer. */
const OF_OBJECT =
  /^(?:etag|last-modified|cache-control|expires|content-(?!security).*|x-amz-.*|x-goog-.*|x-rgw-.*|x-oss-.*|x-object-.*|x-static-large-object)$/
const OF_ANSWER = /^x-(?:amz|goog|oss|rgw)-(?:request-id|id-2|cf-id|cf-pop|request-charged|server-time|bucket-region)$/

function shownFields({ head }: HttpResponse): [string, string][] {
  return head
    .split('\r\n')
    .slice(1)
    .flatMap((line): [string, string][] => {
      const colon = line.indexOf(':')
      const name = line.slice(0, Math.max(0, colon)).toLowerCase()
      return OF_OBJECT.test(name) && !OF_ANSWER.test(name) ? [[name, line.slice(colon + 1).trim()]] : []
    })
}
