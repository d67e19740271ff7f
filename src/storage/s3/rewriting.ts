import { createHash, hash } from 'node:crypto'
import { StorageError } from '../../errors.js'
import type { Place } from '../../job.js'
import type { HeaderFields, Part, Rewriting } from '../storage.js'
import { encodePath, encodeQuery } from './encode.js'
import { brokenAnswer, faultOf, type Asked } from './faults.js'
import type { HttpResponse } from './http.js'
import { readHead } from './object-head.js'
import type { Fields } from './sign.js'
import { elementsOf, elementText } from './xml.js'

/** A request to a store, but for its signature. */
export interface StoreRequest {
  readonly method: string
  /** Encoded, from the root of the host on. */
  readonly path: string
  /** Encoded. */
  readonly query?: string
  /** Sorted by name. */
  readonly fields: Fields
  readonly body?: Buffer
  /** As that of `HttpRequest`. */
  readonly sink?: (bytes: Uint8Array) => void
  /** Milliseconds that the answer may take beyond what is usual. */
  readonly extra?: number
}

/** What rewriting needs of the store that it is a part of. */
export interface RewritingOptions {
  readonly place: Place
  /** The path of the prefix: a key's path is this and the encoded key. */
  readonly path: string
  readonly payer: Fields
  readonly aws: boolean
  /** Sends once and answers whatever comes, but for expired credentials and broken connections, which reject. */
  readonly request: (asked: Asked, request: StoreRequest) => Promise<HttpResponse>
}

/** How the objects of an S3 bucket are changed in place. */
export function createRewriting({ place, path, payer, aws, request }: RewritingOptions): Rewriting {
  const askedFor = (operation: string, key: string): Asked => ({
    operation,
    bucket: place.bucket,
    key: place.prefix + key,
  })
  const read = async (operation: string, key: string, subresource: string): Promise<HttpResponse> => {
    const asked = askedFor(operation, key)
    const query = `${subresource}=`
    const response = await request(asked, { method: 'GET', path: path + encodePath(key), query, fields: payer })
    if (response.status === 200) return response
    throw faultOf(response, asked)
  }
  // HEAD is answered without a body, so why it was refused is asked with a GET of one byte. Undefined when that is not refused: clock or
  // credentials may have been put right meanwhile.
  const reasonFor = async (response: HttpResponse, asked: Asked, target: string): Promise<StorageError | undefined> => {
    const bare = faultOf(response, asked)
    if (response.status < 400 || response.status >= 500 || response.status === 429) return bare
    const fields = sorted([['range', 'bytes=0-0'], ...payer])
    const explained = await request(asked, { method: 'GET', path: target, fields })
    // Content of no byte cannot be asked for in part.
    if (explained.status < 400 || explained.status === 416) return undefined
    const fault = faultOf(explained, asked)
    if (fault.code !== 'InvalidRequest' || !/server[- ]side encryption/i.test(fault.message)) return fault
    const { message, operation, bucket, key, status, requestId } = fault
    const details = { severity: 'fail-object', code: SSE_C, operation, bucket, key, status, requestId } as const
    return new StorageError(message, details)
  }
  // Of what a copy is made, and on which condition.
  const sourceFields = (key: string, etag: string): HeaderFields => [
    // Ceph knows this name instead of the next, and S3 does not mind it.
    ...(aws ? [] : ([['x-amz-copy-if-match', quoted(etag)]] as const)),
    ['x-amz-copy-source-if-match', quoted(etag)],
    ['x-amz-copy-source', copySource(place, key)],
  ]
  return {
    bucket: place.bucket,
    // Ceph drops the tags of a copy onto itself, also those that are sent with it.
    dropsTags: !aws,

    async head(key) {
      const asked = askedFor('HeadObject', key)
      const target = path + encodePath(key)
      const fields: Fields = [['x-amz-checksum-mode', 'ENABLED'], ...payer]
      const send = (): Promise<HttpResponse> => request(asked, { method: 'HEAD', path: target, fields })
      const response = await send()
      if (response.status === 200) return readHead(response, asked)
      const reason = await reasonFor(response, asked, target)
      if (reason !== undefined) throw reason
      const again = await send()
      if (again.status === 200) return readHead(again, asked)
      throw faultOf(again, asked)
    },

    async tagging(key) {
      const { body } = await read('GetObjectTagging', key, 'tagging')
      const pairs = elementsOf(body, 'Tag').map(
        (tag) => `${encodeQuery(elementText(tag, 'Key') ?? '')}=${encodeQuery(elementText(tag, 'Value') ?? '')}`,
      )
      return { header: pairs.join('&'), xml: `<TagSet>${elementsOf(body, 'TagSet')[0] ?? ''}</TagSet>` }
    },

    async digest(key, { size, etag }) {
      const asked = askedFor('GetObject', key)
      const digest = createHash('sha256')
      let length = 0
      const sink = (bytes: Uint8Array): void => {
        length += bytes.length
        digest.update(bytes)
      }
      const fields = sorted([['if-match', quoted(etag)], ...payer])
      const response = await request(asked, { method: 'GET', path: path + encodePath(key), fields, sink })
      if (response.status !== 200) throw faultOf(response, asked)
      if (length !== size) throw brokenAnswer(response, asked, `${length} bytes came where there are ${size}`)
      return digest.digest('hex')
    },

    async retag(key, { xml }) {
      const asked = askedFor('PutObjectTagging', key)
      const body = Buffer.from(`<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${xml}</Tagging>`, 'latin1')
      const fields = sorted([['content-md5', hash('md5', body, 'base64')], ...payer])
      const target = path + encodePath(key)
      const response = await request(asked, { method: 'PUT', path: target, query: 'tagging=', fields, body })
      if (response.status !== 200 && response.status !== 204) throw faultOf(response, asked)
    },

    async grants(key) {
      const response = await read('GetObjectAcl', key, 'acl')
      const fields = grantFields(response.body)
      if (fields !== undefined) return fields
      const asked = askedFor('GetObjectAcl', key)
      throw new StorageError('its access control list cannot be given to a copy', {
        ...{ severity: 'fail-object', code: 'AclNotCarried', ...asked, status: response.status },
      })
    },

    async rewrite(object, etag, fields) {
      const asked = askedFor('CopyObject', object.key)
      const headers = sorted([
        ...fields,
        ...payer,
        ...sourceFields(object.key, etag),
        ['if-match', quoted(etag)],
        ['x-amz-metadata-directive', 'REPLACE'],
      ])
      const target = path + encodePath(object.key)
      const extra = copyTime(object.size)
      const response = await request(asked, { method: 'PUT', path: target, fields: headers, extra })
      if (response.status !== 200) throw faultOf(response, asked)
      checkCopied(response, asked)
      return etagIn(response)
    },

    async beginParts(key, fields) {
      const asked = askedFor('CreateMultipartUpload', key)
      const headers = sorted([...fields, ...payer])
      const target = path + encodePath(key)
      const response = await request(asked, { method: 'POST', path: target, query: 'uploads=', fields: headers })
      if (response.status !== 200) throw faultOf(response, asked)
      const upload = elementText(response.body, 'UploadId')
      if (upload === undefined || upload === '') throw brokenAnswer(response, asked, 'the answer names no upload')
      return upload
    },

    async copyPart(object, etag, { upload, number, first, last }) {
      const asked = askedFor('UploadPartCopy', object.key)
      const range = `bytes=${first}-${last}`
      const headers = sorted([...payer, ...sourceFields(object.key, etag), ['x-amz-copy-source-range', range]])
      const query = `partNumber=${number}&uploadId=${encodeQuery(upload)}`
      const target = path + encodePath(object.key)
      const extra = copyTime(last - first)
      const response = await request(asked, { method: 'PUT', path: target, query, fields: headers, extra })
      if (response.status !== 200) throw faultOf(response, asked)
      const { body } = response
      if (body.includes('<Error>')) throw faultOf(response, asked)
      if (!body.includes('</CopyPartResult>') || etagIn(response) === '') {
        throw brokenAnswer(response, asked, 'the answer to the copy of a part is empty or cut')
      }
      return { etag: etagIn(response), checksum: /<(Checksum[A-Z0-9]+)>[^<]*<\/\1>/.exec(body)?.[0] ?? '' }
    },

    async completeParts(key, etag, upload, parts) {
      const asked = askedFor('CompleteMultipartUpload', key)
      const named = parts.map(
        (part, index) =>
          `<Part>${part.checksum}<ETag>"${part.etag}"</ETag><PartNumber>${index + 1}</PartNumber></Part>`,
      )
      const body = Buffer.from(
        `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${named.join('')}</CompleteMultipartUpload>`,
      )
      const fields = sorted([...payer, ['content-type', 'application/xml'], ['if-match', quoted(etag)]])
      const query = `uploadId=${encodeQuery(upload)}`
      const target = path + encodePath(key)
      const response = await request(asked, {
        method: 'POST',
        path: target,
        query,
        fields,
        body,
        extra: COMPLETE_TIME,
      })
      if (response.status !== 200 || response.body.includes('<Error>')) throw faultOf(response, asked)
      if (!response.body.includes('</CompleteMultipartUploadResult>')) {
        throw brokenAnswer(response, asked, 'the answer to the completion is empty or cut')
      }
      return etagIn(response) || etagOfParts(parts)
    },

    async abortParts(key, upload) {
      const asked = askedFor('AbortMultipartUpload', key)
      const query = `uploadId=${encodeQuery(upload)}`
      const response = await request(asked, { method: 'DELETE', path: path + encodePath(key), query, fields: payer })
      if (response.status >= 300 && response.status !== 404) throw faultOf(response, asked)
    },
  }
}

/** S3 may take minutes to put parts together, and sends blanks meanwhile. */
const COMPLETE_TIME = 600_000

function quoted(etag: string): string {
  return `"${etag}"`
}

// Ceph does not always name the ETag of an object of parts; it is the MD5 of those of the parts.
function etagOfParts(parts: readonly Part[]): string {
  const digests = Buffer.from(parts.map(({ etag }) => etag).join(''), 'hex')
  return `${hash('md5', digests)}-${parts.length}`
}

// The ETag that an answer names; Ceph leaves the quotes out.
function etagIn({ body }: HttpResponse): string {
  return (elementText(body, 'ETag') ?? '').replaceAll('"', '')
}

/** The code of an object that is encrypted with a key which the store does not have. */
const SSE_C = 'SSE-C'

/** The value of `x-amz-copy-source` for a key of `place`; access points have a form of their own. */
export function copySource(place: Place, key: string): string {
  const { bucket, prefix } = place
  return bucket.startsWith('arn:')
    ? encodePath(`${bucket}/object/${prefix}${key}`)
    : `/${bucket}/${encodePath(prefix + key)}`
}

/** Milliseconds that S3 may need for the bytes of a copy, at the least rate that it is known to keep. */
export function copyTime(size: number): number {
  return size / 5_000
}

/** Throws what a 200 to a copy stands for when it is no success: an error in the body, or a body that is empty or cut. */
export function checkCopied(response: HttpResponse, asked: Asked): void {
  const { body } = response
  if (body.includes('</CopyObjectResult>') && body.includes('<ETag>')) return
  throw body.includes('<Error>') && body.includes('</Error>')
    ? faultOf(response, asked)
    : brokenAnswer(
        response,
        asked,
        body.trim() === '' ? 'the answer to the copy is empty' : 'the answer to the copy is cut',
      )
}

const GRANTS: Readonly<Record<string, string>> = {
  FULL_CONTROL: 'x-amz-grant-full-control',
  READ: 'x-amz-grant-read',
  READ_ACP: 'x-amz-grant-read-acp',
  WRITE_ACP: 'x-amz-grant-write-acp',
}
const EVERYBODY = 'http://acs.amazonaws.com/groups/global/AllUsers'

// The grants of an AccessControlPolicy as fields of a request, so that a copy has them from its first moment on: a list put
// behind it would be lost with a process that dies in between. Undefined when there is no field for one of them.
function grantFields(policy: string): HeaderFields | undefined {
  const owner = elementText(elementsOf(policy, 'Owner')[0] ?? '', 'ID')
  const grants = elementsOf(policy, 'Grant').map((grant) => {
    const id = elementText(grant, 'ID')
    const uri = elementText(grant, 'URI')
    return { id, uri, permission: elementText(grant, 'Permission') ?? '' }
  })
  const [only, ...others] = grants
  if (only === undefined) return undefined
  if (others.length === 0 && only.permission === 'FULL_CONTROL' && only.id === owner) return []
  const shape = grants.map(({ id, uri, permission }) => `${id === owner ? 'owner' : (uri ?? id ?? '')} ${permission}`)
  // WRITE has no field: an object has it from this canned list, and it means nothing there.
  const open = ['owner FULL_CONTROL', `${EVERYBODY} READ`, `${EVERYBODY} WRITE`]
  if (shape.sort().join() === open.sort().join()) return [['x-amz-acl', 'public-read-write']]
  const fields = new Map<string, string[]>()
  for (const { id, uri, permission } of grants) {
    const name = GRANTS[permission]
    const grantee = uri === undefined ? (id === undefined ? undefined : `id="${id}"`) : `uri="${uri}"`
    if (name === undefined || grantee === undefined || !PLAIN.test(grantee)) return undefined
    fields.set(name, [...(fields.get(name) ?? []), grantee])
  }
  return [...fields].map(([name, grantees]) => [name, grantees.join(', ')] as const)
}

const PLAIN = /^[a-z]+="[ !#-~]*"$/

function sorted(fields: HeaderFields): Fields {
  return [...fields].sort(([a], [b]) => (a < b ? -1 : 1))
}
