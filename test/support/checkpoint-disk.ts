import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A file system of 64 KiB, where one can be mounted: for the superuser of a Linux. To be removed in any case. */
export async function smallDisk(): Promise<{ path: string; remove: () => Promise<void> } | undefined> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined
  const path = await mkdtemp(join(tmpdir(), 's3move-disk-'))
  const mounted = spawnSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', path]).status === 0
  const remove = async (): Promise<void> => {
    if (mounted) spawnSync('/bin/umount', ['-l', path])
    await rm(path, { recursive: true, force: true })
  }
  if (mounted) return { path, remove }
  await remove()
  return undefined
}

/** Fills a disk to the last byte with a file called `ballast`. */
export async function fill(disk: string): Promise<void> {
  await writeFile(join(disk, 'ballast'), Buffer.alloc(1024 * 1024)).catch(() => undefined)
}

/** What an action throws when it is done without the power of the superuser. */
export async function unprivileged(action: () => Promise<unknown>): Promise<unknown> {
  const root = process.getuid?.() === 0
  if (root) process.seteuid?.(65534)
  try {
    await action()
    return undefined
  } catch (error) {
    return error
  } finally {
    if (root) process.seteuid?.(0)
  }
}
