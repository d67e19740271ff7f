import { lstat, unlink } from 'node:fs/promises'
import { systemCode } from '../../file-system.js'

/** What a call on a file answers, or undefined when there is no such file. */
export async function unlessMissing<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call
  } catch (error) {
    const code = systemCode(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
}

/** Removes a file; one that is not there, or that is a folder, is no error. */
export async function removeFile(path: string): Promise<'removed' | 'none'> {
  try {
    await unlink(path)
    return 'removed'
  } catch (error) {
    const code = systemCode(error) ?? ''
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return 'none'
    // What Linux calls EISDIR is EPERM elsewhere.
    if (code === 'EPERM' && (await unlessMissing(lstat(path)))?.isDirectory() === true) return 'none'
    throw error
  }
}
