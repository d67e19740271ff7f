import type { IncomingHttpHeaders } from 'node:http'
import { grantsOf } from './acl.js'
import type { Bucket, Extras } from '../buckets/object.js'
import { encryptionToStore } from './encryption.js'

/** What an object gets of a request by what its bucket says: grants, encryption. Throws S3Error. */
export function ownOf(headers: IncomingHttpHeaders, bucket: Bucket): Pick<Extras, 'grants' | 'encryption'> {
  return { grants: grantsOf(headers, bucket), encryption: encryptionToStore(headers, bucket) }
}
