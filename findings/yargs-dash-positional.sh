#!/usr/bin/env bash
# yargs 18.2.0: a positional argument of a command that is `-` alone, as tools call standard input, does not arrive. Declared as text it is the empty
# string, undeclared it is `true`, and of several it is left out; the same for `<file>` and `[file]`. Without a command it is in `_` as it was typed, and
# `./-` always arrives. One would expect "-".
# Exits with 0 while that is so.
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund yargs@18.2.0
cat >seen.mjs <<'JS'
import yargs from 'yargs'
async function read(usage, options, args) {
  const parser = yargs(args).command(usage, 'reads', (argv) => (options ? argv.positional('file', options) : argv), () => {})
  const { file, _ } = await parser.parseAsync()
  return JSON.stringify({ file, _ })
}
const text = { type: 'string' }
for (const [usage, options, ...args] of [
  ['cat [file]', undefined, 'cat', '-'],
  ['cat [file]', text, 'cat', '-'],
  ['cat <file>', text, 'cat', '-'],
  ['cat [file..]', text, 'cat', 'a', '-'],
  ['cat [file]', text, 'cat', './-'],
  ['cat [file]', text, '-'],
])
  console.log(`${usage}${options ? ' as a string' : ''}: ${args.join(' ')} -> ${await read(usage, options, args)}`)
JS
node seen.mjs | tee seen
diff - seen <<'SEEN'
cat [file]: cat - -> {"file":true,"_":["cat"]}
cat [file] as a string: cat - -> {"file":"","_":["cat"]}
cat <file> as a string: cat - -> {"file":"","_":["cat"]}
cat [file..] as a string: cat a - -> {"file":["a"],"_":["cat"]}
cat [file] as a string: cat ./- -> {"file":"./-","_":["cat"]}
cat [file] as a string: - -> {"_":["-"]}
SEEN
echo 'as described'
