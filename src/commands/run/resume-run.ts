import { relative } from 'node:path'
import { isBatchUnderWay } from '../../checkpoint/batch-state.js'
import { isScan, isWrite, type ScanCheckpoint, type WriteCheckpoint } from '../../checkpoint/checkpoint.js'
import { findRuns, readCheckpoint, refuseLinks, type SavedRun } from '../../checkpoint/checkpoint-file.js'
import { differences, jobHash } from '../../checkpoint/job-name.js'
import { lockRun } from '../../checkpoint/lock.js'
import { shownFolder } from '../../checkpoint/mounts.js'
import { proveLedgers } from '../../checkpoint/prove.js'
import { readRehearsal, type KeptRehearsal } from '../../checkpoint/unfinished-rehearsal.js'
import { noRehearsal } from '../../engine/session/rehearsal.js'
import { UserError } from '../../errors.js'
import { connectionOf, type Connection } from '../../job/connection.js'
import { inventoryOf, listOf } from '../../job/kinds.js'
import { DEFAULT_RETRY_FOR, type Pace } from '../../job/pace.js'
import { isObjectUrl } from '../../job/place.js'
import { sum } from '../../job/totals.js'
import { differing } from '../../job/verdicts.js'
import { printable } from '../../keys.js'
import { jobTitle, objects, shellWord } from '../../report/format.js'
import { createProgress, type Progress } from '../../report/progress.js'
import { failedByCode } from '../../report/summary.js'
import { intersection } from '../../rules/ranges.js'
import { checkList } from '../../sources/files-from/list-identity.js'
import type { DataFiles } from '../../storage/data-files.js'
import { timeOf } from '../../times.js'
import { version } from '../../version.js'
import { readConnection } from '../options/connection-options.js'
import { EXIT } from '../options/exit.js'
import type { Flags } from '../options/flag-values.js'
import { readFleet, type FleetAsked } from '../options/fleet-options.js'
import type { CommandIo } from '../options/io.js'
import type { OutputOptions } from '../options/output-options.js'
import { readPace } from '../options/pace-options.js'
import { checkInOneBucket } from '../options/places.js'
import { readKeysOf, type CustomerKeys } from '../options/sse-c-key.js'
import { ambient } from './ambient-connection.js'
import { attended, sayTo, tellUnlessQuiet, warnTo } from './attended.js'
import { attendedAt } from './bucket-folder.js'
import { checkLogOutside, checkOutsideSides } from './checkpoint-folder.js'
import { dryRun, rehearsing } from './dry-run.js'
import { inventoryStoreOf, type InventoryStore } from './inventory-store.js'
import { checkLendable } from './fleet.js'
import { drive, mirrors, openToResume } from './open-and-run.js'
import { findRehearsals } from './kept-rehearsal.js'
import { finishResult } from './perform-scan.js'
import { resumeRehearsal } from './resume-rehearsal.js'
import { withSortedSource, withSourceSortedAside } from './sorted-source.js'
import { resumeScan } from './start-scan.js'
import { wantedRanges } from './wanted-ranges.js'

/** Which run is to go on, and with what of it. */
export interface ResumeRequest {
  /** The folder of the run, or a file in it; without it the only one here that is not finished. */
  readonly dir: string | undefined
  readonly onlyFailed: boolean
  /** Of the failed objects, those with these codes. */
  readonly codes: readonly string[] | undefined
  readonly dry: boolean
  readonly telling: OutputOptions
}

/** Goes on with a run, with the flags that all of them share. Resolves with the exit code. */
export async function resume(asked: ResumeRequest, flags: Flags, io: CommandIo): Promise<number> {
  const rehearsal = await rehearsalFor(asked, io.cwd)
  if (rehearsal === undefined) {
    const reach = (): Connection => connectionOf(readConnection(flags, ambient()), 'destination')
    return await attendedAt(asked.dir, reach, { flags, io, dry: asked.dry }, (dir, io) =>
      resumeAttended({ ...asked, dir }, flags, io),
    )
  }
  const { telling } = asked
  return await attended(flags, io, true, (io) => resumeRehearsal(rehearsal, telling, flags, io))
}

// One that is named, or the only thing here that can go on.
async function rehearsalFor({ dir, onlyFailed }: ResumeRequest, cwd: string): Promise<KeptRehearsal | undefined> {
  if (dir !== undefined) {
    if (isObjectUrl(dir)) return undefined
    const named = await readRehearsal(dir)
    if (named !== undefined && onlyFailed)
      throw new UserError(
        `${printable(dir)} holds a dry run, and that has no failure ledger`,
        'leave --only-failed away',
      )
    return named
  }
  if (onlyFailed || (await resumable(cwd, onlyFailed)).candidates.length > 0) return undefined
  const [only, ...others] = await findRehearsals(cwd)
  if (only !== undefined && others.length > 0) {
    const lines = [only, ...others].map(({ folder, found: { job } }) => `  ${shellWord(folder)}  (${jobTitle(job)})`)
    throw new UserError(
      `${lines.length} dry runs here can be resumed:\n${lines.join('\n')}`,
      'name one: s3move resume DIR',
    )
  }
  return only
}

/** The same within what stands beside the run, its log. */
export async function resumeAttended(asked: ResumeRequest, flags: Flags, io: CommandIo): Promise<number> {
  const { onlyFailed, telling } = asked
  const { folder, checkpoint: found } = await choose(asked.dir, onlyFailed, io.cwd)
  await refuseLinks(folder)
  await checkOutsideSides(found.job, folder, io.cwd)
  await checkLogOutside(found.job, flags, io.cwd)
  const fleet = readFleet(flags)
  checkLendable(found.job, fleet)
  if (isScan(found)) return await resumeReading(folder, found, flags, io, asked)
  if (isBatchUnderWay(found.batch)) return await resumeJobs(folder, flags, io, asked)
  const pace = readPace(flags, found.pace)
  const connection = readConnection(flags, found.connection)
  if (nothingToDo(found, onlyFailed)) {
    if (!telling.quiet) sayTo(io, whyNothing(found, folder, onlyFailed))
    if (ledgerEntries(found) > 0) return EXIT.failures
    return found.state === 'finished' ? EXIT.done : EXIT.stopped
  }

  const customerKeys = await readKeysOf(found.job)
  const progress = createProgress({ ...io, ...telling, ...(asked.dry ? rehearsing(io, telling) : {}) })
  try {
    const lock = await lockRun(folder)
    try {
      const checkpoint = await provenCheckpoint(folder, onlyFailed)
      return await resumeWriting({ asked, folder, checkpoint, pace, connection, customerKeys, fleet, progress, io })
    } finally {
      await lock.release()
    }
  } finally {
    progress.close()
  }
}

// Until what jobs do is counted, nobody knows what has failed.
async function resumeJobs(
  folder: string,
  flags: Flags,
  io: CommandIo,
  { onlyFailed, dry }: ResumeRequest,
): Promise<number> {
  if (onlyFailed || dry) {
    throw new UserError(
      `the jobs of S3 Batch Operations of the run in ${shellWord(shownFolder(folder))} have not come to their end`,
      `first: s3move resume ${shellWord(shownFolder(folder))}`,
    )
  }
  const { resumeBatch } = await import('./start-batch.js')
  return await resumeBatch(folder, { flags, io, rest: resumeAttended })
}

// Only under the lock is it certain that nobody else moves it on.
async function provenCheckpoint(folder: string, onlyFailed: boolean): Promise<WriteCheckpoint> {
  const { checkpoint } = await readCheckpoint(folder)
  if (!isWrite(checkpoint))
    throw new UserError(`${printable(shownFolder(folder))} now holds another job`, 'see s3move status')
  checkRanges(folder, checkpoint)
  await proveLedgers(folder, checkpoint)
  const list = listOf(checkpoint.job)
  if (list !== undefined && checkpoint.list !== undefined && !onlyFailed) await checkList(list, checkpoint.list)
  return checkpoint
}

interface WritingSetup {
  readonly asked: ResumeRequest
  readonly folder: string
  readonly checkpoint: WriteCheckpoint
  readonly pace: Pace
  readonly connection: Connection
  readonly customerKeys: CustomerKeys
  readonly fleet: FleetAsked | undefined
  readonly progress: Progress
  readonly io: CommandIo
}

async function resumeWriting(setup: WritingSetup): Promise<number> {
  const { folder, checkpoint, pace, progress, io } = setup
  const { onlyFailed, codes, dry, telling } = setup.asked
  const { job } = checkpoint
  const listFiles = onlyFailed
    ? undefined
    : await inventoryStoreOf(listOf(job), { connection: setup.connection, pace, io })
  const { connection: reached, customerKeys } = setup
  const { sourceFolder: found } = checkpoint
  const opened = await openToResume(job, {
    ...{ connection: reached, customerKeys, listFiles, sourceFolder: found, dry, onlyFailed, pace, io, progress },
    list: checkpoint.list,
    fleet: dry || onlyFailed ? undefined : setup.fleet,
  })
  let inventoryFiles: InventoryStore | undefined
  try {
    const { connection, sourceFolder, settings } = opened.ends
    const warn = (message: string): void => progress.event({ type: 'note', level: 'warning', message })
    if ('destination' in job && !settings.distinctBuckets) checkInOneBucket(job.source, job.destination, mirrors(job))
    // The store may have moved; were it another one, what is settled would be missing there.
    for (const difference of differences(checkpoint, { job, connection })) {
      warn(`${difference}; what was done so far is taken to be there too`)
    }
    const unfound = noneOf(checkpoint, codes)
    if (unfound !== undefined) warn(unfound)
    const files = async (): Promise<DataFiles | undefined> =>
      (inventoryFiles = await inventoryStoreOf(inventoryOf(job), { connection: setup.connection, pace, io }))
    const told = (message: string): void => tellUnlessQuiet(message, { telling, progress, io })
    const source = { opened, files, tell: told, io, folder }
    if (dry) {
      // What was told is of all objects, and no one knows how many of them remain.
      const { expect: _, ...rest } = pace
      const from = noRehearsal(checkpoint.ranges, checkpoint.list)
      return await withSourceSortedAside(job, source, (opened) =>
        dryRun({ job, pace: rest, from, opened, progress, telling, io }),
      )
    }
    const goneOn = {
      ...checkpoint,
      program: `s3move ${version()}`,
      connection,
      ...(sourceFolder === undefined ? {} : { sourceFolder }),
      pace,
      sessions: checkpoint.sessions + 1,
    }
    return await withSortedSource({ ...source, checkpoint: goneOn, resumed: true, onlyFailed }, (opened, checkpoint) =>
      drive({
        ...{ folder, checkpoint, opened, progress, telling, io, onlyFailed, codes },
        resumed: true,
      }),
    )
  } finally {
    opened.close()
    listFiles?.close()
    inventoryFiles?.close()
  }
}

// That no object failed with one of these codes, where that is so: the name may be misspelt. What a retry that ended early has left is not counted.
function noneOf({ totals, retry }: WriteCheckpoint, codes: readonly string[] | undefined): string | undefined {
  if (codes === undefined || retry != null || codes.some((code) => (totals.failed[code] ?? 0) > 0)) return undefined
  return `no object in the failure ledger failed with ${printable(codes.join(' or '))}; it has ${failedByCode(totals.failed)}`
}

// What remains must be of what the job selects: else it was damaged before checkpoints had a checksum.
function checkRanges(folder: string, { job, ranges }: WriteCheckpoint): void {
  const inside = intersection(ranges, wantedRanges(job))
  const whole = ranges.every(
    ({ after, until }, index) => inside[index]?.after === after && inside[index]?.until === until,
  )
  if (whole && inside.length === ranges.length) return
  throw new UserError(
    `the checkpoint in ${printable(shownFolder(folder))} is damaged: what remains is not within what the job selects`,
    'restore the folder from a copy, or start the job anew with another checkpoint folder',
  )
}

async function resumeReading(
  folder: string,
  checkpoint: ScanCheckpoint,
  flags: Flags,
  io: CommandIo,
  { onlyFailed, dry, telling }: ResumeRequest,
): Promise<number> {
  const { job } = checkpoint
  const writing = { 'only-failed': onlyFailed, 'dry-run': dry, 'progress full': telling.progress === 'full' }
  for (const [name, given] of Object.entries(writing)) {
    if (given)
      throw new UserError(`--${name} is for jobs that write, and this is: ${jobTitle(job)}`, `leave --${name} away`)
  }
  if (checkpoint.state === 'finished') {
    const sent = await finishLocked(folder, checkpoint, flags, io)
    if (sent !== undefined) sayTo(io, sent)
    sayTo(io, whyNothing(checkpoint, folder, false))
    const found = checkpoint.scan?.likenesses
    return found !== undefined && differing(found) > 0 ? EXIT.failures : EXIT.done
  }
  if (checkpoint.batch !== undefined) {
    const { resumeChecksums } = await import('./start-checksums.js')
    return await resumeChecksums(folder, flags, io)
  }
  return await resumeScan({ folder, checkpoint }, flags, io)
}

// Two of them would send twice, and drop what the other sends.
async function finishLocked(
  folder: string,
  checkpoint: ScanCheckpoint,
  flags: Flags,
  io: CommandIo,
): Promise<string | undefined> {
  const { retryFor = DEFAULT_RETRY_FOR } = readPace(flags, checkpoint.pace)
  const connection = readConnection(flags, checkpoint.connection)
  const warn = (message: string): void => warnTo(io, message)
  const lock = await lockRun(folder)
  try {
    return await finishResult(checkpoint, { connection, retryFor, giveUp: io.stop, folder, io, warn })
  } finally {
    await lock.release()
  }
}

async function choose(dir: string | undefined, onlyFailed: boolean, cwd: string): Promise<SavedRun> {
  if (dir !== undefined) return readCheckpoint(dir)
  const { runs, candidates } = await resumable(cwd, onlyFailed)
  const [only, ...others] = candidates
  if (only === undefined) {
    throw new UserError(
      onlyFailed ? 'no run here has failed objects' : 'no unfinished run here',
      runs.length === 0
        ? 'give the folder of the run: s3move resume DIR'
        : 'see ‘s3move status’ for the runs here, or give the folder of another: s3move resume DIR',
    )
  }
  if (others.length > 0) {
    const lines = candidates.map(({ folder, checkpoint: { job } }) => `  ${shellWord(folder)}  (${jobTitle(job)})`)
    throw new UserError(
      `${candidates.length} runs here can be resumed:\n${lines.join('\n')}`,
      'name one: s3move resume DIR',
    )
  }
  return only
}

interface Resumable {
  readonly runs: readonly SavedRun[]
  readonly candidates: readonly SavedRun[]
}

async function resumable(cwd: string, onlyFailed: boolean): Promise<Resumable> {
  const runs = (await findRuns(cwd))
    .filter((run): run is SavedRun => 'checkpoint' in run)
    .map((run) => ({ ...run, folder: relative(cwd, run.folder) }))
  const candidates = latest(runs, onlyFailed).filter(({ checkpoint }) => !nothingToDo(checkpoint, onlyFailed))
  return { runs, candidates }
}

// What failed in one run of a job was tried by the next one.
function latest(runs: readonly SavedRun[], onlyFailed: boolean): readonly SavedRun[] {
  if (!onlyFailed) return runs
  const begun = runs.toSorted((a, b) => timeOf(b.checkpoint.startedAt) - timeOf(a.checkpoint.startedAt))
  const seen = new Set<string>()
  return begun.filter(({ checkpoint: { job, connection, state } }) => {
    const name = jobHash(job, connection)
    const superseded = seen.has(name)
    if (state === 'finished') seen.add(name)
    return !superseded
  })
}

function nothingToDo(checkpoint: SavedRun['checkpoint'], onlyFailed: boolean): boolean {
  return onlyFailed ? ledgerEntries(checkpoint) === 0 && !isUnderWay(checkpoint) : checkpoint.state === 'finished'
}

// What failed and was tried again by a session that was killed is in the failure ledger no more: it waits to be tried once more, or to be deleted.
function isUnderWay({ waiting, removals }: SavedRun['checkpoint']): boolean {
  return waiting !== undefined || (removals !== undefined && removals.done.entries < removals.entries)
}

function ledgerEntries({ ledger, retry }: SavedRun['checkpoint']): number {
  return ledger.entries + (retry === undefined ? 0 : retry.of - retry.entries)
}

function whyNothing(checkpoint: SavedRun['checkpoint'], folder: string, onlyFailed: boolean): string {
  if (onlyFailed) {
    const none = `nothing to try again: no object is in the failure ledger of ${shellWord(shownFolder(folder))}`
    return checkpoint.state === 'finished'
      ? none
      : `${none}; the run is not finished, to go on with it: s3move resume ${shellWord(shownFolder(folder))}`
  }
  const failed = sum(checkpoint.totals.failed)
  const done = `nothing to resume: the run in ${shellWord(shownFolder(folder))} is finished`
  return failed === 0
    ? done
    : `${done}, with ${objects(failed)} in the failure ledger; to try those again: s3move resume --only-failed ${shellWord(shownFolder(folder))}`
}
