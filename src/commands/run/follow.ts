import { basename, join } from 'node:path'
import { createFolder, hasCheckpoint, readCheckpoint, RUNS } from '../../checkpoint/checkpoint-file.js'
import { defaultFolderName } from '../../checkpoint/job-name.js'
import {
  begunAt,
  endedWith,
  followOf,
  NO_ROUNDS,
  readRounds,
  saveRounds,
  type Moment,
  type Round,
  type Rounds,
} from '../../checkpoint/rounds.js'
import { isAborted, sleep } from '../../abort.js'
import { StoppedError, UserError } from '../../errors.js'
import { isObjectUrl } from '../../job/place.js'
import type { SyncJob } from '../../job/sync.js'
import { BY_LISTING } from '../../job/verify.js'
import { sum, type Totals } from '../../job/totals.js'
import { shellWord } from '../../report/format.js'
import { jsonRecord } from '../../report/json-records.js'
import { roundFields, roundLine } from '../../report/rounds.js'
import type { SummaryEvent } from '../../report/summary.js'
import { timeOf } from '../../times.js'
import { readConnection } from '../options/connection-options.js'
import { EXIT } from '../options/exit.js'
import { readFlag, readText, type Flags } from '../options/flag-values.js'
import type { CommandIo } from '../options/io.js'
import { ATTENDING, readTelling } from '../options/output-options.js'
import { ambient } from './ambient-connection.js'
import { attended, sayTo, warnTo } from './attended.js'
import { refuseDirectory } from './directory-buckets.js'
import type { Opened } from './open-and-run.js'
import { provingJob } from './proving-job.js'
import { startScan } from './start-scan.js'
import { beginOrResume, type Prepare } from './start-write.js'

/** How a source is followed. */
export interface Following {
  /** Milliseconds from the beginning of one round to that of the next, at least. */
  readonly every: number
  /** Nobody writes to the source any more: rounds without a pause until one finds nothing to do, and a comparison. */
  readonly cutOver: boolean
}

/** Milliseconds before a round that could not begin at cut-over, or found something to do, is followed by the next. */
const AT_ONCE = 1_000

/**
 * Copies what changes at the source in rounds, each of which is a run in the same folder, until it is interrupted or, at cut-over, both sides are found alike. Resolves
 * with the exit code.
 */
export async function follow(
  job: SyncJob,
  how: Following,
  { flags, io, prepare }: { readonly flags: Flags; readonly io: CommandIo; readonly prepare: Prepare },
): Promise<number> {
  for (const place of [job.source, job.destination]) refuseDirectory(place, 'to follow one, or into one, was not tried')
  const given = readText(flags, 'checkpoint')
  if (given !== undefined && isObjectUrl(given)) {
    throw new UserError(
      '--follow keeps what it knows of its rounds in a folder of this machine, and --checkpoint names a bucket',
      'name a folder with --checkpoint DIR, or leave it away',
    )
  }
  const folder = given ?? join(RUNS, defaultFolderName({ ...job, follow: {} }, readConnection(flags, ambient())))
  return await attended(flags, io, false, (io) => new Follower(job, how, { flags, io, prepare, folder }).run())
}

interface Setup {
  readonly flags: Flags
  readonly io: CommandIo
  readonly prepare: Prepare
  readonly folder: string
}

class Follower {
  private rounds: Rounds = NO_ROUNDS
  /** Rounds of this process that have ended. */
  private ended = 0
  private summary: SummaryEvent | undefined

  constructor(
    private readonly job: SyncJob,
    private readonly how: Following,
    private readonly setup: Setup,
  ) {}

  async run(): Promise<number> {
    const { folder, io, flags } = this.setup
    if (readFlag(flags, 'fresh') !== true) this.rounds = await roundsBefore(folder)
    for (;;) {
      const began = Date.now()
      const code = await this.round(began + this.how.every)
      if (code === EXIT.interrupted || isAborted(io.stop)) return this.interrupted()
      // Whoever limits the cost is to decide what comes next, and at cut-over somebody waits.
      if (code === EXIT.stopped && (this.how.cutOver || readText(flags, 'max-cost') !== undefined)) return code
      if (this.how.cutOver && code !== undefined) {
        const end = await this.cutOver(code)
        if (end !== undefined) return end
      }
      await sleep(this.how.cutOver ? AT_ONCE : Math.max(0, began + this.how.every - Date.now()), io.stop)
      if (isAborted(io.stop)) return this.interrupted()
    }
  }

  private interrupted(): number {
    const { io, flags } = this.setup
    const { quiet, json } = readTelling(flags)
    if (!quiet && !json) sayTo(io, 'to go on following: the same command')
    return EXIT.interrupted
  }

  // Undefined when it could not begin for now.
  private async round(next: number): Promise<number | undefined> {
    const { folder, io } = this.setup
    if (this.ended > 0) this.rounds = (await readRounds(folder)) ?? this.rounds
    this.summary = undefined
    let code: number
    try {
      code = await beginOrResume(
        { ...this.job, follow: followOf(this.rounds) },
        this.flagsOfRound(),
        { ...io, watch: (event) => this.watch(event) },
        (opened, warn) => this.begins(opened, warn),
      )
    } catch (error) {
      // What keeps the first round from beginning is for who has just begun it; later it may pass while nobody looks.
      if (this.ended === 0 || this.how.cutOver || !(error instanceof UserError || error instanceof StoppedError))
        throw error
      this.warn(`this round could not begin, and is tried again: ${error.message}`)
      return undefined
    }
    if (code === EXIT.stopped && !this.how.cutOver)
      this.warn('this round has stopped; the next one goes on with it after the pause')
    if (code === EXIT.done || code === EXIT.failures) await this.ends(next)
    return code
  }

  private flagsOfRound(): Flags {
    const { flags, folder } = this.setup
    const common = { ...flags, checkpoint: folder }
    const first = { ...common, 'or-resume': readFlag(flags, 'fresh') !== true }
    if (this.ended === 0) return first
    const quiet = readFlag(flags, 'verbose') !== true
    // Who has said yes to a deletion said it to all rounds.
    return { ...common, ...(quiet ? { quiet } : {}), fresh: undefined, 'or-resume': true, yes: true }
  }

  private warn(message: string): void {
    const { io, flags } = this.setup
    if (readTelling(flags).json) io.stdout.write(`${jsonRecord('note', { level: 'warning', message })}\n`)
    else warnTo(io, message)
  }

  private watch(event: Parameters<NonNullable<CommandIo['watch']>>[0]): void {
    if (event.type === 'summary') this.summary = event
    this.setup.io.watch?.(event)
  }

  // On the disk before the first object: what is written at the source from now on may be missed by this round.
  private async begins(opened: Opened, warn: (message: string) => void): Promise<void> {
    const { folder, prepare } = this.setup
    if (this.ended === 0) await prepare(opened, warn)
    await createFolder(folder)
    this.rounds = begunAt(this.rounds, momentOf(opened))
    await saveRounds(folder, this.rounds)
  }

  private async ends(next: number): Promise<void> {
    const { folder, io, flags } = this.setup
    this.ended++
    if (this.summary === undefined) return
    const { snapshot, reason } = this.summary
    const now = new Date()
    this.rounds = endedWith(this.rounds, now, countsOf(snapshot.totals))
    await saveRounds(folder, this.rounds)
    const { json } = readTelling(flags)
    if (json) io.stdout.write(`${jsonRecord('round', roundFields(this.rounds, now))}\n`)
    else sayTo(io, `${roundLine(this.rounds, now)}${this.how.cutOver ? '' : `; ${nextInWords(next)}`}`)
    // The first round has told it with all else.
    if (reason !== undefined && this.ended > 1) this.warn(reason)
  }

  // The exit code, or undefined for one round more.
  private async cutOver(code: number): Promise<number | undefined> {
    const { folder } = this.setup
    const last = this.rounds.rounds.at(-1)
    if (last === undefined) return code
    if (last.copied + last.deleted > 0) {
      if (last.copied > 0 && this.ended > 1)
        this.warn('the source was written to after the round before had begun: have all who write to it stopped?')
      return undefined
    }
    if (code !== EXIT.done) {
      this.warn(`not cut over: see s3move failures ${shellWord(folder)}, and repeat the command`)
      return code
    }
    return await this.compare()
  }

  private async compare(): Promise<number> {
    const { io, flags, folder } = this.setup
    const { job, connection } = await provingJob(folder, BY_LISTING)
    const proof = join(RUNS, `${basename(folder)}-proof`)
    // What stands beside the run has been begun for all of it.
    const beside = Object.fromEntries(Object.keys(ATTENDING).map((name) => [name, undefined]))
    const asked = { ...flags, ...beside, checkpoint: proof, fresh: true, 'or-resume': undefined }
    const code = await startScan(job, asked, io, connection)
    if (code === EXIT.done && !readTelling(flags).json)
      sayTo(io, 'cut over: both sides are alike; the destination may be used')
    return code
  }
}

function nextInWords(time: number): string {
  return time <= Date.now() ? 'the next begins at once' : `the next begins at ${new Date(time).toISOString()}`
}

function momentOf({ ends: { source, destination = source } }: Opened): Moment {
  const [from, to] = [source, destination].map(({ store }) => new Date(store.clock?.() ?? Date.now()).toISOString())
  return { here: new Date().toISOString(), source: from ?? '', destination: to ?? '' }
}

function countsOf({
  copied,
  bytes,
  deleted = 0,
  skipped,
  failed,
}: Readonly<Totals>): Omit<Round, 'number' | 'began' | 'ended'> {
  const { unchanged = 0, newer = 0 } = skipped
  return { copied, bytes, deleted, unchanged, newer, failed: sum(failed) }
}

// A round may have come to its end without that being noted: the process was killed in between, or resume has ended it.
async function roundsBefore(folder: string): Promise<Rounds> {
  const rounds = await readRounds(folder)
  if (rounds === undefined) return NO_ROUNDS
  if (rounds.underWay === undefined || !(await hasCheckpoint(folder))) return rounds
  const { checkpoint } = await readCheckpoint(folder)
  const { state, startedAt, savedAt, totals } = checkpoint
  const isOfIt = timeOf(startedAt) >= timeOf(rounds.underWay.here)
  return state === 'finished' && isOfIt ? endedWith(rounds, new Date(savedAt), countsOf(totals)) : rounds
}
