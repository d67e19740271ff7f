import { createHash, hash } from 'node:crypto'
import type { ObjectContent, HeaderFields, Reading, Writing } from '../storage.js'
import { askedOf, copyTime, etagOfBytes, objectPath, sorted, type Channel } from './request.js'
import { brokenContent, faultOf, type Asked } from './storage-errors.js'
import type { Pieces } from './http.js'
import type { MetadataForm } from './metadata-form.js'

/** What is no larger, in bytes, is all here before any of it is sent. */
const AT_ONCE = 8 * 1024 ** 2

/**
 * How objects get into an S3 bucket through this machine: each in one request. S3 refuses content that has not the MD5 which is sent with it,
 * so where that is known beforehand nothing is hashed here, and what is large is sent while it comes.
 */
export function createWriting(channel: Channel, reading: Pick<Reading, 'head'>, metadataForm: MetadataForm): Writing {
  const { always, customerKey, request, signPayload, directory } = channel
  const once = async (key: string, content: ObjectContent, fields: HeaderFields): Promise<string> => {
    const asked = askedOf(channel, 'PutObject', key)
    let { md5 } = content
    let body: Buffer | Pieces = checked(content, asked)
    let bodyHash: string | undefined
    if (md5 === undefined || content.size <= AT_ONCE || signPayload) {
      body = await gathered(body)
      md5 ??= hash('md5', body, 'buffer')
      if (directory && !hash('md5', body, 'buffer').equals(md5)) throw otherContent(asked)
    } else if (directory) bodyHash = await hashAhead(body, asked, md5)
    const response = await request(asked, {
      method: 'PUT',
      path: objectPath(channel, key),
      fields: sorted([['content-md5', md5.toString('base64')], ...fields, ...always, ...customerKey]),
      body,
      bodyHash,
      extra: copyTime(content.size),
    })
    if (response.status === 200) return etagOfBytes(channel, response, asked, md5)
    const fault = faultOf(response, asked)
    // Perhaps they were other bytes before they were sent, and to send the same again would not help.
    if (fault.code === 'BadDigest' && content.md5 !== undefined) throw brokenContent(asked, fault.message)
    throw fault
  }
  const write: Writing['write'] = (key, content, fields) =>
    metadataForm.kept(key, fields, reading, (fields) => once(key, content, fields))
  if (!signPayload) return { write }
  // What is large would be sent while it comes: it is all in memory now, so one after the other.
  let before: Promise<unknown> = Promise.resolve()
  return {
    write(key, content, fields, lastModified) {
      if (content.size <= AT_ONCE) return write(key, content, fields, lastModified)
      const written = before.then(() => write(key, content, fields, lastModified))
      before = written.catch(() => undefined)
      return written
    },
  }
}

/** The content, which fails when it is not as long as it is to be. */
export function checked(content: ObjectContent, asked: Asked): Pieces {
  const { size } = content
  return {
    length: size,
    async *[Symbol.asyncIterator]() {
      let length = 0
      for await (const piece of content.pieces()) {
        length += piece.length
        if (length > size) throw brokenContent(asked, `more than ${size} bytes came`)
        yield piece
      }
      if (length < size) throw brokenContent(asked, `${length} bytes came where there are to be ${size}`)
    },
  }
}

/**
 * The SHA-256 of content, in hexadecimal digits, which a directory bucket compares: it knows no Content-MD5, and its ETags are none. Reads all of it.
 * Rejects with the code `BrokenContent` where its MD5 is to be another.
 */
export async function hashAhead(content: Pieces, asked: Asked, md5: Buffer | undefined): Promise<string> {
  const [sha256, digest] = [createHash('sha256'), createHash('md5')]
  for await (const piece of content) {
    sha256.update(piece)
    if (md5 !== undefined) digest.update(piece)
  }
  if (md5?.equals(digest.digest()) === false) throw otherContent(asked)
  return sha256.digest('hex')
}

function otherContent(asked: Asked): Error {
  return brokenContent(asked, 'it came with another MD5 than it is to have')
}

async function gathered(content: Pieces): Promise<Buffer> {
  let all: Buffer | undefined
  let length = 0
  for await (const piece of content) {
    if (piece.length === content.length) all = piece
    else {
      all ??= Buffer.allocUnsafeSlow(content.length)
      all.set(piece, length)
    }
    length += piece.length
  }
  return all ?? Buffer.alloc(0)
}
