import fs, { type Stats } from 'node:fs'
import { promisify } from 'node:util'
import { unlessMissing } from '../../file-system.js'

/** Calls that take so many milliseconds on average are left to libuv's threads. */
const SLOW = 0.5
/** How much of the average the latest call is. */
const STEP = 1 / 32
/** While they are left to the threads, one in so many calls is made at once all the same, to see whether that is still right. */
const PROBE = 256
/** Content of more bytes than these is moved by the threads: a copy of so many takes longer than waking one of them. */
const AT_ONCE = 256 * 1024
/** What is written at once: Linux took five times as long for 8 MiB as for as much in such pieces. */
const WRITTEN_AT_ONCE = 512 * 1024

let average = 0
let left = 0

/**
 * Makes a call now where calls are quick, and in libuv's threads where they are not. A local disk answers from its cache within a few microseconds, and
 * a thread of libuv costs several times as many; a network file system takes milliseconds, in which nothing else would be done.
 */
async function quickest<T>(now: () => T, later: () => Promise<T>): Promise<T> {
  if (average > SLOW && ++left % PROBE !== 0) return await later()
  const began = performance.now()
  try {
    return now()
  } finally {
    average += STEP * (performance.now() - began - average)
  }
}

// The functions of node:fs/promises cost about twice as much as these.
const later = {
  open: promisify(fs.open),
  close: promisify(fs.close),
  read: promisify(fs.read),
  write: promisify(fs.write),
  futimes: promisify(fs.futimes),
  fstat: promisify(fs.fstat),
  lstat: promisify(fs.lstat),
  rename: promisify(fs.rename),
  link: promisify(fs.link),
  unlink: promisify(fs.unlink),
  mkdir: promisify(fs.mkdir),
  rmdir: promisify(fs.rmdir),
  fsync: promisify(fs.fsync),
  readdir: promisify(fs.readdir),
}

/** As in node:fs/promises, but answers the number of the open file. */
export async function openFile(path: string, flags: string | number): Promise<number> {
  return await quickest(
    () => fs.openSync(path, flags),
    () => later.open(path, flags),
  )
}

export async function close(file: number): Promise<void> {
  await quickest(
    () => fs.closeSync(file),
    () => later.close(file),
  )
}

/** Writes all of `bytes` at a position. */
export async function writeAll(file: number, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const place = [at, Math.min(bytes.length - at, WRITTEN_AT_ONCE), position + at] as const
    const byThread = async (): Promise<number> => (await later.write(file, bytes, ...place)).bytesWritten
    at += place[1] > AT_ONCE ? await byThread() : await quickest(() => fs.writeSync(file, bytes, ...place), byThread)
  }
}

/** Fills `bytes` from a position. Answers how many there were: fewer only at the end of the file. */
export async function readFully(file: number, bytes: Uint8Array, position: number): Promise<number> {
  for (let at = 0; at < bytes.length;) {
    const place = [at, bytes.length - at, position + at] as const
    const byThread = async (): Promise<number> => (await later.read(file, bytes, ...place)).bytesRead
    const found =
      place[1] > AT_ONCE ? await byThread() : await quickest(() => fs.readSync(file, bytes, ...place), byThread)
    if (found === 0) return at
    at += found
  }
  return bytes.length
}

/** Sets when a file was last used and modified, in milliseconds since 1970. */
export async function setTimes(file: number, ms: number): Promise<void> {
  await quickest(
    () => fs.futimesSync(file, ms / 1000, ms / 1000),
    () => later.futimes(file, ms / 1000, ms / 1000),
  )
}

export async function fstat(file: number): Promise<Stats> {
  return await quickest(
    () => fs.fstatSync(file),
    () => later.fstat(file),
  )
}

/** What is at a path, links not followed; undefined when there is nothing, or no folder on the way there. */
export async function lstat(path: string | Buffer): Promise<Stats | undefined> {
  return await unlessMissing(
    quickest<Stats | undefined>(
      () => fs.lstatSync(path, MAY_BE_MISSING),
      () => later.lstat(path),
    ),
  )
}

const MAY_BE_MISSING = { throwIfNoEntry: false } as const

export async function rename(from: string, to: string): Promise<void> {
  await quickest(
    () => fs.renameSync(from, to),
    () => later.rename(from, to),
  )
}

export async function link(from: string, to: string): Promise<void> {
  await quickest(
    () => fs.linkSync(from, to),
    () => later.link(from, to),
  )
}

export async function unlink(path: string): Promise<void> {
  await quickest(
    () => fs.unlinkSync(path),
    () => later.unlink(path),
  )
}

export async function mkdir(path: string): Promise<void> {
  await quickest(
    () => {
      fs.mkdirSync(path)
    },
    async () => {
      await later.mkdir(path)
    },
  )
}

export async function rmdir(path: string): Promise<void> {
  await quickest(
    () => fs.rmdirSync(path),
    () => later.rmdir(path),
  )
}

/** The names in a folder; none when it is not there. */
export async function namesIn(folder: string): Promise<readonly string[]> {
  const names = quickest(
    () => fs.readdirSync(folder),
    () => later.readdir(folder),
  )
  return (await unlessMissing(names)) ?? []
}

/** Resolves once a file would outlast a power cut, times included. Always in libuv's threads: it waits for the disk. */
export const sync = (file: number): Promise<void> => later.fsync(file)
