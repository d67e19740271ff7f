import { readlinkSync } from 'node:fs'
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

/** The namespace in which process numbers mean what they mean here: that of the machine, or of one container. Undefined where there are none. */
export function pidNamespace(): string | undefined {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return undefined
  }
}
