#!/usr/bin/env bash
# yargs 18.2.0: whenever the handler of a command has returned, or has awaited something for the first time, yargs renders the whole help page of
# that command, though nobody asked for it, and keeps it for a showHelp() that may come. With 60 options that is tens of milliseconds of every
# start, in which an asynchronous handler stands still. One would expect help to be rendered when it is shown.
# It is seen by a default value that counts how often it is turned into text, which only help does. Exits with 0 while that is so.
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund yargs@18.2.0
cat >seen.mjs <<'JS'
import yargs from 'yargs'
let rendered = 0
const counting = { toJSON: () => String(++rendered) }
let atStart
await yargs(['go'])
  .command('go', 'do it', (argv) => argv.option('x', { default: counting }), async () => {
    atStart = rendered
    await null
    console.log(`the handler goes on: rendered ${rendered} times, ${atStart} when it began`)
  })
  .parseAsync()
JS
node seen.mjs | tee seen
diff - seen <<'SEEN'
the handler goes on: rendered 1 times, 0 when it began
SEEN
echo 'as described'
