import { relative } from 'node:path'
import { isBatchable } from '../../batch/batchable.js'
import { isBatchUnderWay } from '../../checkpoint/batch-state.js'
import { isWrite, type Checkpoint } from '../../checkpoint/checkpoint.js'
import { findRuns, readCheckpoint, type SavedRun } from '../../checkpoint/checkpoint-file.js'
import { stopReason } from '../../engine/session/stop-reason.js'
import { UserError } from '../../errors.js'
import { connectionOf } from '../../job/connection.js'
import { DEFAULT_RETRY_FOR } from '../../job/pace.js'
import { jobTitle, shellWord } from '../../report/format.js'
import { openBatchControl, type BatchControl } from '../../storage/batch-control.js'
import { readConnection } from '../options/connection-options.js'
import type { Flags } from '../options/flag-values.js'
import type { CommandIo } from '../options/io.js'
import { warnTo } from './attended.js'
import type { BatchCheckpoint } from './batch-setup.js'
import { endsOf } from './open-and-run.js'

/** A run that has jobs of S3 Batch Operations. */
export interface BatchRunFolder {
  readonly folder: string
  readonly checkpoint: BatchCheckpoint
}

/** Whether a run is done by jobs. */
export function isBatchRun(checkpoint: Checkpoint): checkpoint is BatchCheckpoint {
  return isWrite(checkpoint) && checkpoint.batch !== undefined && isBatchable(checkpoint.job)
}

/** The run in `dir`, or the only one below the working directory whose jobs are under way. A `UserError` where there is none, or it has no jobs. */
export async function chooseBatch(dir: string | undefined, cwd: string): Promise<BatchRunFolder> {
  const { folder, checkpoint } = dir === undefined ? await onlyOne(cwd) : await readCheckpoint(dir)
  if (!isBatchRun(checkpoint)) {
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
  { checkpoint: { job, batch, connection, pace } }: BatchRunFolder,
  flags: Flags,
  io: CommandIo,
  work: (control: BatchControl) => Promise<T>,
): Promise<T> {
  const reached = readConnection(flags, connection)
  const control = await openBatchControl(endsOf(job).destination, {
    connection: connectionOf(reached, 'destination'),
    ...{ account: batch.account, warn: (message: string) => warnTo(io, message) },
    policy: { retryFor: pace.retryFor ?? DEFAULT_RETRY_FOR, giveUp: io.stop },
  })
  try {
    return await work(control)
  } catch (error) {
    if (error instanceof UserError) throw error
    const { reason, hint } = stopReason(error)
    throw new UserError(reason, hint)
  } finally {
    control.close()
  }
}
