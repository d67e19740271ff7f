#!/usr/bin/env bash
# @aws-sdk/lib-storage 3.1175.0: when an upload in parts fails, by a part or by its own body stream, `done()` rejects with the error of the clean-up if
# AbortMultipartUpload fails as well, and the reason is in no `cause` either: who may write but not abort reads AccessDenied, whatever it was that
# failed. One would expect the first error, as it is when CompleteMultipartUpload fails, with that of the clean-up as its `cause`.
# Exits with 0 while that is so.
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @aws-sdk/client-s3@3.1175.0 @aws-sdk/lib-storage@3.1175.0
cat >seen.mjs <<'JS'
import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import { S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'

let refused
const server = createServer(async (request, response) => {
  const query = new URL(request.url, 'http://localhost').searchParams
  const part = query.get('partNumber')
  const name = request.method === 'DELETE' ? 'abort' : query.has('uploads') ? 'create' : part === null ? 'complete' : `part ${part}`
  for await (const _ of request);
  if (refused.includes(name)) {
    response.statusCode = 403
    response.end(`<Error><Code>AccessDenied</Code><Message>no ${name}</Message></Error>`)
  } else if (name === 'create') response.end('<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>')
  else response.setHeader('ETag', '"e"').end()
})
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const endpoint = `http://127.0.0.1:${server.address().port}`
const credentials = { accessKeyId: 'a', secretAccessKey: 'b' }
const client = new S3Client({ endpoint, forcePathStyle: true, region: 'us-east-1', credentials, maxAttempts: 1 })
async function* body(breaks) {
  for (let part = 0; part < 2; part++) yield Buffer.alloc(5 * 1024 * 1024)
  if (breaks) throw new Error('the disk is broken')
  yield Buffer.from('end')
}
async function upload(what, breaks, ...names) {
  refused = names
  const params = { Bucket: 'b', Key: 'k', Body: Readable.from(body(breaks)) }
  const error = await new Upload({ client, params }).done().catch((reason) => reason)
  console.log(`${what}: ${error.message}, cause: ${error.cause?.message}`)
}
await upload('the body fails', true)
await upload('the body and the abort fail', true, 'abort')
await upload('a part fails', false, 'part 2')
await upload('a part and the abort fail', false, 'part 2', 'abort')
await upload('the completion and the abort fail', false, 'complete', 'abort')
server.close()
client.destroy()
JS
node --no-warnings seen.mjs | tee seen
diff - seen <<'SEEN'
the body fails: the disk is broken, cause: undefined
the body and the abort fail: no abort, cause: undefined
a part fails: no part 2, cause: undefined
a part and the abort fail: no abort, cause: undefined
the completion and the abort fail: no complete, cause: no abort
SEEN
echo 'as described'
