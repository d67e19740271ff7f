import type { IncomingHttpHeaders } from 'node:http'
import { EXPRESS_CLASS } from '../buckets/directory-bucket.js'
import type { Annotations, Extras, Tags } from '../buckets/object.js'
import { noExtras } from '../buckets/object.js'
import { requestHeader } from '../wire/request.js'
import { invalidArgument, S3Error } from '../wire/s3-error.js'

const systemHeaders = [
  'Content-Type',
  'Cache-Control',
  'Content-Disposition',
  'Content-Encoding',
  'Content-Language',
  'Expires',
].map((name) => [name, name.toLowerCase()] as const)

// Of general purpose buckets. The one of directory buckets is theirs alone.
const storageClasses = new Set([
  ...['STANDARD', 'REDUCED_REDUNDANCY', 'STANDARD_IA', 'ONEZONE_IA', 'INTELLIGENT_TIERING', 'GLACIER', 'DEEP_ARCHIVE'],
  ...['OUTPOSTS', 'GLACIER_IR', 'SNOW'],
])

// Most objects of a run get the same few headers: one list serves them all.
const shared = new Map<string, readonly string[]>()
const mostShared = 1000

function share(headers: readonly string[]): readonly string[] {
  const name = headers.join('\n')
  const known = shared.get(name)
  if (known !== undefined) return known
  if (shared.size >= mostShared) shared.clear()
  shared.set(name, headers)
  return headers
}

/**
 * The system headers and user metadata with which a request creates an object; `aws-chunked`, which is how its body was sent, only where the server
 * `keepsChunked`. Throws MetadataTooLarge.
 */
export function headersToStore(request: IncomingHttpHeaders, keepsChunked = false): readonly string[] {
  const headers: string[] = []
  for (const [name, lower] of systemHeaders) {
    let value = requestHeader(request, lower)
    if (lower === 'content-encoding' && !keepsChunked)
      value = value?.replace(/(^|,)\s*aws-chunked\s*(,\s*|$)/i, '$1').replace(/,\s*$/, '')
    if (lower === 'content-type' && value === undefined) value = 'binary/octet-stream'
    if (value !== undefined && value !== '') headers.push(name, value)
  }
  let size = 0
  for (const name in request) {
    if (!name.startsWith('x-amz-meta-')) continue
    const value = requestHeader(request, name) ?? ''
    headers.push(name, value)
    size += name.length - 11 + value.length
  }
  if (size > 2048) {
    const message = 'Your metadata headers exceed the maximum allowed metadata size'
    throw new S3Error(400, 'MetadataTooLarge', message, { Size: size, MaxSizeAllowed: 2048 })
  }
  return share(headers)
}

/** Reads `x-amz-tagging: a=b&c=d`. Throws InvalidArgument. */
function readTagHeader(value: string | undefined): Tags {
  if (value === undefined || value === '') return []
  try {
    return value.split('&').map((pair) => {
      const equals = pair.indexOf('=')
      const [name, text] = equals === -1 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)]
      return [decodeURIComponent(name.replaceAll('+', ' ')), decodeURIComponent(text.replaceAll('+', ' '))] as const
    })
  } catch {
    throw invalidArgument(
      "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
      'x-amz-tagging',
      value,
    )
  }
}

/** The storage class that a request asks for; STANDARD when it asks for none. Throws InvalidStorageClass. */
function storageClassOf(request: IncomingHttpHeaders, zonal: boolean): string {
  const storageClass = requestHeader(request, 'x-amz-storage-class') ?? 'STANDARD'
  if (!storageClasses.has(storageClass) && !(zonal && storageClass === EXPRESS_CLASS)) {
    throw new S3Error(400, 'InvalidStorageClass', 'The storage class you specified is not valid', {
      StorageClassRequested: storageClass,
    })
  }
  return storageClass
}

/** What an object gets of a request by what its bucket says. */
export interface OwnOfBucket extends Pick<Extras, 'grants' | 'encryption'> {
  /** Whether it is a directory bucket. */
  readonly zonal: boolean
}

/** What a request sets besides headers. `tags` undefined: those of the `x-amz-tagging` header; annotations are those given. */
export function extrasToStore(
  request: IncomingHttpHeaders,
  { grants, encryption, zonal }: OwnOfBucket,
  tags?: Tags,
  annotations: Annotations = noExtras.annotations,
): Extras {
  const storageClass = storageClassOf(request, zonal)
  const websiteRedirect = requestHeader(request, 'x-amz-website-redirect-location')
  const own = tags ?? readTagHeader(requestHeader(request, 'x-amz-tagging'))
  const isPlain = storageClass === 'STANDARD' && own.length === 0 && annotations.size === 0 && encryption === undefined
  if (isPlain && grants === undefined && websiteRedirect === undefined) return noExtras
  return { ...noExtras, storageClass, tags: own, grants, websiteRedirect, annotations, encryption }
}
