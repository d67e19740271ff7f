import { open, readFile, stat, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing, syncFolder, systemCode } from '../file-system.js'
import { printable } from '../keys.js'
import { parseCheckpoint, serializeCheckpoint, type Checkpoint } from './checkpoint.js'
import { CheckpointError, checkpointError } from './checkpoint-error.js'
import { writeNew } from './durable.js'
import { identityOf, isSameFile, removed, wasWritten, type Identity } from './fence.js'
import { CHECKPOINT, replaceCheckpoint } from './checkpoint-file.js'
import { mountedAt, type Mount } from './mounts.js'

/*
 * Fencing: what a session holds open is what has the name, and what it saved last is what is there
 *
 * The lock keeps two processes from beginning in one folder. It can be deleted, or taken by a process that sees the holder as dead: then both work, and
 * each would write over what the other has saved. So before each save a session looks whether the checkpoint is the very text that it saved last,
 * which names its session and when it was saved; if it is not, it stops, whatever the lock says. The one whose save came last goes on.
 * The first save of a session replaces whatever is there: the lock was taken just before, and this save is what stops another one.
 *
 * Files and folders are compared by device and inode with what is held open, as long as which nobody else gets the same number.
 */

/** The folder of a run, as the session that holds it sees it. */
export class RunFolder {
  /** What the checkpoint holds, as far as this session has saved it. */
  #saved: string | undefined
  /** What it may hold as well: a save that failed may have come as far as that. */
  #tried: string | undefined
  #sessions = 0
  /** Where the run is kept, if not in the folder. */
  readonly #mount: Mount | undefined

  private constructor(
    readonly path: string,
    private readonly held: FileHandle | undefined,
    private readonly identity: Identity,
  ) {
    this.#mount = mountedAt(path)
  }

  /** Milliseconds from one save to the next, where that is to be another than that of a disk. */
  get interval(): number | undefined {
    return this.#mount?.interval
  }

  /** Throws a CheckpointError when there is no such folder. */
  static async open(path: string): Promise<RunFolder> {
    try {
      const identity = identityOf(await stat(path, { bigint: true }))
      return new RunFolder(path, await held(path), identity)
    } catch (error) {
      throw checkpointError('open the folder', path, error)
    }
  }

  /** Replaces the checkpoint, as `saveCheckpoint` does. Throws a CheckpointError, and writes nothing, when it is not this session's any more. */
  async save(checkpoint: Checkpoint): Promise<void> {
    const text = serializeCheckpoint(checkpoint)
    // And once more when all is written but its name: the disk may take its time, and somebody else saves meanwhile.
    const look = (): Promise<void> => this.look()
    await look()
    this.#tried = text
    try {
      await replaceCheckpoint(this.path, text, look)
    } catch (error) {
      // The folder may have been taken away meanwhile; or who takes the lock has swept the temporary file away, and has not saved yet.
      await this.look()
      if (systemCode(error instanceof Error ? error.cause : undefined) !== 'ENOENT') throw error
      await replaceCheckpoint(this.path, text, look)
    }
    this.#saved = text
    this.#sessions = checkpoint.sessions
    await this.#mount?.save(checkpoint, text)
  }

  /** Throws a CheckpointError when the folder is another one, or its checkpoint is not what this session has saved. */
  async look(): Promise<void> {
    await this.lookAtFolder()
    if (this.#saved !== undefined) await this.lookAtCheckpoint(this.#saved)
  }

  async close(): Promise<void> {
    await this.held?.close()
  }

  private async lookAtFolder(): Promise<void> {
    let now: Identity | undefined
    try {
      now = identityOf(await stat(this.path, { bigint: true }))
    } catch (error) {
      if (!isMissing(error)) throw checkpointError('look at the folder', this.path, error)
    }
    const before = this.held === undefined ? this.identity : identityOf(await this.held.stat({ bigint: true }))
    if (now !== undefined && isSameFile(now, before)) return
    const what = now === undefined ? 'moved or removed' : 'replaced by another one'
    throw new CheckpointError(
      `the checkpoint folder ${printable(this.path)} was ${what} while the run went on`,
      'Nothing was written over. Bring the folder of this run back under its name, then resume the run.',
    )
  }

  private async lookAtCheckpoint(saved: string): Promise<void> {
    const path = join(this.path, CHECKPOINT)
    let text: string
    try {
      text = await readFile(path, 'utf8')
    } catch (error) {
      if (!isMissing(error)) throw checkpointError('read', path, error)
      const back = await wasWritten(writeNew(path, saved).then(() => syncFolder(this.path)))
      throw removed(`the checkpoint ${printable(path)}`, back)
    }
    if (text === this.#tried) this.#saved = text
    if (text === this.#saved) return
    const theirs = sessionIn(text)
    throw new CheckpointError(
      theirs === undefined
        ? `the checkpoint ${printable(path)} was changed or damaged while the run went on`
        : `another process has taken the run in ${printable(this.path)} over: its checkpoint is that of session ${theirs.sessions}, saved at ${printable(theirs.savedAt)}, and this is session ${this.#sessions}`,
      theirs === undefined
        ? 'Nothing was written over. Restore the file from a copy, then resume the run.'
        : 'Nothing was written over. Let the other process go on; two on one checkpoint would undo each other.',
    )
  }
}

function sessionIn(text: string): Pick<Checkpoint, 'sessions' | 'savedAt'> | undefined {
  try {
    return parseCheckpoint(text, CHECKPOINT)
  } catch {
    return undefined
  }
}

// Windows opens no folders; there, one that is removed and made again has another number.
async function held(path: string): Promise<FileHandle | undefined> {
  return await open(path, 'r').catch(() => undefined)
}
