#!/usr/bin/env bash
# Ceph RGW 16.2.15 (Debian 12): once a bucket has versioning, PutObject ignores `If-None-Match: *`, and goes on to look at `If-Match`. Onto an object
# that is there the former is refused (412) in a bucket without versioning; in one with it the answer is 200, and what was sent is the current version.
# So a writer that counts on it (a lock, "do not overwrite") hides what was there. One would expect versioning to change nothing of a condition, as it
# changes nothing on AWS, and both conditions to fare alike.
# It needs root: Debian's packages are installed. Exits with 0 while that is so.
set -eu
. "$(dirname "$0")/ceph.sh"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @aws-sdk/client-s3@3.1175.0
cat >seen.mjs <<'JS'
import * as sdk from '@aws-sdk/client-s3'

const credentials = { accessKeyId: 'test', secretAccessKey: 'testtest' }
const checksums = { requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' }
const s3 = new sdk.S3Client({ endpoint: process.argv[2], forcePathStyle: true, region: 'us-east-1', credentials, maxAttempts: 1, ...checksums })
const send = (operation, input) => s3.send(new sdk[`${operation}Command`](input))
const status = (sent) => sent.then(({ $metadata }) => $metadata.httpStatusCode, ({ $metadata }) => $metadata.httpStatusCode)
for (const versioned of [false, true]) {
  const Bucket = versioned ? 'versioned' : 'plain'
  await send('CreateBucket', { Bucket })
  if (versioned) await send('PutBucketVersioning', { Bucket, VersioningConfiguration: { Status: 'Enabled' } })
  await send('PutObject', { Bucket, Key: 'k', Body: 'first' })
  const none = await status(send('PutObject', { Bucket, Key: 'k', Body: 'second', IfNoneMatch: '*' }))
  const other = await status(send('PutObject', { Bucket, Key: 'k', Body: 'third', IfMatch: '"00000000000000000000000000000000"' }))
  const { Body } = await send('GetObject', { Bucket, Key: 'k' })
  console.log(`${Bucket}: If-None-Match * ${none}, If-Match of another ${other}, then the content is ${await Body.transformToString()}`)
}
JS
node --no-warnings seen.mjs "$URL" | tee seen
diff - seen <<'SEEN'
plain: If-None-Match * 412, If-Match of another 412, then the content is first
versioned: If-None-Match * 200, If-Match of another 412, then the content is second
SEEN
echo 'as described'
