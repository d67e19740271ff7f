import { createHash } from 'node:crypto'
import { StorageError } from '../../errors.js'
import type { HeaderFields, ObjectSummary, Reading } from '../storage.js'
import { askedOf, pathOf, quoted, sorted, type Channel } from './channel.js'
import { encodeQuery } from './encode.js'
import { brokenAnswer, faultOf, type Asked } from './faults.js'
import { grantFields } from './grants.js'
import type { HttpResponse } from './http.js'
import { readHead } from './object-head.js'
import { elementsOf, elementText } from './xml.js'

/** The code of an object that is encrypted with a key which the store does not have. */
const SSE_C = 'SSE-C'

/** How the objects of an S3 bucket are looked at. */
export function createReading(channel: Channel): Reading {
  const { always, customerKey, request } = channel
  const read = async (operation: string, key: string, subresource: string, version?: string): Promise<HttpResponse> => {
    const asked = askedOf(channel, operation, key)
    const query = versionQuery(version, `${subresource}=`)
    const response = await request(asked, { method: 'GET', path: pathOf(channel, key), query, fields: always })
    if (response.status === 200) return response
    throw faultOf(response, asked)
  }
  // HEAD is answered without a body, so why it was refused is asked with a GET of one byte. Undefined when that is not refused: clock or
  // credentials may have been put right meanwhile.
  const reasonFor = async (
    response: HttpResponse,
    asked: Asked,
    path: string,
    query: string,
  ): Promise<StorageError | undefined> => {
    const bare = faultOf(response, asked)
    if (response.status < 400 || response.status >= 500 || response.status === 429) return bare
    const fields = sorted([['range', 'bytes=0-0'], ...always, ...customerKey])
    const explained = await request(asked, { method: 'GET', path, query, fields })
    // Content of no byte cannot be asked for in part.
    if (explained.status < 400 || explained.status === 416) return undefined
    const fault = faultOf(explained, asked)
    if (fault.code !== 'InvalidRequest' || !/server[- ]side encryption/i.test(fault.message)) return fault
    const { message, operation, bucket, key, status, requestId } = fault
    const details = { severity: 'fail-object', code: SSE_C, operation, bucket, key, status, requestId } as const
    return new StorageError(message, details)
  }
  const readBytes = async (
    { key, etag, version }: Pick<ObjectSummary, 'key' | 'etag' | 'version'>,
    size: number,
    which: HeaderFields,
  ): Promise<{ asked: Asked; response: HttpResponse; bytes: Buffer }> => {
    const asked = askedOf(channel, 'GetObject', key)
    const bytes = Buffer.allocUnsafe(size)
    let length = 0
    const sink = (more: Uint8Array): void => {
      // What is too much is counted all the same, and refused below.
      if (length + more.length <= bytes.length) bytes.set(more, length)
      length += more.length
    }
    const fields = sorted([
      ...(etag === '' ? [] : ([['if-match', quoted(etag)]] as const)),
      ...which,
      ...always,
      ...customerKey,
    ])
    const [path, query] = [pathOf(channel, key), versionQuery(version)]
    const response = await request(asked, { method: 'GET', path, query, fields, sink })
    if (response.status !== 206 && response.status !== 200) throw faultOf(response, asked)
    if (length === bytes.length) return { asked, response, bytes }
    throw brokenAnswer(response, asked, `${length} bytes came where ${bytes.length} were asked for`)
  }
  return {
    async head(key, version) {
      const asked = askedOf(channel, 'HeadObject', key)
      const [path, query] = [pathOf(channel, key), versionQuery(version)]
      const fields = sorted([['x-amz-checksum-mode', 'ENABLED'], ...always, ...customerKey])
      const send = (): Promise<HttpResponse> => request(asked, { method: 'HEAD', path, query, fields })
      const response = await send()
      if (response.status === 200) return readHead(response, asked)
      const reason = await reasonFor(response, asked, path, query)
      if (reason !== undefined) throw reason
      const again = await send()
      if (again.status === 200) return readHead(again, asked)
      throw faultOf(again, asked)
    },

    async tagging(key, version) {
      const { body } = await read('GetObjectTagging', key, 'tagging', version)
      const pairs = elementsOf(body, 'Tag').map(
        (tag) => `${encodeQuery(elementText(tag, 'Key') ?? '')}=${encodeQuery(elementText(tag, 'Value') ?? '')}`,
      )
      return { header: pairs.join('&'), xml: `<TagSet>${elementsOf(body, 'TagSet')[0] ?? ''}</TagSet>` }
    },

    async grants(key, version) {
      const response = await read('GetObjectAcl', key, 'acl', version)
      const fields = grantFields(response.body)
      if (fields !== undefined) return fields
      const asked = askedOf(channel, 'GetObjectAcl', key)
      throw new StorageError('its access control list cannot be given to a copy', {
        ...{ severity: 'fail-object', code: 'AclNotCarried', ...asked, status: response.status },
      })
    },

    async digest(key, { size, etag }) {
      const asked = askedOf(channel, 'GetObject', key)
      const digest = createHash('sha256')
      let length = 0
      const sink = (bytes: Uint8Array): void => {
        length += bytes.length
        digest.update(bytes)
      }
      const fields = sorted([['if-match', quoted(etag)], ...always, ...customerKey])
      const response = await request(asked, { method: 'GET', path: pathOf(channel, key), fields, sink })
      if (response.status !== 200) throw faultOf(response, asked)
      if (length !== size) throw brokenAnswer(response, asked, `${length} bytes came where there are ${size}`)
      return digest.digest('hex')
    },

    async open(object) {
      const whole = [['x-amz-checksum-mode', 'ENABLED']] as const
      const { asked, response, bytes } = await readBytes(object, object.size, whole)
      return { head: { ...readHead(response, asked), size: object.size }, bytes }
    },

    async read(object, first, last) {
      return (await readBytes(object, last - first + 1, [['range', `bytes=${first}-${last}`]])).bytes
    },
  }
}

function versionQuery(version: string | undefined, before = ''): string {
  if (version === undefined) return before
  return `${before}${before === '' ? '' : '&'}versionId=${encodeQuery(version)}`
}
