import type { BatchableJob } from '../../batch/batchable.js'
import { isBatchUnderWay } from '../../checkpoint/batch-state.js'
import type { WriteCheckpoint } from '../../checkpoint/checkpoint.js'
import { openFailures } from '../../checkpoint/failure-ledger.js'
import { UserError } from '../../errors.js'
import { connectionOf } from '../../job/connection.js'
import { DEFAULT_RETRY_FOR } from '../../job/pace.js'
import { noTotals, sum } from '../../job/totals.js'
import { jobTitle, objects } from '../../report/format.js'
import type { SendManifest } from '../../batch/manifest.js'
import { openObjectUpload } from '../../storage/object-upload.js'
import { Interrupted } from '../options/io.js'
import { batchCostOf } from './batch-cost.js'
import { planBatch, type BatchOutput, type BatchPlan, type BatchPlanOptions } from './batch-plan.js'
import { inSets } from './batch-sets.js'
import type { BatchCheckpoint, OpenedBatch } from './batch-setup.js'
import { sayer, tellListing, tellPlan, tellPolicy } from './batch-telling.js'

/**
 * Lists what a run is for, into manifests and failure ledger, and saves that it has. Rejects with a `UserError` or `Interrupted` where that did not come to
 * its end, as `planBatch` does.
 */
export async function planIntoManifests(
  setup: OpenedBatch,
  checkpoint: BatchCheckpoint,
  folder: string,
  run: BatchOutput['run'],
): Promise<void> {
  const { batch: begun, list: _list, ...rest } = checkpoint
  const { planning, ...batch } = begun
  const ledger = await openFailures(folder, checkpoint.ledger)
  try {
    if (planning !== undefined && checkpoint.listed > 0) {
      sayer(setup)(
        `${objects(checkpoint.listed)} were looked at before, and are not again: what was changed of their ${inSets(checkpoint.job)} since may be lost`,
      )
    }
    const to = {
      ...{ folder: `${batch.manifests.prefix}${batch.id}/`, rowsAJob: batch.rowsAJob, ledger, within: folder, run },
      send: sending(setup, batch.manifests.bucket),
    }
    const planned = await planToTheEnd(setup, checkpoint, to)
    const { ended, jobs, totals } = planned
    const cost = await batchCostOf(checkpoint.job, planned, jobs.length, setup.opened, setup.pace)
    tellPlan(setup, checkpoint.job, planned, jobs.length, cost)
    const estimated = 'usd' in cost ? { estimatedUsd: cost.usd } : {}
    const next = { ...batch, planned: true, jobs, ...estimated }
    await run.save({
      ...{ ...rest, ranges: [], listed: ended.listed, ledger: ledger.position, batch: next },
      state: isBatchUnderWay(next) ? 'unfinished' : 'finished',
      totals: { ...noTotals(), ...totals },
    })
  } finally {
    await ledger.close()
  }
}

/** Says what a run would make jobs of, and what its role needs; nothing is written. Rejects as `planIntoManifests` does. */
export async function rehearsePlan(
  setup: OpenedBatch,
  checkpoint: WriteCheckpoint & { readonly job: BatchableJob },
  asked: Pick<BatchCheckpoint['batch'], 'role' | 'manifests' | 'rowsAJob'>,
): Promise<void> {
  const { job } = checkpoint
  const planned = await planToTheEnd(setup, checkpoint)
  const jobs = planned.kinds.reduce((all, { rows }) => all + Math.ceil(rows / asked.rowsAJob), 0)
  sayer(setup)(`dry run of ${jobTitle(job)} by S3 Batch Operations: nothing is written, and no job is made`)
  tellPlan(setup, job, planned, jobs, await batchCostOf(job, planned, jobs, setup.opened, setup.pace))
  tellPolicy(setup, job, asked)
}

async function planToTheEnd(
  setup: OpenedBatch,
  checkpoint: WriteCheckpoint & { readonly job: BatchableJob },
  to?: BatchPlanOptions['to'],
): Promise<BatchPlan> {
  const { opened, io, progress } = setup
  const planned = await planBatch({
    ...{ job: checkpoint.job, checkpoint, opened, io, progress: tellListing(setup) },
    ...(to === undefined ? {} : { to }),
    warn: (message) => progress.event({ type: 'note', level: 'warning', message }),
  })
  const { stop, end } = planned.ended
  if (stop !== undefined) throw new UserError(stop.reason, stop.hint)
  if (end !== 'finished') throw new Interrupted('interrupted')
  const unread = sum(planned.ended.unread)
  if (unread > 0) {
    throw new UserError(
      `the inventory does not tell all of ${objects(unread)}, and these could not be looked at: nothing was begun`,
      'leave --files-from away: the source is listed then',
    )
  }
  return planned
}

function sending({ opened, reached, pace, progress }: OpenedBatch, bucket: string): SendManifest {
  return async (key, body, signal) => {
    const upload = await openObjectUpload(
      { bucket, prefix: key },
      {
        connection: connectionOf(reached, 'destination'),
        policy: { retryFor: pace.retryFor ?? DEFAULT_RETRY_FOR, giveUp: opened.drain.signal },
        warn: (message) => progress.event({ type: 'note', level: 'warning', message }),
      },
    )
    try {
      return await upload.send(body, { contentType: 'text/csv', signal })
    } finally {
      upload.close()
    }
  }
}
