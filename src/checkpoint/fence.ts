import type { BigIntStats } from 'node:fs'
import { stat, type FileHandle } from 'node:fs/promises'
import { isMissing, newFile } from '../file-system.js'
import { CheckpointError, checkpointError } from './checkpoint-error.js'
import { writeAt } from './ledger-file.js'

/** Throws a CheckpointError when an open file is not the one of its name any more. One that was removed is first put back by `restore`, if that answers true. */
export async function checkSameFile(
  file: FileHandle,
  path: string,
  name: string,
  restore: () => Promise<boolean>,
): Promise<void> {
  let named: Identity | undefined
  let own: Identity
  try {
    own = identityOf(await file.stat({ bigint: true }))
    named = await stat(path, { bigint: true }).then(identityOf, (error: unknown) => {
      if (isMissing(error)) return undefined
      throw error
    })
  } catch (error) {
    throw checkpointError('look at', path, error)
  }
  if (named === undefined) throw removed(name, await restore())
  if (isSameFile(named, own)) return
  throw new CheckpointError(
    `${name} was replaced by another file while the run went on`,
    'Nothing was written over. Bring the file of this run back under its name, then resume the run.',
  )
}

/** Throws a CheckpointError when an open file has not the size that this session gave it. */
export async function checkSize(file: FileHandle, path: string, name: string, bytes: number): Promise<void> {
  const { size } = await file.stat().catch((error: unknown) => Promise.reject(checkpointError('look at', path, error)))
  if (size === bytes) return
  throw new CheckpointError(
    `${name} has ${size} bytes where this session wrote ${bytes}: somebody else writes to it`,
    'Nothing was written over. Find out what does, then resume the run.',
  )
}

/** Writes what is in an open file whose name is gone under that name again, up to byte `bytes`. Answers whether that was possible. */
export async function putBack(file: FileHandle, path: string, bytes: number): Promise<boolean> {
  return await wasWritten(
    newFile(
      path,
      async (copy) => {
        const buffer = Buffer.alloc(Math.min(bytes, 256 * 1024))
        for (let at = 0; at < bytes;) {
          const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, bytes - at), at)
          if (bytesRead === 0) throw new Error('it was cut')
          await writeAt(copy, buffer.subarray(0, bytesRead), at)
          at += bytesRead
        }
      },
      0o600,
    ),
  )
}

/** That a file was removed and, perhaps, put back. */
export function removed(name: string, back: boolean): CheckpointError {
  return new CheckpointError(
    `${name} was removed while the run went on${back ? '; it was written again' : ''}`,
    back
      ? 'Find out what removes files there, then resume the run.'
      : 'Restore the file from a copy and resume the run, or begin again with --fresh.',
  )
}

/** Whether a write succeeded. */
export async function wasWritten(writing: Promise<void>): Promise<boolean> {
  return await writing.then(
    () => true,
    () => false,
  )
}

/** What tells a file or folder from all others that exist. */
export interface Identity {
  readonly device: bigint
  readonly inode: bigint
}

/** That of what `stat` was asked for. */
export function identityOf({ dev, ino }: BigIntStats): Identity {
  return { device: dev, inode: ino }
}

/** Whether two are one. */
export function isSameFile(one: Identity, other: Identity): boolean {
  return one.device === other.device && one.inode === other.inode
}
