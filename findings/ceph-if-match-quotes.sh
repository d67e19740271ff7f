#!/usr/bin/env bash
# @aws-sdk/client-s3 3.1169.0 on Ceph RGW 16.2.15 (Debian 12): PutObject with `If-Match` takes an ETag only without its quotes. The ETag that GetObject
# answered, given back as it is, as AWS documents and as every update of an object by compare-and-swap does, is refused with 412, so that such an update
# never succeeds; without the quotes it is stored, and another one is refused. GetObject and CopyObject of the same gateway take it quoted. So a lock or a
# state kept in an object there needs to know which form holds: try both on an object of one's own. It needs root: Debian's packages are installed.
# Exits with 0 while that is so.
set -eu
. "$(dirname "$0")/ceph.sh"
mkdir client
cd client
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @aws-sdk/client-s3@3.1169.0 >/dev/null
cat >try.mjs <<'JS'
import * as S3 from '@aws-sdk/client-s3'
const s3 = new S3.S3Client({
  endpoint: process.env.URL, region: 'us-east-1', forcePathStyle: true, requestChecksumCalculation: 'WHEN_REQUIRED',
  responseChecksumValidation: 'WHEN_REQUIRED', credentials: { accessKeyId: 'test', secretAccessKey: 'testtest' },
})
const at = { Bucket: 'books', Key: 'state.json' }
const tell = async (what, name, input) => {
  try {
    const { $metadata } = await s3.send(new S3[`${name}Command`](input))
    console.log(what, $metadata.httpStatusCode)
  } catch (error) {
    console.log(what, 'fails:', error.$metadata?.httpStatusCode, error.name)
  }
}
const etag = async () => (await s3.send(new S3.HeadObjectCommand(at))).ETag
await s3.send(new S3.CreateBucketCommand({ Bucket: 'books' }))
await s3.send(new S3.PutObjectCommand({ ...at, Body: 'first' }))
const quoted = await etag()
console.log('quoted:', /^"[0-9a-f]{32}"$/.test(quoted))
const copy = { ...at, Key: 'copy.json', CopySource: 'books/state.json' }
await tell('GetObject, quoted', 'GetObject', { ...at, IfMatch: quoted })
await tell('CopyObject, quoted', 'CopyObject', { ...copy, CopySourceIfMatch: quoted })
await tell('PutObject, quoted', 'PutObject', { ...at, Body: 'second', IfMatch: quoted })
await tell('PutObject, of another', 'PutObject', { ...at, Body: 'second', IfMatch: '00000000000000000000000000000000' })
console.log('unchanged:', (await etag()) === quoted)
await tell('PutObject, bare', 'PutObject', { ...at, Body: 'second', IfMatch: quoted.replaceAll('"', '') })
console.log('unchanged:', (await etag()) === quoted)
JS
URL=$URL node --no-warnings try.mjs 2>&1 | sed 's/ *$//' | tee ../seen
diff - ../seen <<'SEEN'
quoted: true
GetObject, quoted 200
CopyObject, quoted 200
PutObject, quoted fails: 412 PreconditionFailed
PutObject, of another fails: 412 PreconditionFailed
unchanged: true
PutObject, bare 200
unchanged: false
SEEN
echo 'as described'
