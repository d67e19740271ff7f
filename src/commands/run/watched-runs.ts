import { basename, join } from 'node:path'
import type { Checkpoint } from '../../checkpoint/checkpoint.js'
import { findRuns, readCheckpoint, type BrokenRun, type SavedRun } from '../../checkpoint/checkpoint-file.js'
import { readFailures } from '../../checkpoint/failure-ledger.js'
import { LEDGER } from '../../checkpoint/ledger-file.js'
import { kindOf } from '../../job/kinds.js'
import { sum } from '../../job/totals.js'
import { printable } from '../../keys.js'
import { FailureGroups, type FailureGroup } from '../../report/failure-groups.js'
import { count, jobTitle } from '../../report/format.js'
import { escaped, htmlFacts } from '../../report/pages/html.js'
import { KeyspaceMap, keyspaceStrip } from '../../report/pages/keyspace-map.js'
import { rateCharts } from '../../report/pages/run-rates.js'
import {
  failureSection,
  hostSection,
  prefixSection,
  requestSection,
  runFacts,
  stateSection,
} from '../../report/pages/run-sections.js'
import { measuredRun, metricsOf } from '../../report/run-metrics.js'
import { doneOfTotal, stateWord } from '../../report/run-status.js'
import type { LiveView } from '../../watch/live-page.js'
import type { Shown } from '../../watch/watch-server.js'
import { codeInWords } from './codes-in-words.js'
import { statusOf } from './look-at-runs.js'

/** Entries of a failure ledger in which a sample of each code is looked for. */
const SAMPLED = 1000

/** Shows the runs below `.s3move/` of the working directory, each at a path of its own. */
export function allRuns(cwd: string): Shown {
  const watched = new Map<string, WatchedRun>()
  const look = (): Promise<readonly (SavedRun | BrokenRun)[]> => findRuns(cwd)
  return {
    async view(path) {
      const runs = await look()
      if (path === '/') return { title: 's3move runs', sections: { runs: await indexOf(runs, cwd) } }
      const found = runs.find(({ folder }) => pathOf(folder) === path)
      if (found === undefined) return undefined
      if ('problem' in found) return withWayBack(brokenView(found))
      let run = watched.get(found.folder)
      if (run === undefined) watched.set(found.folder, (run = new WatchedRun(cwd)))
      return withWayBack(await run.view(found))
    },
    metrics: (accept) => metricsFor(look, accept, cwd),
  }
}

/** Shows one run, of a folder. */
export function oneRun(folder: string, cwd: string): Shown {
  const run = new WatchedRun(cwd)
  return {
    async view(path) {
      return path === '/' ? await run.view(await readCheckpoint(folder)) : undefined
    },
    metrics: (accept) => metricsFor(async () => [await readCheckpoint(folder)], accept, cwd),
  }
}

function pathOf(folder: string): string {
  return `/runs/${encodeURIComponent(basename(folder))}`
}

function brokenView({ folder, problem }: BrokenRun): LiveView {
  return { title: printable(basename(folder)), sections: { problem: `<p>${escaped(problem.message)}</p>` } }
}

function withWayBack({ title, sections }: LiveView): LiveView {
  return { title, sections: { ...sections, back: '<p><a href="/">All runs</a></p>' } }
}

async function indexOf(runs: readonly (SavedRun | BrokenRun)[], cwd: string): Promise<string> {
  if (runs.length === 0) return '<p>There is none yet.</p>'
  const rows = runs.map(async (run) => {
    const link = `<a href="${escaped(pathOf(run.folder))}">${escaped(printable(basename(run.folder)))}</a>`
    if ('problem' in run) return [link, 'unreadable', escaped(run.problem.message), '', '']
    const status = await statusOf(run, cwd)
    const failed = sum(status.failed)
    const cells = [stateWord(status), jobTitle(status.job), doneOfTotal(status), failed === 0 ? 'none' : count(failed)]
    return [link, ...cells.map(escaped)]
  })
  const head = ['run', 'state', 'job', 'done', 'failed'].map((name) => `<th scope="col">${name}</th>`)
  const lines = (await Promise.all(rows)).map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join('')}</tr>`)
  return `<div class="wide"><table><thead><tr>${head.join('')}</tr></thead><tbody>${lines.join('')}</tbody></table></div>`
}

async function metricsFor(
  look: () => Promise<readonly (SavedRun | BrokenRun)[]>,
  accept: string,
  cwd: string,
): ReturnType<Shown['metrics']> {
  const found = await look()
  const unreadable = found.flatMap((run) => ('problem' in run ? [basename(run.folder)] : []))
  const runs = await Promise.all(
    found.map(async (run) => {
      if ('problem' in run) return []
      return [measuredRun(await statusOf(run, cwd), basename(run.folder))]
    }),
  )
  const format = accept.includes('application/openmetrics-text') ? 'openmetrics' : 'prometheus'
  return await metricsOf(runs.flat(), unreadable, format)
}

/** One run as it is seen again and again. */
class WatchedRun {
  private readonly map = new KeyspaceMap()
  private sampled: { readonly bytes: number; readonly groups: readonly FailureGroup[] } = { bytes: 0, groups: [] }

  constructor(private readonly cwd: string) {}

  async view(saved: SavedRun): Promise<LiveView> {
    const { folder, checkpoint } = saved
    const run = await statusOf(saved, this.cwd)
    const { ranges, activity, history } = checkpoint
    const strip = keyspaceStrip(this.map.look(ranges, activity?.held))
    const groups = await this.samples(folder, checkpoint)
    return {
      title: jobTitle(run.job),
      adjustable: kindOf(run.job).adjustable,
      sections: {
        state: stateSection(run),
        charts: rateCharts(history),
        keys: strip === '' ? '' : `<h2>Key space</h2>${strip}`,
        prefixes: run.heldBy === null || activity === undefined ? '' : prefixSection(activity),
        hosts: hostSection(run.hosts ?? []),
        facts: `<h2>Numbers</h2>${htmlFacts(runFacts(run, checkpoint, Date.now()))}`,
        failures: `<h2>Failures</h2>${failureSection(run.failed, groups, codeInWords)}`,
        requests: `<h2>Requests</h2>${requestSection(run.requests)}`,
      },
    }
  }

  // Of the beginning of the ledger, once more where it has grown since.
  private async samples(folder: string, { ledger }: Checkpoint): Promise<readonly FailureGroup[]> {
    if (ledger.bytes === this.sampled.bytes) return this.sampled.groups
    const groups = new FailureGroups('')
    try {
      for await (const { failure } of readFailures(join(folder, LEDGER), 0, ledger.bytes)) {
        groups.add(failure)
        if (groups.total >= SAMPLED) break
      }
    } catch {
      // A retry has taken the ledger away: the counts are told without samples.
    }
    this.sampled = { bytes: ledger.bytes, groups: groups.byCode() }
    return this.sampled.groups
  }
}
