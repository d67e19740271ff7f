import { hash } from 'node:crypto'
import type { Reading, Rewriting } from '../storage.js'
import { askedOf, copyTime, etagOfCopy, objectPath, quoted, sorted, sourceFields, type Channel } from './request.js'
import type { HttpResponse } from './http.js'
import { versionQuery } from './get-content.js'
import { faultOf, type Asked } from './storage-errors.js'
import type { Fields } from './sign.js'
import { despiteWrongRefusal } from './wrong-refusal.js'
import { escapeXml } from './xml.js'

/** How the objects of an S3 bucket are changed in place. */
export function createRewriting(channel: Channel, { head }: Pick<Reading, 'head'>): Rewriting {
  const { place, always, customerKey, request, aws } = channel
  return {
    // Ceph drops the tags of a copy onto itself, also those that are sent with it.
    dropsTags: !aws,

    async retag(key, { xml }, version) {
      const asked = askedOf(channel, 'PutObjectTagging', key)
      const body = Buffer.from(`<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${xml}</Tagging>`, 'latin1')
      const fields = sorted([['content-md5', hash('md5', body, 'base64')], ...always])
      const [path, query] = [objectPath(channel, key), versionQuery(version, 'tagging=')]
      checkDone(await request(asked, { method: 'PUT', path, query, fields, body }), asked)
    },

    async untag(key, version) {
      const asked = askedOf(channel, 'DeleteObjectTagging', key)
      const [path, query] = [objectPath(channel, key), versionQuery(version, 'tagging=')]
      checkDone(await request(asked, { method: 'DELETE', path, query, fields: always }), asked)
    },

    async updateEncryption(key, wanted, version) {
      const asked = askedOf(channel, 'UpdateObjectEncryption', key)
      const body = encryptionBody(wanted)
      const fields = sorted([['content-md5', hash('md5', body, 'base64')], ...always])
      const [path, query] = [objectPath(channel, key), versionQuery(version, 'encryption=')]
      checkDone(await request(asked, { method: 'PUT', path, query, fields, body }), asked)
    },

    async rewrite(object, etag, fields) {
      const asked = askedOf(channel, 'CopyObject', object.key)
      const headers = sorted([
        ...fields,
        ...always,
        ...customerKey,
        ...sourceFields(channel, place, object.key, etag),
        ['if-match', quoted(etag)],
        ['x-amz-metadata-directive', 'REPLACE'],
      ])
      const path = objectPath(channel, object.key)
      const send = (fields: Fields) => request(asked, { method: 'PUT', path, fields, extra: copyTime(object.size) })
      const response = await despiteWrongRefusal(channel, {
        ...{ asked, fields: headers, etag, send, apart: false },
        response: await send(headers),
        look: async () => (await head(object.key)).etag,
      })
      if (response.status !== 200) throw faultOf(response, asked)
      return etagOfCopy(response, asked)
    },
  }
}

/** The body of UpdateObjectEncryption. */
export function encryptionBody({ kmsKeyArn, bucketKey }: Parameters<Rewriting['updateEncryption']>[1]): Buffer {
  const kms = `<KMSKeyArn>${escapeXml(kmsKeyArn)}</KMSKeyArn><BucketKeyEnabled>${bucketKey}</BucketKeyEnabled>`
  return Buffer.from(
    `<ObjectEncryption xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><SSE-KMS>${kms}</SSE-KMS></ObjectEncryption>`,
  )
}

function checkDone(response: HttpResponse, asked: Asked): void {
  if (response.status !== 200 && response.status !== 204) throw faultOf(response, asked)
}
