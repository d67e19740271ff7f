import { hasEnded, isBatchUnderWay } from '../../checkpoint/batch-state.js'
import { StorageError, UserError } from '../../errors.js'
import { isScanJob } from '../../job/kinds.js'
import { printable } from '../../keys.js'
import { count, objects, shellWord } from '../../report/format.js'
import type { BatchControl, BatchView } from '../../storage/batch-control.js'
import { ask, canAsk } from '../options/ask.js'
import { EXIT } from '../options/exit.js'
import { readFlag, type Flags } from '../options/flag-values.js'
import type { CommandIo } from '../options/io.js'
import { sayTo } from './attended.js'
import { chooseBatch, withJobs, type BatchRunFolder } from './batch-choice.js'
import type { BatchControls } from './batch-controls.js'
import { describedAs, foundJobs } from './run-jobs.js'

/** Cancels the jobs of a run that have not ended, when somebody says yes. What became of their objects is counted by a resume. Resolves with the exit code. */
export async function cancelBatch(dir: string | undefined, flags: Flags, io: CommandIo): Promise<number> {
  const run = await chooseBatch(dir, io.cwd)
  const yes = readFlag(flags, 'yes') === true
  if (!yes && !canAsk(io)) {
    throw new UserError(
      'jobs are cancelled on a yes, and there is no terminal to ask at',
      'add --yes; s3move batch watch shows the jobs',
    )
  }
  const resume = `s3move resume ${shellWord(run.folder)}`
  return await withJobs(run, flags, io, async (controls) => {
    const jobs = await jobsUnderWay(run, controls)
    if (jobs.length === 0) {
      const then = isBatchUnderWay(run.checkpoint.batch) ? `to count what they did: ${resume}` : 'all is counted'
      sayTo(io, `nothing to cancel: the jobs have ended; ${then}`)
      return EXIT.done
    }
    const left = jobs.reduce((all, { rows, view: { succeeded, failed } }) => all + rows - succeeded - failed, 0)
    const which = jobs.length === 1 ? 'the job' : `the ${count(jobs.length)} jobs`
    const question = `Cancel ${which} of S3 Batch Operations, with ${objects(left)} not done yet? (yes/no) `
    if (!yes && (await ask(question, io)).toLowerCase() !== 'yes') {
      sayTo(io, 'nothing was cancelled')
      return EXIT.done
    }
    for (const { control, view } of jobs) {
      await cancel(control, view.id)
      sayTo(io, `job ${printable(view.id)} is cancelled`)
    }
    const then = isScanJob(run.checkpoint.job)
      ? 'to compare what they have read'
      : 'to put the rest into the failure ledger'
    sayTo(io, `what they have done stays; ${then}: ${resume}`)
    return EXIT.done
  })
}

interface JobUnderWay {
  readonly control: BatchControl
  readonly rows: number
  readonly view: BatchView
}

// Of a job whose making nobody has saved only S3 knows the id.
async function jobsUnderWay(
  { checkpoint: { batch } }: BatchRunFolder,
  controls: Pick<BatchControls, 'controlOf'>,
): Promise<readonly JobUnderWay[]> {
  const found = await foundJobs(batch, controls)
  const jobs: JobUnderWay[] = []
  for (const [at, job] of batch.jobs.entries()) {
    const id = job.id ?? found.get(describedAs(batch, at))
    if (job.counted === true || id === undefined) continue
    const control = controls.controlOf(job)
    const view = await control.describe(id)
    if (!isEnding(view.status)) jobs.push({ control, rows: job.rows, view })
  }
  return jobs
}

function isEnding(status: string): boolean {
  return hasEnded(status) || status === 'Completing' || status === 'Failing' || status === 'Cancelling'
}

// It may have ended in between.
async function cancel(control: BatchControl, id: string): Promise<void> {
  try {
    await control.cancel(id)
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== 'JobStatusException') throw error
    if (!isEnding((await control.describe(id)).status)) throw error
  }
}
