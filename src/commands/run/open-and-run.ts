import { availableParallelism } from 'node:os'
import type { ListState, WriteCheckpoint } from '../../checkpoint/checkpoint.js'
import { shownFolder } from '../../checkpoint/mounts.js'
import { runSession, type SessionEnd } from '../../engine/session/write-session.js'
import type { Connection } from '../../job/connection.js'
import { deferredDeletesOf, givenStorageClass, listFileOf, onlyDeletes, type WriteJob } from '../../job/kinds.js'
import { settingsAt, type Pace } from '../../job/pace.js'
import type { FolderIdentity, Place } from '../../job/place.js'
import type { Progress } from '../../report/progress.js'
import { claimsAtMost } from '../../sources/files-from/list-progress.js'
import type { StoredFiles } from '../../storage/backend.js'
import { openEnds, type OpenStores, type StoreNeeds, type Updates } from '../../storage/open.js'
import { sharedTurns } from '../../engine/actions/name-locks.js'
import { startThreads, type IdleThreads } from '../../engine/workers/thread-pool.js'
import { onlyUpdatesEncryption, updatedKeyOf } from '../../job/set-encryption.js'
import { isSetTags } from '../../job/set-tags.js'
import { tellUnlessQuiet } from './attended.js'
import { takePaceFromPage } from './change-pace.js'
import type { Example } from './example.js'
import { hostsFor, openFleet, type HostsNote, type OpenFleet } from './fleet.js'
import { spendingOf } from './spending.js'
import type { FleetAsked } from '../options/fleet-options.js'
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
  /** Where hosts are that may help. */
  readonly fleet: OpenFleet | undefined
  readonly drain: AbortController
  close(): void
}

/** Settings of `open`. */
export interface OpenSettings {
  readonly readOnly: boolean
  readonly updates?: Updates | undefined
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
  readonly listFiles?: StoredFiles | undefined
  readonly fleet?: FleetAsked | undefined
}

/**
 * Reaches the ends of a job, and meanwhile starts threads. What is wrong with the ends is a `UserError`; a stop ends it at once,
 * as `Interrupted`.
 */
export async function open(
  { source, destination }: { readonly source: Place; readonly destination?: Place },
  connection: Connection,
  { threads, io, pace, listFiles, fleet: wanted, ...asked }: OpenSettings,
): Promise<Opened> {
  const drain = new AbortController()
  if (io.stop.aborted) drain.abort()
  else io.stop.addEventListener('abort', () => drain.abort(), { once: true })
  const hands = startThreads(threads)
  let fleet: OpenFleet | undefined
  try {
    const settings = settingsAt(pace, { threads, nameLocks: sharedTurns(), adjustable: io.onPace !== undefined })
    const options = { ...asked, source, destination, connection, settings, giveUp: drain.signal }
    fleet = wanted === undefined ? undefined : await unless(io.stop, openFleet(wanted, io))
    const ends = { ...(await unless(io.stop, openEnds(options))), listFiles }
    const close = (): void => {
      hands.close()
      ends.close()
      fleet?.close()
    }
    return { ends, hands, fleet, drain, close }
  } catch (error) {
    hands.close()
    fleet?.close()
    throw error
  }
}

/** What `openToResume` needs. */
interface ResumeSettings extends Pick<
  OpenSettings,
  'io' | 'pace' | 'listFiles' | 'customerKeys' | 'sourceFolder' | 'fleet'
> {
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
    updates: updatesIn(job),
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
  const storageClass = givenStorageClass(job)
  const { checksumAlgorithm, tagging } = 'attributes' in job ? job.attributes : {}
  return [
    ...(storageClass === undefined
      ? []
      : [{ flag: '--storage-class', fields: [['x-amz-storage-class', storageClass] as const] }]),
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

/** What a job changes without a copy. */
export function updatesIn(job: WriteJob): Updates | undefined {
  if (isSetTags(job)) return 'tags'
  const kmsKeyArn = updatedKeyOf(job)
  return kmsKeyArn === undefined ? undefined : { kmsKeyArn, only: onlyUpdatesEncryption(job) }
}

/** Tells notes as information, and warnings as such. */
export function noting(progress: Progress): Pick<OpenSettings, 'note' | 'warn'> {
  return {
    note: (message) => progress.event({ type: 'note', level: 'info', message }),
    warn: (message) => progress.event({ type: 'note', level: 'warning', message }),
  }
}

function noteTo(progress: Progress): HostsNote {
  return (level, message) => progress.event({ type: 'note', level, message })
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
  takePaceFromPage(opened, io, (message) => tellUnlessQuiet(message, options))
  const hosts = hostsFor(job, { opened, folder, pace, cwd: io.cwd, note: noteTo(progress) })
  progress.event({ type: 'start', job, checkpoint: shownFolder(folder), resumed, pace })
  if (example !== undefined) progress.event({ type: 'example', ...example })
  const ended = await runSession({
    folder,
    checkpoint,
    ends: opened.ends,
    crew: opened.hands.crew(opened.ends, hosts),
    onlyFailed,
    codes,
    drain: opened.drain,
    abandon: io.abandon,
    emit: (event) => progress.event(event),
    exitCodeOf,
    verbose: telling.verbose,
    busiest: telling.progress === 'full',
    watched: io.begun !== undefined,
    spentOf,
  })
  await hosts?.ended()
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
