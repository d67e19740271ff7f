#!/usr/bin/env bash
# yargs 18.2.0: a boolean option with any value but "true" is false, in silence and in strict mode: --dry-run=1, =yes, =TRUE and an empty
# value all mean "no". A separate word is taken as its value only when it is exactly true or false in small letters. An option behind `--` is
# a positional that strict mode does not complain of. One would expect 1, yes and TRUE to be true, or an error.
# Exits with 0 while that is so.
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund yargs@18.2.0
cat >seen.mjs <<'JS'
import yargs from 'yargs'
const read = (args) => {
  const failed = (message, error) => {
    throw error ?? new Error(message)
  }
  try {
    const { _, 'dry-run': dry } = yargs(args).option('dry-run', { type: 'boolean' }).strict().exitProcess(false).fail(failed).parse()
    return `dry-run ${dry}${_.length > 0 ? `, positional ${_}` : ''}`
  } catch (error) {
    return `error: ${error.message}`
  }
}
for (const args of [['--dry-run=true'], ['--dry-run=1'], ['--dry-run=yes'], ['--dry-run=TRUE'], ['--dry-run='], ['--dry-run', 'false'], ['--dry-run', 'no'], ['--', '--dry-run']])
  console.log(`${args.join(' ')} -> ${read(args)}`)
JS
node seen.mjs | tee seen
diff - seen <<'SEEN'
--dry-run=true -> dry-run true
--dry-run=1 -> dry-run false
--dry-run=yes -> dry-run false
--dry-run=TRUE -> dry-run false
--dry-run= -> dry-run false
--dry-run false -> dry-run false
--dry-run no -> error: Unknown argument: no
-- --dry-run -> dry-run undefined, positional --dry-run
SEEN
echo 'as described'
