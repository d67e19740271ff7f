// A small disk for the checkpoint, which can be full: for the superuser of a Linux.
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What the checkpoint and the ledger of a trial fit into, with the new one of each beside the old. */
const SIZE = '1m'

/** Mounts one; undefined where that is not possible. */
export async function mountDisk() {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined
  const path = await mkdtemp(join(tmpdir(), 's3move-disk-'))
  const ballast = join(path, 'ballast')
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'none', path]).status === 0
  const stop = async () => {
    if (mounted) spawnSync('umount', ['-l', path])
    await rm(path, { recursive: true, force: true })
  }
  if (mounted) {
    return {
      path,
      stop,
      /** To the last byte. */
      fill: () => writeFile(ballast, Buffer.alloc(4 * 1024 * 1024)).catch(() => undefined),
      free: () => rm(ballast, { force: true }),
    }
  }
  await stop()
  return undefined
}
