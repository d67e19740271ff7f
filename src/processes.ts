import { readFileSync, readlinkSync } from 'node:fs'
import { basename } from 'node:path'
import { systemCode } from './file-system.js'

/** Whether there is a process of this number, in this namespace of them. In doubt there is. */
export function isRunning(pid: number): boolean {
  try {
    // Signal 0 is never sent; pid 0 would mean our own group.
    return pid > 0 && process.kill(pid, 0)
  } catch (error) {
    return systemCode(error) !== 'ESRCH'
  }
}

/**
 * Whether this process was started so that a closed terminal does not end it (SIGHUP ignored), as `nohup` does. Node.js makes every signal deadly again before
 * any program runs, and none of its own processes inherits that either, so what it was can only be told by traces: whoever started it ignores the signal
 * as well; a shell has named `nohup` as the command (`_`, by bash, zsh and ksh); `nohup` has put a /dev/null that can only be written to
 * in the place of the terminal. Where there are none (a script of another shell, without a terminal), it is not known, and answered with false.
 */
export function ignoresHangup(): boolean {
  return ignores(process.ppid) || basename(process.env._ ?? '') === 'nohup' || readsFromNohup()
}

// proc(5): the mask of ignored signals in hexadecimal digits, of which the first bit is SIGHUP. Linux only.
function ignores(pid: number): boolean {
  const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(textOf(`/proc/${pid}/status`))?.[1]
  return mask !== undefined && (BigInt(`0x${mask}`) & 1n) === 1n
}

function readsFromNohup(): boolean {
  const flags = /^flags:\s*([0-7]+)$/m.exec(textOf('/proc/self/fdinfo/0'))?.[1]
  if (flags === undefined || (Number.parseInt(flags, 8) & ACCESS) !== WRITE_ONLY) return false
  try {
    return readlinkSync('/proc/self/fd/0') === '/dev/null'
  } catch {
    return false
  }
}

const ACCESS = 0o3
const WRITE_ONLY = 0o1

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/**
 * Whether the terminal belongs to others now, as after ^Z and `bg`, or behind `&`: a shell has put another group of processes in front. Where that
 * cannot be told (beside Linux), it is answered with false.
 */
export function inBackground(): boolean {
  // proc(5): behind the name in brackets, which may hold anything, come state, parent, group, session, terminal, and the group in front.
  const stat = textOf('/proc/self/stat')
  const [, , group, , , front] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(front) > 0 && front !== group
}

/** The namespace in which process numbers mean what they mean here: that of the machine, or of one container. Undefined where there are none. */
export function pidNamespace(): string | undefined {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return undefined
  }
}
