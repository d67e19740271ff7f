import { hasEnded, isBatchUnderWay, type BatchJobState } from '../../checkpoint/batch-state.js'
import { shellWord } from '../../report/format.js'
import type { Flags } from '../options/flag-values.js'
import type { CommandIo } from '../options/io.js'
import { sayTo } from './attended.js'
import { chooseBatch, hasJobs, withJobs } from './batch-choice.js'
import type { BatchControls } from './batch-controls.js'
import { status } from './show-status.js'

/** Shows the jobs of a run, as S3 tells of them, until they have ended; nothing is started, counted or saved. Resolves with the exit code. */
export async function watchBatch(
  { dir, json }: { readonly dir: string | undefined; readonly json: boolean },
  flags: Flags,
  io: CommandIo,
): Promise<number> {
  const run = await chooseBatch(dir, io.cwd)
  const code = await withJobs(run, flags, io, async (controls) => {
    // What has ended stays as it was.
    const known = new Map<string, BatchJobState>()
    return await status(
      {
        ...{ dir: run.folder, json, watch: true },
        async renewed(checkpoint) {
          if (!hasJobs(checkpoint)) return { checkpoint, live: false }
          const jobs: BatchJobState[] = []
          for (const job of checkpoint.batch.jobs) jobs.push(await looked(job, controls, known))
          const live = jobs.some(({ id, status }) => id !== undefined && !hasEnded(status))
          return { checkpoint: { ...checkpoint, batch: { ...checkpoint.batch, jobs } }, live }
        },
      },
      io,
    )
  })
  const left = isBatchUnderWay(run.checkpoint.batch) && !io.stop.aborted
  if (left && !json) sayTo(io, `the jobs have ended; to count what they did: s3move resume ${shellWord(run.folder)}`)
  return code
}

async function looked(
  job: BatchJobState,
  { controlOf }: Pick<BatchControls, 'controlOf'>,
  known: Map<string, BatchJobState>,
): Promise<BatchJobState> {
  const { id, counted } = job
  if (id === undefined || counted === true) return job
  const before = known.get(id)
  if (before !== undefined && hasEnded(before.status)) return before
  const { status, succeeded, failed } = await controlOf(job).describe(id)
  const now = { ...job, status, succeeded, failed }
  known.set(id, now)
  return now
}
