#!/usr/bin/env bash
# @aws-sdk/client-s3-control 3.1112.0 on Node 20.20.2. (1) An endpoint that is an address, as of a stand-in on loopback, cannot be used: the account is put
# before the host ("http://123456789012.127.0.0.1:PORT/", which is no URL), also with `disableHostPrefix: true`, and besides the error a stack trace goes to
# standard error. An `endpointProvider` of one's own helps. (2) A command can be sent once: the same object sent again throws "Duplicate middleware name"
# at once, not as a rejection, so a caller that tries again needs a new command. client-s3 3.1169.0 sends one as often as one likes.
# Exits with 0 while that is so.
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm install --silent --no-audit --no-fund @aws-sdk/client-s3-control@3.1112.0 @aws-sdk/client-s3@3.1169.0
cat >seen.mjs <<'JS'
import { createServer } from 'node:http'
import { HeadBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { DescribeJobCommand, S3ControlClient } from '@aws-sdk/client-s3-control'

const server = createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'application/xml' })
  response.end('<DescribeJobResult><Job><JobId>1</JobId><Status>Active</Status></Job></DescribeJobResult>')
})
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const url = `http://127.0.0.1:${server.address().port}`
const common = { region: 'us-east-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } }
const asked = { AccountId: '123456789012', JobId: '1' }
const told = (name, error) => console.log(name, error === undefined ? 'is answered' : `${error.name}: ${error.message}`)
for (const more of [{}, { disableHostPrefix: true }]) {
  const client = new S3ControlClient({ ...common, endpoint: url, ...more })
  await client.send(new DescribeJobCommand(asked)).then(
    () => told(`an address as endpoint, ${JSON.stringify(more)},`),
    (error) => told(`an address as endpoint, ${JSON.stringify(more)},`, error),
  )
}
const twice = async (name, client, command) => {
  for (const time of ['once', 'again']) {
    try {
      const sent = client.send(command)
      await sent.then(() => told(`${name} sent ${time}`), (error) => told(`${name} sent ${time} rejects`, error))
    } catch (error) {
      told(`${name} sent ${time} throws`, error)
    }
  }
}
const endpointProvider = () => ({ url: new URL(url) })
await twice('DescribeJob', new S3ControlClient({ ...common, disableHostPrefix: true, endpointProvider }), new DescribeJobCommand(asked))
await twice('HeadBucket', new S3Client({ ...common, endpoint: url, forcePathStyle: true }), new HeadBucketCommand({ Bucket: 'b' }))
server.close()
JS
AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED=true node seen.mjs 2>trace | tee seen
grep -c '^Failed to construct URL with http://123456789012.127.0.0.1' trace | sed 's/$/ stack traces on standard error/' | tee -a seen
diff - seen <<'SEEN'
an address as endpoint, {}, TypeError: Invalid URL
an address as endpoint, {"disableHostPrefix":true}, TypeError: Invalid URL
DescribeJob sent once is answered
DescribeJob sent again throws Error: Duplicate middleware name 'parseOutpostArnablesMiddleaware'
HeadBucket sent once is answered
HeadBucket sent again is answered
2 stack traces on standard error
SEEN
echo 'as described'
