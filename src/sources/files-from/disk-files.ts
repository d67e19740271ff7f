import { open } from 'node:fs/promises'
import { reasonOf } from '../../checkpoint/checkpoint-error.js'
import { UserError } from '../../errors.js'
import { systemCode, unlessMissing } from '../../file-system.js'
import { printable } from '../../keys.js'
import type { DataFile, DataFiles } from '../../storage/data-files.js'
import { changedList } from './list-bytes.js'

/** Files of this machine, by their paths. */
export const DISK_FILES: DataFiles = {
  async open(paths) {
    for (const path of paths) {
      const file = await opened(path)
      if (file !== undefined) return file
    }
    return undefined
  },
}

async function opened(path: string): Promise<DataFile | undefined> {
  const name = printable(path)
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      if (error instanceof UserError || systemCode(error) === undefined) throw error
      throw new UserError(`cannot read ${name}: ${reasonOf(error)}`, 'Check the path that was given.')
    }
  }
  return await guarded(async () => {
    const handle = await unlessMissing(open(path))
    if (handle === undefined) return undefined
    const before = await handle.stat()
    if (!before.isFile()) {
      await handle.close()
      return undefined
    }
    const { size, mtimeMs, ino } = before
    return {
      ...{ name, size, identity: `${size} ${mtimeMs} ${ino}` },
      read: (start, end) =>
        guarded(async () => {
          const bytes = Buffer.allocUnsafe(Math.max(0, end - start))
          for (let done = 0; done < bytes.length;) {
            const { bytesRead } = await handle.read(bytes, done, bytes.length - done, start + done)
            if (bytesRead === 0) throw changedList(name)
            done += bytesRead
          }
          const after = await handle.stat()
          if (after.size !== size || after.mtimeMs !== mtimeMs) throw changedList(name)
          return bytes
        }),
      close: () => handle.close(),
    }
  })
}
