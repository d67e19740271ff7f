# Starts an OpenStack Swift 2.30.1 (Debian 12) with its S3 API in a temporary folder, which becomes the working directory, on loopback, with one
# user (access key test:tester, secret testtest): sourced by the scripts on Swift. It needs root, since Debian's packages are installed, and a
# temporary folder that takes extended attributes. Sets URL and installs the AWS SDK. All of it ends with the script.
T=$(mktemp -d)
PIDS=()
trap 'for p in "${PIDS[@]}"; do kill "$p" 2>/dev/null || true; done; sleep 1; rm -rf "$T"' EXIT
cd "$T"
V=2.30.1-0+deb12u3
export DEBIAN_FRONTEND=noninteractive
PACKAGES=("python3-swift=$V" "swift-proxy=$V" "swift-account=$V" "swift-container=$V" "swift-object=$V" memcached=1.6.18-1+deb12u1)
test "$(dpkg-query -W -f '${Package}=${Version}\n' "${PACKAGES[@]%%=*}" 2>/dev/null | sort)" = "$(printf '%s\n' "${PACKAGES[@]}" | sort)" ||
  apt-get install -qq -y --no-install-recommends "${PACKAGES[@]}" >/dev/null 2>&1
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @aws-sdk/client-s3@3.1175.0
free_port() { node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })'; }
mkdir -p disks/d1
cat >swift.conf <<CONF
[swift-hash]
swift_hash_path_prefix = a
swift_hash_path_suffix = b
[storage-policy:0]
name = one
default = yes
CONF
settings() { # kind, port, pipeline
  cat <<CONF
[DEFAULT]
swift_dir = $T
devices = $T/disks
mount_check = false
disable_fallocate = true
bind_ip = 127.0.0.1
bind_port = $2
workers = 0
user = $(id -un)
[pipeline:main]
pipeline = healthcheck $3 $1-server
[filter:healthcheck]
use = egg:swift#healthcheck
[app:$1-server]
use = egg:swift#$1
CONF
}
# Swift's own programs read swift.conf from one fixed place.
cat >serve.py <<'PY'
import sys
from swift.common import utils
utils.set_swift_dir(sys.argv[1])
from swift.common.wsgi import run_wsgi
sys.exit(run_wsgi(f'{sys.argv[1]}/{sys.argv[2]}.conf', f'{sys.argv[2]}-server'))
PY
serve() { env -u PYTHONPATH /usr/bin/python3 serve.py "$T" "$1" >"$1.out" 2>&1 & PIDS+=($!); }
for kind in account container object; do
  port=$(free_port)
  settings "$kind" "$port" '' >"$kind.conf"
  swift-ring-builder "$kind.builder" create 4 1 0 >/dev/null
  swift-ring-builder "$kind.builder" add "r1z1-127.0.0.1:$port/d1" 1 >/dev/null
  swift-ring-builder "$kind.builder" rebalance >/dev/null
  serve "$kind"
done
MEMCACHED=$(free_port)
memcached -l 127.0.0.1 -p "$MEMCACHED" -U 0 -u "$(id -un)" >/dev/null 2>&1 & PIDS+=($!)
port=$(free_port)
{
  settings proxy "$port" 'cache s3api tempauth copy slo'
  echo 'account_autocreate = true'
  for filter in copy slo; do printf '[filter:%s]\nuse = egg:swift#%s\n' "$filter" "$filter"; done
  printf '[filter:cache]\nuse = egg:swift#memcache\nmemcache_servers = 127.0.0.1:%s\n' "$MEMCACHED"
  printf '[filter:s3api]\nuse = egg:swift#s3api\nlocation = us-east-1\n'
  printf '[filter:tempauth]\nuse = egg:swift#tempauth\nuser_test_tester = testtest .admin\n'
} >proxy.conf
serve proxy
URL=http://127.0.0.1:$port
for p in $(sed -n 's/^bind_port = //p' account.conf container.conf object.conf proxy.conf); do
  for _ in $(seq 300); do curl -sf "http://127.0.0.1:$p/healthcheck" >/dev/null && continue 2; sleep 0.1; done
  echo 'gave up waiting for Swift'
  exit 1
done
