import { randomUUID } from 'node:crypto'
import type { BatchableJob } from '../../batch/batchable.js'
import { FORMAT, type WriteCheckpoint } from '../../checkpoint/checkpoint.js'
import { createFolder, readCheckpoint, RUNS } from '../../checkpoint/checkpoint-file.js'
import { lockRun } from '../../checkpoint/lock.js'
import { proveLedgers } from '../../checkpoint/prove.js'
import type { SavedPlan } from '../../checkpoint/saved-plan.js'
import { setAside } from '../../checkpoint/retry-steps.js'
import { UserError } from '../../errors.js'
import type { Connection } from '../../job/connection.js'
import { isCopy } from '../../job/copy.js'
import { listOf } from '../../job/kinds.js'
import { NOT_FOR_BATCH } from '../../job/outcome.js'
import type { Pace } from '../../job/pace.js'
import type { Place } from '../../job/place.js'
import { noTotals } from '../../job/totals.js'
import { printable } from '../../keys.js'
import { shellWord } from '../../report/format.js'
import { createProgress } from '../../report/progress.js'
import { checkList } from '../../sources/files-from/list-identity.js'
import type { StoredFiles } from '../../storage/backend.js'
import { version } from '../../version.js'
import { canAsk } from '../options/ask.js'
import { readConnection } from '../options/connection-options.js'
import { EXIT } from '../options/exit.js'
import { readFlag, readText, type Flags } from '../options/flag-values.js'
import { unless, type CommandIo } from '../options/io.js'
import { readTelling, type OutputOptions } from '../options/output-options.js'
import { DEFAULT_PACE, readPace } from '../options/pace-options.js'
import { checkInOneBucket } from '../options/places.js'
import { ambient } from './ambient-connection.js'
import { attended, sayTo } from './attended.js'
import { isBatchRun } from './batch-choice.js'
import { batchFront } from './batch-front.js'
import { rehearsePlan } from './batch-planning.js'
import type { BatchCheckpoint, BatchSetup, OpenedBatch } from './batch-setup.js'
import { copiedList, type WithCopiedList } from './copied-list.js'
import { checkFolder, checkLogOutside, chooseFolder, type Beginning } from './checkpoint-folder.js'
import { driveBatch } from './drive-batch.js'
import { rehearsing } from './dry-run.js'
import { checkPlanned, expectingPlanned, plannedRanges, readGivenPlan } from './given-plan.js'
import { inventoryStoreOf } from './inventory-store.js'
import { passedOverIn, surveyOf, type Survey } from './list-survey.js'
import { NO_JOBS, refuseDirectory } from './directory-buckets.js'
import { endsOf, noting, open, threadsFor, type Opened } from './open-and-run.js'
import { spendingOf } from './spending.js'
import type { Prepare } from './start-write.js'

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
  /** Looks, once the buckets have answered, whether what begins may go on. */
  readonly prepare?: Prepare
}

/** Begins a copy, or a change of headers, by jobs of S3 Batch Operations, with the flags that runs share. Resolves with the exit code. */
export async function beginBatch(
  job: BatchableJob,
  asked: BatchAsked,
  { flags, io, rest, prepare }: BatchCommand,
): Promise<number> {
  const dry = readFlag(flags, 'dry-run') ?? false
  if (isCopy(job)) batchFront(job)
  if (!dry) checkCanConfirm(flags, io)
  return await attended(flags, io, dry, async (io) => {
    await checkLogOutside(job, flags, io.cwd)
    const telling = readTelling(flags)
    const plan = await readGivenPlan(flags)
    const pace = expectingPlanned(readPace(flags, DEFAULT_PACE), plan, job)
    const reached = readConnection(flags, ambient())
    const within = dry ? undefined : (readText(flags, 'checkpoint') ?? RUNS)
    const copied = await copiedList(job, { within, connection: reached, pace, io })
    const progress = createProgress({ ...io, ...telling, ...(dry ? rehearsing(io, telling) : {}) })
    try {
      const survey = await unless(io.stop, surveyOf(copied.job, copied.files, 'listing'))
      const job = survey?.job ?? copied.job
      const setup = { flags, telling, pace, progress, io, rest }
      if (survey !== undefined && !telling.quiet && !telling.json) sayTo(io, survey.found)
      if (survey?.warning !== undefined) progress.event({ type: 'note', level: 'warning', message: survey.warning })
      const opened = await opening(job, reached, { dry, files: copied.files }, setup)
      try {
        const { connection } = opened.ends
        if (plan !== undefined) checkPlanned(plan, job, connection)
        await prepare?.(opened, noting(progress).warn)
        const begun = { plan, survey }
        if (!dry) return await beginOpened(job, asked, { ...setup, opened, reached, begun, copied })
        const checkpoint = firstCheckpoint(job, begun, connection, pace)
        await rehearsePlan({ ...setup, opened, reached }, checkpoint, asked)
        return EXIT.done
      } finally {
        opened.close()
      }
    } finally {
      progress.close()
      await copied.discard()
    }
  })
}

/** Goes on with such a run. Resolves with the exit code. */
export async function resumeBatch(folder: string, { flags, io, rest }: BatchCommand): Promise<number> {
  const telling = readTelling(flags)
  const progress = createProgress({ ...io, ...telling })
  try {
    const lock = await lockRun(folder)
    io.begun?.(folder)
    let code: number | undefined
    try {
      const { checkpoint: found } = await readCheckpoint(folder)
      if (!isBatchRun(found)) throw new UserError(`${printable(folder)} now holds another job`, 'see s3move status')
      if (!found.batch.confirmed) checkCanConfirm(flags, io)
      else refuseLateLimit(flags, folder)
      await proveLedgers(folder, found)
      const pace = readPace(flags, found.pace)
      const reached = readConnection(flags, found.connection)
      const setup = { flags, telling, pace, progress, io, rest }
      // It is read only as long as its objects are in no manifest.
      const list = found.list === undefined ? undefined : listOf(found.job)
      if (list !== undefined && found.list !== undefined) await checkList(list, found.list)
      const files = await inventoryStoreOf(list, { connection: reached, pace, io })
      const opened = await opening(found.job, reached, { dry: false, files }, setup)
      try {
        const { connection } = opened.ends
        const { stopped: _stopped, ...rest } = found
        const checkpoint = { ...rest, connection, pace, program: `s3move ${version()}`, sessions: found.sessions + 1 }
        code = await driveBatch({ ...setup, folder, checkpoint, opened, reached })
      } finally {
        opened.close()
        files?.close()
      }
    } finally {
      await lock.release()
    }
    return code ?? (await theRest(folder, { flags, io, rest, telling }))
  } finally {
    progress.close()
  }
}

interface Setup extends BatchSetup {
  readonly rest: TryAgain
}

/** Refuses to begin jobs that nobody could say yes to. */
export function checkCanConfirm(flags: Flags, io: CommandIo): void {
  if (readFlag(flags, 'yes') === true || canAsk(io)) return
  throw new UserError(
    'jobs of S3 Batch Operations cost money and are started on a yes, and there is no terminal to ask at',
    'add --yes; --dry-run says how many objects and jobs these are',
  )
}

// AWS has been at work on them.
function refuseLateLimit(flags: Flags, folder: string): void {
  if (readText(flags, 'max-cost') === undefined) return
  throw new UserError(
    '--max-cost comes too late: the jobs were started, and go on whatever s3move does',
    `leave it away; ‘s3move batch cancel ${shellWord(folder)}’ ends the jobs`,
  )
}

async function opening(
  job: BatchableJob,
  connection: Connection,
  { dry, files }: { readonly dry: boolean; readonly files: StoredFiles | undefined },
  { pace, progress, io }: Setup,
): Promise<Opened> {
  const { source, destination } = endsOf(job)
  for (const place of [source, destination]) refuseDirectory(place, NO_JOBS)
  const opened = await open({ source, destination }, connection, {
    // The objects are written by another role.
    ...{ readOnly: true, rehearsal: dry, named: listOf(job) !== undefined, listFiles: files, io, pace },
    // An inventory is gone through by this one.
    threads: listOf(job) === undefined ? threadsFor(job, pace, undefined) : 0,
    ...noting(progress),
  })
  try {
    // Told before anything is listed for it.
    if (pace.maxCost !== undefined) await spendingOf(job, opened.ends, pace)
    if (isCopy(job) && !opened.ends.settings.distinctBuckets) checkInOneBucket(source, destination, false)
  } catch (error) {
    opened.close()
    throw error
  }
  return opened
}

/** What its objects are known by before they are listed. */
interface Begun {
  readonly plan: SavedPlan | undefined
  readonly survey: Survey<BatchableJob> | undefined
}

interface BeginSetup extends OpenedBatch, Setup {
  readonly begun: Begun
  readonly copied: WithCopiedList<BatchableJob>
}

async function beginOpened(job: BatchableJob, asked: BatchAsked, setup: BeginSetup): Promise<number> {
  const { flags, opened, begun, copied } = setup
  const { connection } = opened.ends
  const beginning: Beginning = {
    ...{ job, fresh: readFlag(flags, 'fresh') ?? false, again: readFlag(flags, 'again') ?? false },
    listModified: listOf(job)?.origin === undefined ? begun.survey?.state.modified : undefined,
  }
  const given = readText(flags, 'checkpoint')
  if (given !== undefined) await checkFolder(given, beginning, connection)
  const folder = given ?? (await chooseFolder(beginning, connection)).folder
  await createFolder(folder)
  const lock = await lockRun(folder)
  setup.io.begun?.(folder)
  let code: number | undefined
  try {
    await checkFolder(folder, beginning, connection)
    await setAside(folder)
    const checkpoint: BatchCheckpoint = {
      ...firstCheckpoint(await copied.keep(job, folder), begun, connection, setup.pace),
      batch: { ...asked, id: randomUUID(), planned: false, confirmed: false, jobs: [] },
    }
    code = await driveBatch({ ...setup, folder, checkpoint })
  } finally {
    await lock.release()
  }
  return code ?? (await theRest(folder, setup))
}

function firstCheckpoint(
  job: BatchableJob,
  { plan, survey }: Begun,
  connection: Connection,
  pace: Pace,
): WriteCheckpoint & { readonly job: BatchableJob } {
  const now = new Date().toISOString()
  return {
    ...{ format: FORMAT, program: `s3move ${version()}`, job, connection, pace, state: 'unfinished' },
    ...{ startedAt: now, savedAt: now, activeMs: 0, sessions: 1, ranges: plannedRanges(job, plan), listed: 0 },
    ...{ totals: noTotals(), ledger: { bytes: 0, entries: 0 }, history: [] },
    ...(survey === undefined ? {} : { list: survey.state }),
    ...passedOverIn(survey),
  }
}

// By the same ways as what failed and is tried again.
async function theRest(
  dir: string,
  { flags, io, rest, telling }: Pick<Setup, 'flags' | 'io' | 'rest' | 'telling'>,
): Promise<number> {
  if (!telling.quiet && !telling.json) sayTo(io, 's3move does itself what the jobs could not be given')
  return await rest({ dir, onlyFailed: true, codes: [NOT_FOR_BATCH], dry: false, telling }, flags, io)
}
