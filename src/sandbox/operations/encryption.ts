import type { IncomingHttpHeaders } from 'node:http'
import { findObject, versionHeader } from './lookup.js'
import type { Bucket, Encryption, S3Object } from '../buckets/object.js'
import { emptyReply, type Reply } from '../wire/reply.js'
import { requestHeader, type S3Request } from '../wire/request.js'
import { accessDenied, invalidArgument, invalidRequest, malformedXml, S3Error } from '../wire/s3-error.js'
import { uploadedBytes } from '../wire/upload-body.js'
import type { World } from './world.js'
import { childrenOf, parseXml, textOf } from '../wire/xml.js'

const sse = 'x-amz-server-side-encryption'
const customerMd5 = `${sse}-customer-key-md5`
const keyArn = /^arn:aws[-a-z0-9]*:kms:([-a-z0-9]*):[0-9]{12}:key\/.+/

/** The key that stands for the one that AWS manages for S3. */
const managedKey = 'arn:aws:kms:us-east-1:111122223333:key/managed-by-aws'

/** How a request has an object encrypted; undefined: by S3 itself, which no object of a bucket without encryption is by default. Throws InvalidArgument. */
export function encryptionToStore(headers: IncomingHttpHeaders, bucket: Bucket): Encryption | undefined {
  const customerKey = requestHeader(headers, customerMd5)
  if (customerKey !== undefined) return { algorithm: 'SSE-C', customerKey }
  const algorithm = requestHeader(headers, sse)
  switch (algorithm) {
    case undefined:
      return bucket.unencrypted ? { algorithm: 'none' } : undefined
    case 'AES256':
      return undefined
    case 'aws:kms':
    case 'aws:kms:dsse': {
      const kmsKeyId = requestHeader(headers, `${sse}-aws-kms-key-id`) ?? managedKey
      checkKey(kmsKeyId)
      return { algorithm, kmsKeyId, bucketKey: requestHeader(headers, `${sse}-bucket-key-enabled`) === 'true' }
    }
    default:
      throw invalidArgument('The encryption method specified is not supported', sse, algorithm)
  }
}

/** What HEAD says of the encryption of an object, as names and values, alternating. */
export function encryptionHeaders({ extras: { encryption } }: Pick<S3Object, 'extras'>): string[] {
  if (encryption === undefined) return [sse, 'AES256']
  const { algorithm, kmsKeyId, bucketKey, customerKey } = encryption
  if (algorithm === 'none') return []
  if (algorithm === 'SSE-C') return [`${sse}-customer-algorithm`, 'AES256', customerMd5, customerKey ?? '']
  return [
    ...[sse, algorithm, `${sse}-aws-kms-key-id`, kmsKeyId ?? ''],
    ...(bucketKey === true ? [`${sse}-bucket-key-enabled`, 'true'] : []),
  ]
}

/** Throws InvalidRequest where an object is encrypted with a key of the customer's, and the request does not give it; of a copy, of its source. */
export function checkCustomerKey(headers: IncomingHttpHeaders, { extras }: S3Object, ofSource = false): void {
  const { encryption } = extras
  if (encryption?.algorithm !== 'SSE-C') return
  const name = ofSource ? customerMd5.replace('x-amz-', 'x-amz-copy-source-') : customerMd5
  if (requestHeader(headers, name) === encryption.customerKey) return
  throw invalidRequest(
    'The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.',
  )
}

// A key whose name begins with the trouble that it has.
function checkKey(arn: string): void {
  const [, id = ''] = /key\/(.*)$/.exec(arn) ?? []
  if (id.startsWith('missing')) throw new S3Error(400, 'KMS.NotFoundException', `Key '${arn}' does not exist`)
  if (id.startsWith('disabled')) throw new S3Error(400, 'KMS.DisabledException', `${arn} is disabled.`)
  if (id.startsWith('denied')) throw accessDenied()
}

export function updateObjectEncryption(world: World, request: S3Request): Reply {
  const kms = childrenOf(parseXml(uploadedBytes(request)), 'SSE-KMS')[0]
  if (kms === undefined) throw malformedXml()
  const kmsKeyId = textOf(kms, 'KMSKeyArn') ?? ''
  const [, region] = keyArn.exec(kmsKeyId) ?? []
  if (region === undefined || region !== world.region) {
    throw invalidRequest(
      'Requests that modify an object’s encryption type to SSE-KMS require a valid AWS KMS key Amazon Resource Name (ARN).',
    )
  }
  checkKey(kmsKeyId)
  const { bucket, key, object, versionId } = findObject(world, request)
  if (bucket.readOnly) throw accessDenied()
  const { algorithm } = object.extras.encryption ?? { algorithm: 'AES256' }
  if (algorithm === 'none') throw notSupported('unencrypted source objects')
  if (algorithm === 'SSE-C' || algorithm === 'aws:kms:dsse')
    throw notSupported('source objects with the encryption type DSSE-KMS or SSE-C')
  const bucketKey = textOf(kms, 'BucketKeyEnabled') === 'true'
  const encryption = { algorithm: 'aws:kms', kmsKeyId, bucketKey } as const
  bucket.rewrite(key, object.headers, { ...object.extras, encryption }, object.seconds, versionId)
  return emptyReply(200, versionHeader(versionId))
}

function notSupported(what: string): S3Error {
  return invalidRequest(`The UpdateObjectEncryption operation doesn't support ${what}.`)
}
