import { constants } from 'node:fs'
import { access, mkdir, readFile, realpath, rename } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { UserError } from '../../errors.js'
import { placeUrl, type FolderIdentity } from '../../job/place.js'
import { printable } from '../../keys.js'
import { newFile, syncFolder, systemCode, unlessMissing } from '../../file-system.js'
import { isEmpty, isOne, isStill, numbersOf } from './identity.js'
import { MARKER, OURS, type Names } from './names.js'
import { probe } from './name-rules.js'
import { removeLeftovers, TEMPORARY_FOLDER, temporaryName } from './temporary.js'
import { lstat } from './calls.js'

/** What this program writes. It still reads the first one, which had the attributes of each object in a file of their own. */
const FORMAT = 2

/** What a folder of ours says of itself. */
interface Marker {
  readonly format: number
  readonly names: Exclude<Names, 'literal'>
}

/** A folder whose names are understood. Plain data, to be sent between threads. */
export interface OpenedFolder extends FolderIdentity {
  /** Absolute, without symbolic links. */
  readonly root: string
  /** It is not there, or not made ready, and is taken for an empty one. */
  readonly absent?: boolean
  /** What is no object is listed with the others, and is not passed over. */
  readonly strays?: boolean | undefined
}

/** What is known of a folder that is to be read. */
interface OpenFolderOptions {
  readonly mayBeWritten?: boolean
  /** Which one it was before, to the same run, which may have `emptied` it since. */
  readonly before?: FolderIdentity | undefined
  readonly emptied?: boolean
}

/**
 * Looks at a folder that is to be read. Throws a UserError when a later s3move has written it, when it is not there, or when it is not the one that it
 * was `before`: its disk may not be mounted. One that `mayBeWritten` later need not be there yet.
 */
export async function openFolder(
  folder: string,
  { mayBeWritten = false, before, emptied = false }: OpenFolderOptions = {},
): Promise<OpenedFolder> {
  return await explained(folder, async () => {
    const root = await unlessMissing(realpath(folder))
    if (before !== undefined && (root === undefined || !(await isTheOne(root, before, emptied)))) {
      throw new UserError(
        `the folder ${printable(folder)}, which this run reads, is gone or another one`,
        'check whether its disk is mounted; if it is the right one all the same, begin anew (sync copies only what is missing)',
      )
    }
    if (root === undefined && mayBeWritten) return { root: folder, ...NOWHERE }
    if (root === undefined) throw new UserError(`the folder ${printable(folder)} does not exist`, 'check its path')
    const numbers = await numbersOf(root)
    if (numbers === undefined) throw new UserError(`${printable(folder)} is no folder`, 'name a folder')
    await checkAbove(root)
    const names = (await readMarker(root))?.names
    if (names === undefined && mayBeWritten && (await isEmpty(root))) return { root, ...NOWHERE }
    return { root, names: names ?? 'literal', ...numbers }
  })
}

/** What is not there has no numbers. */
const NOWHERE = { names: 'exact', device: '', inode: '', absent: true } as const

async function isTheOne(root: string, before: FolderIdentity, emptied: boolean): Promise<boolean> {
  if (!(await isStill(root, before)) || ((await readMarker(root))?.names ?? 'literal') !== before.names) return false
  // The numbers of one disk may be those of another, and mostly are in a container.
  return before.names !== 'literal' || emptied || !(await isEmpty(root))
}

/**
 * Makes a folder ready to be written to. One that is not there or empty becomes ours; in any other names may mean something else, and it is
 * refused with a UserError, as is one that is not ours though it was written to before (`again`): its disk may not be mounted. What killed processes
 * left unfinished is removed.
 */
export async function openFolderToWrite(
  folder: string,
  { again = false }: { readonly again?: boolean } = {},
): Promise<OpenedFolder> {
  return await explained(folder, async () => {
    const future = await realPathOf(folder)
    await checkAbove(future)
    if (again && (await readMarker(future)) === undefined) {
      throw new UserError(
        `the folder ${printable(folder)}, to which this run has written, is gone or another one`,
        'check whether its disk is mounted',
      )
    }
    const made = await mkdir(folder, { recursive: true })
    const root = await realpath(folder)
    const temporary = `${root}/${TEMPORARY_FOLDER}`
    const marker = await readMarker(root)
    let names = marker?.names
    if (names === undefined) {
      if (!(await isEmpty(root))) throw notOurs(folder)
      await makeOwn(`${root}/${OURS}`)
      await makeOwn(temporary)
      names = await probe(temporary)
      await writeMarker(root, names)
      if (made !== undefined) await syncUp(root, dirname(made))
    }
    await makeOwn(temporary)
    // An earlier s3move would not find what is written from now on.
    if (marker !== undefined && marker.format < FORMAT) await writeMarker(root, marker.names)
    await removeLeftovers(temporary)
    const numbers = await numbersOf(root)
    if (numbers === undefined) throw new UserError(`${printable(folder)} is no folder`, 'name a folder')
    return { root, names, ...numbers }
  })
}

/** Throws a UserError when a folder may not be written to, or may not be made where it is not there. */
export async function checkWritable(folder: string): Promise<void> {
  await explained(folder, async () => access(await nearestThere(folder), TO_WRITE))
}

const TO_WRITE = constants.R_OK | constants.W_OK | constants.X_OK

/** A path or, where nothing is there, the first folder above it that is. */
export async function nearestThere(path: string): Promise<string> {
  const above = dirname(path)
  return above === path || (await lstat(path)) !== undefined ? path : await nearestThere(above)
}

/**
 * Refuses with a UserError a destination that is the source or lies in it, by whatever path: links and mounts can give one folder several. (One that
 * the source lies in is not empty, and nothing is read within one of ours.)
 */
export async function checkOutside(source: OpenedFolder, destination: string): Promise<void> {
  await explained(destination, async () => {
    for (let path = await realPathOf(destination); ; path = dirname(path)) {
      if (path === source.root || isOne(source, await numbersOf(path))) {
        throw new UserError(
          `of ${placeUrl({ bucket: source.root })} and ${placeUrl({ bucket: destination })} one is the other, or lies in it`,
          'copy to a folder beside it',
        )
      }
      if (path === dirname(path)) return
    }
  })
}

/** Whether a path, which need not be there yet, is that of a folder or lies in it, by whatever links and mounts. */
export async function liesIn(path: string, folder: string): Promise<boolean> {
  return await explained(path, async () => {
    const root = await realPathOf(folder)
    const numbers = await numbersOf(root)
    for (let at = await realPathOf(path); ; at = dirname(at)) {
      if (at === root || (numbers !== undefined && isOne(numbers, await numbersOf(at)))) return true
      if (at === dirname(at)) return false
    }
  })
}

// What `realpath` will say of a folder once it is there.
async function realPathOf(folder: string): Promise<string> {
  const real = await unlessMissing(realpath(folder))
  const above = dirname(folder)
  return real ?? (above === folder ? folder : join(await realPathOf(above), basename(folder)))
}

// Names below a folder of ours are parts of keys.
async function checkAbove(folder: string): Promise<void> {
  for (let path = folder; path !== dirname(path);) {
    path = dirname(path)
    if ((await lstat(join(path, MARKER))) === undefined) continue
    throw new UserError(
      `${printable(folder)} lies in ${printable(path)}, which s3move wrote, so names in it stand for keys of that one`,
      `name ${printable(path)}, and choose with --exclude '*' --include`,
    )
  }
}

/** Refuses a folder as a destination because it is another's. */
export function notOurs(folder: string): UserError {
  return new UserError(
    `${printable(folder)} is neither empty nor written by s3move, so a name in it may stand for another key`,
    'choose a new or empty folder',
  )
}

async function explained<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const code = systemCode(error)
    if (code === undefined || !(error instanceof Error)) throw error
    const message = `cannot open the folder ${printable(folder)}: ${printable(error.message)}`
    throw new UserError(message, HINTS[code] ?? 'check its path')
  }
}

const HINTS: Readonly<Record<string, string>> = {
  EACCES: 'run as the owner of the folder, or give yourself the permission',
  EPERM: 'run as the owner of the folder, or give yourself the permission',
  EROFS: 'make the file system writable',
  ENOSPC: 'free some space',
}

// Of what is ours nothing is a symbolic link: through one, other files would be written to.
async function makeOwn(path: string): Promise<void> {
  await mkdir(path).catch((error: unknown) => {
    if (systemCode(error) !== 'EEXIST') throw error
  })
  await checkOwn(path)
}

async function checkOwn(path: string): Promise<boolean> {
  const stats = await lstat(path)
  if (stats === undefined || stats.isDirectory()) return stats !== undefined
  throw new UserError(`${printable(path)} is no folder, though s3move keeps its own files there`, 'move it away')
}

async function readMarker(root: string): Promise<Marker | undefined> {
  if (!(await checkOwn(`${root}/${OURS}`))) return undefined
  const path = `${root}/${MARKER}`
  let text
  try {
    text = await unlessMissing(readFile(path, { encoding: 'utf8', flag: constants.O_RDONLY | constants.O_NOFOLLOW }))
  } catch (error) {
    if (systemCode(error) === 'ELOOP') throw damaged(path)
    throw error
  }
  if (text === undefined) return undefined
  await checkOwn(`${root}/${TEMPORARY_FOLDER}`)
  await checkOwn(`${root}/${OURS}/attributes`)
  const { format, names } = fieldsOf(text, path)
  if (typeof format === 'number' && format > FORMAT) {
    throw new UserError(`${printable(root)} was written by a later s3move (format ${format})`, 'use that one')
  }
  if ((format !== FORMAT && format !== 1) || (names !== 'exact' && names !== 'folded')) throw damaged(path)
  return { format, names }
}

function fieldsOf(text: string, path: string): Partial<Record<string, unknown>> {
  try {
    const read: unknown = JSON.parse(text)
    if (typeof read === 'object' && read !== null) return read
  } catch {
    // It is damaged either way.
  }
  throw damaged(path)
}

function damaged(path: string): UserError {
  return new UserError(
    `${printable(path)} is damaged, so it cannot be told how keys are named in this folder`,
    `restore it: {"format":${FORMAT},"names":"exact"}, or "folded" where the file system does not tell capitals from small letters`,
  )
}

// Several at once write the same, so the last may win.
async function writeMarker(root: string, names: Marker['names']): Promise<void> {
  const temporary = `${root}/${TEMPORARY_FOLDER}/${temporaryName()}`
  await newFile(temporary, (file) => file.writeFile(`${JSON.stringify({ format: FORMAT, names })}\n`))
  await rename(temporary, `${root}/${MARKER}`)
  await syncFolder(`${root}/${OURS}`)
  await syncFolder(root)
}

async function syncUp(from: string, to: string): Promise<void> {
  for (let path = from; path.length > to.length && path !== dirname(path);) {
    path = dirname(path)
    await syncFolder(path)
  }
}
