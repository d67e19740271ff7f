import { createHash } from 'node:crypto'

/** One HTML page that needs nothing beside itself. */
export interface HtmlPage {
  readonly title: string
  /** Markup, in which all text is escaped. */
  readonly body: readonly string[]
  /** The only script that it may run; it may ask the server of the page for more. */
  readonly script?: string
}

const STYLE = `:root{color-scheme:light dark;--text:#222;--dim:#595959;--back:#fff;--line:#d5d5d5;--bar:#2f6f9f;--bad:#a4262c;--well:#1f7a3d;--wait:#8a5a00;--now:#f0a30a}
@media (prefers-color-scheme:dark){:root{--text:#e6e6e6;--dim:#a8a8a8;--back:#161616;--line:#3d3d3d;--bar:#6cb2e3;--bad:#ff8d85;--well:#6fcf8f;--wait:#e8b44f;--now:#e8b44f}}
body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:1.5rem auto;padding:0 1rem;color:var(--text);background:var(--back)}
h1{font-size:1.4rem;overflow-wrap:anywhere}h2{font-size:1.1rem;margin:2rem 0 .4rem}a{color:var(--bar)}
table{border-collapse:collapse}th{text-align:left;font-weight:600}td,th{padding:.15rem .8rem .15rem 0;vertical-align:top;overflow-wrap:anywhere}thead th{overflow-wrap:normal}tbody td:first-child{min-width:9rem}
td.n,th.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}caption{text-align:left;color:var(--dim)}
.wide{overflow-x:auto}pre,code{white-space:pre-wrap;overflow-wrap:anywhere}.dim{color:var(--dim)}.bad{color:var(--bad)}.well{color:var(--well)}.wait{color:var(--wait)}
td.b{width:40%;min-width:6rem}svg{display:block;width:100%;fill:var(--bar)}td.b svg{height:1.1rem}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(17rem,1fr));gap:1rem 2rem}figure{margin:0}figcaption{font-weight:600}
.plot{height:6rem;border-bottom:1px solid var(--line);border-top:1px dashed var(--line)}.plot path{fill:none;stroke:var(--bar);stroke-width:1.5;vector-effect:non-scaling-stroke}
.axis{display:flex;justify-content:space-between;color:var(--dim);font-size:13px}.keys span{flex:1 0;overflow-wrap:anywhere;padding-right:.5rem}
.map{height:2rem;outline:1px solid var(--dim)}.left{fill:var(--line);background:var(--line)}.held{fill:var(--bad);background:var(--bad)}.now{fill:var(--now);background:var(--now)}.done{fill:var(--bar);background:var(--bar)}
.legend i{outline:1px solid var(--dim)}progress{accent-color:var(--bar)}.legend span{margin-right:1.2rem}.legend span,label{white-space:nowrap}.legend i{display:inline-block;width:.8em;height:.8em;margin-right:.4em}
@media print{:root{color-scheme:light;--text:#000;--dim:#444;--back:#fff;--line:#bbb;--bar:#2f6f9f;--bad:#a4262c;--well:#1f7a3d;--wait:#8a5a00;--now:#f0a30a}body{font-size:10pt;max-width:none;margin:0;padding:0}h2{break-after:avoid}figure,tr{break-inside:avoid}.charts{grid-template-columns:1fr 1fr}}`

/** What a page may load and run: its own style and script, by their hashes, and nothing from elsewhere. */
export function contentSecurityPolicy({ script }: Pick<HtmlPage, 'script'>): string {
  return [
    "default-src 'none'",
    `style-src '${hashOf(STYLE)}'`,
    ...(script === undefined ? [] : [`script-src '${hashOf(script)}'`, "connect-src 'self'"]),
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ')
}

/** The page as a document. */
export function htmlDocument(page: HtmlPage): string {
  const { title, body, script } = page
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${contentSecurityPolicy(page)}">
<meta name="referrer" content="no-referrer">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${body.join('\n')}
</main>
${script === undefined ? '' : `<script>${script}</script>\n`}</body>
</html>
`
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`
}

/** Text as markup. Names of objects are anything that somebody made them; what no person can see is shown as unknown. */
export function escaped(text: string): string {
  return text
    .replace(/(?!\n)[\p{Cc}\p{Cf}\p{Cs}]/gu, '\uFFFD')
    .replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** A cell of a table: text, or a number as text, which stands at the right. */
export type Cell = string | { readonly number: string }

/** A table; the first row is its head. */
export function htmlTable([head = [], ...rows]: readonly (readonly Cell[])[], caption?: string): string {
  const line = (tag: string, row: readonly Cell[]): string =>
    `<tr>${row.map((cell) => cellOf(tag, cell)).join('')}</tr>`
  const title = caption === undefined ? '' : `<caption>${escaped(caption)}</caption>`
  const scope = 'th scope="col"'
  return `<div class="wide" tabindex="0"><table>${title}<thead>${line(scope, head)}</thead><tbody>${rows.map((row) => line('td', row)).join('')}</tbody></table></div>`
}

function cellOf(tag: string, cell: Cell): string {
  const [name = tag] = tag.split(' ')
  return typeof cell === 'string'
    ? `<${tag}>${escaped(cell)}</${name}>`
    : `<${tag} class="n">${escaped(cell.number)}</${name}>`
}

/** Names and what is to be told of each. */
export function htmlFacts(rows: readonly (readonly [name: string, text: string])[]): string {
  const lines = rows.map(([name, text]) => `<tr><th scope="row">${escaped(name)}</th><td>${escaped(text)}</td></tr>`)
  return `<div class="wide" tabindex="0"><table>${lines.join('')}</table></div>`
}
