import { lstat as lstatExactly, opendir } from 'node:fs/promises'
import type { FolderIdentity } from '../../job/place.js'
import { lstat } from './calls.js'
import { unlessMissing } from '../../file-system.js'
import { MARKER, OURS } from './names.js'

type Numbers = Pick<FolderIdentity, 'device' | 'inode'>

/** The numbers of a folder (absolute, no symbolic link), or undefined when there is none. */
export async function numbersOf(folder: string): Promise<Numbers | undefined> {
  // What is in it is asked for, so that what is mounted only when it is used is mounted.
  const stats = await unlessMissing(lstatExactly(`${folder}/.`, { bigint: true }))
  return stats?.isDirectory() === true ? { device: String(stats.dev), inode: String(stats.ino) } : undefined
}

/** Whether two folders that are there at the same time are one. */
export function isOne(a: Numbers, b: Numbers | undefined): boolean {
  // Some file systems have no numbers.
  return a.inode !== '0' && a.inode === b?.inode && a.device === b.device
}

/**
 * Whether a folder (absolute, without symbolic links) is still the one that it was, and not, say, the mount point of a disk that is away. One of ours is
 * while its marker is there. Any other is while its numbers are as they were. When one of them has changed, as that of the device may over a reboot, and
 * that of the folder where a file system makes numbers up, it is taken for the same as long as something is in it; when both have, it is another.
 */
export async function isStill(root: string, { names, ...before }: FolderIdentity): Promise<boolean> {
  if (names !== 'literal') return (await lstat(`${root}/${MARKER}`)) !== undefined
  const now = await numbersOf(root)
  if (now === undefined) return false
  const changed = Number(now.device !== before.device) + Number(now.inode !== before.inode)
  return changed === 0 || (changed === 1 && !(await isEmpty(root)))
}

/** Whether a folder has nothing in it but what is ours: runs keep their checkpoints in a folder of that name. */
export async function isEmpty(root: string): Promise<boolean> {
  // Not all of a large folder is read for that.
  for await (const { name } of await opendir(root)) if (name !== OURS) return false
  return true
}
