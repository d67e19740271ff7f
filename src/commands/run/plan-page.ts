import { createHash } from 'node:crypto'
import { placeUrl } from '../../job/place.js'
import { printable } from '../../keys.js'
import { bytes, count, jobTitle, objects } from '../../report/format.js'
import {
  aboutMoney,
  batchInWords,
  fateInWords,
  costInWords,
  costTable,
  classTable,
  pricesInWords,
  sizeTable,
} from './plan-tables.js'
import { rehearsedLines, type RehearsedPlan } from './plan-report.js'
import type { SampledLoss } from './plan-sample.js'

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse}
td,th{padding:.15rem .8rem .15rem 0;text-align:left;vertical-align:top}
td:nth-child(-n+2),th:nth-child(-n+2){text-align:right;white-space:nowrap}
pre{white-space:pre-wrap;overflow-wrap:anywhere}svg{display:block;margin:.5rem 0}text{font:13px system-ui,sans-serif}`

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64')

/** A plan as one page that needs nothing beside itself, runs no script and loads nothing. */
export function planPage(plan: RehearsedPlan): string {
  const { job, found, planned, figures } = plan
  const title = `plan: ${jobTitle(job)}`
  const parts = [
    `<h1>${escaped(title)}</h1>`,
    `<p>${escaped(new Date().toISOString())}</p>`,
    `<pre>${escaped(rehearsedLines(plan).join('\n'))}</pre>`,
  ]
  if (planned !== undefined) {
    const { groups, losses, cost } = planned
    const about = figures === undefined ? '' : ', about'
    const money = figures === undefined ? costInWords(cost) : aboutMoney(cost, figures)
    const bars = groups.map((group): Bar => {
      const label = `${group.storageClass}, ${fateInWords(group.fate)}`
      return { label, value: group.bytes, text: `${objects(group.objects)}, ${bytes(group.bytes)}` }
    })
    parts.push(`<h2>Objects by storage class${about}</h2>`, barChart(bars), table(classTable(groups)))
    parts.push(`<h2>Objects by size${about}</h2>`, barChart(sizeBars(plan)), table(sizeTable(groups)))
    if (losses !== undefined) {
      const root = placeUrl({ ...job.source, prefix: '' })
      const lines = [...losses.losses, ...losses.notes].map((one) => `<li>${escaped(lossText(one, root))}</li>`)
      parts.push(
        '<h2>What copies would lose, or have otherwise</h2>',
        `<p>${escaped(`By a look at ${objects(losses.looked)}; ${count(losses.unknown)} could not be looked at.`)}</p>`,
        lines.length === 0 ? '<p>None was seen.</p>' : `<ul>${lines.join('')}</ul>`,
      )
    }
    const priced = cost.rows.flatMap(({ usd = 0, what }): Bar[] => [
      { label: what, value: usd, text: `US$ ${usd.toFixed(2)}` },
    ])
    parts.push(`<h2>Money</h2><p>${escaped(money)}</p>`, barChart(priced), table(costTable(cost)))
    parts.push(...[pricesInWords(cost), ...batchInWords(cost)].map((text) => `<p>${escaped(text)}</p>`))
  }
  if (found.time === undefined) parts.push('<p>How long it would take is not known.</p>')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'">
<meta name="referrer" content="no-referrer">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
${parts.join('\n')}
</body>
</html>
`
}

interface Bar {
  readonly label: string
  readonly value: number
  readonly text: string
}

function sizeBars({ planned }: RehearsedPlan): Bar[] {
  const sums = new Map<string, { objects: number; bytes: number }>()
  for (const { sizes } of planned?.groups ?? []) {
    for (const [name, n, size] of sizes) {
      const sum = sums.get(name) ?? { objects: 0, bytes: 0 }
      sums.set(name, { objects: sum.objects + n, bytes: sum.bytes + size })
    }
  }
  return [...sums].map(([name, sum]) => ({
    label: `up to ${name}`,
    value: sum.objects,
    text: `${objects(sum.objects)}, ${bytes(sum.bytes)}`,
  }))
}

const BAR = { height: 22, width: 420, label: 320 }

function barChart(all: readonly Bar[]): string {
  const bars = all.filter(({ value }) => value > 0)
  if (bars.length === 0) return ''
  const most = Math.max(...bars.map(({ value }) => value))
  const rows = bars.map(({ label, value, text }, at) => {
    const y = at * BAR.height
    const width = Math.max(1, (value / most) * BAR.width)
    const told = label.length > 48 ? `${label.slice(0, 47)}…` : label
    return `<text x="0" y="${y + 15}">${escaped(told)}</text><rect x="${BAR.label}" y="${y + 3}" width="${width.toFixed(1)}" height="${BAR.height - 6}" fill="#48a"/><text x="${(BAR.label + width + 6).toFixed(1)}" y="${y + 15}">${escaped(text)}</text>`
  })
  const size = `0 0 ${BAR.label + BAR.width + 220} ${bars.length * BAR.height}`
  return `<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="${size}">${rows.join('')}</svg>`
}

function table([head = [], ...rows]: readonly (readonly string[])[]): string {
  const cells = (tag: string, row: readonly string[]): string =>
    `<tr>${row.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join('')}</tr>`
  return `<table>${cells('th', head)}${rows.map((row) => cells('td', row)).join('')}</table>`
}

function lossText({ what, objects: n, example }: SampledLoss, root: string): string {
  return `${objects(n)} (${root}${printable(example)}): ${what}`
}

// Names of objects are anything that somebody made them; what no person can see is shown as unknown.
function escaped(text: string): string {
  return text
    .replace(/(?!\n)[\p{Cc}\p{Cf}\p{Cs}]/gu, '\uFFFD')
    .replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
