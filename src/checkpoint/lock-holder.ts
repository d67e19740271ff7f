import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { isRunning, pidNamespace } from '../processes.js'
import { checkCount, shape, text, time } from '../job/schema.js'

/** Who holds a lock, precise enough to tell whether that very process still lives. */
export interface Holder {
  readonly pid: number
  readonly host: string
  /** When the lock was taken, ISO 8601. */
  readonly startedAt: string
  /** Unique to this taking of the lock. */
  readonly token: string
  /** Tells machines of the same host name apart. Linux only, as are the fields below. */
  readonly machine?: string
  /** Changes when the machine is started anew. */
  readonly boot?: string
  /** The namespace in which `pid` means this process: that of the machine, or of one container. */
  readonly pidNamespace?: string
  /** When the process started, in clock ticks since the machine did: tells processes apart that were given the same pid. */
  readonly processStart?: string
}

/** Reads the content of a lock. Throws a Mismatch for what is not a Holder. */
export const checkHolder = shape<Holder>(
  { pid: checkCount, host: text, startedAt: time, token: text },
  { machine: text, boot: text, pidNamespace: text, processStart: text },
)

/** This process as the holder of a lock taken now. */
export function thisProcess(token: string): Holder {
  return { pid: process.pid, startedAt: new Date().toISOString(), token, ...surroundings(), ...started(process.pid) }
}

/**
 * - `alive`: the process runs, or nothing proves that it does not
 * - `dead`: it does not run any more
 * - `elsewhere`: it cannot be seen from here, as it is of another machine or container
 */
export type Liveness = 'alive' | 'dead' | 'elsewhere'

/**
 * Whether the holder of a lock lives. In doubt it does: a lock wrongly kept costs a person a minute, one wrongly taken
 * makes two processes overwrite one checkpoint.
 */
export function livenessOf(holder: Holder): Liveness {
  const here = surroundings()
  if (holder.host !== here.host || holder.machine !== here.machine) return 'elsewhere'
  if (holder.boot !== undefined && here.boot !== undefined && holder.boot !== here.boot) return 'dead'
  if (holder.pidNamespace !== here.pidNamespace) return 'elsewhere'
  if (!isRunning(holder.pid)) return 'dead'
  const running = stateOf(holder.pid)
  if (running === undefined) return 'alive'
  // A zombie has ended, and only waits for its parent to ask how.
  if (running.state === 'Z' || running.state === 'X') return 'dead'
  return holder.processStart === undefined || holder.processStart === running.start ? 'alive' : 'dead'
}

function surroundings(): Pick<Holder, 'host' | 'machine' | 'boot' | 'pidNamespace'> {
  const machine = readText('/etc/machine-id')
  const boot = readText('/proc/sys/kernel/random/boot_id')
  const namespace = pidNamespace()
  return {
    host: hostname(),
    ...(machine === undefined ? {} : { machine }),
    ...(boot === undefined ? {} : { boot }),
    ...(namespace === undefined ? {} : { pidNamespace: namespace }),
  }
}

function started(pid: number): Pick<Holder, 'processStart'> {
  const start = stateOf(pid)?.start
  return start === undefined ? {} : { processStart: start }
}

// proc_pid_stat(5): the name, in parentheses, may itself hold spaces and parentheses; state is field 3, starttime field 22.
function stateOf(pid: number): { readonly state: string; readonly start: string } | undefined {
  const stat = readText(`/proc/${pid}/stat`)
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  const state = fields?.[0]
  const start = fields?.[19]
  return state === undefined || start === undefined ? undefined : { state, start }
}

function readText(path: string): string | undefined {
  try {
    const content = readFileSync(path, 'utf8').trim()
    return content === '' ? undefined : content
  } catch {
    return undefined
  }
}
