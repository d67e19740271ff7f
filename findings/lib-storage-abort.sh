#!/usr/bin/env bash
# @aws-sdk/lib-storage 3.1175.0: `abort()` and the signal of `abortController` cancel no request. `done()` rejects at once with "Upload aborted." while
# PutObject or CompleteMultipartUpload go on, and the object is there a moment later; parts go on as well, and AbortMultipartUpload is sent
# only when they have ended, so that a program that exits on the error leaves the upload behind, and its parts to be paid for. One controller given
# to two uploads wakes only the second: the first is told when its own requests have ended.
# Exits with 0 while that is so.
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @aws-sdk/client-s3@3.1175.0 @aws-sdk/lib-storage@3.1175.0
cat >seen.mjs <<'JS'
import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:http'
import { S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'

// Each request of the name `held` waits for `go`; what the server did is in `did`.
const gate = new EventEmitter()
let held
let did = []
const server = createServer(async (request, response) => {
  const query = new URL(request.url, 'http://localhost').searchParams
  const put = query.has('partNumber') ? 'part' : 'put'
  const name = request.method === 'DELETE' ? 'abort' : query.has('uploads') ? 'create' : request.method === 'POST' ? 'complete' : put
  for await (const _ of request);
  let there = true
  request.socket.once('close', () => (there = false))
  if (name === held) {
    gate.emit('held')
    await once(gate, 'go')
  }
  did.push(there ? name : `${name} of a client that has gone`)
  if (name === 'create') response.end('<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>')
  else response.setHeader('ETag', '"e"').end(name === 'complete' ? '<CompleteMultipartUploadResult><ETag>"e-1"</ETag></CompleteMultipartUploadResult>' : '')
})
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const endpoint = `http://127.0.0.1:${server.address().port}`
const credentials = { accessKeyId: 'a', secretAccessKey: 'b' }
const client = new S3Client({ endpoint, forcePathStyle: true, region: 'us-east-1', credentials, maxAttempts: 1 })
const start = (size, more = {}) => new Upload({ client, params: { Bucket: 'b', Key: 'k', Body: Buffer.alloc(size) }, ...more })
const pause = () => new Promise((resolve) => setTimeout(resolve, 500))

async function aborted(name, size) {
  held = name
  did = []
  const upload = start(size)
  const done = upload.done().catch((error) => error.message)
  await once(gate, 'held')
  await upload.abort()
  console.log(`abort during ${name}: "${await done}" after [${did}]`)
  await pause()
  gate.emit('go')
  await pause()
  console.log(`  in the end: [${did}]`)
}
await aborted('put', 1)
await aborted('complete', 5 * 1024 * 1024 + 1)
await aborted('part', 5 * 1024 * 1024 + 1)

held = 'put'
const abortController = new AbortController()
const told = []
const both = ['first', 'second'].map((name) =>
  start(1, { abortController })
    .done()
    .then(() => told.push(`${name} done`), () => told.push(`${name} aborted`)),
)
await once(gate, 'held')
await once(gate, 'held')
abortController.abort()
await pause()
console.log(`one controller for two uploads: [${told}]`)
gate.emit('go')
await Promise.all(both)
console.log(`  in the end: [${told}]`)
server.close()
client.destroy()
JS
node --no-warnings seen.mjs | tee seen
diff - seen <<'SEEN'
abort during put: "Upload aborted." after []
  in the end: [put]
abort during complete: "Upload aborted." after [create,part,part]
  in the end: [create,part,part,complete]
abort during part: "Upload aborted." after [create]
  in the end: [create,part,part,abort]
one controller for two uploads: [second aborted]
  in the end: [second aborted,first aborted]
SEEN
echo 'as described'
