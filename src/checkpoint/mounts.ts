import { placeUrl, type Place } from '../job/place.js'
import { PIECES } from './bucket-record.js'
import type { Checkpoint } from './checkpoint.js'
import type { Holder } from './lock-holder.js'

/** What a folder of this machine stands for, where its run is kept in a bucket. */
export interface Mount {
  readonly place: Place
  /** Milliseconds from one save to the next. */
  readonly interval: number
  /** Takes the lock there, and brings what was saved to the folder. Throws as `lockRun` does. */
  lock(): Promise<{ release(): Promise<void> }>
  /** Who holds it, as far as was seen last. */
  holder(): Holder | undefined
  /** Brings there what a checkpoint counts on, and then the checkpoint. A CheckpointError where that fails, or it is held by somebody else. */
  save(checkpoint: Checkpoint, text: string): Promise<void>
}

/*
 * A run is kept in a folder, and all that reads and writes there knows it by its path. One that is kept in a bucket has a folder too, for the time of one command.
 * Which folder that is, is known here and nowhere else, as an operating system knows what is mounted where.
 */
const MOUNTED = new Map<string, Mount>()

/** From now on a folder stands for what is kept in a bucket. Answers what ends that. */
export function mount(folder: string, kept: Mount): () => void {
  MOUNTED.set(folder, kept)
  return () => void MOUNTED.delete(folder)
}

/** What a folder stands for, if it does for something else. */
export function mountedAt(folder: string): Mount | undefined {
  return MOUNTED.get(folder)
}

/** The folder of a run as people know it: its path, or the URL of what it stands for. */
export function shownFolder(folder: string): string {
  const mounted = mountedAt(folder)
  return mounted === undefined ? folder : placeUrl(mounted.place)
}

/** The same of a ledger: its path, or the URL below which its pieces are. */
export function shownLedger(path: string): string {
  for (const [folder, { place }] of MOUNTED)
    if (path.startsWith(`${folder}/`)) return `${placeUrl(place)}${PIECES}${path.slice(folder.length + 1)}/`
  return path
}
