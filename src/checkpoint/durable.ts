import { randomUUID } from 'node:crypto'
import { rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { newFile, syncFolder } from '../file-system.js'

/** How the name of a file ends that `replaceFile` has not finished; one that stays was left by a crash. */
export const TEMPORARY = '.tmp'

/**
 * Replaces a file (mode 0600) so that a crash at any moment leaves the old text or the new one, whole. Resolves once the new
 * text would outlast a power cut. On failure, also of `look`, which is called right before the file is replaced, the error is thrown and the temporary
 * file is removed.
 */
export async function replaceFile(path: string, text: string, look?: () => Promise<void>): Promise<void> {
  const temporary = `${path}.${process.pid}-${randomUUID().slice(0, 8)}${TEMPORARY}`
  try {
    await writeNew(temporary, text)
    await look?.()
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw error
  }
  await syncFolder(dirname(path))
}

/** Writes a file that must not exist yet (mode 0600) and resolves once its content is on the disk. */
export async function writeNew(path: string, text: string): Promise<void> {
  await newFile(path, (file) => file.writeFile(text), 0o600)
}
