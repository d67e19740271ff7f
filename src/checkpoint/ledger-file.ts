import type { FileHandle } from 'node:fs/promises'
import { open, rename, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { UserError } from '../errors.js'
import { syncFolder, systemCode } from '../file-system.js'
import { checkpointError } from './checkpoint-error.js'
import { ledgerName, NEWLINE } from './ledger-lines.js'

/** The name of the failure ledger in a run's folder: one JSON object (a `Failure`) a line. */
export const LEDGER = 'failures.ndjson'

/** The name of a ledger whose failures are being tried again. */
export const RETRYING = 'failures.retrying.ndjson'

/**
 * Opens a ledger for reading and writing, cut to the `bytes` that a checkpoint counts on; makes it (mode 0600) when they are
 * none. Throws a UserError when it has fewer bytes or no line ends there, a CheckpointError when the system refuses.
 */
export async function openLedger(path: string, bytes: number): Promise<FileHandle> {
  let file: FileHandle
  try {
    file = await openOrMake(path, bytes === 0)
  } catch (error) {
    if (systemCode(error) === 'ENOENT' && bytes > 0) throw shorter(path, 0, bytes)
    throw checkpointError('open', path, error)
  }
  try {
    const { size } = await file.stat()
    if (size < bytes) throw shorter(path, size, bytes)
    if (bytes > 0 && (await byteAt(file, bytes - 1)) !== NEWLINE) {
      throw new UserError(
        `${ledgerName(path)} was changed: no line ends at byte ${bytes}, as the checkpoint says`,
        RESTORE,
      )
    }
    if (size > bytes) {
      await file.truncate(bytes)
      await file.sync()
    }
    if (bytes === 0) await syncFolder(dirname(path))
    return file
  } catch (error) {
    await file.close()
    if (error instanceof UserError) throw error
    throw checkpointError('open', path, error)
  }
}

async function openOrMake(path: string, make: boolean): Promise<FileHandle> {
  try {
    return await open(path, 'r+')
  } catch (error) {
    if (!make || systemCode(error) !== 'ENOENT') throw error
    return await open(path, 'wx+', 0o600)
  }
}

async function byteAt(file: FileHandle, position: number): Promise<number | undefined> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(1), 0, 1, position)
  return bytesRead === 1 ? buffer[0] : undefined
}

function shorter(path: string, size: number, bytes: number): UserError {
  return new UserError(
    `${ledgerName(path)} has ${size} bytes, but the checkpoint counts on ${bytes}: it was edited or removed`,
    RESTORE,
  )
}

const RESTORE = 'Restore the file from a copy, or start the job anew with another checkpoint folder.'

/** Whether the whole ledger, of `bytes` bytes, bears the name that `beginRetry` gives it. */
export async function isRenamed(folder: string, bytes: number): Promise<boolean> {
  return (
    bytes > 0 && (await sizeOf(join(folder, LEDGER))) === undefined && (await sizeOf(join(folder, RETRYING))) === bytes
  )
}

/** The size of a file in bytes; undefined when there is none. Throws a CheckpointError when that cannot be told. */
export async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw checkpointError('look at', path, error)
  }
}

/** Renames a file in a folder, durably, over what has that name. Throws a CheckpointError when the system refuses. */
export async function renameIn(folder: string, from: string, to: string): Promise<void> {
  try {
    await rename(join(folder, from), join(folder, to))
    await syncFolder(folder)
  } catch (error) {
    throw checkpointError('rename', join(folder, from), error)
  }
}

/** Writes a whole block at a position of a file. */
export async function writeAt(file: FileHandle, block: Buffer, position: number): Promise<void> {
  let done = 0
  while (done < block.length) {
    const { bytesWritten } = await file.write(block, done, block.length - done, position + done)
    done += bytesWritten
  }
}
