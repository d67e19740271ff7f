import { lstat, readdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { syncFolder, systemCode } from '../file-system.js'
import { CHECKPOINT, isListCopy } from './checkpoint-file.js'
import { checkpointError } from './checkpoint-error.js'

const LEDGER_NAME = /^(?:failures|moved|extra|large|waiting|inventory|header-sets|checksums)(?:\.[\w.-]+)?\.ndjson$/
const LOCK_NAME = /^lock\.[1-9]\d{0,14}$/

/** What is in the folder of a run, or the folder itself, and is not of a run: names, or `a link`. Throws a CheckpointError when that cannot be told. */
export async function foreignNames(folder: string): Promise<readonly string[]> {
  try {
    if (!(await lstat(folder)).isDirectory()) return ['a link']
    const entries = await readdir(folder, { withFileTypes: true })
    return entries
      .filter((entry) => !(entry.isDirectory() ? LOCK_NAME.test(entry.name) : entry.isFile() && isOurs(entry.name)))
      .map(({ name }) => name)
  } catch (error) {
    throw checkpointError('look into', folder, error)
  }
}

function isRemovedFirst(name: string): boolean {
  return LEDGER_NAME.test(name) || isListCopy(name)
}

function isOurs(name: string): boolean {
  return name === CHECKPOINT || isRemovedFirst(name)
}

/**
 * Removes the folder of a finished run, whose lock is held. The checkpoint goes after ledgers and list, so that what a crash leaves is still found as a run; what
 * somebody else put there meanwhile stays, and so does the folder then. Throws a CheckpointError when something cannot be removed.
 */
export async function removeRun(folder: string): Promise<void> {
  try {
    const names = await readdir(folder)
    for (const name of names.filter(isRemovedFirst)) await rm(join(folder, name), { force: true })
    await syncFolder(folder)
    await rm(join(folder, CHECKPOINT), { force: true })
    for (const name of names.filter((name) => LOCK_NAME.test(name)))
      await rm(join(folder, name), { recursive: true, force: true })
    await rmdir(folder)
  } catch (error) {
    const code = systemCode(error)
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw checkpointError('remove', folder, error)
  }
}
