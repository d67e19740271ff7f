import { createHash, type Hash } from 'node:crypto'
import { constants } from 'node:fs'
import { rename, type FileHandle } from 'node:fs/promises'
import { checkpointError, reasonOf } from '../../checkpoint/checkpoint-error.js'
import { checkSameFile, checkSize } from '../../checkpoint/fence.js'
import { digestOf, hashOf } from '../../checkpoint/ledger-file.js'
import { openOwn } from '../../checkpoint/own-file.js'
import { UserError } from '../../errors.js'
import { printable } from '../../keys.js'

/** Where bytes go that must be written in the order in which they are given. */
export interface OutputWriter {
  /** Writes whole, then calls `written`. Errors are told to whoever opened it, once; nothing is written after one. */
  write(bytes: Uint8Array, written: () => void): void
  /** Bytes written so far. */
  readonly bytes: number
  /** How much a file holds, and what proves it, to be kept; nothing where nothing can be gone on with. */
  readonly kept: Written | undefined
  /** Waits until all that was written is on the disk, as far as there is one. Rejects with a CheckpointError when the file is another one by now. */
  sync(): Promise<void>
  /** Makes the output what it is to be in the end. */
  finish(): Promise<void>
  close(): Promise<void>
}

/** The reader of the output has gone away, and wants no more. */
export class ReaderGone extends Error {
  override readonly name = 'ReaderGone'
}

/** The bytes of a file that were written, and their SHA-256 in hexadecimal digits. */
export interface Written {
  readonly bytes: number
  readonly sha256?: string
}

/** An outlet to a stream such as standard output. `before` is called before anything is written. */
export function streamOutlet(
  stream: NodeJS.WritableStream,
  fail: (error: unknown) => void,
  before: () => void = () => undefined,
): OutputWriter {
  let bytes = 0
  let broken = false
  return {
    get bytes() {
      return bytes
    },
    kept: undefined,
    write(piece, written) {
      if (broken) return
      if (piece.length > 0) before()
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
 * With `before` it goes on behind what an earlier session has written of the part; what lies beyond that is cut off. What is `kept` is proven.
 */
export async function fileOutlet(
  path: string,
  { before, proven }: { readonly before: Written | undefined; readonly proven: boolean },
  fail: (error: unknown) => void,
): Promise<OutputWriter> {
  const part = `${path}.part`
  let file: FileHandle
  try {
    const anew = constants.O_WRONLY | constants.O_CREAT
    file = await openOwn(part, before === undefined ? anew : constants.O_RDWR, 0o666)
  } catch (error) {
    if (error instanceof UserError) throw error
    if (before !== undefined) throw missing(part, error)
    throw new UserError(`cannot write ${printable(part)}: ${reasonOf(error)}`, 'give another file with --to')
  }
  let bytes = before?.bytes ?? 0
  let hash = createHash('sha256')
  // Not before it is certain whose it is.
  if (before === undefined) await file.truncate()
  else {
    try {
      hash = await provenBeginning(file, part, before)
      await file.truncate(bytes)
    } catch (error) {
      await file.close()
      throw error
    }
  }
  const look = async (): Promise<void> => {
    const name = `the output file ${printable(part)}`
    await checkSameFile(file, part, name, () => Promise.resolve(false))
    await checkSize(file, part, name, bytes)
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
      if (proven) hash.update(piece)
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
    get kept() {
      return { bytes, ...(proven ? { sha256: digestOf(hash) } : {}) }
    },
    write(piece, written) {
      turn = turn.then(() => writeOne(piece, written))
    },
    async sync() {
      const looking = turn.then(look)
      turn = looking.catch(() => undefined)
      await looking
      await file.datasync().catch((error: unknown) => Promise.reject(checkpointError('write', part, error)))
    },
    async finish() {
      await turn
      await look()
      try {
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

/** Throws a UserError when the beginning of an output file is not what was written. */
export async function provenBeginning(file: FileHandle, part: string, { bytes, sha256 }: Written): Promise<Hash> {
  const { size } = await file.stat()
  if (size < bytes) throw missing(part, new Error(`it has ${size} bytes where the checkpoint counts ${bytes}`))
  const { hash } = await hashOf(file, bytes)
  if (sha256 !== undefined && sha256 !== digestOf(hash)) throw missing(part, new Error('it was changed'))
  return hash
}

function missing(part: string, error: unknown): UserError {
  return new UserError(
    `cannot go on with ${printable(part)}, which holds what was written so far: ${reasonOf(error)}`,
    'restore it, or begin again with --fresh',
  )
}
