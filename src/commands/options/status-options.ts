import { UserError } from '../../errors.js'
import type { Argv } from './argv.js'
import { booleanFlag, readChoice, readFlag, readText, textFlag, type Flags } from './flag-values.js'

/** Formats of monitoring systems. */
const MONITORS = ['prometheus', 'nagios', 'munin'] as const

/** What is asked of `status` for a monitoring system. */
export interface MonitorRequest {
  readonly format: (typeof MONITORS)[number]
  /** Ranges of failed objects, as they were written. */
  readonly warning: string | undefined
  readonly critical: string | undefined
}

/** Flags of how a run is told of. */
export function statusFlags(argv: Argv): Argv {
  return argv.options({
    json: booleanFlag('one JSON object a run'),
    format: textFlag('text|json|prometheus|nagios|munin', 'for people, programs, or a monitoring system', 'text'),
    warning: textFlag('RANGE', 'with nagios: an alert for so many failed objects', '0: for any'),
    critical: textFlag('RANGE', 'with nagios: the same, and critical', 'none'),
    merge: booleanFlag('add up the runs of shards; of one job: which are missing, and whether that is all'),
    watch: booleanFlag('again each second, until no process works on it; in a pipe a line for each change'),
  })
}

/** The monitoring system that is to be told, if one is. */
export function readMonitor(flags: Flags): MonitorRequest | undefined {
  const format = readChoice(flags, 'format', ['text', 'json', ...MONITORS])
  const [warning, critical] = [readText(flags, 'warning'), readText(flags, 'critical')]
  if (format !== 'nagios' && (warning ?? critical) !== undefined) {
    const flag = warning === undefined ? '--critical' : '--warning'
    throw new UserError(`${flag} is for --format nagios`, `add that, or leave ${flag} away`)
  }
  const merging = readFlag(flags, 'merge') === true
  const other =
    readFlag(flags, 'watch') === true
      ? '--watch'
      : (MONITORS as readonly unknown[]).includes(format) && `--format ${format ?? ''}`
  if (merging && other !== false) {
    throw new UserError(
      `--merge does not go with ${other}: the runs may be of other machines`,
      'leave one of them away',
    )
  }
  if (format === undefined || format === 'text' || format === 'json') return undefined
  if (readFlag(flags, 'json') === true)
    throw new UserError(`--json and --format ${format} contradict each other`, 'give one of them')
  if (readFlag(flags, 'watch') === true)
    throw new UserError(
      `--watch and --format ${format} contradict each other: it is asked again by itself`,
      'leave --watch away',
    )
  return { format, warning, critical }
}
