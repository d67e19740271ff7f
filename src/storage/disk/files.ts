import type { Stats } from 'node:fs'
import { isMissing, systemCode } from '../../file-system.js'
import { lstat, unlink } from './calls.js'

/** How long ago a folder must have been changed for the next change to have another time, in milliseconds: two seconds on some file systems. */
const SETTLED = 2_100

/** When a folder was last changed, in milliseconds since 1970. */
export function changedAt({ mtimeMs, ctimeMs }: Stats): number {
  return Math.max(mtimeMs, ctimeMs)
}

/** Whether a change of a folder since `now`, at which it had last been changed at `changed`, would show in its times. */
export function isSettled(changed: number, now: number): boolean {
  return now - changed > SETTLED
}

/** Removes a file; one that is not there, or that is a folder, is no error. */
export async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    const code = systemCode(error)
    if (isMissing(error) || code === 'EISDIR') return
    // What Linux calls EISDIR is EPERM elsewhere.
    if (code === 'EPERM' && (await lstat(path))?.isDirectory() === true) return
    throw error
  }
}
