import { escaped } from '../report/pages/html.js'
import { CONTROL_HEADER } from './access.js'

/** What is shown at one path: markup by the id of its section. */
export interface LiveView {
  readonly title: string
  readonly sections: Readonly<Record<string, string>>
  /** What may be changed of the pace of what is shown. */
  readonly adjustable?: readonly (keyof typeof FIELDS)[] | undefined
}

/** What a stop is, where it is asked whether that is meant. */
const CONSENT = 'Stop it? What is in flight ends; s3move resume goes on.'

/** Follows what is shown; who goes through it by the keyboard, or has scrolled a wide table, stays there. Markup comes from the server, where all text in it was escaped; the policy of the page runs no script but this. */
export const LIVE_SCRIPT = `const line = document.getElementById('line')
const events = new EventSource('/events' + location.pathname)
events.onopen = () => { line.textContent = 'This page follows the run.' }
events.onmessage = ({ data }) => {
  for (const [id, markup] of Object.entries(JSON.parse(data))) show(document.getElementById(id) ?? added(id), markup)
  document.title = document.getElementById('title').textContent
}
function added(id) {
  const section = document.createElement('section')
  section.id = id
  return document.querySelector('main').appendChild(section)
}
function show(section, markup) {
  if (section.innerHTML === markup) return
  const stops = () => [...section.querySelectorAll('a,[tabindex]')]
  const at = stops().indexOf(document.activeElement)
  const lefts = stops().map((stop) => stop.scrollLeft)
  section.innerHTML = markup
  for (const [index, stop] of stops().entries()) stop.scrollLeft = lefts[index] ?? 0
  if (at >= 0) stops()[at]?.focus({ preventScroll: true })
}
events.onerror = () => {
  line.textContent =
    events.readyState === EventSource.CLOSED
      ? 'This page follows no more: reload it.'
      : 'No connection: what is shown is of before. It is tried again.'
}
const controls = document.getElementById('controls')
async function ask(path, body) {
  const headers = { '${CONTROL_HEADER}': controls.dataset.secret }
  const told = await fetch(path, { method: 'POST', headers, body }).then((answer) => answer.text(), () => 'No connection.')
  return told.trim()
}
controls?.addEventListener('click', async ({ target }) => {
  if (target.id !== 'stop') return
  if (target.textContent !== '${CONSENT}') {
    target.textContent = '${CONSENT}'
    return
  }
  target.disabled = true
  target.textContent = await ask('/stop')
})
controls?.addEventListener('submit', async (event) => {
  event.preventDefault()
  document.getElementById('asked').textContent = await ask('/pace', new URLSearchParams(new FormData(event.target)))
})
events.addEventListener('end', () => {
  events.close()
  line.textContent = 'Nothing more comes: the server has ended.'
})`

/** All of a view that may change: markup by the id of its element. `controlled` is one whose page has buttons. */
export function liveParts(view: LiveView, controlled: boolean): Readonly<Record<string, string>> {
  const { title, sections } = view
  return { title: escaped(title), ...(controlled ? { controls: controlsOf(view) } : {}), ...sections }
}

const FIELDS = {
  concurrency: '<label>Objects in flight <input name="concurrency" size="6" inputmode="numeric"></label>',
  bandwidth: '<label>Bytes a second <input name="bandwidth" size="10" placeholder="50M, none"></label>',
}

function controlsOf({ adjustable = [] }: LiveView): string {
  const stop = '<p><button id="stop" type="button">Stop the run</button></p>'
  if (adjustable.length === 0) return stop
  const fields = adjustable.map((field) => FIELDS[field]).join(' ')
  return `${stop}<form><p>${fields} <button>Change the pace</button></p><p id="asked" class="dim" role="status"></p></form>`
}

/** The sections of a view, each where the script finds it; with buttons where there is a `secret` that lets them change the run. */
export function liveBody(view: LiveView, secret: string | undefined): string[] {
  const { title, sections } = view
  return [
    `<h1 id="title">${escaped(title)}</h1>`,
    '<p id="line" class="dim" role="status">This page needs scripts to follow the run; reload it instead.</p>',
    ...(secret === undefined
      ? []
      : [`<section id="controls" data-secret="${escaped(secret)}">${controlsOf(view)}</section>`]),
    ...Object.entries(sections).map(([id, markup]) => `<section id="${escaped(id)}">${markup}</section>`),
  ]
}
