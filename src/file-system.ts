import { open, type FileHandle } from 'node:fs/promises'

/** The code of a system error (`ENOSPC`), if `error` is one. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** Whether an error says that a path leads nowhere. */
export function isMissing(error: unknown): boolean {
  const code = systemCode(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/** What a call on a file answers, or undefined when its path leads nowhere. */
export async function unlessMissing<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Makes a file that must not exist yet. Answers what `write` does, once its content is on the disk. */
export async function newFile<T>(path: string, write: (file: FileHandle) => Promise<T>, mode?: number): Promise<T> {
  const file = await open(path, 'wx', mode)
  try {
    const answer = await write(file)
    await file.sync()
    return answer
  } finally {
    await file.close()
  }
}

/** Resolves once the names in a folder (files made, renamed, removed) would outlast a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (error) {
    // Windows cannot open a folder, and some network file systems cannot sync one: there, names are as durable as they get.
    if (process.platform !== 'win32' && !CANNOT_SYNC.has(systemCode(error) ?? '')) throw error
  }
}

const CANNOT_SYNC = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EISDIR'])
