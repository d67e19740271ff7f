import type { Asked } from './storage-errors.js'
import { readFolder, type FolderContent } from './folder.js'
import { lstat } from './calls.js'
import { changedAt, isSettled } from './files.js'
import type { Tree } from './tree.js'

/** A folder as it was when it was read. */
export interface FolderSnapshot extends FolderContent {
  /** Keys at which pages ended: a scan that goes on there sees the folder as it was when the scan came to it. */
  readonly ends: Set<string>
  /** Whether a change since would show in the times of the folders. */
  readonly settled: boolean
}

/** Most names that are kept, beside those of the folder that was read last. */
const MOST_NAMES = 300_000

/**
 * What is in the folders of a tree, read when it is needed, and again when it has changed: else each page of a large folder would read all of
 * it.
 */
export class Snapshots {
  /** By prefix, the one that was read last at the end. */
  private readonly kept = new Map<string, FolderSnapshot>()
  private readonly reading = new Map<string, Promise<FolderSnapshot | undefined>>()
  private total = 0

  constructor(private readonly tree: Tree) {}

  /** The folder of the keys that begin with `prefix`; undefined if there is none. `after` is the key behind which a listing goes on. */
  async of(prefix: string, after: string | undefined, asked: Asked): Promise<FolderSnapshot | undefined> {
    const before = this.kept.get(prefix)
    if (before !== undefined && ((after !== undefined && before.ends.delete(after)) || (await isCurrent(before)))) {
      return before
    }
    let reading = this.reading.get(prefix)
    if (reading === undefined) {
      reading = this.read(prefix, asked).finally(() => this.reading.delete(prefix))
      this.reading.set(prefix, reading)
    }
    return await reading
  }

  private async read(prefix: string, asked: Asked): Promise<FolderSnapshot | undefined> {
    const began = Date.now()
    const content = await readFolder(this.tree, prefix, asked)
    this.drop(prefix)
    if (content === undefined) return undefined
    const latest = Math.max(...content.folders.map(([, changed]) => changed))
    const snapshot = { ...content, ends: new Set<string>(), settled: isSettled(latest, began) }
    for (const other of this.kept.keys()) {
      if (this.total <= MOST_NAMES) break
      this.drop(other)
    }
    this.kept.set(prefix, snapshot)
    this.total += weightOf(snapshot)
    return snapshot
  }

  private drop(prefix: string): void {
    const snapshot = this.kept.get(prefix)
    if (snapshot === undefined) return
    this.kept.delete(prefix)
    this.total -= weightOf(snapshot)
  }
}

// An empty folder takes memory too.
function weightOf({ names, folders }: FolderSnapshot): number {
  return names.length + 10 * folders.length
}

async function isCurrent({ settled, folders }: FolderSnapshot): Promise<boolean> {
  if (!settled) return false
  for (const [path, changed] of folders) {
    const stats = await lstat(path)
    if (stats?.isDirectory() !== true || changedAt(stats) !== changed) return false
  }
  return true
}
