import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { watchMemory } from './memory.mjs'
import { ended } from './program.mjs'

/** The kernel counts in hundredths of a second towards programs, on every architecture that Node runs on. */
const MICROSECONDS_A_TICK = 10_000

/**
 * CPU time, in microseconds, of all child processes that have ended and been waited for (`cutime` and `cstime` of
 * proc(5)): the figures of wait4(2), which Node does not hand out. Undefined where there is no /proc.
 */
function cpuOfEndedChildren() {
  try {
    const stat = readFileSync('/proc/self/stat', 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[13]) + Number(fields[14])) * MICROSECONDS_A_TICK
  } catch {
    return undefined
  }
}

/**
 * Runs a program to its end and measures all of it, its start-up included. No other child may end meanwhile.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ env: NodeJS.ProcessEnv, cwd: string }} options
 */
export async function measured(command, args, { env, cwd }) {
  const cpuBefore = cpuOfEndedChildren()
  const began = performance.now()
  const child = spawn(command, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  const memory = watchMemory(child.pid)
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (/** @type {string} */ text) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (/** @type {string} */ text) => (stderr += text))
  const { code } = await ended(child)
  const seconds = (performance.now() - began) / 1000
  const cpuAfter = cpuOfEndedChildren()
  return {
    code,
    stdout,
    stderr,
    seconds,
    cpuMicroseconds: cpuBefore === undefined || cpuAfter === undefined ? undefined : cpuAfter - cpuBefore,
    peakBytes: memory.stop(),
  }
}
