import { createHash, type Hash } from 'node:crypto'
import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { open, rename, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { UserError } from '../errors.js'
import { syncFolder, systemCode } from '../file-system.js'
import type { LedgerPosition } from './checkpoint.js'
import { checkpointError } from './checkpoint-error.js'
import { ledgerName, NEWLINE } from './ledger-lines.js'
import { openOwn } from './own-file.js'

/** The name of the failure ledger in a run's folder: one JSON object (a `Failure`) a line. */
export const LEDGER = 'failures.ndjson'

/** The name of a ledger whose failures are being tried again. */
export const RETRYING = 'failures.retrying.ndjson'

/** A ledger that is open, and the hash of what it holds: to be gone on with as lines are added. */
export interface OpenLedger {
  readonly file: FileHandle
  readonly hash: Hash
}

/**
 * Opens a ledger for reading and writing, cut to the position that a checkpoint counts on; makes it (mode 0600) when that is
 * the beginning. Throws a UserError when it is not what was saved, a CheckpointError when the system refuses.
 */
export async function openLedger(path: string, position: LedgerPosition): Promise<OpenLedger> {
  const { bytes } = position
  let file: FileHandle
  try {
    file = await openOrMake(path, bytes === 0)
  } catch (error) {
    if (error instanceof UserError) throw error
    if (systemCode(error) === 'ENOENT' && bytes > 0) throw shorter(path, 0, bytes)
    throw checkpointError('open', path, error)
  }
  try {
    const { size } = await file.stat()
    if (size < bytes) throw shorter(path, size, bytes)
    const hash = await provenHash(file, path, position)
    if (size > bytes) {
      await file.truncate(bytes)
      await file.sync()
    }
    if (bytes === 0) await syncFolder(dirname(path))
    return { file, hash }
  } catch (error) {
    await file.close()
    if (error instanceof UserError) throw error
    throw checkpointError('open', path, error)
  }
}

/** Throws a UserError when what a ledger holds up to a position is not what was saved, a CheckpointError when it cannot be read. */
export async function proveLedger(path: string, position: LedgerPosition): Promise<void> {
  try {
    const file = await open(path, 'r')
    try {
      await provenHash(file, path, position)
    } finally {
      await file.close()
    }
  } catch (error) {
    if (error instanceof UserError) throw error
    throw checkpointError('read', path, error)
  }
}

async function provenHash(file: FileHandle, path: string, { bytes, sha256 }: LedgerPosition): Promise<Hash> {
  const { hash, last } = await hashOf(file, bytes)
  if (bytes > 0 && last !== NEWLINE) {
    throw new UserError(
      `${ledgerName(path)} was changed: no line ends at byte ${bytes}, as the checkpoint says`,
      RESTORE,
    )
  }
  if (sha256 !== undefined && sha256 !== digestOf(hash)) {
    throw new UserError(`${ledgerName(path)} was changed: it is not what was saved, as its checksum tells`, RESTORE)
  }
  return hash
}

async function openOrMake(path: string, make: boolean): Promise<FileHandle> {
  try {
    return await openOwn(path, constants.O_RDWR)
  } catch (error) {
    if (!make || systemCode(error) !== 'ENOENT') throw error
    return await open(path, 'wx+', 0o600)
  }
}

/** The hash of the first `bytes` bytes of a file, and the last of them. */
export async function hashOf(
  file: FileHandle,
  bytes: number,
): Promise<{ readonly hash: Hash; readonly last: number | undefined }> {
  const hash = createHash('sha256')
  const buffer = Buffer.alloc(Math.min(bytes, CHUNK))
  let last: number | undefined
  for (let at = 0; at < bytes;) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, bytes - at), at)
    if (bytesRead === 0) break
    hash.update(buffer.subarray(0, bytesRead))
    last = buffer[bytesRead - 1]
    at += bytesRead
  }
  return { hash, last }
}

const CHUNK = 256 * 1024

/** What a hash says of all that it was given so far; it can be given more. */
export function digestOf(hash: Hash): string {
  return hash.copy().digest('hex')
}

/** What says that a ledger is too short. */
export function shorter(path: string, size: number, bytes: number): UserError {
  return new UserError(
    `${ledgerName(path)} has ${size} bytes, but the checkpoint counts on ${bytes}: it was edited or removed`,
    RESTORE,
  )
}

/** What to do about a ledger that is not what was saved. */
export const RESTORE = 'Restore the file from a copy, or start the job anew with another checkpoint folder.'

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
