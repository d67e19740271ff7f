import type { IncomingHttpHeaders } from 'node:http'
import { grantsOf } from './acl.js'
import type { Bucket } from '../buckets/object.js'
import { encryptionToStore } from './encryption.js'
import type { OwnOfBucket } from './headers.js'

/** What an object gets of a request by what its bucket says. Throws S3Error. */
export function ownOf(headers: IncomingHttpHeaders, bucket: Bucket): OwnOfBucket {
  const [grants, encryption] = [grantsOf(headers, bucket), encryptionToStore(headers, bucket)]
  return { grants, encryption, zonal: bucket.directory }
}
