import { requestHeader, type S3Request } from './wire/request.js'
import { accessDenied } from './wire/s3-error.js'

/** The account that all buckets belong to. */
const accountId = '123456789012'

/** Throws AccessDenied when a request expects its bucket, or that of its source, to be another account's. */
export function checkOwner({ headers }: S3Request): void {
  for (const name of ['x-amz-expected-bucket-owner', 'x-amz-source-expected-bucket-owner']) {
    const expected = requestHeader(headers, name)
    if (expected !== undefined && expected !== accountId) throw accessDenied()
  }
}
