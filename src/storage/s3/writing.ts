import { hash } from 'node:crypto'
import { StorageError } from '../../errors.js'
import type { Content, HeaderFields, Trying, Writing } from '../storage.js'
import { askedOf, copyTime, hasPlainEtag, once, pathOf, sorted, type Channel } from './channel.js'
import { brokenAnswer, brokenContent, faultOf } from './faults.js'
import { headerOf, type BodyStream, type HttpResponse } from './http.js'

/** Content of at most this many bytes is sent in one request, and larger content in parts of at least this many. */
const PIECE = 8 * 1024 ** 2

/** Content of at most this many bytes is sent in one request if it is known beforehand what it must be: the store compares it with that. */
const VOUCHED = 128 * 1024 ** 2

/** A field that asks S3 for a checksum of what is copied; of what is sent, it wants the checksum itself. */
const COPIES_ONLY = 'x-amz-checksum-algorithm'

/** How objects get into an S3 bucket through this machine. */
export function createWriting(channel: Channel): Writing {
  return {
    async write(key, content, fields, _lastModified, trying = once) {
      const kept = fields.filter(([name]) => name !== COPIES_ONLY)
      if (content.md5 !== undefined && content.size <= VOUCHED) {
        const body = { length: content.size, pieces: () => content.pieces(true) }
        return await put(channel, key, body, content.md5, kept, trying)
      }
      if (content.size <= PIECE) {
        const body = await gathered(channel, key, content)
        return await put(channel, key, body, hash('md5', body, 'buffer'), kept, trying)
      }
      // Threads that never see a large object never load the SDK.
      const { upload } = await import('./upload.js')
      return await upload({ channel, key, content, fields: kept, trying, leastPart: PIECE })
    },
  }
}

async function gathered(channel: Channel, key: string, content: Content): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of content.pieces()) pieces.push(piece)
  const [only, ...others] = pieces
  const body = only !== undefined && others.length === 0 ? only : Buffer.concat(pieces)
  if (body.length === content.size) return body
  throw brokenContent(
    askedOf(channel, 'PutObject', key),
    `${body.length} bytes came where there are to be ${content.size}`,
  )
}

async function put(
  channel: Channel,
  key: string,
  body: Buffer | BodyStream,
  digest: Buffer,
  given: HeaderFields,
  trying: Trying,
): Promise<string> {
  const { always, customerKey, request } = channel
  const asked = askedOf(channel, 'PutObject', key)
  const fields = sorted([['content-md5', digest.toString('base64')], ...given, ...always, ...customerKey])
  const path = pathOf(channel, key)
  const response = await trying('PutObject', async () => {
    const answer = await request(asked, { method: 'PUT', path, fields, body, extra: copyTime(body.length) })
    if (answer.status !== 200) {
      const fault = faultOf(answer, asked)
      // Sending it again would not help: other bytes were read than those that are vouched for.
      if (fault.code === 'BadDigest' && !(body instanceof Uint8Array)) return fault
      throw fault
    }
    if (etagOf(answer) === '') throw brokenAnswer(answer, asked, 'the answer has no ETag')
    return answer
  })
  if (response instanceof StorageError) throw brokenContent(asked, 'the bytes do not have the MD5 that the source says')
  const etag = etagOf(response)
  if (hasPlainEtag(channel, response) && MD5.test(etag) && etag !== digest.toString('hex')) {
    throw brokenContent(asked, `the store has bytes with the MD5 ${etag} where ${digest.toString('hex')} was sent`)
  }
  return etag
}

function etagOf(response: HttpResponse): string {
  return (headerOf(response, 'etag') ?? '').replaceAll('"', '')
}

const MD5 = /^[0-9a-f]{32}$/
