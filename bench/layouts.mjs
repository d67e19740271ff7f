import process from 'node:process'
import { measured } from './measured.mjs'
import { CLI, startSandbox } from './program.mjs'
import { number, table } from './table.mjs'

const LAYOUTS = ['hex', 'seq', 'hot', 'dates', 'deep']
const PAGE = 1000
/** Seconds that a LIST takes. */
const LATENCY = 0.05

/**
 * Lists every layout with `s3move du` and answers a table of time and LIST calls against the ideal: pages x latency / lanes,
 * start-up not counted, and one call a page.
 * @param {number} objects
 * @param {number} lanes
 * @param {{ env: NodeJS.ProcessEnv, cwd: string }} place
 */
export async function layoutTable(objects, lanes, place) {
  const pages = Math.ceil(objects / PAGE)
  const ideal = (pages * LATENCY) / lanes
  const rows = []
  for (const layout of LAYOUTS) {
    const sandbox = await startSandbox([`src:${layout}:${String(objects)}`, '--latency', 'list=50-50'])
    try {
      const args = [CLI, 'du', 's3://src', '--format', 'json', '--lanes', String(lanes), '--endpoint-url', sandbox.url]
      const run = await measured(process.execPath, args, place)
      const counted = run.code === 0 ? /** @type {{ objects: number }} */ (JSON.parse(run.stdout)).objects : 0
      const calls = (await sandbox.stats()).requests / pages
      const found = counted === objects ? number(objects / run.seconds) : `failed: ${run.stderr.trim()}`
      rows.push([layout, run.seconds.toFixed(2), found, (run.seconds / ideal).toFixed(2), calls.toFixed(2)])
    } finally {
      await sandbox.stop()
    }
  }
  return table([['', 's', 'keys/s', 'to ideal', 'calls a page'], ...rows])
}
