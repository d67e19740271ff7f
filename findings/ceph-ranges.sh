#!/usr/bin/env bash
# Ceph RGW 16.2.15 (Debian 12): a range of a dynamic large object (made through Swift's API, X-Object-Manifest) that ends inside one of its parts
# is answered with one byte more than the Content-Length tells, which is then in the way of the next answer on the connection. Its
# Content-Range begins with 0 wherever the range begins: `bytes 0-14/30` for bytes 5 to 14. One would expect ten bytes and `bytes 5-14/30`.
# It needs root: Debian's packages are installed. Exits with 0 while that is so.
set -eu
. "$(dirname "$0")/ceph.sh"
login=$(curl -sfi -H 'X-Auth-User: test:swift' -H 'X-Auth-Key: testtest' "$URL/auth/v1.0" | tr -d '\r')
token=$(sed -n 's/^X-Auth-Token: //ip' <<<"$login")
swift() { curl -sf -o answer -H "X-Auth-Token: $token" "$@"; }
STORE=$URL/swift/v1/one
swift -X PUT "$STORE"
for n in 0 1 2; do swift -X PUT --data-binary "$(printf "$n%.0s" 1 2 3 4 5 6 7 8 9 10)" "$STORE/part$n"; done
swift -X PUT -H 'X-Object-Manifest: one/part' --data-binary '' "$STORE/whole"
cat >seen.mjs <<'JS'
import { createHmac } from 'node:crypto'
import { connect } from 'node:net'
const { port } = new URL(process.argv[2])
// All that comes, byte by byte: signature version 2 needs no library.
const get = (path, range) =>
  new Promise((resolve) => {
    const date = new Date().toUTCString()
    const signature = createHmac('sha1', 'testtest').update(`GET\n\n\n${date}\n${path}`).digest('base64')
    const socket = connect(Number(port), '127.0.0.1')
    let all = ''
    socket.on('data', (bytes) => (all += bytes.toString('latin1')))
    socket.write(`GET ${path} HTTP/1.1\r\nhost: h\r\ndate: ${date}\r\nauthorization: AWS test:${signature}\r\nrange: bytes=${range}\r\n\r\n`)
    setTimeout(() => {
      socket.destroy()
      const [head, body] = [all.slice(0, all.indexOf('\r\n\r\n')), all.slice(all.indexOf('\r\n\r\n') + 4)]
      const field = (name) => new RegExp(`^${name}: (.*)$`, 'im').exec(head)?.[1].trim()
      const status = head.split(' ')[1]
      resolve(`${path} ${range}: ${status}, Content-Length ${field('content-length')}, Content-Range ${field('content-range')}, ${body.length} bytes ${body}`)
    }, 1000)
  })
for (const range of ['0-4', '5-14', '0-29']) console.log(await get('/one/whole', range))
JS
node seen.mjs "$URL" | tee seen
diff - seen <<'SEEN'
/one/whole 0-4: 206, Content-Length 5, Content-Range bytes 0-4/30, 6 bytes 000000
/one/whole 5-14: 206, Content-Length 10, Content-Range bytes 0-14/30, 11 bytes 00000111111
/one/whole 0-29: 206, Content-Length 30, Content-Range bytes 0-29/30, 30 bytes 000000000011111111112222222222
SEEN
echo 'as described'
