import { createHash } from 'node:crypto'
import { StorageError } from '../../errors.js'
import type { Reading } from '../storage.js'
import { askedOf, objectPath, sorted, type Channel } from './request.js'
import { KnownCodings } from './content-codings.js'
import { readContent, versionQuery, type Take, type WantedContent } from './get-content.js'
import { encodeQuery } from './encode.js'
import { brokenAnswer, faultOf, type Asked } from './storage-errors.js'
import { aclIn, grantFields } from './acl-grants.js'
import { checkEtag, createHeading } from './head-object.js'
import { TOO_LONG, type HttpResponse } from './http.js'
import { readHead } from './object-head.js'
import { elementsOf, elementText } from './xml.js'

/** How the objects of an S3 bucket are looked at. */
export function createReading(channel: Channel): Reading {
  const { always, request } = channel
  const read = async (operation: string, key: string, subresource: string, version?: string): Promise<HttpResponse> => {
    const asked = askedOf(channel, operation, key)
    const query = versionQuery(version, `${subresource}=`)
    const response = await request(asked, { method: 'GET', path: objectPath(channel, key), query, fields: always })
    if (response.status === 200) return response
    throw faultOf(response, asked)
  }
  // Whoever changes tags by what was read would lose those that a cut answer has not shown, and a store without tags answers with the content.
  const readTags = async (key: string, version?: string): Promise<string> => {
    const asked = askedOf(channel, 'GetObjectTagging', key)
    const query = versionQuery(version, 'tagging=')
    try {
      const wanted = { method: 'GET', path: objectPath(channel, key), query, fields: always, most: MOST_OF_TAGS }
      const response = await request(asked, wanted)
      if (response.status !== 200) throw faultOf(response, asked)
      if (WHOLE_TAGS.test(response.body)) return response.body
      if (response.body === '' || response.body.includes('<Tagging')) {
        throw brokenAnswer(response, asked, 'the answer is no whole list of tags')
      }
      throw notTags(asked, response.status)
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      if (error.code === TOO_LONG) throw notTags(asked, 200)
      if (error.code === NO_TAGS) return ''
      throw error
    }
  }
  const codings = new KnownCodings()
  const readBytes = async (
    wanted: WantedContent,
    bytes: Buffer = Buffer.allocUnsafe(wanted.size),
  ): Promise<{ asked: Asked; response: HttpResponse; bytes: Buffer }> => {
    const begin = (): Take => {
      let length = 0
      return (more) => {
        const isThere = more.buffer === bytes.buffer && more.byteOffset === bytes.byteOffset + length
        if (!isThere) bytes.set(more, length)
        length += more.length
      }
    }
    return { ...(await readContent(channel, codings, { ...wanted, room: bytes }, begin)), bytes }
  }
  return {
    head: createHeading(channel, codings),

    async tagging(key, version) {
      const body = await readTags(key, version)
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
      const why = response.body.includes('<EmailAddress>')
        ? ': it grants something to an e-mail address, which S3 takes from nobody any more since October 2025; grant it to the canonical id of the account'
        : ''
      throw new StorageError(`its access control list cannot be given to a copy${why}`, {
        ...{ severity: 'fail-object', code: 'AclNotCarried', ...asked, status: response.status },
      })
    },

    acl: async (key, version) => aclIn((await read('GetObjectAcl', key, 'acl', version)).body),

    async hidesLock(key, version) {
      const asked = askedOf(channel, 'GetObjectRetention', key)
      const query = versionQuery(version, 'retention=')
      // Swift does not know the question, and would answer all of the content.
      const fields = sorted([['range', 'bytes=0-0'], ...always])
      try {
        return (await request(asked, { method: 'GET', path: objectPath(channel, key), query, fields })).status === 403
      } catch (error) {
        if (!(error instanceof StorageError) || error.status === undefined) throw error
        return error.status === 403
      }
    },

    async digest(key, { size, etag, manifest }) {
      let digest = createHash('sha256')
      await readContent(channel, codings, { object: { key, etag, ...(manifest && { manifest }) }, size }, () => {
        digest = createHash('sha256')
        return (bytes) => void digest.update(bytes)
      })
      return digest.digest('hex')
    },

    async open(object, room) {
      const { size } = object
      const { asked, response, bytes } = await readBytes(
        { object, size, fields: [['x-amz-checksum-mode', 'ENABLED']] },
        room,
      )
      const head = readHead(response, asked)
      checkEtag(head, response, asked)
      return { head: { ...head, plainEtag: head.plainEtag && !channel.directory, size }, bytes }
    },

    async read(object, first, last, room) {
      return (await readBytes({ object, size: last - first + 1, range: [first, last] }, room)).bytes
    },
  }
}

/** Ten tags of the greatest length, each character as it may be written, and what is around them. In bytes. */
const MOST_OF_TAGS = 128 * 1024
const WHOLE_TAGS = /<Tagging[ >][^]*<\/Tagging>\s*$|<Tagging(?: [^>]*)?\/>\s*$/
/** How some stores tell that an object has none. */
const NO_TAGS = 'NoSuchTagSet'

function notTags(asked: Asked, status: number): StorageError {
  return new StorageError('the store answers the question for its tags with something else: it does not know tags', {
    ...{ severity: 'fail-object', code: 'TagsNotSupported', ...asked, status },
  })
}
