#!/usr/bin/env bash
# OpenStack Swift 2.30.1 (Debian 12), S3 API: a subresource that it does not know is not refused, it is left out of the request. So PutObjectRetention
# and PutObjectLegalHold answer 200 and put their XML in place of the object's content, headers and metadata with it; DeleteBucketLifecycle,
# -Encryption, -OwnershipControls and DeletePublicAccessBlock of an empty bucket answer 204 and delete the bucket; GetObjectRetention sends the
# whole object; and GetBucketEncryption, GetObjectLockConfiguration and others send a list of objects, which the AWS SDK 3.1175.0 reads as
# a configuration without rules. Subresources that it does know are 501, as are PutObjectTagging and DeleteBucketPolicy. One would expect 501 of all.
# It needs root: Debian's packages are installed. Exits with 0 while that is so.
set -eu
. "$(dirname "$0")/swift.sh"
cat >seen.mjs <<'JS'
import * as sdk from '@aws-sdk/client-s3'

const credentials = { accessKeyId: 'test:tester', secretAccessKey: 'testtest' }
const checksums = { requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' }
const s3 = new sdk.S3Client({ endpoint: process.argv[2], forcePathStyle: true, region: 'us-east-1', credentials, maxAttempts: 1, ...checksums })
const send = (operation, input) => s3.send(new sdk[`${operation}Command`](input))
const answer = async (operation, input) => {
  try {
    const { $metadata, ...rest } = await send(operation, input)
    return `${$metadata.httpStatusCode} ${JSON.stringify(rest)}`
  } catch (error) {
    return `${error.$metadata?.httpStatusCode} ${error.name}`
  }
}
const it = { Bucket: 'books', Key: 'k' }
await send('CreateBucket', { Bucket: it.Bucket })
for (const [operation, input] of [
  ['PutObjectTagging', { Tagging: { TagSet: [{ Key: 'a', Value: 'b' }] } }],
  ['PutObjectRetention', { Retention: { Mode: 'GOVERNANCE', RetainUntilDate: new Date('2099-01-01') } }],
  ['PutObjectLegalHold', { LegalHold: { Status: 'ON' } }],
]) {
  await send('PutObject', { ...it, Body: 'hello', ContentType: 'text/plain', Metadata: { colour: 'red' } })
  const status = await answer(operation, { ...it, ...input })
  const { Body, ContentType, Metadata } = await send('GetObject', it)
  const start = (await Body.transformToString()).replace(/^<\?xml.*?\?>\s*/, '').slice(0, 10)
  console.log(`${operation}: ${status}, then the object is ${ContentType} ${JSON.stringify(Metadata)} ${start}`)
}
for (const operation of ['GetObjectLockConfiguration', 'GetBucketEncryption', 'GetBucketOwnershipControls', 'GetBucketPolicy'])
  console.log(`${operation}: ${await answer(operation, { Bucket: it.Bucket })}`)
for (const operation of ['DeleteBucketPolicy', 'DeleteBucketLifecycle', 'DeleteBucketEncryption', 'DeletePublicAccessBlock']) {
  const Bucket = operation.toLowerCase()
  await send('CreateBucket', { Bucket })
  console.log(`${operation}: ${await answer(operation, { Bucket })}, then HeadBucket: ${(await answer('HeadBucket', { Bucket })).slice(0, 3)}`)
}
JS
node --no-warnings seen.mjs "$URL" | tee seen
diff - seen <<'SEEN'
PutObjectTagging: 501 NotImplemented, then the object is text/plain {"colour":"red"} hello
PutObjectRetention: 200 {}, then the object is application/xml {} <Retention
PutObjectLegalHold: 200 {}, then the object is application/xml {} <LegalHold
GetObjectLockConfiguration: 200 {"ObjectLockConfiguration":{}}
GetBucketEncryption: 200 {"ServerSideEncryptionConfiguration":{}}
GetBucketOwnershipControls: 200 {"OwnershipControls":{}}
GetBucketPolicy: 501 NotImplemented
DeleteBucketPolicy: 501 NotImplemented, then HeadBucket: 200
DeleteBucketLifecycle: 204 {}, then HeadBucket: 404
DeleteBucketEncryption: 204 {}, then HeadBucket: 404
DeletePublicAccessBlock: 204 {}, then HeadBucket: 404
SEEN
echo 'as described'
