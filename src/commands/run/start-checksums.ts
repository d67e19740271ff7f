import { randomUUID } from 'node:crypto'
import type { BatchParty, BatchState } from '../../checkpoint/batch-state.js'
import { FORMAT } from '../../checkpoint/checkpoint.js'
import { createFolder, readCheckpoint } from '../../checkpoint/checkpoint-file.js'
import { lockRun } from '../../checkpoint/lock.js'
import { setAside } from '../../checkpoint/retry-steps.js'
import { StorageError, UserError } from '../../errors.js'
import { connectionOf, type Connection } from '../../job/connection.js'
import { placeUrl, type Side } from '../../job/place.js'
import { noTotals } from '../../job/totals.js'
import { comparesChecksums, type ChecksumJob } from '../../job/verify.js'
import { printable, printableName } from '../../keys.js'
import { jobTitle } from '../../report/format.js'
import { version } from '../../version.js'
import { readConnection } from '../options/connection-options.js'
import { EXIT } from '../options/exit.js'
import { readFlag, readText, type Flags } from '../options/flag-values.js'
import { unless, type CommandIo } from '../options/io.js'
import { readTelling } from '../options/output-options.js'
import { DEFAULT_PACE, readPace } from '../options/pace-options.js'
import type { Pace } from '../../job/pace.js'
import { ambient } from './ambient-connection.js'
import { attended, sayTo, warnTo } from './attended.js'
import { openControls } from './batch-controls.js'
import { checkFolder, checkLogOutside, checkOutsideSides, chooseFolder } from './checkpoint-folder.js'
import { completed, SIDES } from './checksum-setup.js'
import type { ChecksumCheckpoint, ChecksumSetup, OpenedSides } from './checksum-setup.js'
import { planChecksums, tellChecksumPlan, tellChecksumPolicies } from './checksum-plan.js'
import { driveChecksums } from './drive-checksums.js'
import { NO_JOBS, refuseDirectory } from './directory-buckets.js'
import { open, type Opened } from './open-and-run.js'
import { checkOutput } from './output-file.js'
import { checkCanConfirm } from './start-batch.js'

/** Whose jobs they are to be, and how many objects one may have. */
export interface ChecksumsAsked extends BatchParty {
  readonly rowsAJob: number
  readonly source?: BatchParty
}

/** Begins a comparison by checksums that jobs of S3 Batch Operations compute. Resolves with the exit code. */
export async function beginChecksums(
  job: ChecksumJob,
  asked: ChecksumsAsked,
  flags: Flags,
  io: CommandIo,
): Promise<number> {
  const dry = readFlag(flags, 'dry-run') ?? false
  if (!dry) checkCanConfirm(flags, io)
  return await attended(flags, io, dry, async (io) => {
    if (job.to !== undefined) await checkOutput(job.to)
    await checkOutsideSides(job, readText(flags, 'checkpoint'), io.cwd)
    await checkLogOutside(job, flags, io.cwd)
    const pace = readPace(flags, DEFAULT_PACE)
    const reached = readConnection(flags, ambient())
    const setup = setupOf(flags, io, pace)
    const opened = await openSides(job, reached, dry, setup)
    try {
      const connection = completed(reached, opened)
      const batch: BatchState = { ...asked, id: randomUUID(), planned: false, confirmed: false, jobs: [] }
      const now = new Date().toISOString()
      const checkpoint: ChecksumCheckpoint = {
        ...{
          format: FORMAT,
          program: `s3move ${version()}`,
          job,
          connection,
          pace,
          state: 'unfinished',
          startedAt: now,
        },
        ...{ savedAt: now, activeMs: 0, sessions: 1, ranges: [], listed: 0, totals: noTotals(), history: [] },
        ...{ ledger: { bytes: 0, entries: 0 }, batch },
      }
      await checkJobs(checkpoint, connection, setup)
      if (dry) {
        setup.say(`dry run of ${jobTitle(job)}, by S3 Batch Operations: nothing is written, and no job is made`)
        const planned = await planChecksums(setup, { checkpoint, opened, reached, dry })
        tellChecksumPlan(setup, job, planned)
        tellChecksumPolicies(setup, job, batch)
        return EXIT.done
      }
      return await beginOpened(checkpoint, setup, {
        reached,
        open: () => Promise.resolve(opened),
      })
    } finally {
      for (const side of Object.values(opened)) side.close()
    }
  })
}

/** Goes on with such a run. Resolves with the exit code. */
export async function resumeChecksums(folder: string, flags: Flags, io: CommandIo): Promise<number> {
  const lock = await lockRun(folder)
  io.begun?.(folder)
  try {
    const { checkpoint: found } = await readCheckpoint(folder)
    const { job, batch } = found
    if (!comparesChecksums(job) || batch === undefined)
      throw new UserError(`${printable(folder)} now holds another job`, 'see s3move status')
    if (!batch.confirmed) checkCanConfirm(flags, io)
    const pace = readPace(flags, found.pace)
    const reached = readConnection(flags, found.connection)
    const setup = setupOf(flags, io, pace)
    const { stopped: _stopped, ...rest } = found
    const going = { connection: reached, pace, program: `s3move ${version()}`, sessions: found.sessions + 1 }
    const checkpoint: ChecksumCheckpoint = { ...rest, ...going, job, batch }
    return await driveChecksums({
      ...{ ...setup, folder, checkpoint, reached },
      open: () => openSides(job, reached, false, setup),
    })
  } finally {
    await lock.release()
  }
}

function setupOf(flags: Flags, io: CommandIo, pace: Pace): ChecksumSetup {
  const { quiet, json } = readTelling(flags)
  return {
    ...{ flags, io, pace, quiet, json },
    say: (message) => {
      if (!quiet) sayTo(io, message)
    },
    warn: (message) => warnTo(io, printableName(message)),
  }
}

async function beginOpened(
  checkpoint: ChecksumCheckpoint,
  setup: ChecksumSetup,
  { reached, open }: { readonly reached: Connection; readonly open: () => Promise<OpenedSides> },
): Promise<number> {
  const { flags } = setup
  const { job, connection } = checkpoint
  const fresh = readFlag(flags, 'fresh') ?? false
  const beginning = { job, fresh, again: true, listModified: undefined }
  const given = readText(flags, 'checkpoint')
  if (given !== undefined) await checkFolder(given, beginning, connection)
  const folder = given ?? (await chooseFolder(beginning, connection)).folder
  await createFolder(folder)
  const lock = await lockRun(folder)
  setup.io.begun?.(folder)
  try {
    await checkFolder(folder, beginning, connection)
    await setAside(folder)
    return await driveChecksums({ ...setup, folder, checkpoint, reached, open })
  } finally {
    await lock.release()
  }
}

async function openSides(
  job: ChecksumJob,
  connection: Connection,
  dry: boolean,
  { io, pace, warn, say }: ChecksumSetup,
): Promise<OpenedSides> {
  const openOne = async (side: Side): Promise<Opened> =>
    await open({ source: job[side] }, connectionOf(connection, side), {
      ...{ readOnly: true, rehearsal: dry, threads: pace.threads ?? 1, io, pace, warn, note: say },
    })
  for (const place of [job.source, job.destination]) refuseDirectory(place, NO_JOBS)
  const source = await openOne('source')
  try {
    return { source, destination: await openOne('destination') }
  } catch (error) {
    source.close()
    throw error
  }
}

// Before hours of listing: a store that is not AWS has no jobs.
async function checkJobs(
  checkpoint: ChecksumCheckpoint,
  connection: Connection,
  { io, warn }: ChecksumSetup,
): Promise<void> {
  const controls = await openControls(checkpoint, { connection, giveUp: io.stop, warn })
  try {
    for (const side of SIDES) {
      try {
        await unless(io.stop, controls.controlOf({ side }).find(new Set()))
      } catch (error) {
        if (!(error instanceof StorageError)) throw error
        throw new UserError(
          `the ${side} ${placeUrl(checkpoint.job[side])} does not tell of jobs of S3 Batch Operations: ${printable(`${error.code}: ${error.message}`)}`,
          'it needs s3:ListJobs, and to be AWS’s S3; s3move verify --bytes reads both sides without jobs',
        )
      }
    }
  } finally {
    controls.close()
  }
}
