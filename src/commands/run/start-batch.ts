import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { isAborted } from '../../abort.js'
import { rolePolicy } from '../../batch/role-policy.js'
import { isBatchUnderWay, uncounted, type BatchState } from '../../checkpoint/batch-state.js'
import { FORMAT, isWrite, type StopRecord, type WriteCheckpoint } from '../../checkpoint/checkpoint.js'
import { createFolder, readCheckpoint } from '../../checkpoint/checkpoint-file.js'
import { openFailures } from '../../checkpoint/failure-ledger.js'
import { LEDGER } from '../../checkpoint/ledger-file.js'
import { lockRun } from '../../checkpoint/lock.js'
import { proveLedgers } from '../../checkpoint/prove.js'
import { setAside } from '../../checkpoint/retry-steps.js'
import { RunFolder } from '../../checkpoint/run-folder.js'
import { stopReason } from '../../engine/session/stop-reason.js'
import { UserError } from '../../errors.js'
import { connectionOf, type Connection } from '../../job/connection.js'
import { isCopy, type CopyJob } from '../../job/copy.js'
import { NOT_FOR_BATCH } from '../../job/outcome.js'
import { DEFAULT_RETRY_FOR, type Pace } from '../../job/pace.js'
import { exactUrl, placeUrl, type Place } from '../../job/place.js'
import { noTotals, sum } from '../../job/totals.js'
import { printable } from '../../keys.js'
import { count, jobTitle, objects, shellWord } from '../../report/format.js'
import { createProgress, type Progress } from '../../report/progress.js'
import { openBatchControl } from '../../storage/batch-control.js'
import { openObjectUpload } from '../../storage/object-upload.js'
import { version } from '../../version.js'
import { ask, canAsk } from '../options/ask.js'
import { readConnection } from '../options/connection-options.js'
import { EXIT } from '../options/exit.js'
import { readFlag, readText, type Flags } from '../options/flag-values.js'
import { Interrupted, type CommandIo } from '../options/io.js'
import { readTelling, type OutputOptions } from '../options/output-options.js'
import { DEFAULT_PACE, readPace } from '../options/pace-options.js'
import { checkInOneBucket } from '../options/places.js'
import { ambient } from './ambient-connection.js'
import { attended, sayTo } from './attended.js'
import { runBatchJobs, type BatchRun } from './batch-jobs.js'
import { batchFront, planBatch, type BatchPlan, type BatchPlanOptions } from './batch-plan.js'
import { checkFolder, checkLogOutside, chooseFolder, type Beginning } from './checkpoint-folder.js'
import { rehearsing } from './dry-run.js'
import { openListObject } from './list-object.js'
import { noting, open, threadsFor, type Opened } from './open-and-run.js'
import { wantedRanges } from './wanted-ranges.js'

/** What a run of jobs is told beside the copy. */
export interface BatchAsked {
  readonly account: string
  readonly role: string
  readonly manifests: Place
  readonly rowsAJob: number
}

/** Tries failed objects of a run again. Resolves with the exit code. */
type TryAgain = (
  asked: {
    readonly dir: string
    readonly onlyFailed: boolean
    readonly codes: readonly string[]
    readonly dry: boolean
    readonly telling: OutputOptions
  },
  flags: Flags,
  io: CommandIo,
) => Promise<number>

/** The command line, and who copies what jobs cannot. */
export interface BatchCommand {
  readonly flags: Flags
  readonly io: CommandIo
  readonly rest: TryAgain
}

/** Begins a copy by jobs of S3 Batch Operations, with the flags that runs share. Resolves with the exit code. */
export async function beginBatch(job: CopyJob, asked: BatchAsked, { flags, io, rest }: BatchCommand): Promise<number> {
  const dry = readFlag(flags, 'dry-run') ?? false
  batchFront(job)
  if (!dry) checkCanConfirm(flags, io)
  return await attended(flags, io, dry, async (io) => {
    await checkLogOutside(job, flags, io.cwd)
    const telling = readTelling(flags)
    const pace = readPace(flags, DEFAULT_PACE)
    const reached = readConnection(flags, ambient())
    const progress = createProgress({ ...io, ...telling, ...(dry ? rehearsing(io, telling) : {}) })
    try {
      const setup = { flags, telling, pace, progress, io, rest }
      const opened = await opening(job, reached, dry, setup)
      try {
        return dry
          ? await rehearse(job, asked, opened, setup)
          : await beginOpened(job, asked, { ...setup, opened, reached })
      } finally {
        opened.close()
      }
    } finally {
      progress.close()
    }
  })
}

/** Goes on with such a run. Resolves with the exit code. */
export async function resumeBatch(folder: string, { flags, io, rest }: BatchCommand): Promise<number> {
  const telling = readTelling(flags)
  const progress = createProgress({ ...io, ...telling })
  try {
    const lock = await lockRun(folder)
    let code: number | undefined
    try {
      const { checkpoint: found } = await readCheckpoint(folder)
      if (!isBatchRun(found)) throw new UserError(`${printable(folder)} now holds another job`, 'see s3move status')
      if (!found.batch.confirmed) checkCanConfirm(flags, io)
      await proveLedgers(folder, found)
      const pace = readPace(flags, found.pace)
      const reached = readConnection(flags, found.connection)
      const setup = { flags, telling, pace, progress, io, rest }
      const opened = await opening(found.job, reached, false, setup)
      try {
        const { connection } = opened.ends
        const { stopped: _stopped, ...rest } = found
        const checkpoint = { ...rest, connection, pace, program: `s3move ${version()}`, sessions: found.sessions + 1 }
        code = await drive({ ...setup, folder, checkpoint, opened, reached })
      } finally {
        opened.close()
      }
    } finally {
      await lock.release()
    }
    return code ?? (await theRest(folder, { flags, io, rest, telling }))
  } finally {
    progress.close()
  }
}

interface Setup {
  readonly flags: Flags
  readonly telling: OutputOptions
  readonly pace: Pace
  readonly progress: Progress
  readonly io: CommandIo
  readonly rest: TryAgain
}

type BatchCheckpoint = WriteCheckpoint & { readonly batch: BatchState; readonly job: CopyJob }

function isBatchRun(checkpoint: Parameters<typeof isWrite>[0]): checkpoint is BatchCheckpoint {
  return isWrite(checkpoint) && checkpoint.batch !== undefined && isCopy(checkpoint.job)
}

function checkCanConfirm(flags: Flags, io: CommandIo): void {
  if (readFlag(flags, 'yes') === true || canAsk(io)) return
  throw new UserError(
    'jobs of S3 Batch Operations cost money and are started on a yes, and there is no terminal to ask at',
    'add --yes; --dry-run says how many objects and jobs these are',
  )
}

async function opening(
  job: CopyJob,
  connection: Connection,
  dry: boolean,
  { pace, progress, io }: Setup,
): Promise<Opened> {
  const { source, destination } = job
  const opened = await open({ source, destination }, connection, {
    // The objects are written by another role.
    ...{ readOnly: true, rehearsal: dry, threads: threadsFor(job, pace), io, pace },
    ...noting(progress),
  })
  try {
    if (!opened.ends.settings.distinctBuckets) checkInOneBucket(source, destination, false)
  } catch (error) {
    opened.close()
    throw error
  }
  return opened
}

interface OpenedSetup extends Setup {
  readonly opened: Opened
  /** As it was asked for: the bucket of the manifests may be elsewhere. */
  readonly reached: Connection
}

async function beginOpened(job: CopyJob, asked: BatchAsked, setup: OpenedSetup): Promise<number> {
  const { flags, opened } = setup
  const { connection } = opened.ends
  const beginning: Beginning = {
    ...{ job, fresh: readFlag(flags, 'fresh') ?? false, again: readFlag(flags, 'again') ?? false },
    listModified: undefined,
  }
  const given = readText(flags, 'checkpoint')
  if (given !== undefined) await checkFolder(given, beginning, connection)
  const folder = given ?? (await chooseFolder(beginning, connection)).folder
  await createFolder(folder)
  const lock = await lockRun(folder)
  let code: number | undefined
  try {
    await checkFolder(folder, beginning, connection)
    await setAside(folder)
    const checkpoint: BatchCheckpoint = {
      ...firstCheckpoint(job, connection, setup.pace),
      batch: { ...asked, id: randomUUID(), planned: false, confirmed: false, jobs: [] },
    }
    code = await drive({ ...setup, folder, checkpoint })
  } finally {
    await lock.release()
  }
  return code ?? (await theRest(folder, setup))
}

function firstCheckpoint(
  job: CopyJob,
  connection: Connection,
  pace: Pace,
): WriteCheckpoint & { readonly job: CopyJob } {
  const now = new Date().toISOString()
  return {
    ...{ format: FORMAT, program: `s3move ${version()}`, job, connection, pace, state: 'unfinished' },
    ...{ startedAt: now, savedAt: now, activeMs: 0, sessions: 1, ranges: wantedRanges(job), listed: 0 },
    ...{ totals: noTotals(), ledger: { bytes: 0, entries: 0 }, history: [] },
  }
}

interface DriveSetup extends OpenedSetup {
  readonly folder: string
  readonly checkpoint: BatchCheckpoint
}

// Answers the exit code, or undefined where s3move has to do the rest itself.
async function drive(setup: DriveSetup): Promise<number | undefined> {
  const { folder, opened, progress, io } = setup
  const began = performance.now()
  const run = await RunFolder.open(folder)
  let current = setup.checkpoint
  const save = async (checkpoint: WriteCheckpoint): Promise<void> => {
    const activeMs = setup.checkpoint.activeMs + (performance.now() - began)
    current = { ...checkpoint, savedAt: new Date().toISOString(), activeMs } as BatchCheckpoint
    await run.save(current)
  }
  const resumed = setup.checkpoint.sessions > 1
  progress.event({ type: 'start', job: current.job, checkpoint: folder, resumed, pace: current.pace })
  let stopped: StopRecord | undefined
  try {
    await save(current)
    if (!current.batch.planned) await plan(setup, save)
    if (current.batch.planned && isBatchUnderWay(current.batch)) await jobs(setup, current, save, resumed)
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
  { progress, folder, io, checkpoint: before }: DriveSetup,
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
      settledHere: listed - waiting - before.totals.copied,
    },
  })
  return exitCode
}

// By the same ways as what failed and is tried again.
async function theRest(
  dir: string,
  { flags, io, rest, telling }: Pick<Setup, 'flags' | 'io' | 'rest' | 'telling'>,
): Promise<number> {
  if (!telling.quiet && !telling.json) sayTo(io, 's3move copies itself what the jobs could not be given')
  return await rest({ dir, onlyFailed: true, codes: [NOT_FOR_BATCH], dry: false, telling }, flags, io)
}

async function plan(setup: DriveSetup, save: (checkpoint: WriteCheckpoint) => Promise<void>): Promise<void> {
  const { checkpoint, folder, opened, reached, io, pace } = setup
  const { job, batch } = checkpoint
  const policy = { retryFor: pace.retryFor ?? DEFAULT_RETRY_FOR, giveUp: opened.drain.signal }
  const ledger = await openFailures(folder, { bytes: 0, entries: 0 })
  const warn = (message: string): void => setup.progress.event({ type: 'note', level: 'warning', message })
  try {
    const planned = await planBatch({
      ...{ job, checkpoint, opened, warn, io, progress: listing(setup, opened) },
      to: {
        ...{ folder: `${batch.manifests.prefix}${batch.id}/`, rowsAJob: batch.rowsAJob, ledger },
        async send(key, body, signal) {
          const place = { bucket: batch.manifests.bucket, prefix: key }
          const upload = await openObjectUpload(place, {
            connection: connectionOf(reached, 'destination'),
            policy,
            warn,
          })
          try {
            return await upload.send(body, { contentType: 'text/csv', signal })
          } finally {
            upload.close()
          }
        },
      },
    })
    const { ended, manifests, own, filtered } = planned
    if (ended.stop !== undefined) throw new UserError(ended.stop.reason, ended.stop.hint)
    if (ended.end !== 'finished') return
    const left = [...own.values()].reduce((all, n) => all + n, 0)
    tellPlan(setup, planned, manifests.length)
    const next = { ...batch, planned: true, jobs: manifests }
    await save({
      ...{ ...checkpoint, ranges: [], listed: ended.listed, ledger: ledger.position, batch: next },
      state: isBatchUnderWay(next) ? 'unfinished' : 'finished',
      totals: {
        ...noTotals(),
        skipped: filtered === 0 ? {} : { filtered },
        failed: left === 0 ? {} : { [NOT_FOR_BATCH]: left },
      },
    })
  } finally {
    await ledger.close()
  }
}

function listing({ progress }: Setup, { ends }: Opened): BatchPlanOptions['progress'] {
  return (listed, elapsed, expected) =>
    progress.event({
      type: 'progress',
      snapshot: {
        ...{ totals: noTotals(), listed, expected, listingEnded: false, inFlight: 0, settledHere: 0, elapsed },
        ...{ throttled: ends.meter.throttled, retried: ends.meter.retried, requests: ends.meter.requests },
      },
    })
}

// What it costs is told by nobody yet.
function tellPlan(setup: Setup, { own, batch }: BatchPlan, jobs: number): void {
  const say = sayer(setup)
  const inJobs = [...batch.values()].reduce((all, n) => all + n, 0)
  const classes = [...batch].map(([name, n]) => `${count(n)} ${name}`).join(', ')
  say(
    `${objects(inJobs)} for ${jobs === 1 ? 'one job' : `${count(jobs)} jobs`} of S3 Batch Operations${classes === '' ? '' : ` (${printable(classes)})`}`,
  )
  for (const [reason, n] of own) say(`${objects(n)} left to s3move itself: ${printable(reason)}`)
  say(
    'price not known: a job costs a fee, each of its objects another, and each copy a request and what reading its class costs',
  )
}

function sayer({ telling, progress, io }: Setup): (message: string) => void {
  return (message) => {
    if (telling.json) progress.event({ type: 'note', level: 'info', message })
    else if (!telling.quiet) sayTo(io, message)
  }
}

async function rehearse(job: CopyJob, asked: BatchAsked, opened: Opened, setup: Setup): Promise<number> {
  const checkpoint = firstCheckpoint(job, opened.ends.connection, setup.pace)
  const warn = (message: string): void => setup.progress.event({ type: 'note', level: 'warning', message })
  const planned = await planBatch({
    ...{ job, checkpoint, opened, warn, io: setup.io },
    progress: listing(setup, opened),
  })
  const { ended, batch } = planned
  if (ended.stop !== undefined) throw new UserError(ended.stop.reason, ended.stop.hint)
  if (ended.end !== 'finished') throw new Interrupted('interrupted')
  const jobs = [...batch.values()].reduce((all, n) => all + Math.ceil(n / asked.rowsAJob), 0)
  sayer(setup)(`dry run of ${jobTitle(job)} by S3 Batch Operations: nothing is written, and no job is made`)
  tellPlan(setup, planned, jobs)
  tellPolicy(setup, job, asked)
  return EXIT.done
}

function tellPolicy(setup: Setup, job: CopyJob, asked: Pick<BatchAsked, 'role' | 'manifests'>): void {
  const say = sayer(setup)
  const { permissions, trust } = rolePolicy(job, asked)
  say(`${printable(asked.role)} must be trusted with: ${JSON.stringify(trust)}`)
  say(`and allowed: ${JSON.stringify(permissions)}`)
}

async function jobs(
  setup: DriveSetup,
  checkpoint: BatchCheckpoint,
  save: (checkpoint: WriteCheckpoint) => Promise<void>,
  resumed: boolean,
): Promise<void> {
  const { folder, flags, opened, reached, io, pace, progress } = setup
  const { batch, job } = checkpoint
  const say = sayer(setup)
  const began = performance.now()
  if (!batch.confirmed) tellPolicy(setup, job, batch)
  const warn = (message: string): void => progress.event({ type: 'note', level: 'warning', message })
  const control = await openBatchControl(job.destination, {
    connection: connectionOf(opened.ends.connection, 'destination'),
    ...{ account: batch.account, warn },
    policy: { retryFor: pace.retryFor ?? DEFAULT_RETRY_FOR, giveUp: opened.drain.signal },
  })
  const run: BatchRun = {
    ...{ folder, checkpoint, control, save, say, stop: io.stop },
    looked: () => looked(setup, run.checkpoint, performance.now() - began),
    confirm: async () => {
      if (readFlag(flags, 'yes') === true) return true
      const waiting = uncounted(batch)
      const text = `Start ${batch.jobs.length === 1 ? 'the job' : `the ${batch.jobs.length} jobs`} for ${objects(waiting)} to ${placeUrl(job.destination)}? (yes/no) `
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

// What jobs say that they have copied is in the totals only once it is counted.
function looked({ progress, opened }: DriveSetup, { totals, listed, batch }: BatchCheckpoint, elapsed: number): void {
  const copied = batch.jobs.reduce((all, job) => all + (job.counted === true ? 0 : (job.succeeded ?? 0)), totals.copied)
  const { meter } = opened.ends
  progress.event({
    type: 'progress',
    snapshot: {
      ...{ totals: { ...totals, copied }, listed, listingEnded: true, inFlight: uncounted(batch), settledHere: 0 },
      ...{ throttled: meter.throttled, retried: meter.retried, requests: meter.requests, elapsed },
    },
  })
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
