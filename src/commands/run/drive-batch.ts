import { join } from 'node:path'
import { isAborted } from '../../abort.js'
import { isBatchUnderWay, uncounted } from '../../checkpoint/batch-state.js'
import type { Checkpoint, StopRecord } from '../../checkpoint/checkpoint.js'
import { HEADER_SETS } from '../../checkpoint/header-set-ledger.js'
import { LEDGER } from '../../checkpoint/ledger-file.js'
import { RunFolder } from '../../checkpoint/run-folder.js'
import { stopReason } from '../../engine/session/stop-reason.js'
import { UserError } from '../../errors.js'
import { connectionOf, type Connection } from '../../job/connection.js'
import { isCopy } from '../../job/copy.js'
import { NOT_FOR_BATCH } from '../../job/outcome.js'
import { DEFAULT_RETRY_FOR, type Pace } from '../../job/pace.js'
import { exactUrl, placeUrl } from '../../job/place.js'
import { sum } from '../../job/totals.js'
import { printable } from '../../keys.js'
import { objects, shellWord } from '../../report/format.js'
import { openBatchControl } from '../../storage/batch-control.js'
import { ask } from '../options/ask.js'
import { EXIT } from '../options/exit.js'
import { readFlag } from '../options/flag-values.js'
import { Interrupted, type CommandIo } from '../options/io.js'
import { checkBatchCost } from './batch-cost.js'
import { runBatchJobs, type BatchRun } from './batch-jobs.js'
import { planIntoManifests } from './batch-planning.js'
import type { BatchCheckpoint, OpenedBatch } from './batch-setup.js'
import { sayer, tellJobs, tellPolicy } from './batch-telling.js'
import { openListObject } from './list-object.js'
import { endsOf } from './open-and-run.js'

/** A run whose folder is locked. */
export interface LockedBatch extends OpenedBatch {
  readonly folder: string
  readonly checkpoint: BatchCheckpoint
}

/** Lists, and sees to the jobs until they end or it is stopped. Answers the exit code, or undefined where s3move has to do the rest itself. */
export async function driveBatch(setup: LockedBatch): Promise<number | undefined> {
  const { folder, opened, progress, io } = setup
  const began = performance.now()
  const run = await RunFolder.open(folder)
  let current = setup.checkpoint
  const save = async (checkpoint: Checkpoint): Promise<void> => {
    const activeMs = setup.checkpoint.activeMs + (performance.now() - began)
    current = { ...checkpoint, savedAt: new Date().toISOString(), activeMs } as BatchCheckpoint
    await run.save(current)
  }
  const resumed = setup.checkpoint.sessions > 1
  progress.event({ type: 'start', job: current.job, checkpoint: folder, resumed, pace: current.pace })
  let stopped: StopRecord | undefined
  try {
    await save(current)
    if (!current.batch.planned) await planIntoManifests(setup, current, folder, { look: () => run.look(), save })
    if (current.batch.planned) await HEADER_SETS.remove(folder)
    if (current.batch.planned && isBatchUnderWay(current.batch)) {
      if (!current.batch.confirmed) checkBatchCost(current.batch, current.pace, folder)
      await jobs(setup, current, save, resumed)
    }
  } catch (error) {
    const known = error instanceof Interrupted ? undefined : stopReason(error)
    // What was given up for the sake of an end is no reason of its own.
    stopped = isAborted(io.stop) ? undefined : known
  }
  try {
    const done = current.state === 'finished'
    if (!done) {
      const { stopped: _before, ...rest } = current
      await save({ ...rest, stopped: stopped ?? { reason: io.stop.aborted ? 'it was interrupted' : NOT_CONFIRMED } })
    }
    const left = current.totals.failed[NOT_FOR_BATCH] ?? 0
    if (done && left > 0) return undefined
    return conclude(setup, current, {
      done,
      stopped,
      requests: opened.ends.meter.requests,
      elapsed: performance.now() - began,
    })
  } finally {
    await run.close()
  }
}

const NOT_CONFIRMED = 'nobody has said that the jobs may start'

interface Conclusion {
  readonly done: boolean
  readonly stopped: StopRecord | undefined
  readonly requests: Readonly<Record<string, number>>
  readonly elapsed: number
}

function conclude(
  { progress, folder, io, checkpoint: before }: LockedBatch,
  { totals, listed, batch }: BatchCheckpoint,
  { done, stopped, requests, elapsed }: Conclusion,
): number {
  const failed = sum(totals.failed)
  const end = done ? 'finished' : stopped === undefined ? 'interrupted' : 'stopped'
  const exitCode = done
    ? failed > 0
      ? EXIT.failures
      : EXIT.done
    : stopped === undefined
      ? EXIT.interrupted
      : EXIT.stopped
  const waiting = uncounted(batch)
  const hint =
    waiting === 0
      ? undefined
      : `${objects(waiting)} are in jobs of S3 Batch Operations, which go on without s3move; to see to them: s3move resume ${shellWord(folder)}`
  progress.event({
    ...{ type: 'summary', end, exitCode, checkpoint: folder, ledger: join(folder, LEDGER) },
    ...(stopped === undefined
      ? done
        ? {}
        : { reason: io.stop.aborted ? 'it was interrupted' : NOT_CONFIRMED }
      : { reason: stopped.reason }),
    ...(stopped?.hint === undefined && hint === undefined ? {} : { hint: stopped?.hint ?? hint ?? '' }),
    snapshot: {
      ...{ totals, listed, listingEnded: batch.planned, inFlight: 0, throttled: 0, retried: 0, requests, elapsed },
      settledHere: listed - waiting - (batch.planned ? before.totals.copied : before.listed),
    },
  })
  return exitCode
}

async function jobs(
  setup: LockedBatch,
  checkpoint: BatchCheckpoint,
  save: (checkpoint: Checkpoint) => Promise<void>,
  resumed: boolean,
): Promise<void> {
  const { folder, flags, opened, reached, io, pace, progress } = setup
  const { batch, job } = checkpoint
  const say = sayer(setup)
  const began = performance.now()
  if (!batch.confirmed) tellPolicy(setup, job, batch)
  const warn = (message: string): void => progress.event({ type: 'note', level: 'warning', message })
  const control = await openBatchControl(endsOf(job).destination, {
    connection: connectionOf(opened.ends.connection, 'destination'),
    ...{ account: batch.account, warn },
    policy: { retryFor: pace.retryFor ?? DEFAULT_RETRY_FOR, giveUp: opened.drain.signal },
  })
  const run: BatchRun = {
    ...{ folder, checkpoint, control, save, say, stop: io.stop },
    looked: () => tellJobs(setup, run.checkpoint, performance.now() - began),
    confirm: async () => {
      if (readFlag(flags, 'yes') === true) return true
      const waiting = uncounted(batch)
      const text = `Start ${batch.jobs.length === 1 ? 'the job' : `the ${batch.jobs.length} jobs`} for ${objects(waiting)} ${isCopy(job) ? 'to' : 'of'} ${placeUrl(endsOf(job).destination)}? (yes/no) `
      return (await ask(text, io)).toLowerCase() === 'yes'
    },
    read: (key, etag) =>
      piecesOf(exactUrl({ bucket: batch.manifests.bucket, prefix: key }), etag, { reached, pace, io }),
  }
  try {
    await runBatchJobs(run, resumed)
  } finally {
    control.close()
  }
}

async function* piecesOf(
  url: string,
  etag: string | undefined,
  { reached, pace, io }: { readonly reached: Connection; readonly pace: Pace; readonly io: CommandIo },
): AsyncGenerator<Buffer, void, undefined> {
  const options = { connection: connectionOf(reached, 'destination'), pace, io }
  const object = await openListObject(url, options, 'report or manifest')
  try {
    if (etag !== undefined && object.etag !== etag) {
      throw new UserError(
        `the manifest ${printable(url)} was replaced`,
        'put back the one that the run wrote, then resume it',
      )
    }
    yield* object.pieces()
  } finally {
    object.close()
  }
}
