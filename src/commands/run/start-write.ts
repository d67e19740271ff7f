import { FORMAT, type WriteCheckpoint } from '../../checkpoint/checkpoint.js'
import { createFolder, RUNS, type SavedRun } from '../../checkpoint/checkpoint-file.js'
import { lockRun } from '../../checkpoint/lock.js'
import { shownFolder } from '../../checkpoint/mounts.js'
import type { SavedPlan } from '../../checkpoint/saved-plan.js'
import { setAside } from '../../checkpoint/retry-steps.js'
import { noRehearsal } from '../../engine/session/rehearsal.js'
import { UserError } from '../../errors.js'
import type { Connection } from '../../job/connection.js'
import { listFileOf, listOf, onlyDeletes, shardIn, type WriteJob } from '../../job/kinds.js'
import type { Pace } from '../../job/pace.js'
import { isFolder } from '../../job/place.js'
import { noTotals, sum } from '../../job/totals.js'
import type { KeyRange } from '../../keys.js'
import { shellWord } from '../../report/format.js'
import { createProgress, type Progress } from '../../report/progress.js'
import { version } from '../../version.js'
import { readConnection } from '../options/connection-options.js'
import { EXIT } from '../options/exit.js'
import { readFleet, type FleetAsked } from '../options/fleet-options.js'
import { readFlag, readText, type Flags } from '../options/flag-values.js'
import { unless, type CommandIo } from '../options/io.js'
import { readTelling, type OutputOptions } from '../options/output-options.js'
import { readPace } from '../options/pace-options.js'
import { tunedElsewhere } from '../options/tune-file.js'
import { checkInOneBucket } from '../options/places.js'
import { readOrResume } from '../options/run-options.js'
import { readKeysOf } from '../options/sse-c-key.js'
import { ambient } from './ambient-connection.js'
import { sayTo, tell, tellUnlessQuiet } from './attended.js'
import { attendedAt, reachOfRun } from './bucket-folder.js'
import {
  checkFolder,
  checkLogOutside,
  checkOutsideSides,
  chooseFolder,
  finishedInWords,
  RepeatedRun,
  UnfinishedRun,
  type Beginning,
} from './checkpoint-folder.js'
import { questionBefore, type Question } from './deletion-question.js'
import { checkDirectoryBuckets } from './directory-buckets.js'
import { dryRun, rehearsing } from './dry-run.js'
import { countedEarlier, expectingInWords, type EarlierCount } from './earlier-count.js'
import { exampleOf, type Example } from './example.js'
import { checkLendable } from './fleet.js'
import { copiedList, type WithCopiedList } from './copied-list.js'
import { passedOverIn, surveyOf, type Survey } from './list-survey.js'
import { keptRehearsal } from './kept-rehearsal.js'
import {
  deletes,
  drive,
  endsOf,
  mirrors,
  noting,
  open,
  paceFor,
  storeNeedsOf,
  threadsFor,
  updatesIn,
  type Opened,
} from './open-and-run.js'
import { checkPlanned, expectingPlanned, plannedRanges, readGivenPlan } from './given-plan.js'
import { goingOn } from './plan-report.js'
import { checkSiblings } from './prefix-siblings.js'
import { checkQuick, drawnSample } from './quick-plan.js'
import { checkSides, unknownStorageClass } from './refused-flags.js'
import { shardedJob } from './sharded-job.js'
import { resumeAttended } from './resume-run.js'
import { withSortedSource, withSourceSortedAside, type SourceOptions } from './sorted-source.js'

/** Finds out, once the places have answered, whether a job may go on: a `UserError` when not. `warn` tells what a person must know. */
export type Prepare = (opened: Opened, warn: (message: string) => void) => Promise<void>

/** A job, and how it is to be done. */
interface Setup {
  readonly job: WriteJob
  readonly pace: Pace
  /** What it was planned to be. */
  readonly plan: SavedPlan | undefined
  readonly telling: OutputOptions
  /** The folder that was named for it. */
  readonly given: string | undefined
  readonly beginning: Beginning
  readonly dry: boolean
  /** Whether earlier runs of the job matter. */
  readonly looks: boolean
  readonly survey: Survey<WriteJob> | undefined
  readonly copied: WithCopiedList<WriteJob>
  /** What is asked before it begins. */
  readonly question: Question | undefined
  readonly progress: Progress
  readonly io: CommandIo
}

/** Begins a job that changes objects, with the flags that all of them share, or goes on with it. Resolves with the exit code. */
export async function begin(asked: WriteJob, flags: Flags, io: CommandIo, prepare?: Prepare): Promise<number> {
  const dry = readFlag(flags, 'dry-run') ?? false
  readOrResume(flags)
  const named = readText(flags, 'checkpoint')
  const reach = (): Connection => reachOfRun(readConnection(flags, ambient()), endsOf(asked).destination)
  return await attendedAt(named, reach, { flags, io, dry }, (checkpoint, io) =>
    beginOrResume(asked, { ...flags, checkpoint }, io, prepare),
  )
}

/** The same without what stands beside a run. */
export async function beginOrResume(asked: WriteJob, flags: Flags, io: CommandIo, prepare?: Prepare): Promise<number> {
  const orResume = readOrResume(flags)
  try {
    return await beginAttended(asked, flags, io, prepare)
  } catch (error) {
    if (orResume && isDoneShard(error)) return tellDone(error.run, flags, io)
    if (!orResume || !(error instanceof UnfinishedRun)) throw error
    const { folder } = error.run
    const telling = readTelling(flags)
    const dry = readFlag(flags, 'dry-run') ?? false
    if (!telling.quiet) sayTo(io, `going on with the unfinished run in ${shellWord(shownFolder(folder))}`)
    return await resumeAttended({ dir: folder, onlyFailed: false, codes: undefined, dry, telling }, flags, io)
  }
}

// A scheduler that has not heard how a shard ended starts it again. Other keys than those it had then would be those of another plan.
function isDoneShard(error: unknown): error is RepeatedRun {
  return error instanceof RepeatedRun && shardIn(error.run.checkpoint.job) !== undefined
}

function tellDone(run: SavedRun, flags: Flags, io: CommandIo): number {
  if (!readTelling(flags).quiet) sayTo(io, `this shard ${finishedInWords(run)}: nothing is done`)
  return sum(run.checkpoint.totals.failed) > 0 ? EXIT.failures : EXIT.done
}

async function beginAttended(wanted: WriteJob, flags: Flags, io: CommandIo, prepare?: Prepare): Promise<number> {
  checkSides(wanted)
  checkDirectoryBuckets(wanted, io.planning?.quick)
  const fleet = readFleet(flags)
  checkLendable(wanted, fleet)
  const plan = await readGivenPlan(flags)
  const asked = shardedJob(wanted, flags, plan, io.planning)
  if (io.planning?.quick === true) checkQuick(asked)
  const pace = expectingPlanned(readPace(flags, paceFor(asked)), plan, asked)
  const reached = readConnection(flags, ambient())
  const telling = readTelling(flags)
  const given = readText(flags, 'checkpoint')
  const dry = readFlag(flags, 'dry-run') ?? false
  await checkOutsideSides(asked, given, io.cwd)
  await checkLogOutside(asked, flags, io.cwd)
  const { origin } = listFileOf(asked) ?? {}
  // Who has to say yes is told so before the list is waited for.
  if (origin !== undefined) questionBefore(asked, flags, io)
  const copied = await copiedList(asked, {
    within: dry ? undefined : (given ?? RUNS),
    ...{ connection: reached, pace, io },
  })
  try {
    return await beginListed(copied, { pace, plan, reached, telling, given, dry, fleet, flags, io, prepare })
  } finally {
    await copied.discard()
  }
}

interface Given extends Pick<Setup, 'pace' | 'plan' | 'telling' | 'given' | 'dry' | 'io'> {
  readonly reached: Connection
  readonly fleet: FleetAsked | undefined
  readonly flags: Flags
  readonly prepare: Prepare | undefined
}

async function beginListed(
  copied: WithCopiedList<WriteJob>,
  { pace, plan, reached, telling, given, dry, fleet, flags, io, prepare }: Given,
): Promise<number> {
  const customerKeys = await readKeysOf(copied.job)
  // A line that is not understood is worth an end before anything is done, and not in the middle.
  const survey = await unless(io.stop, surveyOf(copied.job, copied.files))
  const job = survey?.job ?? copied.job
  // Refused before any request where the folder is known, and again under the lock.
  const beginning = {
    ...{ job, fresh: readFlag(flags, 'fresh') ?? false, again: readFlag(flags, 'again') ?? false },
    // What a copy holds is a part of the job.
    listModified: listFileOf(job)?.origin === undefined ? survey?.state.modified : undefined,
  }
  // What a rehearsal finds matters only to a start that would go on with it.
  const looks = !dry || readOrResume(flags)
  if (given !== undefined && looks) await checkFolder(given, beginning, reached, false)
  const question = questionBefore(job, flags, io)

  const progress = createProgress({ ...io, ...telling, ...(dry ? rehearsing(io, telling) : {}) })
  try {
    if (survey !== undefined && !telling.quiet) tell(survey.found, { telling, progress, io })
    if (survey?.warning !== undefined) progress.event({ type: 'note', level: 'warning', message: survey.warning })
    const opened = await open(endsOf(job), reached, {
      customerKeys,
      // Whether objects can be deleted cannot be tried without deleting one.
      readOnly: onlyDeletes(job),
      updates: updatesIn(job),
      rehearsal: dry,
      strays: true,
      named: listFileOf(job) !== undefined,
      deletes: deletes(job),
      wanted: storeNeedsOf(job),
      threads: dry ? 0 : threadsFor(job, pace, survey?.state),
      listFiles: copied.files,
      fleet: dry ? undefined : fleet,
      io,
      pace,
      ...noting(progress),
    })
    try {
      const { source, destination } = opened.ends
      const elsewhere = tunedElsewhere(
        flags,
        [source, destination].flatMap((side) =>
          side === undefined ? [] : { ...side.store.place, host: side.store.host },
        ),
      )
      if (elsewhere !== undefined) noting(progress).warn(elsewhere)
      const setup = { job, pace, plan, telling, given, beginning, dry, looks, survey, copied, question, progress, io }
      return await beginBetween(opened, setup, prepare)
    } finally {
      opened.close()
    }
  } finally {
    progress.close()
  }
}

// The places have answered: what is wrong between them, and what a person must know before the first object.
async function beginBetween(opened: Opened, setup: Setup, prepare?: Prepare): Promise<number> {
  const { job, plan, telling, dry, survey, progress, io } = setup
  if (plan !== undefined) checkPlanned(plan, job, opened.ends.connection)
  const { source, destination, settings } = opened.ends
  if ('destination' in job && !settings.distinctBuckets) {
    checkInOneBucket(job.source, job.destination, mirrors(job))
  }
  if (settings.streamed) checkStreamable(job)
  const warn = (message: string): void => progress.event({ type: 'note', level: 'warning', message })
  const unknown = unknownStorageClass(job, (destination ?? source).store.host)
  if (unknown !== undefined) warn(unknown)
  await checkSiblings(job, { source: source.store, destination: destination?.store }, io)
  const ranges = plannedRanges(job, plan)
  // Each looks at the first objects: both in one round trip.
  const [example, earlier] = await Promise.all([
    telling.quiet ? undefined : exampleOf(job, source, ranges, opened.ends.listFiles),
    earlierCount(opened, setup),
    prepare?.(opened, warn),
  ])
  if (settings.streamed && !isFolder(job.source) && !isFolder(endsOf(job).destination))
    warn('no one credential can copy between these two: every byte passes through this machine')
  const folder = setup.looks ? await folderFor(setup, opened) : ''
  const pace = expecting(earlier, setup)
  if (dry) {
    const earlier = telling.quiet ? undefined : await keptRehearsal(job, opened.ends.connection)
    if (earlier !== undefined)
      tell(`a dry run of this job was interrupted; this one begins anew, ${goingOn(earlier)}`, setup)
    const told = (message: string): void => tellUnlessQuiet(message, setup)
    const begin = { ...opened.ends.meter.requests }
    const sampling = io.planning?.quick === true ? await drawnSample(job, opened, ranges, told) : undefined
    const from = noRehearsal(sampling?.ranges ?? ranges, listOf(job) === undefined ? undefined : survey?.state)
    const keepList = (one: WriteJob, folder: string): Promise<WriteJob> => setup.copied.copyInto(one, folder)
    return await withSourceSortedAside(job, sourceOptions(opened, setup), (opened) =>
      dryRun({ job, pace, from, begin, sampling, keepList, example, opened, progress, telling, io }),
    )
  }
  await setup.question?.(opened, survey?.state.of, earlier)
  return await runFromStart(opened, { ...setup, pace }, folder, ranges, example)
}

// Where it is of use: what one page holds is known as soon.
async function earlierCount({ ends }: Opened, { job, pace, question, io }: Setup): Promise<EarlierCount | undefined> {
  if (pace.expect !== undefined && question === undefined) return undefined
  return ends.source.first?.truncated === false ? undefined : await countedEarlier(job, ends.connection, io.cwd)
}

function expecting(earlier: EarlierCount | undefined, setup: Setup): Pace {
  const { pace } = setup
  if (earlier === undefined || pace.expect !== undefined) return pace
  tellUnlessQuiet(expectingInWords(earlier), setup)
  return { ...pace, expect: earlier.objects }
}

// Refused before anything is asked, and again under the lock.
async function folderFor(setup: Setup, { ends }: Opened): Promise<string> {
  const { given, beginning } = setup
  if (given !== undefined) {
    await checkFolder(given, beginning, ends.connection)
    return given
  }
  const { folder, before } = await chooseFolder(beginning, ends.connection)
  // Who asks for it to be done again knows of it.
  if (before !== undefined && !beginning.fresh && !beginning.again) {
    const message = `an earlier run of this job ${finishedInWords(before)}; its record stays in ${shellWord(before.folder)}`
    tellUnlessQuiet(message, setup)
  }
  return folder
}

function sourceOptions(opened: Opened, setup: Setup): SourceOptions {
  const { copied, io } = setup
  const told = (message: string): void => tellUnlessQuiet(message, setup)
  return { opened, files: () => Promise.resolve(copied.files), tell: told, io }
}

async function runFromStart(
  opened: Opened,
  setup: Setup,
  folder: string,
  ranges: readonly KeyRange[],
  example: Example | undefined,
): Promise<number> {
  const { job: wanted, pace, telling, given, beginning, survey, copied, progress, io } = setup
  const { connection, sourceFolder } = opened.ends
  await createFolder(folder)
  const lock = await lockRun(folder)
  try {
    const found = await checkFolder(folder, beginning, connection)
    if (found !== undefined && given === undefined) {
      throw new UserError(`another process has just done this job: it ${finishedInWords(found)}`, 'see s3move status')
    }
    await setAside(folder)
    const job = await copied.keep(wanted, folder)
    const now = new Date().toISOString()
    const checkpoint: WriteCheckpoint = {
      format: FORMAT,
      program: `s3move ${version()}`,
      job,
      connection,
      ...(sourceFolder === undefined ? {} : { sourceFolder }),
      pace,
      state: 'unfinished',
      startedAt: now,
      savedAt: now,
      activeMs: 0,
      sessions: 1,
      ranges,
      listed: survey?.state.of ?? 0,
      ...(survey === undefined || survey.state.of === 0 || listOf(job) === undefined ? {} : { list: survey.state }),
      ...passedOverIn(survey),
      totals: noTotals(),
      ledger: { bytes: 0, entries: 0 },
      history: [],
    }
    const source = { ...sourceOptions(opened, setup), folder, checkpoint, resumed: false }
    return await withSortedSource(source, (opened, checkpoint) =>
      drive({
        ...{ folder, checkpoint, opened, example, progress, telling, io },
        onlyFailed: false,
        resumed: false,
      }),
    )
  } finally {
    await lock.release()
  }
}

// S3 wants a checksum with what it is sent, and not every algorithm is at hand here.
function checkStreamable(job: WriteJob): void {
  if (!('attributes' in job) || job.attributes.checksumAlgorithm === undefined) return
  throw new UserError(
    '--checksum-algorithm needs a copy inside a store, and here everything passes through this machine',
    'leave --checksum-algorithm away: a checksum that the source tells of a whole object is kept where that is sent in one request',
  )
}
