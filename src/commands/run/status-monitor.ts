import { basename, resolve } from 'node:path'
import { UserError } from '../../errors.js'
import { sum } from '../../job/totals.js'
import { duration } from '../../report/format.js'
import { muninGraphs } from '../../report/munin.js'
import {
  serviceOutput,
  isAlert,
  readThreshold,
  SERVICE_STATES,
  worst,
  type PerformanceValue,
  type ServiceFinding,
  type Threshold,
} from '../../report/nagios.js'
import { measuredRun, metricsOf } from '../../report/run-metrics.js'
import { printable } from '../../keys.js'
import { timeOf } from '../../times.js'
import { EXIT } from '../options/exit.js'
import type { MonitorRequest } from '../options/status-options.js'
import { oneLine, stateWord, type Found, type RunStatus } from '../../report/run-status.js'
import { lookAt } from './look-at-runs.js'
import type { StatusIo } from './show-status.js'

/** What is asked, and of which runs, as `status` has it. */
interface Asked extends MonitorRequest {
  readonly dir: string | undefined
}

/** Tells of runs as a monitoring system has it. Answers the exit code, that of a plugin for `nagios`. Throws a UserError as `status` does. */
export async function statusForMonitor(asked: Asked, io: StatusIo): Promise<number> {
  const { format, dir } = asked
  if (format === 'nagios') return await checkForNagios(asked, io)
  const found = await lookAt(dir, io.cwd)
  const runs = found.flatMap((run) => ('state' in run ? [measuredRun(run, nameOf(run, io.cwd))] : []))
  switch (format) {
    case 'prometheus': {
      const unreadable = found.flatMap((run) => ('state' in run ? [] : [nameOf(run, io.cwd)]))
      io.stdout.write((await metricsOf(runs, unreadable)).text)
      return EXIT.done
    }
    case 'munin':
      io.stdout.write(muninGraphs(runs))
      return EXIT.done
  }
}

// Several runs may be in one place, each by the name of its folder.
function nameOf({ folder }: Found, cwd: string): string {
  return basename(resolve(cwd, folder))
}

/** A run at work is saved each second or so; after so many milliseconds without it stands still. */
const STILL = 5 * 60_000

// What goes wrong is told on standard output, since Nagios shows nothing else, and is no exit code but its four.
async function checkForNagios({ dir, ...asked }: Asked, io: StatusIo): Promise<number> {
  let output: [ServiceFinding[], PerformanceValue[]]
  try {
    const limits = {
      warning: rangeOf('warning', asked.warning ?? ANY),
      critical: asked.critical === undefined ? undefined : rangeOf('critical', asked.critical),
    }
    const runs = await lookAt(dir, io.cwd)
    const [only] = runs
    const values = runs.length === 1 && only !== undefined && 'state' in only ? valuesOf(only, limits) : []
    output = [runs.map((run) => findingOf(run, limits)), values]
  } catch (error) {
    output = [[unknownFor(error)], []]
  }
  io.stdout.write(serviceOutput(...output))
  return SERVICE_STATES.indexOf(worst(output[0].map(({ state }) => state)))
}

/** What a check says that could not be done for an error, where Nagios is to be told of it: else it is thrown on. */
export function unknownFor(error: unknown): ServiceFinding {
  if (!(error instanceof UserError)) throw error
  const { message, hint } = error
  return { state: 'UNKNOWN', text: hint === undefined ? message : `${message}: ${hint}` }
}

/** A range of a flag; what is none is a `UserError`. */
export function rangeOf(flag: string, text: string): Threshold {
  const range = readThreshold(text)
  if (range !== undefined) return range
  throw new UserError(
    `--${flag} wants a range as monitoring plugins have it, not ‘${printable(text)}’`,
    'such as 10 (an alert above 10), 10:20 (outside of 10 to 20) or @10:20 (within)',
  )
}

/** Of failed objects. */
interface Limits {
  readonly warning: Threshold
  readonly critical: Threshold | undefined
}

/** A single failure is worth a look. */
const ANY = '0'

function findingOf(run: Found, { warning, critical }: Limits): ServiceFinding {
  if ('problem' in run) return { state: 'UNKNOWN', text: `${run.folder}: ${run.problem}` }
  const text = oneLine(run)
  const failed = sum(run.failed)
  const still = Date.now() - timeOf(run.savedAt)
  if (run.heldBy !== null && still > STILL)
    return { state: 'CRITICAL', text: `${text}; not saved for ${duration(still)}: it stands still` }
  const state = stateWord(run)
  if (state === 'killed' || state === 'stopped') return { state: 'CRITICAL', text: `${text}; next: ${run.next ?? ''}` }
  if (critical !== undefined && isAlert(critical, failed)) return { state: 'CRITICAL', text }
  if (state === 'paused' || isAlert(warning, failed)) return { state: 'WARNING', text }
  return { state: 'OK', text }
}

function valuesOf(run: RunStatus, { warning, critical }: Limits): PerformanceValue[] {
  const { done, copied, bytes, deleted, failed, share, recentPerSecond, leftMs } = run
  return [
    { label: 'done', value: done, unit: 'c' },
    { label: 'written', value: copied, unit: 'c' },
    { label: 'bytes', value: bytes, unit: 'B' },
    { label: 'deleted', value: deleted, unit: 'c' },
    { label: 'failed', value: sum(failed), warning, critical },
    ...(share === null ? [] : [{ label: 'share', value: Math.round(share * 10_000) / 100, unit: '%' } as const]),
    ...(recentPerSecond === null ? [] : [{ label: 'rate', value: Math.round(recentPerSecond) }]),
    ...(leftMs === null ? [] : [{ label: 'left', value: Math.round(leftMs / 1000), unit: 's' } as const]),
  ]
}
