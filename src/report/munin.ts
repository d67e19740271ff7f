import { createHash } from 'node:crypto'
import { sum } from '../job/totals.js'
import { printable } from '../keys.js'
import type { MeasuredRun } from './run-metrics.js'

/** A line of a graph. */
interface Field {
  readonly name: string
  readonly label: string
  /** Of what only grows Munin makes a rate; it takes whole numbers only then. */
  readonly type: 'DERIVE' | 'GAUGE'
  readonly more?: readonly string[]
  /** Undefined where nobody knows. */
  readonly value: (run: MeasuredRun) => number | undefined
}

interface Graph {
  readonly name: string
  readonly title: string
  readonly args: string
  readonly unit: string
  readonly fields: readonly Field[]
}

const A_SECOND = 'per ${graph_period}'

function grows(name: string, label: string, value: (run: MeasuredRun) => number): Field {
  // Less than before is no rate: another session has begun to count.
  return { name, label, type: 'DERIVE', more: ['min 0'], value }
}

/** Of a run, in the order of a page. Munin knows no key and no error code: what fails is in the ledger. */
const GRAPHS: readonly Graph[] = [
  {
    ...{ name: 'objects', title: 'objects', args: '--base 1000 --lower-limit 0', unit: `objects ${A_SECOND}` },
    fields: [
      grows('written', 'written', ({ copied }) => copied),
      grows('deleted', 'deleted', ({ deleted }) => deleted),
      grows('skipped', 'skipped', ({ skipped }) => sum(skipped)),
      grows('listed', 'listed', ({ listed }) => listed),
    ],
  },
  {
    ...{ name: 'bytes', title: 'bytes', args: '--base 1024 --lower-limit 0', unit: `bytes ${A_SECOND}` },
    fields: [grows('written', 'written', ({ bytes }) => bytes), grows('deleted', 'deleted', ({ freed }) => freed)],
  },
  {
    ...{ name: 'requests', title: 'requests', args: '--base 1000 --lower-limit 0', unit: `requests ${A_SECOND}` },
    fields: [
      grows('sent', 'sent', ({ requests }) => sum(requests)),
      grows('throttled', 'answered by slow down', ({ throttled }) => throttled),
    ],
  },
  {
    ...{ name: 'failed', title: 'failures', args: '--base 1000 --lower-limit 0', unit: 'objects' },
    fields: [
      { name: 'failed', label: 'failed', type: 'GAUGE', more: ['warning 0'], value: ({ failed }) => sum(failed) },
      { name: 'waiting', label: 'to be tried again', type: 'GAUGE', value: ({ waiting }) => waiting.objects },
    ],
  },
  {
    ...{ name: 'progress', title: 'progress', args: '--lower-limit 0 --upper-limit 100', unit: '%' },
    fields: [
      { name: 'done', label: 'done', type: 'GAUGE', value: ({ share }) => (share === null ? undefined : share * 100) },
    ],
  },
]

/**
 * What a plugin tells Munin: how its graphs look, and their values (guide.munin-monitoring.org, protocol of plugins, multigraph and dirtyconfig). Without
 * the lines of values it is the configuration.
 */
export function muninGraphs(runs: readonly MeasuredRun[]): string {
  return eachGraph(runs, (run, { title, args, unit, fields }) => [
    `graph_title s3move ${printable(run.name)}: ${title}`,
    `graph_args ${args}`,
    `graph_vlabel ${unit}`,
    'graph_category s3move',
    ...fields.flatMap(({ name, label, type, more = [], value }) =>
      [`label ${label}`, `type ${type}`, ...more, `value ${value(run) ?? UNKNOWN}`].map((line) => `${name}.${line}`),
    ),
  ])
}

const UNKNOWN = 'U'

function eachGraph(runs: readonly MeasuredRun[], linesOf: (run: MeasuredRun, graph: Graph) => string[]): string {
  const lines = runs.flatMap((run) =>
    GRAPHS.flatMap((graph) => [`multigraph s3move_${graphName(run.name)}_${graph.name}`, ...linesOf(run, graph)]),
  )
  return lines.map((line) => `${line}\n`).join('')
}

/** A name as Munin takes it; of two that differ it differs. */
export function graphName(run: string): string {
  const plain = run.replaceAll(/[^A-Za-z0-9_-]/g, '_')
  return plain === run ? run : `${plain}_${createHash('sha256').update(run).digest('hex').slice(0, 8)}`
}
