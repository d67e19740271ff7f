import { createHash, randomUUID } from 'node:crypto'
import { lstat, readdir } from 'node:fs/promises'
import { hostname } from 'node:os'
import { isRunning, pidNamespace } from '../../processes.js'
import { OURS } from './names.js'
import { removeFile, unlessGone } from './tree.js'

/** The folder of files that are not finished, in the file system of those that are. */
export const TEMPORARY = `${OURS}/tmp`

/** How long an unfinished file of another machine may lie untouched before it counts as left behind, in milliseconds. */
const ABANDONED = 24 * 3600 * 1000

/** A name for an unfinished file, which tells of whose process it is. */
export function temporaryName(): string {
  return `${HERE}-${process.pid}-${randomUUID()}`
}

/** Removes what processes that were killed left unfinished in a folder (absolute). */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const name of (await unlessGone(readdir(folder))) ?? []) {
    const path = `${folder}/${name}`
    const [, place, pid] = /^([0-9a-f]{12})-(\d+)-/.exec(name) ?? []
    const dead = place === HERE && pid !== undefined && !isRunning(Number(pid))
    const stats = await unlessGone(lstat(path))
    // Not the time of modification, which is set to that of the object.
    if (stats?.isFile() === true && (dead || Date.now() - stats.ctimeMs > ABANDONED)) await removeFile(path)
  }
}

// Process numbers mean something on one machine, and within one container of it.
const HERE = createHash('sha256')
  .update(`${hostname()}\n${pidNamespace() ?? ''}`)
  .digest('hex')
  .slice(0, 12)
