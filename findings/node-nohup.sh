#!/usr/bin/env bash
# Node 20 (seen with 20.20.2): a process that nohup started does not ignore SIGHUP. Node sets signals back to their defaults when it starts, so
# that the disposition which nohup passes on is lost, and a program with a handler for SIGHUP cannot see that it was to ignore it: its
# own /proc/self/status says that nothing is ignored, while a shell between the two shows that SIGHUP was. Needs Linux and nohup.
# Exits with 0 while that is so.
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
cat >seen.mjs <<'JS'
import { readFileSync } from 'node:fs'
const ignoresHangup = (pid) => (BigInt(`0x${/SigIgn:\s*(\w+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]}`) & 1n) === 1n
console.log(`the shell that nohup started ignores SIGHUP: ${ignoresHangup(process.ppid)}; node below it: ${ignoresHangup('self')}`)
JS
echo "node $(node --version)"
nohup sh -c 'node seen.mjs; :' 2>/dev/null </dev/null | tee seen
diff - seen <<'SEEN'
the shell that nohup started ignores SIGHUP: true; node below it: false
SEEN
echo 'as described'
