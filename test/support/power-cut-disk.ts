import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** A file, as it is and as it would be after a power cut. */
interface Inode {
  data: Buffer
  ms: number
  synced: { readonly data: Buffer; readonly ms: number }
}

type Left = 'folder' | { readonly data: Buffer; readonly ms: number }

/** What a power cut leaves, but for the changes of names of which nobody knows whether they were made. */
export interface Leftover {
  readonly synced: ReadonlyMap<string, Left>
  readonly pending: readonly (readonly [path: string, now: Left | undefined])[]
}

type Names = Map<string, Inode | 'folder'>

/**
 * What a disk would hold after a power cut: of each file what was synced last, and of the names in a folder those of its last sync and, as the system may write
 * them earlier, any of the changes since. It is told what is done (paths absolute), and nothing else than that is in it.
 */
export class PowerCutDisk {
  private readonly names: Names = new Map()
  private readonly synced: Names = new Map()
  private readonly open = new Map<number, Inode>()
  /** Changes of names that were not synced: each the path and what is there since. */
  private pending: (readonly [path: string, now: Inode | 'folder' | undefined])[] = []

  /** Takes over a folder and all in it, as synced. */
  async take(folder: string): Promise<void> {
    for (const map of [this.names, this.synced]) map.set(folder, 'folder')
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name)
      const now = entry.isDirectory() ? 'folder' : inode(await readFile(path), (await stat(path)).mtimeMs)
      for (const map of [this.names, this.synced]) map.set(path, now)
    }
  }

  opened(file: number, path: string, isNew: boolean): void {
    if (isNew) this.change(path, inode(Buffer.alloc(0), 0, Buffer.alloc(0)))
    const found = this.names.get(path)
    if (found !== undefined && found !== 'folder') this.open.set(file, found)
  }

  written(file: number, bytes: Uint8Array, position: number): void {
    const found = this.open.get(file)!
    const data = Buffer.alloc(Math.max(found.data.length, position + bytes.length))
    found.data.copy(data)
    data.set(bytes, position)
    found.data = data
  }

  timed(file: number, ms: number): void {
    this.open.get(file)!.ms = ms
  }

  fileSynced(file: number): void {
    const found = this.open.get(file)
    if (found !== undefined) found.synced = { data: found.data, ms: found.ms }
  }

  folderSynced(folder: string): void {
    this.pending = this.pending.filter(([path, now]) => {
      if (dirname(path) !== folder) return true
      put(this.synced, path, now)
      return false
    })
  }

  closed(file: number): void {
    this.open.delete(file)
  }

  renamed(from: string, to: string): void {
    const found = this.names.get(from)
    this.change(to, found)
    this.change(from, undefined)
  }

  linked(from: string, to: string): void {
    this.change(to, this.names.get(from))
  }

  removed(path: string): void {
    this.change(path, undefined)
  }

  made(path: string): void {
    this.change(path, 'folder')
  }

  /** What would be left by a power cut now. */
  left(): Leftover {
    const asSynced = (now: Inode | 'folder' | undefined): Left | undefined =>
      now === undefined || now === 'folder' ? now : now.synced
    return {
      synced: new Map([...this.synced].flatMap(([path, now]) => [[path, asSynced(now) ?? 'folder'] as const])),
      pending: this.pending.map(([path, now]) => [path, asSynced(now)] as const),
    }
  }

  private change(path: string, now: Inode | 'folder' | undefined): void {
    put(this.names, path, now)
    this.pending.push([path, now])
  }
}

function put(names: Names, path: string, now: Inode | 'folder' | undefined): void {
  if (now === undefined) names.delete(path)
  else names.set(path, now)
}

function inode(data: Buffer, ms: number, synced = data): Inode {
  return { data, ms, synced: { data: synced, ms } }
}

/** Makes another folder as `folder` would be after a power cut; `happens` says whether a change of names that was not synced was made all the same. */
export async function restore(left: Leftover, folder: string, to: string, happens: () => boolean): Promise<void> {
  const names = new Map(left.synced)
  for (const [path, now] of left.pending) {
    if (!happens()) continue
    if (now === undefined) names.delete(path)
    else names.set(path, now)
  }
  for (const [path, found] of [...names].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const target = to + path.slice(folder.length)
    // What is in a folder that is not there is lost with it.
    if ((await stat(dirname(target)).catch(() => undefined))?.isDirectory() !== true) continue
    if (found === 'folder') await mkdir(target, { recursive: true })
    else {
      await writeFile(target, found.data)
      await utimes(target, found.ms / 1000, found.ms / 1000)
    }
  }
}
