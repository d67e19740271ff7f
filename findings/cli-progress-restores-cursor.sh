#!/usr/bin/env bash
# cli-progress 3.12.0: on a terminal `start()` saves the place of the cursor and `stop()` brings the cursor back there. If a program has printed a whole
# line meanwhile, even in the usual way (back to the first column, erase the line, print, and the bar is drawn below at its next update), then with
# `clearOnComplete` the line that is cleared is that of the program, the bar stays on the screen, and the output that follows is written over
# what was printed. One would expect `stop()` to clear the line that the bar is on.
# The screen is that of @xterm/headless 6.0.0. Exits with 0 while that is so.
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund cli-progress@3.12.0 @xterm/headless@6.0.0
cat >seen.mjs <<'JS'
import { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import xterm from '@xterm/headless'
import progress from 'cli-progress'

async function screen(warnings) {
  const terminal = new xterm.Terminal({ cols: 40, rows: 12, convertEol: true, allowProposedApi: true })
  const stream = new Writable({ decodeStrings: false, write: (text, _, done) => terminal.write(text, done) })
  Object.assign(stream, { isTTY: true, columns: 40, rows: 12 })
  const bar = new progress.SingleBar({ stream, format: 'bar {value}/{total}', clearOnComplete: true, hideCursor: true, fps: 1000 })
  stream.write('begin\n')
  bar.start(4, 0)
  for (let value = 1; value <= 4; value++) {
    await sleep(20)
    if (value <= warnings) stream.write(`\r\u001b[Kwarning ${value}\n`)
    bar.update(value)
  }
  bar.stop()
  await new Promise((resolve) => stream.write('end\n', resolve))
  const lines = Array.from({ length: 12 }, (_, row) => terminal.buffer.active.getLine(row).translateToString(true))
  return lines.filter((line) => line !== '').join(' | ')
}
for (const warnings of [0, 1, 3]) console.log(`${warnings} printed: ${await screen(warnings)}`)
JS
node seen.mjs | tee seen
diff - seen <<'SEEN'
0 printed: begin | end
1 printed: begin | end | bar 4/4
3 printed: begin | end | warning 2 | warning 3 | bar 4/4
SEEN
echo 'as described'
