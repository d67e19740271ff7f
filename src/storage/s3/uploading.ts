import { createHash, type Hash } from 'node:crypto'
import type { StorageError } from '../../errors.js'
import { NO_PART_COPY, type Part, type Uploading } from '../parts.js'
import {
  askedOf,
  bareEtag,
  copyTime,
  etagIn,
  etagOfBytes,
  objectPath,
  quoted,
  sorted,
  sourceFields,
  type Channel,
} from './request.js'
import { encodeQuery } from './encode.js'
import { brokenAnswer, faultOf } from './storage-errors.js'
import type { HttpResponse, Pieces } from './http.js'
import { createPartLimits, notePartCopy } from './part-limits.js'
import { checked, hashAhead } from './writing.js'
import { elementsOf, elementText } from './xml.js'

/** How objects of an S3 bucket are made of parts. */
export function createUploading(channel: Channel): Uploading {
  const { always, customerKey, request } = channel
  return {
    limits: channel.aws ? undefined : createPartLimits(channel),

    async begin(key, fields) {
      const asked = askedOf(channel, 'CreateMultipartUpload', key)
      const headers = sorted([...fields, ...always, ...customerKey])
      const path = objectPath(channel, key)
      const response = await request(asked, { method: 'POST', path, query: 'uploads=', fields: headers })
      if (response.status !== 200) throw faultOf(response, asked)
      const upload = elementText(response.body, 'UploadId')
      if (upload === undefined || upload === '') throw brokenAnswer(response, asked, 'the answer names no upload')
      return upload
    },

    async copyPart(source, object, { key, upload, number, first, last }) {
      const asked = askedOf(channel, 'UploadPartCopy', key)
      const headers = sorted([
        ...always,
        ...customerKey,
        ...channel.copySource,
        ...sourceFields(channel, source.place, object.key, object.etag, object.version),
        ['x-amz-copy-source-range', `bytes=${first}-${last}`],
      ])
      const query = `partNumber=${number}&uploadId=${encodeQuery(upload)}`
      const path = objectPath(channel, key)
      const size = last - first + 1
      const response = await request(asked, { method: 'PUT', path, query, fields: headers, extra: copyTime(size) })
      if (response.status !== 200) throw refusalOfPart(channel, faultOf(response, asked))
      const { body } = response
      if (body.includes('<Error>')) throw faultOf(response, asked)
      if (!body.includes('</CopyPartResult>') || etagIn(response) === '') {
        throw brokenAnswer(response, asked, 'the answer to the copy of a part is empty or cut')
      }
      return { etag: etagIn(response), size, checksum: checksumIn(body) }
    },

    async sendPart({ key, upload, number }, bytes, md5) {
      const asked = askedOf(channel, 'UploadPart', key)
      const response = await request(asked, {
        method: 'PUT',
        path: objectPath(channel, key),
        query: `partNumber=${number}&uploadId=${encodeQuery(upload)}`,
        fields: sorted([['content-md5', md5.toString('base64')], ...always, ...customerKey]),
        body: bytes,
        extra: copyTime(bytes.length),
      })
      if (response.status !== 200) throw faultOf(response, asked)
      return { etag: etagOfBytes(channel, response, asked, md5), size: bytes.length, checksum: '' }
    },

    async streamPart({ key, upload, number }, content) {
      const asked = askedOf(channel, 'UploadPart', key)
      const { size, md5 } = content
      const digest = createHash('md5')
      const bodyHash = channel.directory ? await hashAhead(checked(content, asked), asked, md5) : undefined
      const response = await request(asked, {
        method: 'PUT',
        path: objectPath(channel, key),
        query: `partNumber=${number}&uploadId=${encodeQuery(upload)}`,
        fields: sorted([
          ...(md5 === undefined ? [] : ([['content-md5', md5.toString('base64')]] as const)),
          ...always,
          ...customerKey,
        ]),
        body: digested(checked(content, asked), digest),
        bodyHash,
        extra: copyTime(size),
      })
      if (response.status !== 200) throw faultOf(response, asked)
      return { etag: etagOfBytes(channel, response, asked, md5 ?? digest.digest()), size, checksum: '' }
    },

    async parts(key, upload) {
      const asked = askedOf(channel, 'ListParts', key)
      const path = objectPath(channel, key)
      const found = new Map<number, Part>()
      for (let marker = 0; ;) {
        const query = `part-number-marker=${marker}&uploadId=${encodeQuery(upload)}`
        const response = await request(asked, { method: 'GET', path, query, fields: always })
        const { body, status } = response
        if (isGone(response)) return undefined
        if (status !== 200) throw faultOf(response, asked)
        if (!body.includes('</ListPartsResult>')) throw brokenAnswer(response, asked, 'the list of parts is cut')
        for (const part of elementsOf(body, 'Part')) {
          const [number, size] = [numberIn(part, 'PartNumber'), numberIn(part, 'Size')]
          const etag = bareEtag(elementText(part, 'ETag'))
          // One of which not all is told is made anew.
          if (number === undefined || size === undefined || etag === '') continue
          if (!(number >= 1 && number <= MOST_PARTS)) {
            throw brokenAnswer(response, asked, `the list of parts has one with the number ${number}`)
          }
          found.set(number, { etag, size, checksum: checksumIn(part) })
        }
        const next = Number(elementText(body, 'NextPartNumberMarker') ?? 0)
        if (elementText(body, 'IsTruncated') !== 'true') return found
        if (!(next > marker)) throw brokenAnswer(response, asked, 'the list of parts does not say where it goes on')
        marker = next
      }
    },

    async complete(key, upload, parts, conditions) {
      const asked = askedOf(channel, 'CompleteMultipartUpload', key)
      const named = parts.map(
        (part, index) =>
          `<Part>${part.checksum}<ETag>${quoted(channel.etagCase.own(part.etag))}</ETag><PartNumber>${index + 1}</PartNumber></Part>`,
      )
      const body = Buffer.from(
        `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${named.join('')}</CompleteMultipartUpload>`,
      )
      const fields = sorted([...always, ...customerKey, ['content-type', 'application/xml'], ...conditions])
      const query = `uploadId=${encodeQuery(upload)}`
      const path = objectPath(channel, key)
      const response = await request(asked, { method: 'POST', path, query, fields, body, extra: COMPLETE_TIME })
      // It is no object that is missing, so there is nothing to be skipped.
      if (isGone(response)) {
        throw faultOf(response, asked).with({ severity: 'fail-object', code: 'NoSuchUpload' })
      }
      if (response.status !== 200 || response.body.includes('<Error>')) throw faultOf(response, asked)
      if (!response.body.includes('</CompleteMultipartUploadResult>')) {
        throw brokenAnswer(response, asked, 'the answer to the completion is empty or cut')
      }
      return etagIn(response)
    },

    async abort(key, upload) {
      const asked = askedOf(channel, 'AbortMultipartUpload', key)
      const query = `uploadId=${encodeQuery(upload)}`
      const response = await request(asked, { method: 'DELETE', path: objectPath(channel, key), query, fields: always })
      if (response.status >= 300 && response.status !== 404) throw faultOf(response, asked)
    },
  }
}

// Perhaps there is no such operation there. What becomes of the object then is for the engine to say.
function refusalOfPart(channel: Channel, fault: StorageError): StorageError {
  if (!notePartCopy(channel, fault)) return fault
  const message = `the store does not know UploadPartCopy (${fault.code}), so what is over 5 GiB cannot be copied inside it: copy it to a folder or another store, and back`
  return fault.with({ message, severity: 'fail-object', code: NO_PART_COPY })
}

function digested(pieces: Pieces, digest: Hash): Pieces {
  return {
    length: pieces.length,
    async *[Symbol.asyncIterator]() {
      for await (const piece of pieces) {
        digest.update(piece)
        yield piece
      }
    },
  }
}

/** S3 numbers the parts of an upload from 1 to this. */
const MOST_PARTS = 10_000

// Ceph says NoSuchKey of an upload that is gone.
function isGone({ status, body }: HttpResponse): boolean {
  const code = elementText(body, 'Code')
  return status === 404 && (code === 'NoSuchUpload' || code === 'NoSuchKey')
}

/** S3 may take minutes to put parts together, and sends blanks meanwhile. */
const COMPLETE_TIME = 600_000

function numberIn(xml: string, name: string): number | undefined {
  const digits = elementText(xml, name)?.trim() ?? ''
  return /^\d{1,15}$/.test(digits) ? Number(digits) : undefined
}

function checksumIn(body: string): string {
  return /<(Checksum(?!Algorithm|Type)[A-Z0-9]+)>[^<]*<\/\1>/.exec(body)?.[0] ?? ''
}
