import type { BatchJobState } from '../../checkpoint/batch-state.js'
import { connectionOf, type Connection } from '../../job/connection.js'
import { isScanJob } from '../../job/kinds.js'
import { DEFAULT_RETRY_FOR } from '../../job/pace.js'
import type { Place, Side } from '../../job/place.js'
import { comparesChecksums } from '../../job/verify.js'
import { openBatchControl, type BatchControl } from '../../storage/batch-control.js'
import { endsOf } from './open-and-run.js'
import type { JobsCheckpoint } from './run-jobs.js'

/** Where the jobs of a run belong to. */
export interface BatchControls {
  readonly controlOf: (job: Pick<BatchJobState, 'side'>) => BatchControl
  close(): void
}

/** Opens these, as `openBatchControl` does: of jobs that write that of the destination, of those that read that of the side which each reads. */
export async function openControls(
  checkpoint: Pick<JobsCheckpoint, 'job' | 'batch' | 'pace'>,
  {
    connection,
    giveUp,
    warn,
  }: { readonly connection: Connection; readonly giveUp: AbortSignal; readonly warn: (message: string) => void },
): Promise<BatchControls> {
  const { batch, pace } = checkpoint
  const opened = new Map<Side, BatchControl>()
  const close = (): void => {
    for (const control of opened.values()) control.close()
  }
  try {
    for (const [side, place] of jobPlaces(checkpoint)) {
      const { account } = side === 'source' ? (batch.source ?? batch) : batch
      const options = { connection: connectionOf(connection, side), account, warn }
      const policy = { retryFor: pace.retryFor ?? DEFAULT_RETRY_FOR, giveUp }
      opened.set(side, await openBatchControl(place, { ...options, policy }))
    }
  } catch (error) {
    close()
    throw error
  }
  return {
    controlOf({ side = 'destination' }) {
      const control = opened.get(side)
      if (control === undefined) throw new Error(`no job reads the ${side}`)
      return control
    },
    close,
  }
}

function jobPlaces({ job }: Pick<JobsCheckpoint, 'job'>): readonly (readonly [Side, Place])[] {
  if (!isScanJob(job)) return [['destination', endsOf(job).destination]]
  if (!comparesChecksums(job)) throw new Error('a job that only lists has no jobs of S3 Batch Operations')
  return [
    ['source', job.source],
    ['destination', job.destination],
  ]
}
