import { availableParallelism } from 'node:os'
import type { ListState, WriteCheckpoint } from '../../checkpoint/checkpoint.js'
import { runSession, type SessionEnd } from '../../engine/session/write-session.js'
import type { Connection } from '../../job/connection.js'
import { deferredDeletesOf, listFileOf, onlyDeletes, type WriteJob } from '../../job/kinds.js'
import { settingsAt, type Pace } from '../../job/pace.js'
import type { FolderIdentity, Place } from '../../job/place.js'
import type { Progress } from '../../report/progress.js'
import { claimsAtMost } from '../../sources/files-from/list-progress.js'
import type { DataFiles } from '../../storage/data-files.js'
import { openEnds, type OpenStores, type StoreNeeds } from '../../storage/open.js'
import { sharedTurns } from '../../engine/actions/name-locks.js'
import { startThreads, type IdleThreads } from '../../engine/workers/thread-pool.js'
import { isSetTags } from '../../job/set-tags.js'
import type { Example } from './example.js'
import { spendingOf } from './spending.js'
import { EXIT } from '../options/exit.js'
import { unless, type CommandIo } from '../options/io.js'
import type { CustomerKeys } from '../options/sse-c-key.js'
import type { OutputOptions } from '../options/output-options.js'
import { DEFAULT_PACE, DELETE_PACE } from '../options/pace-options.js'

/** The two ends of a job, and what ends the work on them. */
export interface Opened {
  readonly ends: OpenStores
  /** Threads that wait for a task. */
  readonly hands: IdleThreads
  readonly drain: AbortController
  close(): void
}

/** Settings of `open`. */
export interface OpenSettings {
  readonly readOnly: boolean
  readonly tagsOnly?: boolean
  readonly rehearsal?: boolean
  readonly strays?: boolean
  readonly named?: boolean
  readonly deletes?: boolean
  readonly wanted?: readonly StoreNeeds[]
  readonly again?: boolean
  readonly sourceFolder?: FolderIdentity | undefined
  readonly emptied?: boolean
  readonly threads: number
  readonly io: CommandIo
  readonly note: (message: string) => void
  readonly warn: (message: string) => void
  readonly pace: Pace
  readonly customerKeys?: CustomerKeys
  readonly listFiles?: DataFiles | undefined
}

/**
 * Reaches the ends of a job, and meanwhile starts threads. What is wrong with the ends is a `UserError`; a stop ends it at once,
 * as `Interrupted`.
 */
export async function open(
  { source, destination }: { readonly source: Place; readonly destination?: Place },
  connection: Connection,
  { threads, io, pace, listFiles, ...asked }: OpenSettings,
): Promise<Opened> {
  const drain = new AbortController()
  if (io.stop.aborted) drain.abort()
  else io.stop.addEventListener('abort', () => drain.abort(), { once: true })
  const hands = startThreads(threads)
  try {
    const settings = settingsAt(pace, { threads, nameLocks: sharedTurns() })
    const options = { ...asked, source, destination, connection, settings, giveUp: drain.signal }
    const ends = { ...(await unless(io.stop, openEnds(options))), listFiles }
    const close = (): void => {
      hands.close()
      ends.close()
    }
    return { ends, hands, drain, close }
  } catch (error) {
    hands.close()
    throw error
  }
}

/** What `openToResume` needs. */
interface ResumeSettings extends Pick<OpenSettings, 'io' | 'pace' | 'listFiles' | 'customerKeys' | 'sourceFolder'> {
  readonly connection: Connection
  readonly progress: Progress
  readonly dry: boolean
  /** What failed is to be tried again, and nothing else. */
  readonly onlyFailed: boolean
  /** How far the list of the job is settled, if it has one. */
  readonly list?: ListState | undefined
}

/** Reaches the ends of a job that goes on, as `open` does. */
export async function openToResume(job: WriteJob, settings: ResumeSettings): Promise<Opened> {
  const { connection, progress, dry, onlyFailed, list, ...rest } = settings
  return await open(endsOf(job), connection, {
    ...rest,
    readOnly: onlyDeletes(job),
    tagsOnly: isSetTags(job),
    rehearsal: dry,
    strays: true,
    named: listFileOf(job) !== undefined || onlyFailed,
    deletes: deletes(job),
    wanted: storeNeedsOf(job),
    again: true,
    emptied: deferredDeletesOf(job)?.side === 'source',
    threads: dry || onlyFailed ? 0 : threadsFor(job, settings.pace, list),
    ...noting(progress),
  })
}

/** The places between which a job that writes works. */
export function endsOf(job: WriteJob): { readonly source: Place; readonly destination: Place } {
  return { source: job.source, destination: 'destination' in job ? job.destination : job.source }
}

/** Whether a job deletes what its source does not have. */
export function mirrors(job: WriteJob): boolean {
  return deferredDeletesOf(job)?.when === 'at-the-end'
}

/** Whether a job between two places deletes objects of either. */
export function deletes(job: WriteJob): boolean {
  return deferredDeletesOf(job) !== undefined
}

/** What a job asks for of its copies that not every store knows. */
export function storeNeedsOf(job: WriteJob): readonly StoreNeeds[] {
  if (!('attributes' in job)) return []
  const { checksumAlgorithm, tagging } = job.attributes
  return [
    ...(checksumAlgorithm === undefined
      ? []
      : [{ flag: '--checksum-algorithm', fields: [['x-amz-checksum-algorithm', checksumAlgorithm] as const] }]),
    ...(tagging === undefined
      ? []
      : [
          {
            flag: '--tagging',
            fields: [
              ['x-amz-tagging', tagging],
              ['x-amz-tagging-directive', 'REPLACE'],
            ] as const,
          },
        ]),
  ]
}

/** Tells notes as information, and warnings as such. */
export function noting(progress: Progress): Pick<OpenSettings, 'note' | 'warn'> {
  return {
    note: (message) => progress.event({ type: 'note', level: 'info', message }),
    warn: (message) => progress.event({ type: 'note', level: 'warning', message }),
  }
}

/** Objects in flight that are worth a thread: one thread does some 30,000 a second, and an object takes S3 at least 5 ms. */
const FLIGHTS_A_THREAD = 128

/** Objects go a thousand to a request where they are deleted. */
const DELETIONS_A_THREAD = 10_000

/** How many threads a pace asks for on this machine. `list` is how far the list of the job is settled, if it has one. */
export function threadsFor(job: WriteJob, { threads, concurrency }: Pace, list: ListState | undefined): number {
  const each = onlyDeletes(job) ? DELETIONS_A_THREAD : FLIGHTS_A_THREAD
  const wanted = threads ?? Math.min(availableParallelism(), Math.ceil(concurrency / each))
  return list === undefined ? wanted : Math.min(wanted, Math.max(1, claimsAtMost(list)))
}

/** How fast a job is done when nobody says otherwise. */
export function paceFor(job: WriteJob): Pace {
  return onlyDeletes(job) ? DELETE_PACE : DEFAULT_PACE
}

/** What `drive` needs: a locked folder and everything that was found out. */
export interface DriveOptions {
  readonly folder: string
  readonly checkpoint: WriteCheckpoint
  readonly opened: Opened
  /** Told before the first object. */
  readonly example?: Example | undefined
  readonly progress: Progress
  readonly telling: OutputOptions
  readonly io: CommandIo
  readonly onlyFailed: boolean
  /** Of the failed objects, those with these codes; absent for all. */
  readonly codes?: readonly string[] | undefined
  readonly resumed: boolean
}

/** Runs a session and turns its end into an exit code. */
export async function drive(options: DriveOptions): Promise<number> {
  const { folder, checkpoint, opened, example, progress, telling, io, onlyFailed, codes, resumed } = options
  const { job, pace } = checkpoint
  const spentOf = await spendingOf(job, opened.ends, pace)
  progress.event({ type: 'start', job, checkpoint: folder, resumed, pace })
  if (example !== undefined) progress.event({ type: 'example', ...example })
  const ended = await runSession({
    folder,
    checkpoint,
    ends: opened.ends,
    crew: opened.hands.crew(opened.ends),
    onlyFailed,
    codes,
    drain: opened.drain,
    abandon: io.abandon,
    emit: (event) => progress.event(event),
    exitCodeOf,
    verbose: telling.verbose,
    busiest: telling.progress === 'full',
    spentOf,
  })
  return exitCodeOf(ended)
}

function exitCodeOf({ end, failed, kept }: SessionEnd): number {
  switch (end) {
    case 'finished':
      return failed > 0 || kept ? EXIT.failures : EXIT.done
    case 'interrupted':
      return EXIT.interrupted
    case 'stopped':
      return EXIT.stopped
  }
}
