import { open, rename, type FileHandle } from 'node:fs/promises'
import { checkpointError, reasonOf } from '../checkpoint/checkpoint-error.js'
import { UserError } from '../errors.js'
import { printable } from '../keys.js'

/** Where bytes go that must be written in the order in which they are given. */
export interface Outlet {
  /** Writes whole, then calls `written`. Errors are told to whoever opened it, once; nothing is written after one. */
  write(bytes: Uint8Array, written: () => void): void
  /** Bytes written so far. */
  readonly bytes: number
  /** Waits until all that was written is on the disk, as far as there is one. */
  sync(): Promise<void>
  /** Makes the output what it is to be in the end. */
  finish(): Promise<void>
  close(): Promise<void>
}

/** The reader of the output has gone away, and wants no more. */
export class ReaderGone extends Error {
  override readonly name = 'ReaderGone'
}

/** An outlet to a stream such as standard output. */
export function streamOutlet(stream: NodeJS.WritableStream, fail: (error: unknown) => void): Outlet {
  let bytes = 0
  let broken = false
  return {
    get bytes() {
      return bytes
    },
    write(piece, written) {
      if (broken) return
      stream.write(piece, (error: NodeJS.ErrnoException | null | undefined) => {
        if (error === null || error === undefined) {
          bytes += piece.length
          written()
        } else if (!broken) {
          broken = true
          fail(
            error.code === 'EPIPE'
              ? new ReaderGone('the reader went away')
              : checkpointError('write', 'standard output', error),
          )
        }
      })
    },
    sync: () => Promise.resolve(),
    finish: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }
}

/**
 * An outlet to a file. It is written under the name `path.part` and gets its own name when it is finished, so that what has the name is whole.
 * With `from` it goes on behind that many bytes of a part that an earlier session has written; what lies beyond them is cut off.
 */
export async function fileOutlet(
  path: string,
  from: number | undefined,
  fail: (error: unknown) => void,
): Promise<Outlet> {
  const part = `${path}.part`
  let file: FileHandle
  try {
    file = await open(part, from === undefined ? 'w' : 'r+')
  } catch (error) {
    if (from !== undefined) throw missing(part, error)
    throw new UserError(`cannot write ${printable(part)}: ${reasonOf(error)}`, 'give another file with --to')
  }
  let bytes = from ?? 0
  if (from !== undefined) {
    const { size } = await file.stat()
    if (size < from) {
      await file.close()
      throw missing(part, new Error(`it has ${size} bytes where the checkpoint counts ${from}`))
    }
    await file.truncate(from)
  }
  let broken = false
  let turn: Promise<void> = Promise.resolve()
  const writeOne = async (piece: Uint8Array, written: () => void): Promise<void> => {
    if (broken) return
    try {
      for (let done = 0; done < piece.length;) {
        const { bytesWritten } = await file.write(piece, done, piece.length - done, bytes + done)
        done += bytesWritten
      }
      bytes += piece.length
      written()
    } catch (error) {
      broken = true
      fail(checkpointError('write', part, error))
    }
  }
  return {
    get bytes() {
      return bytes
    },
    write(piece, written) {
      turn = turn.then(() => writeOne(piece, written))
    },
    sync: () => file.datasync(),
    async finish() {
      try {
        await turn
        await file.datasync()
        await rename(part, path)
      } catch (error) {
        throw checkpointError('write', path, error)
      }
    },
    async close() {
      await turn
      await file.close()
    },
  }
}

function missing(part: string, error: unknown): UserError {
  return new UserError(
    `cannot go on with ${printable(part)}, which holds what was written so far: ${reasonOf(error)}`,
    'restore it, or begin again with --fresh',
  )
}
