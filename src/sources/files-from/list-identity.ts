import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import type { ListState } from '../../checkpoint/checkpoint.js'
import { reasonOf } from '../../checkpoint/checkpoint-error.js'
import { UserError } from '../../errors.js'
import { systemCode } from '../../file-system.js'
import type { KeyList } from '../../job/files-from.js'
import { printable } from '../../keys.js'
import { changedList } from './list-bytes.js'

/** How much of the file its checksum covers, in bytes. */
const HEAD = 64 * 1024

/** The state of a list of which nothing is done, nor counted. */
export async function unreadState({ file }: KeyList): Promise<ListState> {
  return { entries: 0, ...(await identityOf(file)), whole: await hashOfAll(file) }
}

/** Throws a UserError when a list cannot be read or is not what it was. */
export async function checkList({ file, origin }: KeyList, before: ListState): Promise<void> {
  const now = await identityOf(file)
  // A folder that is copied elsewhere with the copy of its list in it gives that another date.
  const modified = origin === undefined ? before.modified : now.modified
  const same = now.size === before.size && now.modified === modified && now.sha256 === before.sha256
  if (!same || (before.whole !== undefined && before.whole !== (await hashOfAll(file)))) {
    throw changedList(printable(file))
  }
}

async function hashOfAll(path: string): Promise<string> {
  const hash = createHash('sha256')
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) hash.update(chunk)
  } catch (error) {
    throw unreadable(path, error)
  }
  return hash.digest('hex')
}

async function identityOf(path: string): Promise<Pick<ListState, 'size' | 'modified' | 'sha256'>> {
  try {
    const file = await open(path)
    try {
      const { size, mtimeMs } = await file.stat()
      const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD), 0, HEAD, 0)
      const sha256 = createHash('sha256').update(buffer.subarray(0, bytesRead)).digest('hex')
      return { size, modified: Math.trunc(mtimeMs), sha256 }
    } finally {
      await file.close()
    }
  } catch (error) {
    throw unreadable(path, error)
  }
}

function unreadable(path: string, error: unknown): unknown {
  if (systemCode(error) === undefined) return error
  return new UserError(`cannot read ${printable(path)}: ${reasonOf(error)}`, 'Check the path that was given.')
}
