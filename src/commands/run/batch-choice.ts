import { relative } from 'node:path'
import { isBatchable } from '../../batch/batchable.js'
import { isBatchUnderWay } from '../../checkpoint/batch-state.js'
import { isWrite, type Checkpoint } from '../../checkpoint/checkpoint.js'
import { findRuns, readCheckpoint, type SavedRun } from '../../checkpoint/checkpoint-file.js'
import { stopReason } from '../../engine/session/stop-reason.js'
import { UserError } from '../../errors.js'
import { jobTitle, shellWord } from '../../report/format.js'
import { readConnection } from '../options/connection-options.js'
import type { Flags } from '../options/flag-values.js'
import type { CommandIo } from '../options/io.js'
import { warnTo } from './attended.js'
import { openControls, type BatchControls } from './batch-controls.js'
import type { BatchCheckpoint } from './batch-setup.js'
import type { JobsCheckpoint } from './run-jobs.js'

/** A run that has jobs of S3 Batch Operations. */
export interface BatchRunFolder {
  readonly folder: string
  readonly checkpoint: JobsCheckpoint
}

/** Whether a run has jobs. */
export function hasJobs(checkpoint: Checkpoint): checkpoint is JobsCheckpoint {
  return checkpoint.batch !== undefined
}

/** Whether what a run writes is written by jobs. */
export function isBatchRun(checkpoint: Checkpoint): checkpoint is BatchCheckpoint {
  return isWrite(checkpoint) && checkpoint.batch !== undefined && isBatchable(checkpoint.job)
}

/** The run in `dir`, or the only one below the working directory whose jobs are under way. A `UserError` where there is none, or it has no jobs. */
export async function chooseBatch(dir: string | undefined, cwd: string): Promise<BatchRunFolder> {
  const { folder, checkpoint } = dir === undefined ? await onlyOne(cwd) : await readCheckpoint(dir)
  if (!hasJobs(checkpoint)) {
    throw new UserError(
      `the run in ${shellWord(folder)} has no jobs of S3 Batch Operations: ${jobTitle(checkpoint.job)}`,
      'see s3move status',
    )
  }
  if (checkpoint.batch.planned) return { folder, checkpoint }
  throw new UserError(
    `the run in ${shellWord(folder)} has no jobs yet: it is still to be listed`,
    `to go on with it: s3move resume ${shellWord(folder)}`,
  )
}

async function onlyOne(cwd: string): Promise<SavedRun> {
  const runs = (await findRuns(cwd)).filter((run): run is SavedRun => 'checkpoint' in run)
  const [only, ...others] = runs.filter(({ checkpoint }) => isBatchUnderWay(checkpoint.batch))
  if (only !== undefined && others.length === 0) return { ...only, folder: relative(cwd, only.folder) }
  throw new UserError(
    `${only === undefined ? 'no run here has' : `${others.length + 1} runs here have`} jobs of S3 Batch Operations under way`,
    'give the folder of the run; ‘s3move status’ has the runs here',
  )
}

/** Does `work` with the jobs of a run. What the store refuses is a `UserError`. */
export async function withJobs<T>(
  { checkpoint }: BatchRunFolder,
  flags: Flags,
  io: CommandIo,
  work: (controls: Pick<BatchControls, 'controlOf'>) => Promise<T>,
): Promise<T> {
  const connection = readConnection(flags, checkpoint.connection)
  const warn = (message: string): void => warnTo(io, message)
  const controls = await openControls(checkpoint, { connection, warn, giveUp: io.stop })
  try {
    return await work(controls)
  } catch (error) {
    if (error instanceof UserError) throw error
    const { reason, hint } = stopReason(error)
    throw new UserError(reason, hint)
  } finally {
    controls.close()
  }
}
