import { createHash, randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { isRunning, pidNamespace } from '../../processes.js'
import { OURS } from './names.js'
import { lstat, namesIn } from './calls.js'
import { removeFile } from './files.js'

/** The folder of files that are not finished, in the file system of those that are. */
export const TEMPORARY_FOLDER = `${OURS}/tmp`

/** How long an unfinished file of another machine may lie untouched before it counts as left behind, in milliseconds. */
const ABANDONED = 24 * 3600 * 1000

/** A name for an unfinished file, which tells of whose process it is. */
export function temporaryName(): string {
  return `${HERE}-${process.pid}-${randomUUID()}`
}

/** The lock of this process on what `subject` names: the same for all of its threads. Those of other processes end alike. */
export function lockName(subject: string): { readonly own: string; readonly ending: string } {
  const ending = `-lock-${createHash('sha256').update(subject).digest('hex')}`
  return { own: `${HERE}-${process.pid}${ending}`, ending }
}

/** Removes what processes that were killed left unfinished in a folder (absolute). */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await namesIn(folder)) {
    if (await isLeftBehind(folder, name)) await removeFile(`${folder}/${name}`)
  }
}

/** Whether a file in a folder (absolute) is there and belongs to no living process, as far as `owner`, which begins like a temporary name, can tell. */
export async function isLeftBehind(folder: string, name: string, owner = name): Promise<boolean> {
  const stats = await lstat(`${folder}/${name}`)
  if (stats?.isFile() !== true) return false
  const [, place, number, lock] = /^([0-9a-f]{12})-(\d+)-(lock-)?/.exec(owner) ?? []
  const pid = place === HERE && number !== undefined ? Number(number) : undefined
  // Not the time of modification, which is set to that of the object.
  const { ctimeMs } = stats
  // In a container that was started again, this may be the number of the one that was killed.
  if (pid !== undefined && (!isRunning(pid) || (pid === process.pid && ctimeMs < Math.min(STARTED, started()))))
    return true
  return Date.now() - ctimeMs > ABANDONED && (pid === undefined || lock === undefined)
}

// Process numbers mean something on one machine, and within one container of it.
const HERE = createHash('sha256')
  .update(`${hostname()}\n${pidNamespace() ?? ''}`)
  .digest('hex')
  .slice(0, 12)

// When this process was started, in milliseconds since 1970. Each time that the clock is set it tells another time.
const started = (): number => Date.now() - process.uptime() * 1000

const STARTED = started()
