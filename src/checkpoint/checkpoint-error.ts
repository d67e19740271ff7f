import { StorageError } from '../errors.js'
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

/** Whether what failed may succeed later without anybody mending the run: a disk that is full now, files that are open now, or a bucket that does not answer. */
export function mayPass(error: unknown): boolean {
  if (!(error instanceof CheckpointError)) return false
  return error.cause instanceof StorageError ? passes(error.cause) : PASSING.has(systemCode(error.cause) ?? '')
}

// What was tried again in vain is judged anew by whoever tried, and names what it was before.
function passes({ severity, cause }: StorageError): boolean {
  return severity === 'retry' || severity === 'throttle' || (cause instanceof StorageError && passes(cause))
}

const PASSING = new Set(['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EBUSY', 'EIO', 'ETIMEDOUT'])

/** Tells the failure of a system call as a CheckpointError; `action` is a verb such as `write`. */
export function checkpointError(action: string, path: string, cause: unknown): CheckpointError {
  const [reason, remedy] = inWords(cause)
  return new CheckpointError(`cannot ${action} ${printable(path)}: ${reason}`, `${remedy}, then resume the run.`, {
    cause,
  })
}

/** The same of a run in a bucket: what its store refuses, or a file of this machine. What is told already is answered as it is, and so is a defect. */
export function bucketError(action: string, url: string, error: unknown): unknown {
  if (!(error instanceof StorageError))
    return systemCode(error) === undefined ? error : checkpointError(action, url, error)
  const { operation, message, code, status, hint } = error
  return new CheckpointError(
    `cannot ${action} ${url}: ${operation}: ${printable(message)} (${printable(code)}${status === undefined ? '' : `, HTTP ${status}`})`,
    hint ?? 'Mend the cause, then resume the run.',
    { cause: error },
  )
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
