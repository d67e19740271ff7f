import { ownOf } from './own.js'
import { etagAsUnderstood } from '../wire/as-dialect.js'
import { checkWrite } from './conditions.js'
import { ContentRange, JoinedContent, type ObjectBytes } from '../wire/content.js'
import { sourceOf, mostCopied, tooLargeToCopy } from './copy.js'
import type { Dialect } from '../wire/dialects.js'
import { hex32, mix } from '../wire/hash.js'
import { extrasToStore, headersToStore } from './headers.js'
import { urlEncodeKey } from './listing.js'
import { versionHeader } from './lookup.js'
import type { Extras } from '../buckets/object.js'
import { digestOfDigests } from './objects.js'
import { compareByUtf8 } from '../buckets/order.js'
import { StoredObject } from '../buckets/ordinary-bucket.js'
import { emptyReply, xmlReply, type Reply } from '../wire/reply.js'
import { requestHeader, type S3Request } from '../wire/request.js'
import { accessDenied, invalidArgument, invalidRequest, malformedXml, noSuchUpload, S3Error } from '../wire/s3-error.js'
import { uploadedBytes, uploadedContent } from '../wire/upload-body.js'
import { bucketOf, checkKey, isoOf, keepsChunked, nowInSeconds, type World } from './world.js'
import { childrenOf, element, parseXml, textOf, xmlNamespace } from '../wire/xml.js'

const smallestPart = 5 * 2 ** 20
const mostParts = 10_000

interface Part {
  readonly content: ObjectBytes
  readonly etag: string
  readonly seconds: number
}

interface Upload {
  readonly id: string
  readonly bucket: string
  readonly key: string
  readonly started: number
  readonly headers: readonly string[]
  readonly extras: Extras
  readonly parts: Map<number, Part>
}

/** The multipart uploads under way, by upload id. */
export type Uploads = Map<string, Upload>

let made = 0

function uploadOf(world: World, request: S3Request): Upload {
  const id = request.query.get('uploadId') ?? ''
  bucketOf(world, request.bucket)
  const upload = world.uploads.get(id)
  if (upload === undefined || upload.bucket !== request.bucket || upload.key !== request.key) throw noSuchUpload(id)
  return upload
}

export function createMultipartUpload(world: World, request: S3Request): Reply {
  const { bucket: bucketName, key = '', headers } = request
  const bucket = bucketOf(world, bucketName)
  checkKey(key)
  if (bucket.readOnly) throw accessDenied()
  const id = `sandbox-${hex32(mix(1, ++made, 91))}${hex32(mix(2, made, 91))}${made}`
  const tags = world.dialect.has.has('drops-tags') ? [] : undefined
  const extras = extrasToStore(headers, ownOf(headers, bucket), tags)
  world.uploads.set(id, {
    ...{
      id,
      bucket: bucketName,
      key,
      started: nowInSeconds(),
      headers: headersToStore(headers, keepsChunked(world)),
      extras,
    },
    parts: new Map(),
  })
  return xmlReply(
    `<InitiateMultipartUploadResult ${xmlNamespace}>${element('Bucket', bucketName)}${element('Key', key)}` +
      `${element('UploadId', id)}</InitiateMultipartUploadResult>`,
  )
}

function partNumberOf(request: S3Request): number {
  const value = request.query.get('partNumber') ?? ''
  const number = /^\d+$/.test(value) ? Number(value) : 0
  if (number < 1 || number > mostParts) {
    throw invalidArgument('Part number must be an integer between 1 and 10000, inclusive', 'partNumber', value)
  }
  return number
}

export function uploadPart(world: World, request: S3Request): Reply {
  const upload = uploadOf(world, request)
  const content = uploadedContent(request)
  const etag = content.digest()
  upload.parts.set(partNumberOf(request), { content, etag, seconds: nowInSeconds() })
  return emptyReply(200, ['ETag', `"${etag}"`])
}

function copiedRange(request: S3Request, whole: ObjectBytes): ObjectBytes {
  const header = requestHeader(request.headers, 'x-amz-copy-source-range')
  if (header === undefined) return whole
  const match = /^bytes=(\d+)-(\d+)$/.exec(header)
  const [first, last] = [Number(match?.[1]), Number(match?.[2])]
  if (match === null || first > last) {
    throw invalidArgument(
      'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy',
      'x-amz-copy-source-range',
      header,
    )
  }
  if (last >= whole.size) {
    const message = `Range specified is not valid for source object of size: ${whole.size}`
    throw invalidArgument(message, 'x-amz-copy-source-range', header)
  }
  return new ContentRange(whole, first, last - first + 1)
}

export function uploadPartCopy(world: World, request: S3Request): Reply {
  const upload = uploadOf(world, request)
  const number = partNumberOf(request)
  const source = sourceOf(world, request)
  const content = copiedRange(request, source.object.content())
  if (content.size > mostCopied) throw tooLargeToCopy()
  const part = { content, etag: content.digest(), seconds: nowInSeconds() }
  upload.parts.set(number, part)
  return xmlReply(
    `<CopyPartResult ${xmlNamespace}><LastModified>${isoOf(part.seconds)}</LastModified>` +
      `<ETag>&quot;${part.etag}&quot;</ETag></CopyPartResult>`,
    versionHeader(source.versionId, 'x-amz-copy-source-version-id'),
  )
}

/** The parts that a CompleteMultipartUpload names, judged: InvalidPartOrder, InvalidPart, EntityTooSmall. */
function chosenParts(upload: Upload, body: Buffer, dialect: Dialect): Part[] {
  const named = childrenOf(parseXml(body), 'Part').map((part) => ({
    number: Number(textOf(part, 'PartNumber')),
    etag: etagAsUnderstood(dialect, textOf(part, 'ETag')?.trim().replaceAll('"', '')),
  }))
  if (named.length === 0) throw malformedXml()
  const UploadId = upload.id
  if (named.some(({ number }, position) => !(number > (named[position - 1]?.number ?? 0)))) {
    const message =
      'The list of parts was not in ascending order. The parts list must be specified in order by part number.'
    throw new S3Error(400, 'InvalidPartOrder', message, { UploadId })
  }
  const parts = named.map(({ number, etag }) => {
    const part = upload.parts.get(number)
    if (part === undefined || part.etag !== etag) {
      const message =
        "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."
      throw new S3Error(400, 'InvalidPart', message, { UploadId, PartNumber: number })
    }
    return part
  })
  const small = parts.slice(0, -1).find((part) => part.content.size < smallestPart)
  if (small !== undefined) {
    throw new S3Error(400, 'EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size', {
      ...{ ProposedSize: small.content.size, MinSizeAllowed: smallestPart, ETag: small.etag },
    })
  }
  return parts
}

export function completeMultipartUpload(world: World, request: S3Request): Reply {
  const upload = uploadOf(world, request)
  const bucket = bucketOf(world, upload.bucket)
  const parts = chosenParts(upload, uploadedBytes(request), world.dialect)
  const content = new JoinedContent(parts.map((part) => part.content))
  const expected = requestHeader(request.headers, 'x-amz-mp-object-size')
  if (expected !== undefined && Number(expected) !== content.size) {
    throw invalidRequest(
      `The provided 'x-amz-mp-object-size' header does not match what was computed: ${expected}, ${content.size}`,
    )
  }
  const present = bucket.get(upload.key)
  checkWrite(request.headers, bucket, upload.key)
  const made = digestOfDigests(parts.map((part) => part.etag))
  const versionId = bucket.put(
    upload.key,
    new StoredObject(content, made, nowInSeconds(), upload.headers, upload.extras),
  )
  const etag = bucket.get(upload.key)?.etag ?? made
  world.uploads.delete(upload.id)
  world.stats.copied(upload.bucket, present !== undefined)
  return xmlReply(
    `<CompleteMultipartUploadResult ${xmlNamespace}>${element('Location', request.rawPath)}` +
      `${element('Bucket', upload.bucket)}${element('Key', upload.key)}<ETag>&quot;${etag}&quot;</ETag></CompleteMultipartUploadResult>`,
    versionHeader(versionId),
  )
}

export function abortMultipartUpload(world: World, request: S3Request): Reply {
  world.uploads.delete(uploadOf(world, request).id)
  return emptyReply(204)
}

export function listParts(world: World, request: S3Request): Reply {
  const upload = uploadOf(world, request)
  const marker = Number(request.query.get('part-number-marker') ?? 0)
  const limit = Math.min(Number(request.query.get('max-parts') ?? 1000), 1000)
  const after = [...upload.parts].filter(([number]) => number > marker).sort(([a], [b]) => a - b)
  const page = after.slice(0, limit)
  const parts = page.map(
    ([number, part]) =>
      `<Part>${element('PartNumber', number)}${element('LastModified', isoOf(part.seconds))}` +
      `<ETag>&quot;${part.etag}&quot;</ETag>${element('Size', part.content.size)}</Part>`,
  )
  const truncated = page.length < after.length
  return xmlReply(
    `<ListPartsResult ${xmlNamespace}>${element('Bucket', upload.bucket)}${element('Key', upload.key)}` +
      `${element('UploadId', upload.id)}${element('StorageClass', upload.extras.storageClass)}` +
      `${element('PartNumberMarker', marker)}${element('NextPartNumberMarker', page.at(-1)?.[0] ?? 0)}` +
      `${element('MaxParts', limit)}${element('IsTruncated', String(truncated))}${parts.join('')}</ListPartsResult>`,
  )
}

export function listMultipartUploads(world: World, request: S3Request): Reply {
  const { query, bucket } = request
  bucketOf(world, bucket)
  const prefix = query.get('prefix') ?? ''
  const write = query.get('encoding-type') === 'url' ? urlEncodeKey : (text: string) => text
  const keyMarker = query.get('key-marker') ?? ''
  const idMarker = query.get('upload-id-marker') ?? ''
  const limit = Math.min(Number(query.get('max-uploads') ?? 1000), 1000)
  const after = [...world.uploads.values()]
    .filter((upload) => upload.bucket === bucket && upload.key.startsWith(prefix))
    .sort((a, b) => compareByUtf8(a.key, b.key) || compareByUtf8(a.id, b.id))
    .filter((upload) => {
      const order = compareByUtf8(upload.key, keyMarker)
      return order > 0 || (order === 0 && idMarker !== '' && compareByUtf8(upload.id, idMarker) > 0)
    })
  const page = after.slice(0, limit)
  const last = page.at(-1)
  const next =
    last === undefined || page.length === after.length
      ? ''
      : element('NextKeyMarker', write(last.key)) + element('NextUploadIdMarker', last.id)
  const uploads = page.map(
    (upload) =>
      `<Upload>${element('Key', write(upload.key))}${element('UploadId', upload.id)}` +
      `${element('StorageClass', upload.extras.storageClass)}${element('Initiated', isoOf(upload.started))}</Upload>`,
  )
  return xmlReply(
    `<ListMultipartUploadsResult ${xmlNamespace}>${element('Bucket', bucket)}${element('KeyMarker', write(keyMarker))}` +
      `${element('UploadIdMarker', idMarker)}${next}${element('Prefix', write(prefix))}${element('MaxUploads', limit)}` +
      (write === urlEncodeKey ? '<EncodingType>url</EncodingType>' : '') +
      `${element('IsTruncated', String(next !== ''))}${uploads.join('')}</ListMultipartUploadsResult>`,
  )
}
