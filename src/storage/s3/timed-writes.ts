import type { TimedWrites, WriteTime } from '../timed-writes.js'
import { encodeQuery } from './encode.js'
import { responseHeader, type HttpResponse } from './http.js'
import {
  askedOf,
  bareEtag,
  copySource,
  etagIn,
  etagOfCopy,
  objectPath,
  quoted,
  sorted,
  type Channel,
} from './request.js'
import { brokenAnswer, faultOf } from './storage-errors.js'
import { timedBy, type TimedAnswer } from './timed-requests.js'
import { elementText } from './xml.js'

/** Requests by `channel`, which is to judge none of them. */
export function createTimedWrites(channel: Channel): TimedWrites {
  const { always, customerKey, copySource: ofSource, etagCase, place } = channel
  const timed = timedBy(channel)
  const md5 = (content: { readonly md5: Buffer }) => ['content-md5', content.md5.toString('base64')] as const

  return {
    async put(key, content, fields = []) {
      const asked = askedOf(channel, 'PutObject', key)
      const headers = sorted([md5(content), ...fields, ...always, ...customerKey])
      const path = objectPath(channel, key)
      const answer = await timed(asked, { method: 'PUT', path, fields: headers, body: content.bytes })
      return writeTime(answer, content.bytes.length, bareEtag(responseHeader(answer.response, 'etag')))
    },

    async copy(from, key, fields = []) {
      const asked = askedOf(channel, 'CopyObject', key)
      const source = ['x-amz-copy-source', copySource(place, from)] as const
      const headers = sorted([source, ...fields, ...always, ...customerKey, ...ofSource])
      const answer = await timed(asked, { method: 'PUT', path: objectPath(channel, key), fields: headers })
      return writeTime(answer, 0, etagOfCopy(answer.response, asked))
    },

    async begin(key) {
      const asked = askedOf(channel, 'CreateMultipartUpload', key)
      const path = objectPath(channel, key)
      const fields = sorted([...always, ...customerKey])
      const { response, time } = await timed(asked, { method: 'POST', path, query: 'uploads=', fields })
      const upload = elementText(response.body, 'UploadId') ?? ''
      if (upload === '') throw brokenAnswer(response, asked, 'the answer names no upload')
      return { ...time, bytes: 0, upload }
    },

    async part(key, upload, content) {
      const asked = askedOf(channel, 'UploadPart', key)
      const query = `partNumber=1&uploadId=${encodeQuery(upload)}`
      const fields = sorted([md5(content), ...always, ...customerKey])
      const path = objectPath(channel, key)
      const answer = await timed(asked, { method: 'PUT', path, query, fields, body: content.bytes })
      return writeTime(answer, content.bytes.length, bareEtag(responseHeader(answer.response, 'etag')))
    },

    async complete(key, upload, etag, more = []) {
      const asked = askedOf(channel, 'CompleteMultipartUpload', key)
      const body = Buffer.from(
        `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Part><ETag>${quoted(etagCase.own(etag))}</ETag><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>`,
      )
      const fields = sorted([...always, ...customerKey, ['content-type', 'application/xml'], ...more])
      const query = `uploadId=${encodeQuery(upload)}`
      const path = objectPath(channel, key)
      const answer = await timed(asked, { method: 'POST', path, query, fields, body })
      const { response } = answer
      if (response.body.includes('<Error>')) throw faultOf(response, asked)
      return writeTime(answer, 0, etagIn(response))
    },

    async abort(key, upload) {
      const asked = askedOf(channel, 'AbortMultipartUpload', key)
      const query = `uploadId=${encodeQuery(upload)}`
      return (await timed(asked, { method: 'DELETE', path: objectPath(channel, key), query, fields: always })).time
    },

    async remove(key, version, fields = []) {
      const asked = askedOf(channel, 'DeleteObject', key)
      const query = version === undefined ? '' : `versionId=${encodeQuery(version)}`
      const headers = sorted([...fields, ...always])
      return (await timed(asked, { method: 'DELETE', path: objectPath(channel, key), query, fields: headers })).time
    },
  }
}

function writeTime({ response, time }: TimedAnswer, bytes: number, etag: string): WriteTime {
  const version = versionIn(response)
  return { ...time, bytes, etag, ...(version === undefined ? {} : { version }) }
}

function versionIn(response: HttpResponse): string | undefined {
  const version = responseHeader(response, 'x-amz-version-id')
  return version === '' ? undefined : version
}
