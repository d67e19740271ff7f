import { StorageError, type Severity } from '../../errors.js'
import { systemCode } from '../../file-system.js'

/** What was asked for when something went wrong. */
export interface Asked {
  readonly operation: 'ListObjectsV2' | 'HeadObject' | 'GetObject' | 'PutObject' | 'DeleteObjects'
  /** The absolute path of the folder. */
  readonly bucket: string
  /** Absent when the operation is on the folder. */
  readonly key?: string | undefined
}

/** A fault of this store. */
export function fault(
  asked: Asked,
  severity: Severity,
  code: string,
  message: string,
  hint?: string,
  cause?: unknown,
): StorageError {
  return new StorageError(message, { ...asked, severity, code, hint }, cause === undefined ? {} : { cause })
}

/** The object is not there. */
export function gone(asked: Asked): StorageError {
  return fault(asked, 'skip', 'NoSuchKey', 'there is no such file')
}

/** The object is not the one that was asked for. */
export function changed(asked: Asked): StorageError {
  return fault(asked, 'fail-object', 'PreconditionFailed', 'it was written to since it was listed')
}

/** A symbolic link, or what else is neither a file nor a folder, stands where an object or its folder should be. */
export function notFollowed(asked: Asked): StorageError {
  const message = 'a symbolic link, or something else that is no file, is in its place; s3move does not follow links'
  return fault(asked, 'fail-object', 'NotAFile', message, 'replace the link by what it stands for')
}

/** The folder itself is gone. */
export function folderGone(asked: Asked): StorageError {
  const { operation, bucket } = asked
  const message = 'the folder is gone, or another one is in its place'
  return fault({ operation, bucket }, 'stop-run', 'NoSuchBucket', message, 'check whether its disk is mounted')
}

/** The error that a failed system call stands for; what is no failure of the system is given back as it is. */
export function diskFault(error: unknown, asked: Asked): unknown {
  const code = systemCode(error)
  if (error instanceof StorageError || code === undefined || !(error instanceof Error)) return error
  const known = KNOWN.get(code)
  // What is wrong with a folder is wrong for all that is in it: to pass it over would lose keys.
  const severity = known?.severity ?? 'fail-object'
  const ofFolder = asked.key === undefined
  const verdict = severity === 'fail-object' && ofFolder ? 'stop-run' : severity
  const where = ofFolder && 'path' in error && typeof error.path === 'string' ? `${error.path}: ` : ''
  return fault(asked, verdict, known?.code ?? code, where + (known?.message ?? error.message), known?.hint, error)
}

interface Known {
  readonly severity: Severity
  readonly code?: string
  readonly message: string
  readonly hint?: string
}

const PERMISSION: Known = {
  severity: 'fail-object',
  message: 'permission denied',
  hint: 'run as the owner of the folder, or give yourself the permission',
}
const TOO_MANY: Known = { severity: 'retry', message: 'too many files are open', hint: 'raise ‘ulimit -n’' }

const KNOWN: ReadonlyMap<string, Known> = new Map<string, Known>([
  ['ENOSPC', { severity: 'stop-run', message: 'the disk is full', hint: 'free some space, then resume' }],
  ['EDQUOT', { severity: 'stop-run', message: 'the disk quota is used up', hint: 'free some space, then resume' }],
  ['EIO', { severity: 'fail-object', message: 'the device reported an input/output error', hint: 'check the disk' }],
  ['EMFILE', TOO_MANY],
  ['ENFILE', TOO_MANY],
  ['EAGAIN', { severity: 'retry', message: 'the system has no means left for it' }],
  ['ENOMEM', { severity: 'retry', message: 'the system has no memory left for it' }],
  ['EBUSY', { severity: 'retry', message: 'the file is in use' }],
  ['ETIMEDOUT', { severity: 'retry', message: 'the file system does not answer' }],
  ['ESTALE', { severity: 'retry', message: 'the network file system lost the file' }],
  ['ENOENT', { severity: 'fail-object', message: 'a file or folder vanished while it was worked on' }],
  ['ENOTDIR', { severity: 'fail-object', message: 'a folder vanished while it was worked on' }],
  ['EROFS', { severity: 'stop-run', message: 'the file system is read-only', hint: 'make it writable' }],
  ['EACCES', PERMISSION],
  ['EPERM', PERMISSION],
  [
    'ENAMETOOLONG',
    {
      severity: 'fail-object',
      code: 'KeyTooLong',
      message: 'its path is too long for this system',
      hint: 'choose a folder whose own path is shorter',
    },
  ],
  ['EFBIG', { severity: 'fail-object', message: 'it is larger than a file may be here' }],
])
