import { isAborted } from '../../abort.js'
import { hasEnded } from '../../checkpoint/batch-state.js'
import { RunFolder } from '../../checkpoint/run-folder.js'
import { stopReason, type Stop } from '../../engine/session/stop-reason.js'
import type { Connection } from '../../job/connection.js'
import { DEFAULT_RETRY_FOR } from '../../job/pace.js'
import { placeUrl } from '../../job/place.js'
import { sum } from '../../job/totals.js'
import { NO_VERDICTS } from '../../job/verdicts.js'
import type { ChecksumJob } from '../../job/verify.js'
import { count, objects, row, shellArgument } from '../../report/format.js'
import { failedByCode } from '../../report/summary.js'
import type { ScanProgress } from '../../report/scan-progress.js'
import { ask } from '../options/ask.js'
import { EXIT } from '../options/exit.js'
import { readFlag } from '../options/flag-values.js'
import { Interrupted } from '../options/io.js'
import { openControls } from './batch-controls.js'
import { compareChecksums, type FoundByChecksums } from './checksum-comparison.js'
import { planChecksums, tellChecksumPlan, tellChecksumPolicies } from './checksum-plan.js'
import { partyOf, progressOf } from './checksum-setup.js'
import type { ChecksumCheckpoint, ChecksumSetup, OpenedSides } from './checksum-setup.js'
import { concludeComparison } from './perform-verify.js'
import { resultObject } from './result-object.js'
import { runJobs, type JobsKind } from './run-jobs.js'
import { conclude, unfinished, type ScanTelling } from './run-scan.js'

/** A run whose folder is locked. */
export interface LockedChecksums extends ChecksumSetup {
  readonly folder: string
  readonly checkpoint: ChecksumCheckpoint
  /** How the buckets of manifests and reports are reached. */
  readonly reached: Connection
  /** Reaches both sides to list them. */
  readonly open: () => Promise<OpenedSides>
}

/** Lists both sides, sees to the jobs until they end, and compares what they have read; each step is saved before the next. Resolves with the exit code. */
export async function driveChecksums(setup: LockedChecksums): Promise<number> {
  const { folder, io, json } = setup
  const { job } = setup.checkpoint
  const began = performance.now()
  const run = await RunFolder.open(folder)
  let current = setup.checkpoint
  const save = async (checkpoint: ChecksumCheckpoint): Promise<void> => {
    const activeMs = setup.checkpoint.activeMs + (performance.now() - began)
    current = { ...checkpoint, savedAt: new Date().toISOString(), activeMs }
    await run.save(current)
  }
  const progress = progressOf(setup, 'comparing')
  const scan: ScanTelling & { folder: string } = {
    // What was begun of the result is begun again.
    ...{ checkpoint: current, folder, resumed: false, progress, io, quiet: setup.quiet },
    result: undefined,
  }
  let found: FoundByChecksums | undefined
  let stop: Stop | undefined
  let readerGone = false
  try {
    await save(current)
    if (!current.batch.planned) await plan(setup, current, save)
    if (await jobsEnded(setup, current, save)) {
      found = await compare(setup, scan, current)
      readerGone = found === undefined
    } else if (!isAborted(io.stop)) stop = { reason: NOT_CONFIRMED }
  } catch (error) {
    const known = error instanceof Interrupted ? undefined : stopReason(error)
    // What was given up for the sake of an end is no reason of its own.
    stop = isAborted(io.stop) ? undefined : known
  } finally {
    progress.close()
  }
  const elapsed = performance.now() - began
  try {
    const { stopped: _before, ...rest } = current
    if (found === undefined) await save({ ...rest, stopped: stop ?? { reason: 'it was interrupted' } })
    else {
      const jobs = current.batch.jobs.map((one) => ({ ...one, counted: true }))
      const written = { ...found.kept, likenesses: found.found }
      await save({ ...rest, batch: { ...rest.batch, jobs }, state: 'finished', scan: written })
    }
  } finally {
    await run.close()
  }
  if (readerGone) return EXIT.failures
  const counts = { readerGone, listed: current.listed, unread: {}, passedOver: undefined, elapsed }
  const end = found !== undefined ? 'finished' : stop === undefined ? 'interrupted' : 'stopped'
  const ended = { ...counts, end, stop, bytes: found?.bytes ?? 0 } as const
  if (found === undefined && !json) {
    const code = conclude(scan, ended, job.to === undefined ? 'nothing was compared' : unfinished(job.to))
    return stop?.reason === NOT_CONFIRMED ? EXIT.interrupted : code
  }
  const code = concludeComparison(job, scan, { ended, found: found?.found ?? NO_VERDICTS, json })
  if (found !== undefined) tellNext(setup, job, found, progress)
  return code
}

const NOT_CONFIRMED = 'nobody has said that the jobs may start'

type Save = (checkpoint: ChecksumCheckpoint) => Promise<void>

async function plan(setup: LockedChecksums, checkpoint: ChecksumCheckpoint, save: Save): Promise<void> {
  const { job, batch } = checkpoint
  const opened = await setup.open()
  try {
    const planned = await planChecksums(setup, { checkpoint, opened, reached: setup.reached, dry: false })
    tellChecksumPlan(setup, job, planned)
    const { sides, jobs } = planned
    await save({
      ...{ ...checkpoint, ranges: [], listed: sides.source.objects + sides.destination.objects },
      batch: { ...batch, planned: true, jobs },
      // Where there is nothing on either side, nothing remains.
      state: jobs.length === 0 ? 'finished' : 'unfinished',
    })
  } finally {
    for (const side of Object.values(opened)) side.close()
  }
}

async function jobsEnded(setup: LockedChecksums, checkpoint: ChecksumCheckpoint, save: Save): Promise<boolean> {
  const { flags, io, say, warn } = setup
  const { batch, job, connection } = checkpoint
  const all = batch.jobs.reduce((total, { rows }) => total + rows, 0)
  if (batch.jobs.every(({ status }) => hasEnded(status))) return true
  if (!batch.confirmed) tellChecksumPolicies(setup, job, batch)
  const progress = progressOf(setup, 'computing')
  const began = performance.now()
  const controls = await openControls(checkpoint, { connection, giveUp: io.stop, warn })
  const run = {
    ...{ checkpoint, save, say, stop: io.stop },
    looked() {
      const { jobs } = run.checkpoint.batch
      const done = jobs.reduce((total, { succeeded = 0, failed = 0 }) => total + succeeded + failed, 0)
      progress.update(done, performance.now() - began, { objects: all, told: true })
    },
    async confirm() {
      if (readFlag(flags, 'yes') === true) return true
      const which = batch.jobs.length === 1 ? 'the job' : `the ${count(batch.jobs.length)} jobs`
      const places = `${placeUrl(job.source)} and ${placeUrl(job.destination)}`
      const answer = await ask(`Start ${which} that read ${objects(all)} of ${places}? (yes/no) `, io)
      return answer.toLowerCase() === 'yes'
    },
  }
  try {
    return await runJobs(run, kindOfChecksums(checkpoint, controls), setup.checkpoint.sessions > 1)
  } finally {
    controls.close()
    progress.close()
  }
}

function kindOfChecksums({ job, batch }: ChecksumCheckpoint, { controlOf }: Pick<JobsKind, 'controlOf'>): JobsKind {
  return {
    controlOf,
    requestOf({ side = 'destination', manifest, etag }) {
      const { role, account, manifests } = partyOf(batch, side)
      const { bucket, prefix } = manifests
      return {
        ...{ role, checksum: { algorithm: job.checksums, reportOwner: account } },
        manifest: { bucket, prefix: manifest, etag },
        report: { bucket, prefix: `${prefix}${batch.id}/reports` },
      }
    },
    done: 'read',
    // All of them are compared together.
    count: () => Promise.resolve(),
  }
}

async function compare(
  setup: LockedChecksums,
  scan: ScanTelling & { readonly folder: string },
  checkpoint: ChecksumCheckpoint,
): Promise<FoundByChecksums | undefined> {
  const { io, warn, reached, pace, folder } = setup
  const { retryFor = DEFAULT_RETRY_FOR } = pace
  const options = { connection: reached, retryFor, giveUp: io.stop, folder, io, warn }
  const result = await resultObject(checkpoint.job.to, options)
  try {
    return await compareChecksums(setup, { ...scan, result }, checkpoint, reached)
  } finally {
    result?.close()
  }
}

// What can be done about what no job has told.
function tellNext(
  { quiet, json }: ChecksumSetup,
  { source, destination, to }: ChecksumJob,
  { found, unread }: FoundByChecksums,
  { say }: Pick<ScanProgress, 'say'>,
): void {
  if (quiet || json || found.unknown === 0) return
  say(row('not read', `${objects(sum(unread))}: ${failedByCode(unread)}`))
  const places = [source, destination].map((place) => shellArgument(placeUrl(place))).join(' ')
  const list = to === undefined ? 'FILE' : shellArgument(to)
  const how = to === undefined ? ', FILE being the differences (--to FILE)' : ''
  say(row('hint', `to read them through this machine: s3move verify ${places} --bytes --files-from ${list}${how}`))
}
