import { open as openFile, rename } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { reasonOf } from '../../checkpoint/checkpoint-error.js'
import { systemCode } from '../../file-system.js'
import { FORMAT, type ScanCheckpoint } from '../../checkpoint/checkpoint.js'
import { createFolder, hasCheckpoint, readCheckpoint } from '../../checkpoint/checkpoint-file.js'
import { differences } from '../../checkpoint/job-name.js'
import { lockRun } from '../../checkpoint/lock.js'
import {
  fileOutlet,
  provenBeginning,
  streamOutlet,
  type OutputWriter,
  type Written,
} from '../../engine/output/output-writer.js'
import { runScan, type ScanEnd, type ScanOptions, type Sink } from '../../engine/session/scan-session.js'
import { UserError } from '../../errors.js'
import { shellWord } from '../../report/format.js'
import type { Connection } from '../../job/connection.js'
import { kindOf, type ScanJob } from '../../job/kinds.js'
import type { Pace } from '../../job/pace.js'
import type { FolderIdentity } from '../../job/place.js'
import { noTotals } from '../../job/totals.js'
import { printable, printableName } from '../../keys.js'
import { createScanProgress, type ScanProgress } from '../../report/scan-progress.js'
import type { OpenStores } from '../../storage/open.js'
import type { Keyspace } from '../../sources/ranges/keyspace.js'
import { version } from '../../version.js'
import { open, type Opened } from './open-and-run.js'
import { checkOutsideSides } from '../options/folders.js'
import { EXIT } from './exit.js'
import type { CommandIo } from './io.js'
import { DEFAULT_PACE, readConnection, readFlag, readPace, readText, type Flags } from '../options/common-options.js'

/** The pace when nothing else is asked for: for the most part, nothing but LIST calls is in flight. */
const SCAN_PACE: Pace = { ...DEFAULT_PACE, lanes: 64 }

/** Lanes that keep a thread busy: one lists some 20 pages a second, and a thread reads about a thousand. */
const LANES_A_THREAD = 16

/** A job that only reads, ready to run: everything was found out. */
export interface Scan {
  readonly checkpoint: ScanCheckpoint
  /** The run's folder, locked; absent when nothing is kept. */
  readonly folder: string | undefined
  readonly opened: Opened
  readonly resumed: boolean
  readonly progress: ScanProgress
  readonly io: CommandIo
  readonly quiet: boolean
}

/** Carries out what is particular to a job: opens its sink, runs it by `read`, tells its result, and answers the exit code. */
export type Perform = (scan: Scan) => Promise<number>

/** Begins a job that only reads, with the flags that all of them share. Resolves with the exit code. */
export async function startScan(job: ScanJob, flags: Flags, io: CommandIo, perform: Perform): Promise<number> {
  const pace = readPace(flags, SCAN_PACE)
  const asked = readConnection(flags, {})
  const folder = readText(flags, 'checkpoint')
  const fresh = readFlag(flags, 'fresh') ?? false
  const quiet = readFlag(flags, 'quiet') ?? false
  if (folder === undefined && fresh) {
    throw new UserError(
      '--fresh is about a checkpoint, and none was named',
      'add --checkpoint DIR, or leave --fresh away',
    )
  }
  await checkOutsideSides(job, folder, io.cwd, true)
  if (folder !== undefined) await checkFolder(folder, job, asked, fresh)
  const begin = async ({ connection, sourceFolder }: OpenStores): Promise<ScanCheckpoint> => {
    if (folder !== undefined) await checkFolder(folder, job, connection, fresh)
    const now = new Date().toISOString()
    return {
      format: FORMAT,
      program: `s3move ${version()}`,
      ...(sourceFolder === undefined ? {} : { sourceFolder }),
      ...{ job, connection, pace, state: 'unfinished', startedAt: now, savedAt: now, activeMs: 0, sessions: 1 },
      ...{ ranges: [{}], listed: 0, totals: noTotals(), ledger: { bytes: 0, entries: 0 }, history: [] },
    }
  }
  if (folder !== undefined) await createFolder(folder)
  return await withScan({ job, pace, asked, folder, quiet, io, begin, resumed: false }, perform)
}

/** Goes on with a job that only reads. Resolves with the exit code. */
export async function resumeScan(
  { folder, checkpoint: found }: { readonly folder: string; readonly checkpoint: ScanCheckpoint },
  flags: Flags,
  io: CommandIo,
  perform: Perform,
): Promise<number> {
  const pace = readPace(flags, found.pace)
  const asked = readConnection(flags, found.connection)
  const quiet = readFlag(flags, 'quiet') ?? false
  const { job } = found
  const begin = async ({ connection, sourceFolder }: OpenStores): Promise<ScanCheckpoint> => {
    // Only now is it certain that nobody else moves it on.
    const { checkpoint } = await readCheckpoint(folder)
    return {
      ...checkpoint,
      ...(sourceFolder === undefined ? {} : { sourceFolder }),
      ...{ job, connection, pace, program: `s3move ${version()}`, sessions: checkpoint.sessions + 1 },
    }
  }
  const { sourceFolder } = found
  return await withScan({ job, pace, asked, folder, quiet, io, begin, sourceFolder, resumed: true }, perform)
}

interface ScanSetup extends Pick<Scan, 'folder' | 'io' | 'quiet' | 'resumed'> {
  readonly job: ScanJob
  readonly pace: Pace
  readonly asked: Connection
  /** The folder that the source was, to a run that is resumed. */
  readonly sourceFolder?: FolderIdentity | undefined
  readonly begin: (ends: OpenStores) => Promise<ScanCheckpoint>
}

async function withScan(setup: ScanSetup, perform: Perform): Promise<number> {
  const { job, pace, asked, folder, quiet, io, resumed } = setup
  const progress = createScanProgress(io.stderr, kindOf(job).verb, quiet)
  const lock = folder === undefined ? undefined : await lockRun(folder)
  try {
    const threads = pace.threads ?? Math.min(availableParallelism(), Math.ceil(pace.lanes / LANES_A_THREAD))
    const note = (message: string): void => {
      if (!quiet) progress.say(message)
    }
    const readOnly = !('fix' in job && job.fix)
    const opened = await open(job, asked, {
      readOnly,
      again: resumed,
      sourceFolder: setup.sourceFolder,
      threads,
      io,
      note,
      warn: (message) => progress.say(`warning: ${printableName(message)}`),
      pace,
    })
    try {
      const checkpoint = await setup.begin(opened.ends)
      return await perform({ checkpoint, folder, opened, resumed, progress, io, quiet })
    } finally {
      opened.close()
    }
  } finally {
    progress.close()
    await lock?.release()
  }
}

/** Runs a scan into a sink. */
export function read(scan: Scan, openSink: ScanOptions['openSink']): Promise<ScanEnd> {
  const { checkpoint, folder, opened, progress, io } = scan
  return runScan({
    ...{ checkpoint, folder, openSink, ends: opened.ends, crew: opened.hands.crew(opened.ends), drain: opened.drain },
    abandon: io.abandon,
    warn: (message) => progress.say(`warning: ${printableName(message)}`),
    progress: (listed, elapsed) => progress.update(listed, elapsed),
  })
}

/**
 * Runs a scan whose lines go to the file `to`, which gets its name once it is whole, or to standard output. Answers also how many bytes were
 * written, over all sessions if there is a file.
 */
export async function readInto(
  to: string | undefined,
  scan: Scan,
  openSink: (outlet: OutputWriter, keyspace: Keyspace) => Sink,
): Promise<ScanEnd & { readonly bytes: number }> {
  const { checkpoint, folder, io, resumed, progress } = scan
  let told: ((error: unknown) => void) | undefined
  const fail = (error: unknown): void => told?.(error)
  const outlet =
    to === undefined
      ? streamOutlet(io.stdout, fail)
      : await fileOutlet(
          to,
          { before: resumed ? writtenBefore(checkpoint) : undefined, proven: folder !== undefined },
          fail,
        )
  try {
    const ended = await read(scan, (keyspace, failed) => {
      told = failed
      return openSink(outlet, keyspace)
    })
    progress.close()
    if (ended.end === 'finished') await outlet.finish()
    return { ...ended, bytes: outlet.bytes }
  } finally {
    await outlet.close()
  }
}

function writtenBefore({ scan }: ScanCheckpoint): Written {
  return { bytes: scan?.bytes ?? 0, ...(scan?.sha256 === undefined ? {} : { sha256: scan.sha256 }) }
}

/** Gives the finished output of a job its name, in case that a crash came before. */
export async function finishFile(to: string | undefined, checkpoint: ScanCheckpoint): Promise<void> {
  if (to === undefined) return
  try {
    const file = await openFile(`${to}.part`)
    try {
      await provenBeginning(file, `${to}.part`, writtenBefore(checkpoint))
    } finally {
      await file.close()
    }
    await rename(`${to}.part`, to)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return
    if (error instanceof UserError) throw error
    throw new UserError(
      `cannot give ${printable(`${to}.part`)} its name: ${reasonOf(error)}`,
      'rename it by hand: it is whole',
    )
  }
}

/** Says on stderr why a scan did not finish, and how to go on. Answers the exit code. */
export function conclude({ progress, folder }: Scan, { end, stop, readerGone }: ScanEnd, incomplete: string): number {
  if (stop === undefined && (end === 'finished' || readerGone)) return EXIT.done
  const because = stop === undefined ? '' : ` (${stop.reason})`
  progress.say(`${end} before it finished${because}: ${incomplete}`)
  if (stop?.hint !== undefined) progress.say(`  hint      ${printable(stop.hint)}`)
  progress.say(
    folder === undefined
      ? '  next      the same command, which begins anew (with --checkpoint DIR it could go on)'
      : `  next      s3move resume ${shellWord(folder)}`,
  )
  return stop === undefined ? EXIT.interrupted : EXIT.stopped
}

async function checkFolder(folder: string, job: ScanJob, connection: Connection, fresh: boolean): Promise<void> {
  if (fresh || !(await hasCheckpoint(folder))) return
  const { checkpoint } = await readCheckpoint(folder)
  const different = differences(checkpoint, { job, connection })
  if (different.length > 0) {
    throw new UserError(
      `${printable(folder)} holds the checkpoint of another job (${different.join('; ')})`,
      'give this job a folder of its own with --checkpoint, or throw the other run away with --fresh',
    )
  }
  if (checkpoint.state === 'finished') return
  throw new UserError(
    `an unfinished run of this job is in ${printable(folder)}`,
    `go on with it: s3move resume ${shellWord(folder)} (or begin again from the start: add --fresh)`,
  )
}
