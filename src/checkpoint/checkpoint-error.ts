import { systemCode } from '../file-system.js'
import { printable } from '../keys.js'

/**
 * The run's folder failed while a run needs it: a full disk, a lost permission, a broken device. The run must stop, for it
 * could no longer promise to go on where it was; what was saved before stays whole, so it can be resumed.
 * `message` says what could not be done, to which path, and why in words; `hint` says what to do.
 */
export class CheckpointError extends Error {
  override readonly name = 'CheckpointError'

  constructor(
    message: string,
    readonly hint: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

/** Whether what failed may succeed later without anybody mending the run: a disk that is full now, or files that are open now. */
export function mayPass(error: unknown): boolean {
  return error instanceof CheckpointError && PASSING.has(systemCode(error.cause) ?? '')
}

const PASSING = new Set(['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EBUSY', 'EIO', 'ETIMEDOUT'])

/** Tells the failure of a system call as a CheckpointError; `action` is a verb such as `write`. */
export function checkpointError(action: string, path: string, cause: unknown): CheckpointError {
  const [reason, remedy] = inWords(cause)
  return new CheckpointError(`cannot ${action} ${printable(path)}: ${reason}`, `${remedy}, then resume the run.`, {
    cause,
  })
}

/** A system error in words, for a sentence such as `cannot read x: <reason>`. */
export function reasonOf(error: unknown): string {
  return inWords(error)[0]
}

function inWords(error: unknown): readonly [reason: string, remedy: string] {
  const code = systemCode(error)
  const known = code === undefined ? undefined : REASONS.get(code)
  if (known !== undefined) return known
  return [printable(error instanceof Error ? error.message : String(error)), 'Mend the cause']
}

const REASONS: ReadonlyMap<string, readonly [reason: string, remedy: string]> = new Map([
  ['ENOSPC', ['the disk is full', 'Free some space']],
  ['EDQUOT', ['the disk quota is used up', 'Free some space or have the quota raised']],
  ['EFBIG', ['the file would grow beyond what is allowed', 'Raise the limit of file sizes (ulimit -f)']],
  ['EACCES', ['permission denied', 'Run as the owner of the folder, or give yourself the permission to write in it']],
  [
    'EPERM',
    ['operation not permitted', 'Run as the owner of the folder, or give yourself the permission to write in it'],
  ],
  ['EROFS', ['the file system is read-only', 'Make the file system writable']],
  ['EIO', ['the device reported an input/output error', 'Check the disk']],
  ['ENOENT', ['it does not exist, or was removed', 'Bring the folder back']],
  ['ENOTDIR', ['a part of the path is a file, not a folder', 'Mend the path']],
  ['EISDIR', ['a folder is where the file should be', 'Move that folder away']],
  ['EMFILE', ['too many files are open', 'Raise the limit of open files (ulimit -n)']],
  ['ENFILE', ['too many files are open on this machine', 'Close other programs']],
  ['ENAMETOOLONG', ['the path is too long', 'Choose a shorter path']],
  ['ESTALE', ['the network file system lost the folder', 'Mount it again']],
])
