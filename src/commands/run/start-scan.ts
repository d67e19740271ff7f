import { availableParallelism } from 'node:os'
import { FORMAT, isScan, type ScanCheckpoint } from '../../checkpoint/checkpoint.js'
import { createFolder, readCheckpoint, refuseLinks } from '../../checkpoint/checkpoint-file.js'
import { lockRun } from '../../checkpoint/lock.js'
import { UserError } from '../../errors.js'
import type { Connection } from '../../job/connection.js'
import { kindOf, listOf, type ScanJob } from '../../job/kinds.js'
import type { Pace } from '../../job/pace.js'
import type { FolderIdentity } from '../../job/place.js'
import { noTotals } from '../../job/totals.js'
import { printableName } from '../../keys.js'
import { shellWord } from '../../report/format.js'
import { createScanProgress } from '../../report/scan-progress.js'
import { checkList } from '../../sources/files-from/list-identity.js'
import type { DataFiles } from '../../storage/data-files.js'
import type { OpenStores } from '../../storage/open.js'
import { version } from '../../version.js'
import { readConnection } from '../options/connection-options.js'
import { readFlag, readText, type Flags } from '../options/flag-values.js'
import { mayRedraw, unless, type CommandIo } from '../options/io.js'
import { DEFAULT_PACE, readPace } from '../options/pace-options.js'
import { readOrResume } from '../options/run-options.js'
import { attended, sayTo, warnTo } from './attended.js'
import { checkFolder, checkLogOutside, checkOutsideSides, UnfinishedRun } from './checkpoint-folder.js'
import { copiedList, type WithCopiedList } from './copied-list.js'
import { inventoryStoreOf } from './inventory-store.js'
import { passedOverIn, surveyOf } from './list-survey.js'
import { countedEarlier, expectingInWords } from './earlier-count.js'
import { open, type Opened } from './open-and-run.js'
import { checkOutput } from './output-file.js'
import { performScan, writesLines } from './perform-scan.js'
import { resultObject, type ResultObject } from './result-object.js'
import type { Scan } from './run-scan.js'
import { wantedRanges } from './wanted-ranges.js'

/** The pace when nothing else is asked for: for the most part, nothing but LIST calls is in flight. */
const SCAN_PACE: Pace = { ...DEFAULT_PACE, lanes: 64 }

/** Lanes that keep a thread busy: one lists some 20 pages a second, and a thread reads about a thousand. */
const LANES_A_THREAD = 16

/**
 * Begins a job that only reads, with the flags that all of them share; where these do not say how places are reached, it is by `connection`. Resolves with
 * the exit code.
 */
export async function startScan(
  job: ScanJob,
  flags: Flags,
  io: CommandIo,
  connection: Connection = {},
): Promise<number> {
  const orResume = readOrResume(flags)
  return await attended(flags, io, false, async (io) => {
    try {
      return await startAttended(job, { flags, io, connection })
    } catch (error) {
      if (!orResume || !(error instanceof UnfinishedRun)) throw error
      const { folder, checkpoint } = error.run
      if (!isScan(checkpoint)) throw error
      await refuseLinks(folder)
      if (readFlag(flags, 'quiet') !== true) sayTo(io, `going on with the unfinished run in ${shellWord(folder)}`)
      return await resumeScan({ folder, checkpoint }, flags, io)
    }
  })
}

async function startAttended(
  wanted: ScanJob,
  { flags, io, connection }: { readonly flags: Flags; readonly io: CommandIo; readonly connection: Connection },
): Promise<number> {
  if ('to' in wanted) await checkOutput(wanted.to)
  const json = readFlag(flags, 'json') ?? readText(flags, 'format') === 'json'
  const pace = readPace(flags, SCAN_PACE)
  if (pace.threads !== undefined && listOf(wanted) !== undefined) {
    throw new UserError(
      `--threads does not go with ${wanted.kind} --files-from: it goes through the list in its order, in one thread`,
      'leave --threads away',
    )
  }
  const asked = readConnection(flags, connection)
  const folder = readText(flags, 'checkpoint')
  const fresh = readFlag(flags, 'fresh') ?? false
  const quiet = readFlag(flags, 'quiet') ?? false
  const about = fresh ? '--fresh' : readOrResume(flags) ? '--or-resume' : undefined
  if (folder === undefined && about !== undefined) {
    throw new UserError(
      `${about} is about a checkpoint, and none was named`,
      `add --checkpoint DIR, or leave ${about} away`,
    )
  }
  await checkOutsideSides(wanted, folder, io.cwd, true)
  await checkLogOutside(wanted, flags, io.cwd)
  const copied = await copiedList(wanted, { within: folder, connection: asked, pace, io })
  try {
    return await startListed(copied, { pace, asked, folder, fresh, quiet, json, io })
  } finally {
    await copied.discard()
  }
}

interface Given extends Pick<ScanSetup, 'pace' | 'asked' | 'folder' | 'quiet' | 'json' | 'io'> {
  readonly fresh: boolean
}

async function startListed(
  copied: WithCopiedList<ScanJob>,
  { pace, asked, folder, fresh, quiet, json, io }: Given,
): Promise<number> {
  const survey = await unless(io.stop, surveyOf(copied.job, copied.files))
  const job = survey?.job ?? copied.job
  const list = survey === undefined || survey.state.of === 0 ? {} : { list: survey.state }
  if (survey !== undefined && !quiet) io.stderr.write(`${survey.found}\n`)
  if (survey?.warning !== undefined) warnTo(io, survey.warning)
  const anew = { fresh, again: true, listModified: undefined }
  if (folder !== undefined) await checkFolder(folder, { job, ...anew }, asked, false)
  const begin = async ({ connection, sourceFolder }: OpenStores): Promise<ScanCheckpoint> => {
    if (folder !== undefined) await checkFolder(folder, { job, ...anew }, connection)
    const now = new Date().toISOString()
    return {
      format: FORMAT,
      program: `s3move ${version()}`,
      ...(sourceFolder === undefined ? {} : { sourceFolder }),
      job: folder === undefined ? job : await copied.keep(job, folder),
      ...{ connection, pace, state: 'unfinished', startedAt: now, savedAt: now, activeMs: 0, sessions: 1 },
      ...{
        ranges: wantedRanges(job),
        ...list,
        ...passedOverIn(survey),
        listed: 0,
        totals: noTotals(),
        ledger: { bytes: 0, entries: 0 },
        history: [],
      },
    }
  }
  if (folder !== undefined) await createFolder(folder)
  const setup = { job, pace, asked, folder, quiet, json, io, begin, resumed: false }
  return await withScan({ ...setup, listFiles: copied.files })
}

/** Goes on with a job that only reads. Resolves with the exit code. */
export async function resumeScan(
  { folder, checkpoint: found }: { readonly folder: string; readonly checkpoint: ScanCheckpoint },
  flags: Flags,
  io: CommandIo,
): Promise<number> {
  const json = readFlag(flags, 'json') ?? readText(flags, 'format') === 'json'
  const pace = readPace(flags, found.pace)
  const asked = readConnection(flags, found.connection)
  const quiet = readFlag(flags, 'quiet') ?? false
  const { job } = found
  const begin = async ({ connection, sourceFolder }: OpenStores): Promise<ScanCheckpoint> => {
    // Only now is it certain that nobody else moves it on.
    const { checkpoint } = await readCheckpoint(folder)
    const list = listOf(job)
    if (list !== undefined && checkpoint.list !== undefined) await checkList(list, checkpoint.list)
    return {
      ...checkpoint,
      ...(sourceFolder === undefined ? {} : { sourceFolder }),
      ...{ job, connection, pace, program: `s3move ${version()}`, sessions: checkpoint.sessions + 1 },
    }
  }
  const { sourceFolder } = found
  const listFiles = await inventoryStoreOf(listOf(job), { connection: asked, pace, io })
  const setup = { job, pace, asked, folder, quiet, json, io, begin, sourceFolder, resumed: true }
  try {
    return await withScan({ ...setup, listFiles })
  } finally {
    listFiles?.close()
  }
}

interface ScanSetup extends Pick<Scan, 'folder' | 'io' | 'quiet' | 'resumed'> {
  readonly job: ScanJob
  readonly pace: Pace
  readonly asked: Connection
  readonly json: boolean
  /** The folder that the source was, to a run that is resumed. */
  readonly sourceFolder?: FolderIdentity | undefined
  readonly begin: (ends: OpenStores) => Promise<ScanCheckpoint>
  readonly listFiles: DataFiles | undefined
}

async function withScan(setup: ScanSetup): Promise<number> {
  const { job, pace, asked, folder, quiet, io, resumed } = setup
  const redraws = mayRedraw(io, writesLines(job))
  // Lines of a log would stand beside the summary that a program is to read.
  const silent = quiet || (setup.json && !redraws)
  const progress = createScanProgress(io.stderr, {
    ...{ verb: kindOf(job).verb, quiet: silent, redraws, log: io.log },
    paint: io.paint?.stderr,
  })
  const lock = folder === undefined ? undefined : await lockRun(folder)
  try {
    // Neither a level nor a list is for threads.
    const alone = listOf(job) !== undefined || ('folders' in job && job.folders)
    const wanted = pace.threads ?? Math.min(availableParallelism(), Math.ceil(pace.lanes / LANES_A_THREAD))
    const threads = alone ? 0 : wanted
    const named = listOf(job) !== undefined
    const note = (message: string): void => {
      if (!quiet) progress.say(message)
    }
    const readOnly = !('fix' in job && job.fix)
    const warn = (message: string): void => progress.warn(printableName(message))
    const opened = await open(job, asked, {
      readOnly,
      named,
      again: resumed,
      sourceFolder: setup.sourceFolder,
      threads,
      io,
      note,
      warn,
      pace,
      listFiles: setup.listFiles,
    })
    let result: ResultObject | undefined
    try {
      const { connection, settings } = opened.ends
      const { retryFor } = settings
      result = await resultObject(job.to, { connection, retryFor, giveUp: opened.drain.signal, folder, io, warn })
      const begun = await setup.begin(opened.ends)
      const checkpoint =
        resumed || (silent && folder === undefined)
          ? begun
          : await expecting(begun, opened, io.cwd, silent || (writesLines(job) && !redraws) ? () => undefined : note)
      return await performScan(
        checkpoint.job,
        { checkpoint, folder, opened, resumed, progress, io, quiet, result },
        setup.json,
      )
    } finally {
      result?.close()
      opened.close()
    }
  } finally {
    progress.close()
    await lock?.release()
  }
}

// What an earlier run has counted is expected where nobody says otherwise, and one page does not tell all.
async function expecting(
  checkpoint: ScanCheckpoint,
  { ends: { source, connection } }: Opened,
  cwd: string,
  note: (message: string) => void,
): Promise<ScanCheckpoint> {
  const { job, pace } = checkpoint
  if (pace.expect !== undefined || source.first?.truncated === false) return checkpoint
  const earlier = await countedEarlier(job, connection, cwd)
  if (earlier === undefined) return checkpoint
  note(expectingInWords(earlier))
  return { ...checkpoint, pace: { ...pace, expect: earlier.objects } }
}
