import { readFileSync } from 'node:fs'

/**
 * The most memory that a process has ever held, in bytes, as the Linux kernel counts it (VmHWM); undefined on other
 * systems and for a process that has ended.
 * @param {number | undefined} pid
 */
export function peakMemory(pid) {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'latin1'))?.[1]
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
  } catch {
    return undefined
  }
}

/**
 * Watches the peak memory of a process until `stop`, which answers it. What the process takes in the last 50 ms of its
 * life may be missed.
 * @param {number | undefined} pid
 */
export function watchMemory(pid) {
  let peak = peakMemory(pid)
  const timer = setInterval(() => {
    peak = peakMemory(pid) ?? peak
  }, 50)
  return {
    stop() {
      clearInterval(timer)
      return peak
    },
  }
}
