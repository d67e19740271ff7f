#!/usr/bin/env bash
# @aws-sdk/client-s3 3.1169.0 on Ceph RGW 16.2.15 (Debian 12): the operations of annotations (AWS, 2026) answer as if all were well, and mean the object
# itself, as the gateway does not know the subresource `annotation` and passes over it. PutObjectAnnotation replaces the content of the object by the
# text of the annotation, with 200, although ObjectIfMatch names an ETag that the object has not; GetObjectAnnotation gives that content back as the
# annotation, so that a check of what was written succeeds; DeleteObjectAnnotation deletes the object, with 204. Only ListObjectAnnotations fails,
# and by its parser. One would expect 501, as Ceph answers what it knows and has not. Annotate only where a list of annotations was answered.
# It needs root: Debian's packages are installed. Exits with 0 while that is so.
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
const at = { Bucket: 'books', Key: 'novel.txt' }
const note = { ...at, AnnotationName: 'shelf' }
const send = (name, input) => s3.send(new S3[`${name}Command`](input))
const tell = async (name, input, of = () => '') => {
  try {
    const answer = await send(name, input)
    console.log(name, answer.$metadata.httpStatusCode, await of(answer))
  } catch (error) {
    console.log(name, 'fails:', error.$metadata?.httpStatusCode ?? '', error.name)
  }
}
const text = async ({ Body, AnnotationPayload }) => JSON.stringify(await (Body ?? AnnotationPayload).transformToString())
await send('CreateBucket', { Bucket: 'books' })
await send('PutObject', { ...at, Body: 'It was a dark and stormy night' })
await tell('ListObjectAnnotations', at, ({ Annotations = [] }) => `${Annotations.length} annotations`)
await tell('GetObject', at, text)
await tell('PutObjectAnnotation', { ...note, AnnotationPayload: 'second floor', ObjectIfMatch: '"00000000000000000000000000000000"' })
await tell('GetObjectAnnotation', note, text)
await tell('GetObject', at, text)
await tell('DeleteObjectAnnotation', note)
await tell('GetObject', at, text)
JS
URL=$URL node --no-warnings try.mjs 2>&1 | sed 's/ *$//' | tee ../seen
diff - ../seen <<'SEEN'
ListObjectAnnotations fails: 200 Error
GetObject 200 "It was a dark and stormy night"
PutObjectAnnotation 200
GetObjectAnnotation 200 "second floor"
GetObject 200 "second floor"
DeleteObjectAnnotation 204
GetObject fails: 404 NoSuchKey
SEEN
echo 'as described'
