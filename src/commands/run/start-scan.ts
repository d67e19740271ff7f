import { availableParallelism } from 'node:os'
import { FORMAT, isScan, type ListState, type ScanCheckpoint } from '../../checkpoint/checkpoint.js'
import { createFolder, readCheckpoint, refuseLinks } from '../../checkpoint/checkpoint-file.js'
import { lockRun } from '../../checkpoint/lock.js'
import { shownFolder } from '../../checkpoint/mounts.js'
import type { SavedPlan } from '../../checkpoint/saved-plan.js'
import { isReadByThreads } from '../../engine/actions/look-up-listed.js'
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
import type { StoredFiles } from '../../storage/backend.js'
import type { OpenStores } from '../../storage/open.js'
import { version } from '../../version.js'
import { readConnection } from '../options/connection-options.js'
import { readFlag, readText, type Flags } from '../options/flag-values.js'
import { readFleet, type FleetAsked } from '../options/fleet-options.js'
import { mayRedraw, unless, type CommandIo } from '../options/io.js'
import { DEFAULT_PACE, readPace } from '../options/pace-options.js'
import { readOrResume } from '../options/run-options.js'
import { sayTo, warnTo } from './attended.js'
import { attendedAt, reachOfRun } from './bucket-folder.js'
import { takePaceFromPage } from './change-pace.js'
import { checkFolder, checkLogOutside, checkOutsideSides, UnfinishedRun } from './checkpoint-folder.js'
import { copiedList, type WithCopiedList } from './copied-list.js'
import { inventoryStoreOf } from './inventory-store.js'
import { passedOverIn, surveyOf } from './list-survey.js'
import { checkDirectoryBuckets } from './directory-buckets.js'
import { countedEarlier, expectingInWords } from './earlier-count.js'
import { checkLendable } from './fleet.js'
import { open, type Opened } from './open-and-run.js'
import { checkOutput } from './output-file.js'
import { performScan, writesLines } from './perform-scan.js'
import { resultObject, type ResultObject } from './result-object.js'
import type { Scan } from './run-scan.js'
import { checkShardsOf, readShardPlan, shardedJob } from './sharded-job.js'
import { withSortedSides } from './sorted-source.js'
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
  const telling = ['listen', 'report'].find((flag) => readText(flags, flag) !== undefined)
  if (telling !== undefined && readText(flags, 'checkpoint') === undefined) {
    throw new UserError(`--${telling} tells what a checkpoint knows, and none was named`, 'add --checkpoint DIR')
  }
  const named = readText(flags, 'checkpoint')
  const reach = (): Connection =>
    reachOfRun(readConnection(flags, connection), 'destination' in job ? job.destination : job.source)
  return await attendedAt(named, reach, { flags, io, dry: false }, async (checkpoint, io) => {
    try {
      return await startAttended(job, { flags: { ...flags, checkpoint }, io, connection })
    } catch (error) {
      if (!orResume || !(error instanceof UnfinishedRun)) throw error
      const { folder, checkpoint } = error.run
      if (!isScan(checkpoint)) throw error
      await refuseLinks(folder)
      if (readFlag(flags, 'quiet') !== true)
        sayTo(io, `going on with the unfinished run in ${shellWord(shownFolder(folder))}`)
      return await resumeScan({ folder, checkpoint }, flags, io)
    }
  })
}

async function startAttended(
  asked: ScanJob,
  { flags, io, connection }: { readonly flags: Flags; readonly io: CommandIo; readonly connection: Connection },
): Promise<number> {
  const plan = await readShardPlan(flags)
  const wanted = shardedJob(asked, flags, plan)
  checkDirectoryBuckets(wanted)
  if ('to' in wanted) await checkOutput(wanted.to)
  const json = readFlag(flags, 'json') ?? readText(flags, 'format') === 'json'
  const pace = readPace(flags, SCAN_PACE)
  const fleet = readFleet(flags)
  checkLendable(wanted, fleet)
  if (listOf(wanted) !== undefined && kindOf(wanted).inventoried === undefined) refuseThreads(wanted, pace)
  const reached = readConnection(flags, connection)
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
  const copied = await copiedList(wanted, { within: folder, connection: reached, pace, io })
  try {
    return await startListed(copied, { pace, asked: reached, plan, folder, fresh, quiet, json, fleet, io })
  } finally {
    await copied.discard()
  }
}

// What an inventory tells is taken as it is; all else is looked up, in the order of the list.
function refuseThreads(job: ScanJob, { threads }: Pace): void {
  if (threads === undefined) return
  const only = kindOf(job).inventoried === undefined ? '' : ', unless that is an S3 Inventory that tells enough'
  throw new UserError(
    `--threads does not go with ${job.kind} --files-from${only}: it goes through the list in its order, in one thread`,
    'leave --threads away',
  )
}

interface Given extends Pick<ScanSetup, 'pace' | 'asked' | 'folder' | 'quiet' | 'json' | 'fleet' | 'io'> {
  readonly fresh: boolean
  readonly plan: SavedPlan | undefined
}

async function startListed(
  copied: WithCopiedList<ScanJob>,
  { pace, asked, plan, folder, fresh, quiet, json, fleet, io }: Given,
): Promise<number> {
  const survey = await unless(io.stop, surveyOf(copied.job, copied.files))
  const job = survey?.job ?? copied.job
  if (survey !== undefined && !isReadByThreads(job, survey.state)) refuseThreads(job, pace)
  const list = survey === undefined || survey.state.of === 0 ? {} : { list: survey.state }
  if (survey !== undefined && !quiet) io.stderr.write(`${survey.found}\n`)
  if (survey?.warning !== undefined) warnTo(io, survey.warning)
  const anew = { fresh, again: true, listModified: undefined }
  if (folder !== undefined) await checkFolder(folder, { job, ...anew }, asked, false)
  const begin = async ({ connection, sourceFolder }: OpenStores): Promise<ScanCheckpoint> => {
    if (plan !== undefined) checkShardsOf(plan, job, connection)
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
  const setup = { job, pace, asked, folder, quiet, json, fleet, io, begin, resumed: false, ...list }
  return await withScan({ ...setup, listFiles: copied.files, worth: survey?.threads })
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
  const fleet = readFleet(flags)
  const setup = {
    job,
    pace,
    asked,
    folder,
    quiet,
    json,
    fleet,
    io,
    begin,
    sourceFolder,
    resumed: true,
    list: found.list,
  }
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
  readonly fleet: FleetAsked | undefined
  /** The folder that the source was, to a run that is resumed. */
  readonly sourceFolder?: FolderIdentity | undefined
  readonly begin: (ends: OpenStores) => Promise<ScanCheckpoint>
  readonly listFiles: StoredFiles | undefined
  /** How far the list of the job is settled, if it has one. */
  readonly list?: ListState | undefined
  /** How many threads that is worth, where somebody knows. */
  readonly worth?: number | undefined
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
    if (folder !== undefined) io.begun?.(folder)
    // Neither a level nor a list is for threads.
    const alone = (listOf(job) !== undefined && !isReadByThreads(job, setup.list)) || ('folders' in job && job.folders)
    const useful = Math.min(Math.ceil(pace.lanes / LANES_A_THREAD), Math.max(1, setup.worth ?? Infinity))
    const wanted = pace.threads ?? Math.min(availableParallelism(), useful)
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
      fleet: setup.fleet,
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
      takePaceFromPage(opened, io, (message) => progress.say(message))
      const source = { opened, folder, resumed, tell: note, io }
      return await withSortedSides(checkpoint, source, (opened) =>
        performScan(checkpoint.job, { checkpoint, folder, opened, resumed, progress, io, quiet, result }, setup.json),
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
