import { constants } from 'node:fs'
import { lstat, open, stat, type FileHandle } from 'node:fs/promises'
import { UserError } from '../errors.js'
import { printable } from '../keys.js'

/**
 * Opens a file to write to it, with `flags` of `constants`. One that has another name too, by a symbolic or a hard link, is a UserError: what is written
 * would be written to something else.
 */
export async function openOwn(path: string, flags: number, mode?: number): Promise<FileHandle> {
  let file: FileHandle
  try {
    file = await open(path, flags | constants.O_NOFOLLOW, mode)
  } catch (error) {
    // A device such as /dev/null has no content that could be lost.
    if ((await stat(path).catch(() => undefined))?.isCharacterDevice() === true) return await open(path, flags, mode)
    await refuseLink(path)
    throw error
  }
  if ((await file.stat()).nlink <= 1) return file
  await file.close()
  throw isLink(path)
}

/** Throws a UserError when there is a symbolic or a hard link in the place of a file. */
export async function refuseLink(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  if (found?.isSymbolicLink() === true || (found?.isFile() === true && found.nlink > 1)) throw isLink(path)
}

function isLink(path: string): UserError {
  return new UserError(
    `${printable(path)} is a link, and what is written to it would be written to another file`,
    'put the file itself in its place (a copy, if it is a hard link), or begin again elsewhere',
  )
}
