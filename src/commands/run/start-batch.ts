import { randomUUID } from 'node:crypto'
import type { BatchableJob } from '../../batch/batchable.js'
import { FORMAT, type WriteCheckpoint } from '../../checkpoint/checkpoint.js'
import { createFolder, readCheckpoint } from '../../checkpoint/checkpoint-file.js'
import { lockRun } from '../../checkpoint/lock.js'
import { proveLedgers } from '../../checkpoint/prove.js'
import { setAside } from '../../checkpoint/retry-steps.js'
import { UserError } from '../../errors.js'
import type { Connection } from '../../job/connection.js'
import { isCopy } from '../../job/copy.js'
import { NOT_FOR_BATCH } from '../../job/outcome.js'
import type { Pace } from '../../job/pace.js'
import type { Place } from '../../job/place.js'
import { noTotals } from '../../job/totals.js'
import { printable } from '../../keys.js'
import { shellWord } from '../../report/format.js'
import { createProgress } from '../../report/progress.js'
import { version } from '../../version.js'
import { canAsk } from '../options/ask.js'
import { readConnection } from '../options/connection-options.js'
import { EXIT } from '../options/exit.js'
import { readFlag, readText, type Flags } from '../options/flag-values.js'
import type { CommandIo } from '../options/io.js'
import { readTelling, type OutputOptions } from '../options/output-options.js'
import { DEFAULT_PACE, readPace } from '../options/pace-options.js'
import { checkInOneBucket } from '../options/places.js'
import { ambient } from './ambient-connection.js'
import { attended, sayTo } from './attended.js'
import { isBatchRun } from './batch-choice.js'
import { batchFront } from './batch-front.js'
import { rehearsePlan } from './batch-planning.js'
import type { BatchCheckpoint, BatchSetup, OpenedBatch } from './batch-setup.js'
import { checkFolder, checkLogOutside, chooseFolder, type Beginning } from './checkpoint-folder.js'
import { driveBatch } from './drive-batch.js'
import { rehearsing } from './dry-run.js'
import { endsOf, noting, open, threadsFor, type Opened } from './open-and-run.js'
import { spendingOf } from './spending.js'
import type { Prepare } from './start-write.js'
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
    const pace = readPace(flags, DEFAULT_PACE)
    const reached = readConnection(flags, ambient())
    const progress = createProgress({ ...io, ...telling, ...(dry ? rehearsing(io, telling) : {}) })
    try {
      const setup = { flags, telling, pace, progress, io, rest }
      const opened = await opening(job, reached, dry, setup)
      try {
        await prepare?.(opened, noting(progress).warn)
        if (!dry) return await beginOpened(job, asked, { ...setup, opened, reached })
        await rehearsePlan({ ...setup, opened, reached }, firstCheckpoint(job, opened.ends.connection, pace), asked)
        return EXIT.done
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
      else refuseLateLimit(flags, folder)
      await proveLedgers(folder, found)
      const pace = readPace(flags, found.pace)
      const reached = readConnection(flags, found.connection)
      const setup = { flags, telling, pace, progress, io, rest }
      const opened = await opening(found.job, reached, false, setup)
      try {
        const { connection } = opened.ends
        const { stopped: _stopped, ...rest } = found
        const checkpoint = { ...rest, connection, pace, program: `s3move ${version()}`, sessions: found.sessions + 1 }
        code = await driveBatch({ ...setup, folder, checkpoint, opened, reached })
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
  dry: boolean,
  { pace, progress, io }: Setup,
): Promise<Opened> {
  const { source, destination } = endsOf(job)
  const opened = await open({ source, destination }, connection, {
    // The objects are written by another role.
    ...{ readOnly: true, rehearsal: dry, threads: threadsFor(job, pace, undefined), io, pace },
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

async function beginOpened(job: BatchableJob, asked: BatchAsked, setup: OpenedBatch & Setup): Promise<number> {
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
    code = await driveBatch({ ...setup, folder, checkpoint })
  } finally {
    await lock.release()
  }
  return code ?? (await theRest(folder, setup))
}

function firstCheckpoint(
  job: BatchableJob,
  connection: Connection,
  pace: Pace,
): WriteCheckpoint & { readonly job: BatchableJob } {
  const now = new Date().toISOString()
  return {
    ...{ format: FORMAT, program: `s3move ${version()}`, job, connection, pace, state: 'unfinished' },
    ...{ startedAt: now, savedAt: now, activeMs: 0, sessions: 1, ranges: wantedRanges(job), listed: 0 },
    ...{ totals: noTotals(), ledger: { bytes: 0, entries: 0 }, history: [] },
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
