#!/usr/bin/env bash
# Ceph RGW 16.2.15 (Debian 12): the condition of a CopyObject is looked at when the request begins, and not when its result is put in place. A
# copy of an object onto itself, with `x-amz-copy-if-match` and `If-Match`, puts the old content and headers over what another PUT has
# stored in between, which was answered 200 as well. In either order of the two the object must be what the PUT stored, or the copy 412.
# It needs root: Debian's packages are installed.
# Exits with 0 when a PUT was lost, in up to 20,000 rounds (seen: 1 to 3 of 100).
set -eu
. "$(dirname "$0")/ceph.sh"
cat >seen.mjs <<'JS'
import { createHmac } from 'node:crypto'

const [endpoint, access, secret] = process.argv.slice(2)
const bucket = `race-${Date.now().toString(36)}`

// Signature version 2: no library is needed for it.
async function send(method, path, headers = {}, body = undefined) {
  const date = new Date().toUTCString()
  const amz = Object.entries(headers).filter(([name]) => name.startsWith('x-amz-'))
  const lines = amz.sort().map(([name, value]) => `${name}:${value}\n`)
  const text = `${method}\n\n${headers['content-type'] ?? ''}\n${date}\n${lines.join('')}${path}`
  const signature = createHmac('sha1', secret).update(text).digest('base64')
  const all = { ...headers, date, authorization: `AWS ${access}:${signature}` }
  const answer = await fetch(endpoint + path, { method, headers: all, body })
  await answer.arrayBuffer()
  return answer
}

/** Resolves to the status of the copy, and the content type of the object in the end. */
async function round(path) {
  const first = await send('PUT', path, { 'content-type': 'x/old' }, 'old')
  const etag = first.headers.get('etag')
  const copying = send('PUT', path, {
    'content-type': 'x/old',
    'if-match': etag,
    'x-amz-copy-if-match': etag,
    'x-amz-copy-source': path,
    'x-amz-metadata-directive': 'REPLACE',
  })
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 8))
  const written = await send('PUT', path, { 'content-type': 'x/new' }, 'new')
  if (written.status !== 200) throw new Error(`PUT answered ${written.status}`)
  const { status } = await copying
  return [status, (await send('HEAD', path)).headers.get('content-type')]
}

await send('PUT', `/${bucket}`)
const seen = {}
let lost = 0
for (let n = 0; lost === 0 && n < 20_000; n++) {
  const [status, type] = await round(`/${bucket}/k`)
  const what = `copy ${status}, then the object is ${type}`
  seen[what] = (seen[what] ?? 0) + 1
  if (status === 200 && type === 'x/old') lost++
}
await send('DELETE', `/${bucket}/k`)
await send('DELETE', `/${bucket}`)
console.log(seen)
process.exitCode = lost > 0 ? 0 : 1
JS
node seen.mjs "$URL" test testtest
echo 'as described: a PUT that was answered 200 is lost'
