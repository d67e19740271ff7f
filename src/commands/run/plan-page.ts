import { placeUrl } from '../../job/place.js'
import { printable } from '../../keys.js'
import { bytes, count, jobTitle, objects } from '../../report/format.js'
import { barChart, type Bar } from '../../report/pages/charts.js'
import { escaped, htmlDocument, htmlTable, type Cell } from '../../report/pages/html.js'
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
    parts.push(`<h2>Objects by storage class${about}</h2>`, barChart(bars), htmlTable(numbersFirst(classTable(groups))))
    parts.push(`<h2>Objects by size${about}</h2>`, barChart(sizeBars(plan)), htmlTable(numbersFirst(sizeTable(groups))))
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
    parts.push(`<h2>Money</h2><p>${escaped(money)}</p>`, barChart(priced), htmlTable(numbersFirst(costTable(cost))))
    parts.push(...[pricesInWords(cost), ...batchInWords(cost)].map((text) => `<p>${escaped(text)}</p>`))
  }
  if (found.time === undefined) parts.push('<p>How long it would take is not known.</p>')
  return htmlDocument({ title, body: parts })
}

// Two columns of each table are numbers.
function numbersFirst(rows: readonly (readonly string[])[]): Cell[][] {
  return rows.map(([one = '', other = '', ...rest]) => [{ number: one }, { number: other }, ...rest])
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

function lossText({ what, objects: n, example }: SampledLoss, root: string): string {
  return `${objects(n)} (${root}${printable(example)}): ${what}`
}
