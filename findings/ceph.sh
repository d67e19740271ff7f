# Starts a Ceph RGW 16.2.15 (Debian 12) in a temporary folder, which becomes the working directory, on loopback, with one user (test, testtest) who
# may use Swift's API as well (test:swift, testtest): sourced by the scripts on Ceph. It needs root: Debian's packages are installed. Sets URL. All
# of it ends with the script.
T=$(mktemp -d)
PIDS=()
trap 'for p in "${PIDS[@]}"; do kill "$p" 2>/dev/null || true; done; sleep 1; rm -rf "$T"' EXIT
cd "$T"
V=16.2.15+ds-0+deb12u2
export DEBIAN_FRONTEND=noninteractive
PACKAGES=("ceph-common=$V" "ceph-mon=$V" "ceph-osd=$V" "radosgw=$V")
test "$(dpkg-query -W -f '${Package}=${Version}\n' "${PACKAGES[@]%%=*}" 2>/dev/null | sort)" = "$(printf '%s\n' "${PACKAGES[@]}" | sort)" &&
  command -v uuidgen >/dev/null ||
  apt-get install -qq -y --no-install-recommends "${PACKAGES[@]}" uuid-runtime >/dev/null 2>&1
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
run_dir = $PWD
crash_dir = $PWD
log_file = $PWD/\$name.log
osd_crush_chooseleaf_type = 0
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
[mon]
mon_data = $PWD/mon
[osd]
osd_data = $PWD/osd
osd_objectstore = memstore
memstore_device_bytes = 1073741824
debug_memstore = -1
[client.rgw]
rgw_data = $PWD/rgw
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
admin() { timeout 120 radosgw-admin -c ceph.conf -n client.rgw "$@" >/dev/null 2>&1; }
admin user create --uid=test --display-name=Test --access-key=test --secret=testtest
admin subuser create --uid=test --subuser=test:swift --access=full
admin key create --subuser=test:swift --key-type=swift --secret=testtest
serve radosgw -n client.rgw
URL=http://127.0.0.1:$RGW
wait_for curl -sf "$URL/"
