import { open, type FileHandle } from 'node:fs/promises'
import { pipeline, type Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import { reasonOf } from '../../checkpoint/checkpoint-error.js'
import { systemCode } from '../../file-system.js'
import { UserError } from '../../errors.js'
import { printable } from '../../keys.js'
import type { DataFile } from '../../storage/data-files.js'
import { NoFrame, ZstdFrames } from './zstd-frames.js'

/** Bytes that are read at once. */
const PIECE = 64 * 1024

/**
 * The content of a file in pieces, unpacked when it begins like gzip or zstd, without a byte order mark. Whatever makes it doubtful that this is all
 * of it is a UserError at the end at the latest: it is cut short, it is not as long as `expected`, or somebody wrote to it meanwhile. `name` is what it
 * is called, fit to be shown.
 */
export async function* contentOf(
  path: string,
  { name = printable(path), expected }: { readonly name?: string; readonly expected?: number } = {},
): AsyncGenerator<Buffer, void, undefined> {
  let file: FileHandle | undefined
  try {
    file = await open(path)
    const { size } = await file.stat()
    if (expected !== undefined && size !== expected) {
      throw new UserError(`${name} has ${size} bytes where ${expected} are expected`, 'Fetch the file again.')
    }
    yield* withoutMark(unpacked(bytesOf(file, name), name))
  } catch (error) {
    if (error instanceof UserError || systemCode(error) === undefined) throw error
    throw new UserError(`cannot read ${name}: ${reasonOf(error)}`, 'Check the path that was given.')
  } finally {
    await file?.close()
  }
}

/** The same of a file that is open. Of what lies behind, some is asked for beforehand: it may be far away. */
export async function* contentOfFile(file: DataFile): AsyncGenerator<Buffer, void, undefined> {
  yield* withoutMark(unpacked(piecesOf(file), file.name))
}

/** Bytes that are asked for at once of what may be far away. */
const FAR_PIECE = 4 * 1024 * 1024

/** The bytes of a file, in order and as they are. */
export async function* piecesOf(file: DataFile): AsyncGenerator<Buffer, void, undefined> {
  const ask = (at: number): Promise<Buffer> => file.read(at, Math.min(at + FAR_PIECE, file.size))
  let next = file.size > 0 ? ask(0) : undefined
  for (let at = 0; next !== undefined;) {
    const piece: Buffer = await next
    at += piece.length
    next = at < file.size ? ask(at) : undefined
    // It is awaited when it is its turn, or never.
    next?.catch(() => undefined)
    yield piece
  }
}

async function* bytesOf(file: FileHandle, name: string): AsyncGenerator<Buffer, void, undefined> {
  const before = await file.stat()
  if (!before.isFile()) {
    throw new UserError(`${name} is not a file`, 'A list is read again on resume: write it to a file first.')
  }
  const { size, mtimeMs } = before
  for (let at = 0; at < size;) {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(Math.min(PIECE, size - at)), 0, null, at)
    if (bytesRead === 0) break
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
  const after = await file.stat()
  // A file that shrank ends before `size`, and has another size by now.
  if (after.size !== size || after.mtimeMs !== mtimeMs) throw changedList(name)
}

/** The error of a list that is not what it was; `name` is fit to print. */
export function changedList(name: string): UserError {
  return new UserError(
    `${name} was changed since the run began to read it`,
    'Restore the file, or start the job anew with another checkpoint folder: what was done is then done again.',
  )
}

async function* unpacked(bytes: AsyncGenerator<Buffer, void>, name: string): AsyncGenerator<Buffer, void, undefined> {
  const { first, all } = await peeked(bytes, 4)
  if (first.subarray(0, 2).equals(GZIP)) yield* through(all, zlib.createGunzip(), name)
  else if (first.equals(ZSTD)) yield* throughZstd(all, name)
  else yield* all
}

const GZIP = Buffer.from([0x1f, 0x8b])
const ZSTD = Buffer.from([0x28, 0xb5, 0x2f, 0xfd])
const MARK = Buffer.from([0xef, 0xbb, 0xbf])

type Unpacking = Transform & { readonly bytesWritten: number }

function zstd(name: string): Unpacking {
  // Node 20 neither has it nor knows its type.
  const { createZstdDecompress } = zlib as { readonly createZstdDecompress?: () => Unpacking }
  if (createZstdDecompress !== undefined) return createZstdDecompress()
  throw new UserError(
    `${name} is packed with zstd, which Node ${process.versions.node} cannot read`,
    'Use Node 22.15, 23.8 or newer, or unpack the file.',
  )
}

async function* throughZstd(bytes: AsyncGenerator<Buffer>, name: string): AsyncGenerator<Buffer, void, undefined> {
  const frames = new ZstdFrames()
  const split = async function* (): AsyncGenerator<Buffer> {
    for await (const piece of bytes) yield* frames.split(piece)
  }
  yield* through(split(), zstd(name), name)
  if (!frames.whole) throw cutShort(name, 'it ends inside a frame')
}

async function* through(
  bytes: AsyncGenerator<Buffer>,
  unpacking: Unpacking,
  name: string,
): AsyncGenerator<Buffer, void, undefined> {
  let given = 0
  const counted = async function* (): AsyncGenerator<Buffer> {
    for await (const piece of bytes) {
      given += piece.length
      yield piece
    }
  }
  // Its error comes out of the loop below.
  pipeline(counted(), unpacking, () => undefined)
  try {
    for await (const piece of unpacking) yield piece as Buffer
  } catch (error) {
    if (error instanceof NoFrame) throw notPacked(name)
    if (!isZlib(error)) throw error
    throw cutShort(name, error.message)
  }
  // What is behind the end would be passed over in silence.
  if (unpacking.bytesWritten !== given) throw notPacked(name)
}

function cutShort(name: string, how: string): UserError {
  return new UserError(
    `${name} is cut short or damaged: it cannot be unpacked to its end (${how})`,
    'Fetch or write the file again.',
  )
}

function notPacked(name: string): UserError {
  return new UserError(`${name} is damaged: something that is not packed follows what is`, 'Fetch the file again.')
}

function isZlib(error: unknown): error is Error {
  return /^(Z_|ZSTD_|ERR_ZLIB|ERR_ZSTD)/.test(systemCode(error) ?? '')
}

async function* withoutMark(bytes: AsyncGenerator<Buffer, void>): AsyncGenerator<Buffer, void, undefined> {
  const { first, all } = await peeked(bytes, MARK.length)
  let skip = first.equals(MARK) ? MARK.length : 0
  for await (const piece of all) {
    yield piece.subarray(skip)
    skip = 0
  }
}

// The first `count` bytes, or fewer of a shorter file; the first piece of `all` holds all of them.
async function peeked(
  bytes: AsyncGenerator<Buffer, void>,
  count: number,
): Promise<{ readonly first: Buffer; readonly all: AsyncGenerator<Buffer, void> }> {
  let head: Buffer = Buffer.alloc(0)
  while (head.length < count) {
    const { value } = await bytes.next()
    if (value === undefined) break
    head = Buffer.concat([head, value])
  }
  const all = async function* (): AsyncGenerator<Buffer, void> {
    yield head
    yield* bytes
  }
  return { first: head.subarray(0, count), all: all() }
}
