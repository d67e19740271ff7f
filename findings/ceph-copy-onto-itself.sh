#!/usr/bin/env bash
# Ceph RGW 16.2.15 (Debian 12): the condition of a CopyObject is looked at when the request begins, and not when its result is put in place. A
# copy of an object onto itself, with `x-amz-copy-if-match` and `If-Match`, puts the old content and headers over what another PUT has
# stored in between, which was answered 200 as well. In either order of the two the object must be what the PUT stored, or the copy 412.
# It needs root: Debian's packages are installed, and a monitor, an OSD in memory and a gateway run in a temporary folder, on loopback.
# Exits with 0 when a PUT was lost, in up to 20,000 rounds (seen: 1 to 3 of 100).
set -eu
T=$(mktemp -d)
PIDS=()
trap 'for p in "${PIDS[@]}"; do kill "$p" 2>/dev/null || true; done; sleep 1; rm -rf "$T"' EXIT
cd "$T"
V=16.2.15+ds-0+deb12u2
export DEBIAN_FRONTEND=noninteractive
dpkg-query -W "ceph-mon=$V" "ceph-osd=$V" "radosgw=$V" >/dev/null 2>&1 ||
  apt-get install -qq -y --no-install-recommends "ceph-mon=$V" "ceph-osd=$V" "radosgw=$V" "ceph-common=$V" uuid-runtime >/dev/null 2>&1
free_port() { node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })'; }
MON=$(free_port) RGW=$(free_port) FSID=$(uuidgen)
mkdir mon osd rgw
cat >ceph.conf <<CONF
[global]
fsid = $FSID
mon_host = [v2:127.0.0.1:$MON]
public_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_mon_client_mode = crc
ms_mon_cluster_mode = crc
ms_mon_service_mode = crc
ms_bind_msgr1 = false
admin_socket =
run_dir = $T
crash_dir = $T
log_file = $T/\$name.log
osd_crush_chooseleaf_type = 0
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
[mon]
mon_data = $T/mon
[osd]
osd_data = $T/osd
osd_objectstore = memstore
memstore_device_bytes = 1073741824
debug_memstore = -1
[client.rgw]
rgw_data = $T/rgw
rgw_frontends = beast endpoint=127.0.0.1:$RGW tcp_nodelay=1
CONF
wait_for() { for _ in $(seq 600); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done; echo "gave up: $*"; exit 1; }
serve() { "$@" -c ceph.conf -f >"$1.out" 2>&1 & PIDS+=($!); }
ask() { timeout 30 ceph -c ceph.conf "$@"; }
up() { ask osd stat -f json | grep -q '"num_up_osds":1,'; }
monmaptool --create --fsid "$FSID" --addv a "[v2:127.0.0.1:$MON]" monmap >/dev/null
ceph-mon -c ceph.conf --mkfs -i a --monmap monmap
serve ceph-mon -i a
wait_for ask mon stat
OSD=$(uuidgen)
ask osd new "$OSD" >/dev/null
ceph-osd -c ceph.conf -i 0 --mkfs --osd-uuid "$OSD" >/dev/null 2>&1
serve ceph-osd -i 0
wait_for up
timeout 120 radosgw-admin -c ceph.conf -n client.rgw user create --uid=test --display-name=Test --access-key=test --secret=testtest >/dev/null 2>&1
serve radosgw -n client.rgw
wait_for curl -sf "http://127.0.0.1:$RGW/"
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
node seen.mjs "http://127.0.0.1:$RGW" test testtest
echo 'as described: a PUT that was answered 200 is lost'
