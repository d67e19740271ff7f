import { systemCode } from '../../file-system.js'
import { isMissing, lstat, unlink } from './calls.js'

/** What a call on a file answers, or undefined when there is no such file. */
export async function unlessMissing<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
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
