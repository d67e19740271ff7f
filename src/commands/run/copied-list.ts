import { createHash, randomUUID } from 'node:crypto'
import { copyFile, mkdtemp, rename, rm, rmdir, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { CheckpointError, checkpointError, reasonOf } from '../../checkpoint/checkpoint-error.js'
import { createFolder, isListCopy, LIST_COPY, namesBelow } from '../../checkpoint/checkpoint-file.js'
import { UserError } from '../../errors.js'
import { newFile, syncFolder, systemCode, unlessMissing } from '../../file-system.js'
import type { Connection } from '../../job/connection.js'
import { nameOfList, type KeyList, type ListOrigin } from '../../job/files-from.js'
import { listFileOf, withList, type Job } from '../../job/kinds.js'
import type { Pace } from '../../job/pace.js'
import { printable } from '../../keys.js'
import type { StoredFiles } from '../../storage/backend.js'
import { unless, type CommandIo } from '../options/io.js'
import { inventoryStoreOf, isInventoryUrl, type InventoryStore } from './inventory-store.js'
import { openListObject } from './list-object.js'

/** What is needed to copy a list. */
export interface ListCopyOptions {
  /** The folder of the run, or the one in which it is to be; undefined where nothing is kept. */
  readonly within: string | undefined
  /** How the source is reached, and the list with it. */
  readonly connection: Connection
  readonly pace: Pace
  readonly io: CommandIo
}

/** A job, and the file to which its list was copied, if it was no file of this machine. */
export interface WithCopiedList<J extends Job> {
  readonly job: J
  /** Moves the copy into the folder of the run, durably, in the place of an earlier one. Answers `job` with the list there. */
  keep(job: J, folder: string): Promise<J>
  /** Puts another copy there, for later. */
  copyInto(job: J, folder: string): Promise<J>
  /** The files of the inventory that the list is, where that is in a bucket. */
  readonly files: StoredFiles | undefined
  /** Removes the copy, unless it was moved, and closes the files. */
  discard(): Promise<void>
}

/**
 * Copies the list of a job, where it has one that is no file: it is read several times, and again by a resume. A `UserError` when it cannot be read or
 * written; nothing is left of it then, and when the person ends it.
 */
export async function copiedList<J extends Job>(job: J, options: ListCopyOptions): Promise<WithCopiedList<J>> {
  const list = listFileOf(job)
  if (list?.origin === undefined)
    return { job, files: undefined, keep: asItIs, copyInto: asItIs, discard: () => Promise.resolve() }
  if (!isInventoryUrl(list)) return await copy(job, { ...list, origin: list.origin }, undefined, options)
  const files = await inventoryStoreOf({ ...list, format: 'inventory' }, options)
  try {
    const from = files?.manifest ?? list.origin.from
    return await copy(job, { ...list, format: 'inventory', origin: { from } }, files, options)
  } catch (error) {
    files?.close()
    throw error
  }
}

function asItIs<J>(job: J): Promise<J> {
  return Promise.resolve(job)
}

async function copy<J extends Job>(
  job: J,
  list: KeyList & { readonly origin: ListOrigin },
  files: InventoryStore | undefined,
  options: ListCopyOptions,
): Promise<WithCopiedList<J>> {
  const { within, io } = options
  const { path, remove } = await place(within).catch((error: unknown) => {
    throw notKept(error, list, within ?? tmpdir(), within)
  })
  try {
    const filled = fill(path, list.origin.from, options).catch((error: unknown) => {
      throw notKept(error, list, dirname(path), within)
    })
    const origin = await unless(io.stop, filled)
    const copied = { ...list, file: path, origin }
    const at = (one: J, file: string): J => withList(one, { ...(listFileOf(one) ?? copied), file })
    return {
      job: withList(job, copied),
      files,
      keep: async (one, folder) => at(one, await placed((kept) => rename(path, kept), folder)),
      copyInto: async (one, folder) => at(one, await placed((kept) => copyFile(path, kept), folder)),
      discard: async () => {
        files?.close()
        await remove()
      },
    }
  } catch (error) {
    await remove()
    throw error
  }
}

// In the folder of the run, where that is known, else beside it: it is only renamed then.
async function place(within: string | undefined): Promise<{ path: string; remove: () => Promise<void> }> {
  if (within === undefined) {
    const folder = await mkdtemp(join(tmpdir(), 's3move-'))
    return { path: join(folder, LIST_COPY), remove: () => rm(folder, { recursive: true, force: true }) }
  }
  const first = await createFolder(within)
  await sweep(within)
  const path = resolve(within, `${LIST_COPY}.${randomUUID()}`)
  const remove = async (): Promise<void> => {
    await rm(path, { force: true })
    if (first === undefined) return
    try {
      for (let made = resolve(within); made.length >= first.length; made = dirname(made)) await rmdir(made)
    } catch {
      // Something else is in it by now.
    }
  }
  return { path, remove }
}

// What a start that was killed has left.
async function sweep(folder: string): Promise<void> {
  for (const name of await namesBelow(folder)) {
    if (!isListCopy(name) || name === LIST_COPY) continue
    const path = join(folder, name)
    const { mtimeMs = Date.now() } = (await unlessMissing(stat(path))) ?? {}
    if (Date.now() - mtimeMs > FORGOTTEN) await rm(path, { force: true })
  }
}

/** After so many milliseconds nobody writes to it any more. */
const FORGOTTEN = 24 * 3_600_000

async function fill(path: string, from: string, options: ListCopyOptions): Promise<ListOrigin> {
  const object = from === '-' ? undefined : await openListObject(from, options)
  const hash = createHash('sha256')
  try {
    const pieces = object === undefined ? standardInput(options.io) : object.pieces()
    await newFile(
      path,
      async (file) => {
        for await (const piece of pieces) {
          hash.update(piece)
          await file.writeFile(piece)
        }
      },
      0o600,
    )
  } finally {
    object?.close()
  }
  return { from, sha256: hash.digest('hex'), ...(object === undefined ? {} : { etag: object.etag }) }
}

// What is no trouble of the disk is told as it is.
function notKept(error: unknown, list: KeyList, folder: string, within: string | undefined): unknown {
  if (error instanceof UserError || error instanceof CheckpointError || systemCode(error) === undefined) return error
  return new UserError(
    `cannot copy ${nameOfList(list)} to ${printable(folder)}: ${reasonOf(error)}`,
    `it is read more than once, so it has to be copied; name another folder with ${within === undefined ? 'TMPDIR' : '--checkpoint DIR'}`,
  )
}

async function* standardInput({ stdin, stderr }: CommandIo): AsyncGenerator<Buffer, void, undefined> {
  if (stdin.isTTY === true) stderr.write('reading the list from the terminal, to its end (Ctrl-D)\n')
  try {
    for await (const piece of stdin) yield Buffer.from(piece)
  } catch (error) {
    throw new UserError(`cannot read standard input: ${reasonOf(error)}`, 'give the list as a file: --files-from FILE')
  }
}

async function placed(put: (kept: string) => Promise<void>, folder: string): Promise<string> {
  const kept = resolve(folder, LIST_COPY)
  try {
    await put(kept)
    await syncFolder(folder)
  } catch (error) {
    throw checkpointError('write', kept, error)
  }
  return kept
}
