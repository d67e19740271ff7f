import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { readCheckpoint, saveCheckpoint } from '../../checkpoint/checkpoint-file.js'
import type { WriteCheckpoint } from '../../checkpoint/checkpoint.js'
import { inventoryOf, type WriteJob } from '../../job/kinds.js'
import { count, duration, objects } from '../../report/format.js'
import { entryNeedsOf } from '../../sources/files-from/files-from-source.js'
import {
  findSorted,
  removeSorted,
  sortInventory,
  type SortedInventory,
} from '../../sources/files-from/sorted-inventory.js'
import type { DataFiles } from '../../storage/data-files.js'
import { Interrupted, type CommandIo } from '../options/io.js'
import type { Opened } from './open-and-run.js'

/** What is needed to sort the inventory of a job, where it has one. */
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
 * Does the work on a run, the inventory of which, if it has one, was sorted into its folder: by an earlier session, or before the work. From the start of
 * sorting on the run can be resumed. The file is removed once the run is finished.
 */
export async function withSortedSource<T>(
  options: SourceOfRun,
  work: (opened: Opened, checkpoint: WriteCheckpoint) => Promise<T>,
): Promise<T> {
  const { checkpoint, opened, resumed, onlyFailed } = options
  const { job, ranges } = checkpoint
  if (inventoryOf(job) === undefined || ranges.length === 0 || onlyFailed === true)
    return await work(opened, checkpoint)
  const folder = resolve(options.folder)
  // What an earlier run has left is of another inventory.
  if (!resumed) await removeSorted(folder)
  if (!resumed) await saveCheckpoint(folder, checkpoint)
  const found = resumed ? await findSorted(folder) : undefined
  const source = found ?? (await sorted(job, folder, options))
  const answer = await work(listingBy(opened, source), { ...checkpoint, passedOver: source.passedOver })
  if ((await readCheckpoint(folder)).checkpoint.state === 'finished') await removeSorted(folder)
  return answer
}

/** The same for work that keeps nothing, as a dry run: sorted in a folder for temporary files, unless that of the run has it. */
export async function withSourceSortedAside<T>(
  job: WriteJob,
  options: SourceOptions & { readonly folder?: string },
  work: (opened: Opened) => Promise<T>,
): Promise<T> {
  const { opened } = options
  if (inventoryOf(job) === undefined) return await work(opened)
  const found = options.folder === undefined ? undefined : await findSorted(resolve(options.folder))
  if (found !== undefined) return await work(listingBy(opened, found))
  const folder = await mkdtemp(join(tmpdir(), 's3move-'))
  try {
    return await work(listingBy(opened, await sorted(job, folder, options)))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function listingBy(opened: Opened, { listing }: SortedInventory): Opened {
  const { ends } = opened
  return { ...opened, ends: { ...ends, settings: { ...ends.settings, sourceListing: listing } } }
}

/** A person is told at such intervals, in milliseconds. */
const INTERVAL = 10_000

async function sorted(job: WriteJob, folder: string, { files, tell, io }: SourceOptions): Promise<SortedInventory> {
  const list = inventoryOf(job)
  if (list === undefined) throw new Error('there is no inventory to sort')
  let read = 0
  const began = performance.now()
  const telling = setInterval(() => tell(`sorting the inventory: ${count(read)} objects so far`), INTERVAL)
  try {
    const source = await sortInventory({
      ...{ list, wanted: entryNeedsOf(job, await files()), folder, stop: io.stop },
      progress: (objects) => (read = objects),
    })
    if (source === undefined) throw new Interrupted('interrupted')
    tell(`sorted ${objects(source.objects)} of the inventory in ${duration(performance.now() - began)}`)
    return source
  } finally {
    clearInterval(telling)
  }
}
