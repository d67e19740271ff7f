// `node scripts/performance-chart.mjs FILE`: draws docs/performance.svg from what `npm run bench -- --json FILE` has written.
import { readFile, writeFile } from 'node:fs/promises'
import { argv } from 'node:process'

/** @typedef {{ readonly seconds: number, readonly program: string }} Result */
/** @typedef {{ readonly title: string, readonly own: Result, readonly peer?: Result }} Row */

const ROW = 34
const [LEFT, WIDTH, RIGHT, TOP] = [330, 340, 130, 58]

/** @param {string} text */
const escaped = (text) => text.replace(/[&<>]/g, (character) => `&#${String(character.charCodeAt(0))};`)

/**
 * One bar a work, as long as s3move is faster than the peer: at the line both take as long.
 * @param {readonly Row[]} rows
 */
function chart(rows) {
  const compared = rows.flatMap(({ title, own, peer }) =>
    peer === undefined ? [] : [{ title, own, peer, times: peer.seconds / own.seconds }],
  )
  const most = Math.max(1, ...compared.map(({ times }) => times))
  const at = (/** @type {number} */ times) => LEFT + (times / most) * WIDTH
  const height = TOP + ROW * compared.length + 12
  const bars = compared.flatMap(({ title, own, peer, times }, index) => {
    const y = TOP + ROW * index
    const faster = times >= 1
    return [
      `<text x="${String(LEFT - 10)}" y="${String(y + 15)}" class="name">${escaped(title)}</text>`,
      `<rect x="${String(LEFT)}" y="${String(y)}" width="${(at(times) - LEFT).toFixed(1)}" height="22" rx="3" class="${faster ? 'faster' : 'slower'}"/>`,
      `<text x="${(at(Math.max(1, times)) + 8).toFixed(1)}" y="${String(y + 15)}" class="value">${times.toFixed(2)} x <tspan class="note">${own.seconds.toFixed(2)} s, ${peer.program} ${peer.seconds.toFixed(2)} s</tspan></text>`,
    ]
  })
  const peers = [...new Set(compared.map(({ peer }) => peer.program))].join(', ')
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${String(LEFT + WIDTH + RIGHT + 60)} ${String(height)}" role="img">`,
    `<title>How many times as fast as ${escaped(peers)}</title>`,
    '<style>text{font:13px system-ui,sans-serif;fill:#57606a}.title{font-size:15px;font-weight:600;fill:#1f6feb}.name{text-anchor:end}.value{font-weight:600}.note{font-weight:400;font-size:11px}',
    '.faster{fill:#1f6feb}.slower{fill:#d4763b}.line{stroke:#8b949e;stroke-dasharray:3 3}</style>',
    `<text x="14" y="22" class="title">How many times as fast as ${escaped(peers)}, from start to exit</text>`,
    `<text x="${(at(1) + 4).toFixed(1)}" y="${String(TOP - 12)}" class="note">as fast as ${escaped(peers)}</text>`,
    ...bars,
    `<line x1="${at(1).toFixed(1)}" y1="${String(TOP - 22)}" x2="${at(1).toFixed(1)}" y2="${String(height - 8)}" class="line"/>`,
    '</svg>',
    '',
  ].join('\n')
}

const [, , file] = argv
if (file === undefined) throw new Error('name the file that `npm run bench -- --json FILE` has written')
const rows = /** @type {readonly Row[]} */ (JSON.parse(await readFile(file, 'utf8')))
await writeFile(new URL('../docs/performance.svg', import.meta.url), chart(rows))
