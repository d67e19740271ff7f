#!/usr/bin/env bash
# OpenStack Swift 2.30.1 (Debian 12), S3 API, an object uploaded in parts: GET and HEAD with its ETag in `If-Match` are answered, but CopyObject and
# UploadPartCopy with the same ETag in `x-amz-copy-source-if-match` are 412 for ever, and with it in `x-amz-copy-source-if-none-match`, which should be
# 412, they copy. An object of one piece does as it should. So a client that copies only what it has just looked at can copy no large object.
# After a copy without a condition LIST and HEAD tell different ETags of the new object, and neither is one that a copy's condition accepts.
# It needs root: Debian's packages are installed. Exits with 0 while that is so.
set -eu
. "$(dirname "$0")/swift.sh"
cat >seen.mjs <<'JS'
import * as sdk from '@aws-sdk/client-s3'

const credentials = { accessKeyId: 'test:tester', secretAccessKey: 'testtest' }
const checksums = { requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' }
const s3 = new sdk.S3Client({ endpoint: process.argv[2], forcePathStyle: true, region: 'us-east-1', credentials, maxAttempts: 1, ...checksums })
const Bucket = 'books'
const send = (operation, input) => s3.send(new sdk[`${operation}Command`]({ Bucket, ...input }))
const status = (operation, input) =>
  send(operation, input).then(
    ({ $metadata }) => $metadata.httpStatusCode,
    ({ $metadata }) => $metadata?.httpStatusCode,
  )
await send('CreateBucket')
await send('PutObject', { Key: 'small', Body: 'hello' })
const { UploadId } = await send('CreateMultipartUpload', { Key: 'large' })
const Parts = []
for (const PartNumber of [1, 2]) {
  const { ETag } = await send('UploadPart', { Key: 'large', UploadId, PartNumber, Body: Buffer.alloc(5 * 1024 * 1024, PartNumber) })
  Parts.push({ PartNumber, ETag })
}
await send('CompleteMultipartUpload', { Key: 'large', UploadId, MultipartUpload: { Parts } })
const to = await send('CreateMultipartUpload', { Key: 'other' })
async function look(Key, ETag) {
  const CopySource = `${Bucket}/${Key}`
  const part = { Key: 'other', UploadId: to.UploadId, PartNumber: 1, CopySource }
  console.log(
    `${Key}, ${ETag.replace(/[0-9a-f]{32}/, 'MD5')}: HEAD ${await status('HeadObject', { Key, IfMatch: ETag })},`,
    `copy if-match ${await status('CopyObject', { Key: 'other', CopySource, CopySourceIfMatch: ETag })},`,
    `if-none-match ${await status('CopyObject', { Key: 'other', CopySource, CopySourceIfNoneMatch: ETag })},`,
    `copy of a part if-match ${await status('UploadPartCopy', { ...part, CopySourceIfMatch: ETag })}`,
  )
}
const told = async (Key) => (await send('HeadObject', { Key })).ETag
const listed = async (Key) => (await send('ListObjectsV2', { Prefix: Key })).Contents[0].ETag
await look('small', await told('small'))
await look('large', await told('large'))
await send('CopyObject', { Key: 'again', CopySource: `${Bucket}/large` })
await look('again', await told('again'))
await look('again', await listed('again'))
JS
node --no-warnings seen.mjs "$URL" | tee seen
diff - seen <<'SEEN'
small, "MD5": HEAD 200, copy if-match 200, if-none-match 412, copy of a part if-match 200
large, "MD5-2": HEAD 200, copy if-match 412, if-none-match 200, copy of a part if-match 412
again, "MD5-2": HEAD 200, copy if-match 412, if-none-match 200, copy of a part if-match 412
again, "MD5": HEAD 412, copy if-match 412, if-none-match 200, copy of a part if-match 412
SEEN
echo 'as described'
