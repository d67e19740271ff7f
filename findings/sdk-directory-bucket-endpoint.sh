#!/usr/bin/env bash
# @aws-sdk/client-s3 3.1169.0: a bucket whose name ends in `--x-s3` (a directory bucket of S3 Express One Zone) at an endpoint of one's own, such as a
# simulator. With an IP address every request has two slashes behind the bucket, so that a server takes /a/b.txt for the key in the place of a/b.txt:
# what is put and got by this SDK alone seems right, and nobody else finds it. With a host name `forcePathStyle: true` does nothing, though it holds for
# any other bucket of the same client: the bucket goes before the host name. So only a name that resolves with anything before it works.
# No error of the SDK says so. Exits with 0 while that is so.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @aws-sdk/client-s3@3.1169.0 >/dev/null
cat >try.mjs <<'JS'
import { Agent, createServer } from 'node:http'
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
const server = createServer((request, response) => {
  const host = request.headers.host.replace(/:\d+$/, '')
  console.log(`  ${host} ${request.url.split(/[?&]x-id/)[0]}`)
  const Expiration = new Date(Date.now() + 300_000).toISOString()
  const credentials = `<SessionToken>t</SessionToken><SecretAccessKey>s</SecretAccessKey><AccessKeyId>a</AccessKeyId><Expiration>${Expiration}</Expiration>`
  const session = `<?xml version="1.0"?><CreateSessionResult><Credentials>${credentials}</Credentials></CreateSessionResult>`
  response.end(request.url.includes('session') ? session : '')
})
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
// Whatever the name, it leads to the server.
const lookup = (_name, { all }, done) => done(null, all ? [{ address: '127.0.0.1', family: 4 }] : '127.0.0.1', 4)
const requestHandler = { httpAgent: new Agent({ lookup }) }
for (const host of ['127.0.0.1', 'store.example']) {
  const endpoint = `http://${host}:${server.address().port}`
  const credentials = { accessKeyId: 'a', secretAccessKey: 's' }
  const s3 = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials, requestHandler })
  for (const Bucket of ['books', 'books--use1-az4--x-s3']) {
    console.log(host, Bucket)
    await s3.send(new GetObjectCommand({ Bucket, Key: 'a/b.txt' })).catch(({ message }) => console.log(`  ${message}`))
  }
}
server.close()
JS
node --no-warnings try.mjs | tee seen
diff - seen <<'SEEN'
127.0.0.1 books
  127.0.0.1 /books/a/b.txt
127.0.0.1 books--use1-az4--x-s3
  127.0.0.1 /books--use1-az4--x-s3//?session=
  127.0.0.1 /books--use1-az4--x-s3//a/b.txt
store.example books
  store.example /books/a/b.txt
store.example books--use1-az4--x-s3
  books--use1-az4--x-s3.store.example /?session=
  books--use1-az4--x-s3.store.example /a/b.txt
SEEN
echo 'as described'
