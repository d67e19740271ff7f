import type { Wrap } from '../around.js'
import type { OpenUpload } from '../timed-writes.js'
import { decodeListed, encodeQuery } from './encode.js'
import type { Channel } from './request.js'
import { brokenAnswer, faultOf, type Asked } from './storage-errors.js'
import { elementsOf, elementText } from './xml.js'

/** The uploads below the place that are neither completed nor aborted: ListMultipartUploads. `tried` may try each page again. */
export async function openUploads({ place, always, bucketPath, request }: Channel, tried: Wrap): Promise<OpenUpload[]> {
  const asked: Asked = { operation: 'ListMultipartUploads', bucket: place.bucket }
  const found: OpenUpload[] = []
  let after: readonly [key: string, upload: string] | undefined
  do {
    const query = [
      'encoding-type=url',
      ...(after === undefined ? [] : [`key-marker=${encodeQuery(after[0])}`]),
      `prefix=${encodeQuery(place.prefix)}`,
      ...(after === undefined ? [] : [`upload-id-marker=${encodeQuery(after[1])}`]),
      'uploads=',
    ].join('&')
    const { body, next } = await tried(asked.operation, async () => {
      const response = await request(asked, { method: 'GET', path: `${bucketPath}/`, query, fields: always })
      const { body } = response
      if (response.status !== 200) throw faultOf(response, asked)
      if (!body.includes('</ListMultipartUploadsResult>')) throw brokenAnswer(response, asked, 'the list is cut')
      if (elementText(body, 'IsTruncated') !== 'true') return { body, next: undefined }
      const [key, upload] = [keyIn(body, 'NextKeyMarker'), elementText(body, 'NextUploadIdMarker')]
      if (key === undefined || upload === undefined || (key === after?.[0] && upload === after[1]))
        throw brokenAnswer(response, asked, 'the list does not say where it goes on')
      return { body, next: [key, upload] as const }
    })
    for (const entry of elementsOf(body, 'Upload')) {
      const [key, upload] = [keyIn(entry, 'Key'), elementText(entry, 'UploadId')]
      if (key?.startsWith(place.prefix) !== true || upload === undefined || upload === '') continue
      found.push({ key: key.slice(place.prefix.length), upload, began: elementText(entry, 'Initiated') ?? '' })
    }
    after = next
  } while (after !== undefined)
  return found
}

function keyIn(xml: string, name: string): string | undefined {
  const text = elementText(xml, name)
  try {
    return text === undefined ? undefined : decodeListed(text)
  } catch (error) {
    // It is no text, so no name that is looked for.
    if (error instanceof URIError) return undefined
    throw error
  }
}
