import { mkdir, readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { UserError } from '../errors.js'
import { listFileOf, withList, type Job } from '../job/kinds.js'
import { isObjectUrl } from '../job/place.js'
import { printable } from '../keys.js'
import { timeOf } from '../times.js'
import type { Checkpoint } from './checkpoint.js'
import { parseCheckpoint, serializeCheckpoint } from './checkpoint.js'
import { isMissing, syncFolder, systemCode } from '../file-system.js'
import { CheckpointError, checkpointError, reasonOf } from './checkpoint-error.js'
import { replaceFile } from './durable.js'
import { mountedAt, shownFolder } from './mounts.js'
import { refuseLink } from './own-file.js'

/** The name of the checkpoint in a run's folder. */
export const CHECKPOINT = 'checkpoint.json'

/** The name, in a run's folder, of the copy of a list that is no file of this machine. */
export const LIST_COPY = 'files-from'

/** The name, in a run's folder, of a result that is to be sent to an object, until it is. */
export const RESULT = 'result'

/** Whether a name is that of such a copy, or of one that is on its way there. */
export function isListCopy(name: string): boolean {
  return (
    name === LIST_COPY || (name.startsWith(`${LIST_COPY}.`) && /^.[0-9a-f-]{36}$/.test(name.slice(LIST_COPY.length)))
  )
}

/** How the names of ledgers end. */
const LEDGERS = '.ndjson'

/** The folder, in the working directory, that holds the folders of runs that were given none. */
export const RUNS = '.s3move'

/** A checkpoint and the folder that it was read from. */
export interface SavedRun {
  readonly folder: string
  readonly checkpoint: Checkpoint
}

/** A folder whose checkpoint cannot be read, and why. */
export interface BrokenRun {
  readonly folder: string
  readonly problem: UserError
}

/**
 * Reads the checkpoint of a run, given its folder or the `checkpoint.json` in it. Throws a UserError when there is none,
 * when it cannot be read, and when `parseCheckpoint` refuses it.
 */
export async function readCheckpoint(path: string): Promise<SavedRun> {
  refuseUrl(path)
  try {
    if ((await stat(path)).isDirectory()) return await readFolder(path)
  } catch (error) {
    if (error instanceof UserError) throw error
    throw unreadable(path, error)
  }
  if (basename(path) !== CHECKPOINT) {
    throw new UserError(`${printable(path)} is not a checkpoint: that is a file called ${CHECKPOINT}`, WHICH_FOLDER)
  }
  return await readFolder(dirname(path))
}

/** Throws a UserError when one of the files that a resume of a run writes, or replaces, is a link to another. */
export async function refuseLinks(folder: string): Promise<void> {
  for (const name of await namesBelow(folder)) {
    if (name === CHECKPOINT || name.endsWith(LEDGERS)) await refuseLink(join(folder, name))
  }
}

/** Whether a folder holds a checkpoint, whole or not. Throws a UserError when that cannot be told. */
export async function hasCheckpoint(folder: string): Promise<boolean> {
  const path = join(folder, CHECKPOINT)
  try {
    await stat(path)
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw unreadable(path, error)
  }
}

/**
 * Replaces the checkpoint in a folder, atomically and durably: whatever happens, the folder holds the old one or the new
 * one. Throws a CheckpointError when the disk is full or the folder cannot be written, and leaves nothing behind then.
 * The checkpoint is read before the call returns its promise. Calls must not overlap, for the last to finish would win.
 */
export async function saveCheckpoint(folder: string, checkpoint: Checkpoint): Promise<void> {
  await replaceCheckpoint(folder, serializeCheckpoint(checkpoint))
}

/** The same of a text that `serializeCheckpoint` made. A CheckpointError of `look`, called right before the file is replaced, is thrown on. */
export async function replaceCheckpoint(folder: string, text: string, look?: () => Promise<void>): Promise<void> {
  const path = join(folder, CHECKPOINT)
  try {
    await replaceFile(path, text, look)
  } catch (error) {
    throw error instanceof CheckpointError ? error : checkpointError('save', path, error)
  }
}

/**
 * Makes the folder of a run (mode 0700) and those above it; one that exists is left as it is. Answers the outermost that was made, if any was. Throws a UserError when a
 * file is in the way, a CheckpointError when it cannot be made.
 */
export async function createFolder(folder: string): Promise<string | undefined> {
  refuseUrl(folder)
  const path = resolve(folder)
  try {
    const first = await mkdir(path, { recursive: true, mode: 0o700 })
    if (first === undefined) return undefined
    for (let made = path; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made))
    return first
  } catch (error) {
    const code = systemCode(error)
    if (code === 'EEXIST' || code === 'ENOTDIR') {
      throw new UserError(
        `cannot make the checkpoint folder ${printable(folder)}: a file is in the way`,
        'Choose another folder with --checkpoint.',
      )
    }
    throw checkpointError('make the folder', folder, error)
  }
}

/**
 * All runs below `.s3move` in the working directory, the most recently saved first; those whose checkpoint cannot be read
 * are told with the problem, last. None when there is no such folder.
 */
export async function findRuns(workingDirectory: string): Promise<readonly (SavedRun | BrokenRun)[]> {
  const runs = join(workingDirectory, RUNS)
  const saved: SavedRun[] = []
  const broken: BrokenRun[] = []
  for (const name of (await namesBelow(runs)).sort()) {
    const folder = join(runs, name)
    try {
      if (await hasCheckpoint(folder)) saved.push(await readFolder(folder))
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      broken.push({ folder, problem: error })
    }
  }
  saved.sort((a, b) => timeOf(b.checkpoint.savedAt) - timeOf(a.checkpoint.savedAt))
  return [...saved, ...broken]
}

/** The names in a folder; none when there is no such folder. Throws a UserError when it cannot be read. */
export async function namesBelow(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (isMissing(error)) return []
    throw unreadable(folder, error)
  }
}

/** Throws a UserError for what is in a bucket, where only a folder will do. */
function refuseUrl(folder: string): void {
  if (!isObjectUrl(folder)) return
  throw new UserError(
    `${printable(folder)} is in a bucket, and this is for runs in folders alone`,
    'name a folder; docs/checkpoint-in-a-bucket.md tells which commands know runs in buckets',
  )
}

async function readFolder(folder: string): Promise<SavedRun> {
  const path = join(folder, CHECKPOINT)
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch (error) {
    throw unreadable(path, error)
  }
  const checkpoint = parseCheckpoint(bytes, path)
  return { folder, checkpoint: { ...checkpoint, job: withCopyIn(folder, checkpoint.job) } }
}

/** A job whose list, where it is a copy, is the one in `folder`, which may have been moved since. */
export function withCopyIn<J extends Job>(folder: string, job: J): J {
  const list = listFileOf(job)
  return list?.origin === undefined ? job : withList(job, { ...list, file: resolve(folder, LIST_COPY) })
}

function unreadable(path: string, error: unknown): UserError {
  if (!isMissing(error)) return new UserError(`cannot read ${printable(path)}: ${reasonOf(error)}`)
  const folder = dirname(path)
  if (mountedAt(folder) === undefined)
    return new UserError(`there is no checkpoint at ${printable(path)}`, WHICH_FOLDER)
  return new UserError(
    `there is no run in ${printable(shownFolder(folder))}, or it was not saved yet`,
    'Give the prefix that was given to --checkpoint.',
  )
}

const WHICH_FOLDER = `Give the folder of the run, which is the one that holds ${CHECKPOINT}.`
