import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { readCheckpoint, saveCheckpoint } from '../../checkpoint/checkpoint-file.js'
import type { Checkpoint, ScanCheckpoint, WriteCheckpoint } from '../../checkpoint/checkpoint.js'
import { stopReason } from '../../engine/session/stop-reason.js'
import { StoppedError, StorageError } from '../../errors.js'
import { inventoryOf, isScanJob, unorderedSidesOf, type Job, type WriteJob } from '../../job/kinds.js'
import type { PassedOver } from '../../job/passed-over.js'
import type { Side } from '../../job/place.js'
import { printable } from '../../keys.js'
import { count, duration, objects } from '../../report/format.js'
import { entryNeedsOf } from '../../sources/files-from/files-from-source.js'
import {
  findSorted,
  removeSorted,
  sortInventory,
  sortListing,
  type SortedInventory,
  type SortedOf,
} from '../../sources/files-from/sorted-inventory.js'
import type { DataFiles } from '../../storage/data-files.js'
import { Interrupted, type CommandIo } from '../options/io.js'
import type { Opened } from './open-and-run.js'

/** What is needed to sort what a job lists in no order: its inventory, and sides that are directory buckets. */
export interface SourceOptions {
  readonly opened: Opened
  /** Opens the files of the inventory, where it is in a bucket; they are closed by who opened them. */
  readonly files: () => Promise<DataFiles | undefined>
  /** Tells a person how far it is. */
  readonly tell: (message: string) => void
  readonly io: Pick<CommandIo, 'stop'>
}

/** A run in its folder, whose lock is held. */
export interface SourceOfRun extends SourceOptions {
  readonly folder: string
  readonly checkpoint: WriteCheckpoint
  readonly resumed: boolean
  /** What failed is tried again, and nothing listed. */
  readonly onlyFailed?: boolean
}

/**
 * Does the work on a run, of which what has no order was sorted into its folder: by an earlier session, or before the work. From the start of
 * sorting on the run can be resumed. The files are removed once the run is finished.
 */
export async function withSortedSource<T>(
  options: SourceOfRun,
  work: (opened: Opened, checkpoint: WriteCheckpoint) => Promise<T>,
): Promise<T> {
  const { checkpoint, resumed, onlyFailed } = options
  const { job, ranges } = checkpoint
  if (sortedOf(job).length === 0 || ranges.length === 0 || onlyFailed === true)
    return await work(options.opened, checkpoint)
  const folder = resolve(options.folder)
  if (!resumed) await begun(folder, checkpoint)
  const { opened, passedOver } = await allSorted(job, folder, { ...options, found: resumed })
  const answer = await work(opened, { ...checkpoint, ...(passedOver === undefined ? {} : { passedOver }) })
  await removeOnceFinished(folder, job)
  return answer
}

/** The same for a job that only reads. Without a folder of its own what is sorted is in one for temporary files. */
export async function withSortedSides<T>(
  checkpoint: ScanCheckpoint,
  options: Omit<SourceOptions, 'files'> & { readonly folder: string | undefined; readonly resumed: boolean },
  work: (opened: Opened) => Promise<T>,
): Promise<T> {
  const { job, ranges } = checkpoint
  if (sortedOf(job).length === 0 || ranges.length === 0) return await work(options.opened)
  const all = { ...options, files: () => Promise.resolve(undefined) }
  if (options.folder === undefined) return await aside(job, all, work)
  const folder = resolve(options.folder)
  if (!options.resumed) await begun(folder, checkpoint)
  const { opened } = await allSorted(job, folder, { ...all, found: options.resumed })
  const answer = await work(opened)
  await removeOnceFinished(folder, job)
  return answer
}

/** The same for work that keeps nothing, as a dry run: sorted in a folder for temporary files, unless that of the run has it. */
export async function withSourceSortedAside<T>(
  job: WriteJob,
  options: SourceOptions & { readonly folder?: string },
  work: (opened: Opened) => Promise<T>,
): Promise<T> {
  if (sortedOf(job).length === 0) return await work(options.opened)
  if (options.folder !== undefined) {
    const found = await allFound(job, resolve(options.folder), options.opened)
    if (found !== undefined) return await work(found)
  }
  return await aside(job, options, work)
}

// What of a job has no order, and is sorted before it begins.
function sortedOf(job: Job): readonly SortedOf[] {
  return [...(inventoryOf(job) === undefined ? [] : (['inventory'] as const)), ...unorderedSidesOf(job)]
}

// What an earlier run has left is of another one.
async function begun(folder: string, checkpoint: Checkpoint): Promise<void> {
  for (const of of sortedOf(checkpoint.job)) await removeSorted(folder, of)
  await saveCheckpoint(folder, checkpoint)
}

async function removeOnceFinished(folder: string, job: Job): Promise<void> {
  if ((await readCheckpoint(folder)).checkpoint.state !== 'finished') return
  for (const of of sortedOf(job)) await removeSorted(folder, of)
}

async function aside<T>(job: Job, options: SourceOptions, work: (opened: Opened) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 's3move-'))
  try {
    const { opened } = await allSorted(job, folder, { ...options, found: false })
    return await work(opened)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

interface AllSorted {
  readonly opened: Opened
  /** Of the inventory, where there is one. */
  readonly passedOver?: PassedOver
}

// One after the other: each may take all of the memory that sorting is given. What is found whole in the folder is taken as it is.
async function allSorted(
  job: Job,
  folder: string,
  { found, ...options }: SourceOptions & { readonly found: boolean },
): Promise<AllSorted> {
  let all: AllSorted = options
  for (const of of sortedOf(job)) {
    const before = found ? await findSorted(folder, of) : undefined
    const source = before ?? (await (of === 'inventory' ? sorted(job, folder, options) : listed(of, folder, options)))
    all = {
      ...(of === 'inventory' ? { passedOver: source.passedOver } : all),
      opened: listingBy(all.opened, of, source),
    }
  }
  return all
}

async function allFound(job: Job, folder: string, opened: Opened): Promise<Opened | undefined> {
  let all = opened
  for (const of of sortedOf(job)) {
    const found = await findSorted(folder, of)
    if (found === undefined) return undefined
    all = listingBy(all, of, found)
  }
  return all
}

function listingBy(opened: Opened, of: SortedOf, { listing }: SortedInventory): Opened {
  const { ends } = opened
  const side = of === 'destination' ? { destinationListing: listing } : { sourceListing: listing }
  return { ...opened, ends: { ...ends, settings: { ...ends.settings, ...side } } }
}

/** A person is told at such intervals, in milliseconds. */
const INTERVAL = 10_000

async function sorted(job: Job, folder: string, { files, ...telling }: SourceOptions): Promise<SortedInventory> {
  const list = inventoryOf(job)
  if (list === undefined || isScanJob(job)) throw new Error('there is no inventory to sort')
  const wanted = entryNeedsOf(job, await files())
  return await told(telling, ['sorting the inventory', 'of the inventory'], (progress) =>
    sortInventory({ list, wanted, folder, stop: telling.io.stop, progress }),
  )
}

// A page of it is a request, each of which says where the next one goes on: there is nothing to be done at once.
async function listed(side: Side, folder: string, options: SourceOptions): Promise<SortedInventory> {
  const { opened, io } = options
  const store = opened.ends[side]?.store
  if (store === undefined) throw new Error(`there is no ${side} to list`)
  const { bucket } = store.place
  return await told(
    options,
    [`listing ${printable(bucket)}, which has no order`, `of ${printable(bucket)}`],
    (progress) => explained(() => sortListing({ store, side, folder, stop: io.stop, progress })),
  )
}

async function told(
  { tell, io }: Pick<SourceOptions, 'tell' | 'io'>,
  [doing, of]: readonly [string, string],
  work: (progress: (objects: number) => void) => Promise<SortedInventory | undefined>,
): Promise<SortedInventory> {
  let read = 0
  const began = performance.now()
  const telling = setInterval(() => tell(`${doing}: ${count(read)} objects so far`), INTERVAL)
  try {
    const source = await work((objects) => (read = objects))
    if (source === undefined || io.stop.aborted) throw new Interrupted('interrupted')
    tell(`sorted ${objects(source.objects)} ${of} in ${duration(performance.now() - began)}`)
    return source
  } finally {
    clearInterval(telling)
  }
}

// What ends a listing ends the command, and the run can be resumed.
async function explained<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    const { reason, hint } = stopReason(error)
    throw new StoppedError(reason, hint)
  }
}
