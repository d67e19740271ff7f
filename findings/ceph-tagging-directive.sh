#!/usr/bin/env bash
# Ceph RGW 16.2.15 (Debian 12): CopyObject does not look at `x-amz-tagging-directive`. The tags follow the directive of the metadata: with COPY the
# source's tags are kept, even if other tags and REPLACE are asked for; with REPLACE they are gone, even if COPY of the tags is asked for; and new tags
# sent with both are not stored either, after which GetObjectTagging is 200 without a body (no TagSet). Each of these copies is answered 200.
# So a change of Cache-Control, which must be a copy with REPLACE, takes the tags away. One would expect the two directives to stand alone, or an error.
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
const Bucket = 'books'
const send = (operation, input) => s3.send(new sdk[`${operation}Command`]({ Bucket, ...input }))
async function tags(Key) {
  const { TagSet } = await send('GetObjectTagging', { Key })
  return TagSet === undefined ? 'no TagSet' : `[${TagSet.map((tag) => `${tag.Key}=${tag.Value}`)}]`
}
await send('CreateBucket')
await send('PutObject', { Key: 'k', Body: 'hello', Tagging: 'old=1' })
console.log(`the source: ${await tags('k')}`)
const Tagging = 'new=2'
const copies = [
  {},
  { TaggingDirective: 'REPLACE', Tagging },
  { MetadataDirective: 'REPLACE' },
  { MetadataDirective: 'REPLACE', TaggingDirective: 'COPY' },
  { MetadataDirective: 'REPLACE', TaggingDirective: 'REPLACE', Tagging },
]
for (const [n, copy] of copies.entries()) {
  const Key = `copy-${n}`
  const { $metadata } = await send('CopyObject', { Key, CopySource: `${Bucket}/k`, ...copy })
  const { MetadataDirective = '-', TaggingDirective = '-', Tagging: asked = '-' } = copy
  console.log(`metadata ${MetadataDirective}, tags ${TaggingDirective} ${asked}: ${$metadata.httpStatusCode}, then ${await tags(Key)}`)
}
JS
node --no-warnings seen.mjs "$URL" | tee seen
diff - seen <<'SEEN'
the source: [old=1]
metadata -, tags - -: 200, then [old=1]
metadata -, tags REPLACE new=2: 200, then [old=1]
metadata REPLACE, tags - -: 200, then []
metadata REPLACE, tags COPY -: 200, then []
metadata REPLACE, tags REPLACE new=2: 200, then no TagSet
SEEN
echo 'as described'
