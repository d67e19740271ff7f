import { join, relative } from 'node:path'
import { createFolder, namesBelow, RUNS } from '../../checkpoint/checkpoint-file.js'
import { CheckpointError, reasonOf } from '../../checkpoint/checkpoint-error.js'
import { defaultFolderName } from '../../checkpoint/job-name.js'
import {
  readRehearsal,
  removeRehearsal,
  saveRehearsal,
  type KeptRehearsal,
  type UnfinishedRehearsal,
} from '../../checkpoint/unfinished-rehearsal.js'
import { UserError } from '../../errors.js'
import type { Connection } from '../../job/connection.js'
import type { WriteJob } from '../../job/kinds.js'
import { settled } from '../../job/totals.js'
import { version } from '../../version.js'

/** One that lasts longer is kept every so many milliseconds, as it may be killed; one that is short leaves no trace but where it is interrupted. */
const INTERVAL = 30_000

const SUFFIX = '-dry-run'

/** The folder in which a rehearsal of a job is kept. */
export function rehearsalFolder(job: WriteJob, connection: Connection): string {
  return join(RUNS, `${defaultFolderName(job, connection)}${SUFFIX}`)
}

/** Those below `.s3move`, as far as they can be read. */
export async function findRehearsals(cwd: string): Promise<readonly KeptRehearsal[]> {
  const names = (await namesBelow(join(cwd, RUNS))).filter((name) => name.endsWith(SUFFIX))
  const found = await Promise.all(names.map((name) => readIfWhole(join(cwd, RUNS, name))))
  return found.flatMap((one) => (one === undefined ? [] : [{ ...one, folder: relative(cwd, one.folder) }]))
}

/** The folder of the one of a job that is kept, if there is any. */
export async function keptRehearsal(job: WriteJob, connection: Connection): Promise<string | undefined> {
  return (await readIfWhole(rehearsalFolder(job, connection)))?.folder
}

async function readIfWhole(folder: string): Promise<KeptRehearsal | undefined> {
  try {
    return await readRehearsal(folder)
  } catch (error) {
    if (error instanceof UserError) return undefined
    throw error
  }
}

/** What is kept, but for what every file of its kind has. */
export type Kept = Omit<UnfinishedRehearsal, 'format' | 'program' | 'savedAt'>

/** How a rehearsal is kept. */
interface KeeperOptions {
  readonly folder: string
  /** What it is by now, in one synchronous step; undefined before there is anything to it. */
  readonly take: () => Kept | undefined
  /** Puts the list into the folder, where it is no file of this machine, and answers the job with it there. */
  readonly keepList: (job: WriteJob) => Promise<WriteJob>
  /** Told, once, that it cannot be kept. */
  readonly warn: (message: string) => void
}

/** Keeps a rehearsal, so that it can go on after an interruption or a kill. */
export class RehearsalKeeper {
  #timer: NodeJS.Timeout | undefined
  #busy: Promise<unknown> = Promise.resolve()
  #job: WriteJob | undefined
  #failed = false

  constructor(private readonly options: KeeperOptions) {}

  /** Begins to keep it from time to time. */
  start(): void {
    this.#timer = setInterval(() => void this.#save(), INTERVAL)
    this.#timer.unref()
  }

  /** Keeps it a last time, if it has seen anything. Answers the folder; undefined where it is not kept. */
  async keep(): Promise<string | undefined> {
    this.stop()
    await this.#busy
    return (await this.#save()) ? this.options.folder : undefined
  }

  /** It came to its end, and nothing of it is kept. */
  async end(): Promise<void> {
    this.stop()
    await this.#busy
    await removeRehearsal(this.options.folder)
  }

  /** Keeps it no more from time to time. */
  stop(): void {
    clearInterval(this.#timer)
  }

  #save(): Promise<boolean> {
    const turn = this.#busy.then(() => this.#saveOnce())
    this.#busy = turn
    return turn
  }

  // It is an aid: that a folder cannot be written to ends no rehearsal.
  async #saveOnce(): Promise<boolean> {
    const { folder, take, keepList, warn } = this.options
    const kept = take()
    if (kept === undefined || settled(kept.state.totals) === 0) return false
    try {
      await createFolder(folder)
      this.#job ??= await keepList(kept.job)
      const savedAt = new Date().toISOString()
      await saveRehearsal(folder, { ...kept, job: this.#job, program: `s3move ${version()}`, savedAt })
      return true
    } catch (error) {
      if (!(error instanceof CheckpointError || error instanceof UserError)) throw error
      if (!this.#failed) warn(`the dry run cannot be kept, and could not be resumed: ${reasonOf(error)}`)
      this.#failed = true
      return false
    }
  }
}
