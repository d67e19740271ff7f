import { constants, type Stats } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { attributesIn, isSameStamp, type StoredAttributes } from './attributes.js'
import { AttributesIndexes } from './attributes-indexes.js'
import { isMissing, syncFolder, systemCode, unlessMissing } from '../../file-system.js'
import { close, fstat, lstat, mkdir, openFile, rename, rmdir } from './calls.js'
import type { OpenedFolder } from './open-folder.js'
import { isStill } from './identity.js'
import { folderGone, notFollowed, type Asked } from './storage-errors.js'
import { ASIDE, isStorable, OURS, nameOf, parentOf, pathOf, type Names } from './names.js'

/** Where the attributes are, as a tree of the same folders. */
const ATTRIBUTES = `${OURS}/attributes`

/** How the file of the attributes of an object ended in the first format, which no folder does. */
export const ATTRIBUTES_SUFFIX = '%.json'

// A FIFO that has come to be in the place of a file must not be waited for.
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** Most folders that are remembered as folders. */
const MOST_KNOWN = 20_000

/** An object on the disk. */
interface Found {
  /** Absolute. */
  readonly path: string
  readonly stats: Stats
}

/**
 * The files below a folder. No symbolic link below it is followed: a folder is looked at before it is first used. One that is put in the
 * place of a folder while the tree is in use is not noticed before something fails there.
 *
 * An object is in the file of its path or, when that is or was a folder, in the one beside it that ends in `%object`. When both are files the first one counts:
 * an object makes room only for a folder, so what came to be in its place is newer. It is written where it was found, and so stays in one place.
 */
export class Tree {
  /** Folders that are there, and whose names would outlast a power cut. */
  private readonly known = new Set<string>()
  /** Paths that are no symbolic links, nor on the other side of one. */
  private readonly seen = new Set<string>()
  private readonly making = new Map<string, Promise<void>>()
  private readonly indexes = new AttributesIndexes()
  private readonly syncs = new Map<string, { running: Promise<void>; next?: Promise<void> }>()

  /** Absolute, without symbolic links. */
  readonly root: string
  readonly names: Names
  private readonly absent: boolean

  constructor(private readonly opened: OpenedFolder) {
    this.root = opened.root
    this.names = opened.names
    this.absent = opened.absent === true
  }

  absolute(path: string): string {
    return path === '' ? this.root : `${this.root}/${path}`
  }

  /** Where the attributes of the objects in a folder are; both are relative. */
  attributesFolder(folder: string): string {
    return folder === '' ? ATTRIBUTES : `${ATTRIBUTES}/${folder}`
  }

  /** Where those of the object at `path` were in the first format; both are relative. */
  attributesPath(path: string): string {
    return `${ATTRIBUTES}/${path}${ATTRIBUTES_SUFFIX}`
  }

  /** Where an object is now; undefined if it is not there. */
  async find(key: string, asked: Asked): Promise<Found | undefined> {
    const found = await this.look(key, asked)
    if (found === undefined) await this.nothing(asked)
    return found
  }

  /** Where an object is, as far as the root is still there: that is to be asked of `nothing`. */
  async look(key: string, asked: Asked): Promise<Found | undefined> {
    if (!isStorable(key, this.names)) return undefined
    const relative = pathOf(key, this.names)
    if (!(await this.check(parentOf(relative), asked))) return undefined
    const path = this.absolute(relative)
    const places = this.names === 'literal' ? [path] : [path, path + ASIDE]
    for (const place of places) {
      const stats = await lstat(place)
      if (stats?.isFile() === true) return { path: place, stats }
      if (stats !== undefined && !stats.isDirectory()) throw notFollowed(asked)
    }
    return undefined
  }

  /** Opens an object for reading; undefined if it is not there. */
  async open(key: string, asked: Asked): Promise<{ readonly file: number; readonly stats: Stats } | undefined> {
    // What is found may have to make room before it is opened, and is then found elsewhere.
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const found = await this.find(key, asked)
      if (found === undefined) return undefined
      try {
        const file = await openFile(found.path, READ)
        const stats = await fstat(file)
        if (stats.isFile()) return { file, stats }
        await close(file)
        throw notFollowed(asked)
      } catch (error) {
        if (systemCode(error) === 'ELOOP') throw notFollowed(asked)
        if (systemCode(error) !== 'ENOENT') throw error
      }
    }
    return undefined
  }

  /** The attributes of the content with these stats, if there are any. `others` is told when there are those of another content only. */
  async attributes(
    key: string,
    { size, mtimeMs }: Stats,
    asked: Asked,
    others?: () => void,
  ): Promise<StoredAttributes | undefined> {
    if (this.names === 'literal') return undefined
    const path = pathOf(key, this.names)
    const folder = this.attributesFolder(parentOf(path))
    if (!(await this.check(folder, asked))) return undefined
    const content = { size, modified: mtimeMs }
    const logged = await this.indexes.of(this.absolute(folder)).of(nameOf(path), content)
    if (typeof logged === 'object') return logged
    const alone = logged === 'none' ? undefined : await this.attributesAlone(path)
    if (alone !== undefined && isSameStamp(alone, content)) return alone
    if (logged === 'other' || alone !== undefined) others?.()
    return undefined
  }

  // As the first format had them.
  private async attributesAlone(path: string): Promise<StoredAttributes | undefined> {
    const file = this.absolute(this.attributesPath(path))
    if ((await lstat(file)) === undefined) return undefined
    const text = await unlessMissing(readFile(file, { encoding: 'latin1', flag: READ }))
    return text === undefined ? undefined : attributesIn(text)
  }

  /** Throws unless the root is still the folder that was opened: an unmounted disk must not look like one without objects. */
  async nothing(asked: Asked): Promise<undefined> {
    if (this.absent || (await isStill(this.root, this.opened))) return undefined
    throw folderGone(asked)
  }

  /** Whether a folder is there; throws when a symbolic link is on its path. */
  async check(folder: string, asked: Asked): Promise<boolean> {
    if (folder === '' || this.known.has(folder) || this.seen.has(folder)) return true
    if (!(await this.check(parentOf(folder), asked))) return false
    const stats = await lstat(this.absolute(folder))
    if (stats === undefined || stats.isFile()) return false
    if (!stats.isDirectory()) throw notFollowed(asked)
    remember(this.seen, folder)
    return true
  }

  /** Makes a folder and those above it; an object in the way is put aside. Resolves once their names would outlast a power cut. */
  async make(folder: string, asked: Asked): Promise<void> {
    if (folder === '' || this.known.has(folder)) return
    let making = this.making.get(folder)
    if (making === undefined) {
      making = this.makeOne(folder, asked).finally(() => this.making.delete(folder))
      this.making.set(folder, making)
    }
    await making
  }

  private async makeOne(folder: string, asked: Asked): Promise<void> {
    const path = this.absolute(folder)
    for (let tries = 0; ; tries++) {
      await this.make(parentOf(folder), asked)
      try {
        await mkdir(path)
        break
      } catch (error) {
        const code = systemCode(error)
        if (tries >= MOST_TRIES || (code !== 'EEXIST' && !isMissing(error))) throw error
        if (code !== 'EEXIST') {
          await this.nothing(asked)
          this.forget(parentOf(folder))
          continue
        }
      }
      const stats = await lstat(path)
      if (stats?.isDirectory() === true) break
      if (stats === undefined) continue
      if (!stats.isFile()) throw notFollowed(asked)
      await putAside(path)
    }
    await this.sync(parentOf(folder))
    remember(this.known, folder)
  }

  /** Folders at or above `folder` may be gone. */
  forget(folder: string): void {
    for (let path = folder; path !== ''; path = parentOf(path)) {
      this.known.delete(path)
      this.seen.delete(path)
    }
  }

  /** Removes folders that are empty, from `folder` upwards, though never the root or what is ours. Answers the first that stays. */
  async prune(folder: string): Promise<string> {
    let path = folder
    for (; path !== '' && path !== OURS && path !== ATTRIBUTES; path = parentOf(path)) {
      this.known.delete(path)
      this.seen.delete(path)
      try {
        await rmdir(this.absolute(path))
      } catch (error) {
        const code = systemCode(error) ?? ''
        if (isMissing(error)) continue
        if (FULL.has(code)) break
        throw error
      }
    }
    return path
  }

  /** Resolves once the names in a folder would outlast a power cut. A sync that begins after the call serves all who wait for one. */
  sync(folder: string): Promise<void> {
    const current = this.syncs.get(folder)
    if (current === undefined) return this.startSync(folder)
    // The one that runs may have passed what was just done.
    current.next ??= current.running.then(
      () => this.startSync(folder),
      () => this.startSync(folder),
    )
    return current.next
  }

  private startSync(folder: string): Promise<void> {
    const entry: { running: Promise<void>; next?: Promise<void> } = { running: syncFolder(this.absolute(folder)) }
    this.syncs.set(folder, entry)
    entry.running = entry.running.finally(() => {
      if (entry.next === undefined) this.syncs.delete(folder)
    })
    return entry.running
  }
}

// An object makes room for a folder of its name. Another one may have done so since, and made the folder, which cannot replace a file.
async function putAside(path: string): Promise<void> {
  try {
    await rename(path, path + ASIDE)
  } catch (error) {
    if (!MADE_ROOM.has(systemCode(error) ?? '')) throw error
  }
}

const MADE_ROOM = new Set(['ENOENT', 'ENOTDIR', 'EEXIST', 'EPERM'])

function remember(folders: Set<string>, folder: string): void {
  if (folders.size >= MOST_KNOWN) folders.clear()
  folders.add(folder)
}

/** How often something is tried again that others come in between of. */
export const MOST_TRIES = 100

const FULL = new Set(['ENOTEMPTY', 'EEXIST', 'EACCES', 'EPERM', 'EBUSY', 'EROFS'])
