import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError } from '../errors.js'
import { printable } from '../keys.js'
import { Mismatch } from '../job/schema.js'
import { syncFolder, systemCode } from '../file-system.js'
import { checkpointError } from './checkpoint-error.js'
import { TEMPORARY, writeNew } from './durable.js'
import { CHECKPOINT } from './checkpoint-file.js'
import { checkHolder, livenessOf, thisProcess } from './lock-holder.js'
import type { Holder } from './lock-holder.js'
import { mountedAt } from './mounts.js'
import { jsonText } from './json.js'

/*
 * How one process at a time holds a run
 *
 * Node offers no flock, so the lock is made of names. A lock is a folder `lock.N` with a file `holder.json` in it; the
 * one with the highest N, the generation, counts. To take the lock:
 *
 *   1. Find the highest generation N (0 when there is none) and judge it. Its holder lives, or cannot be seen from here:
 *      refuse. Its holder is dead, or it was released: go on.
 *   2. Make a folder of a temporary name, with `holder.json` in it, on the disk, and rename it to `lock.N+1`. A folder is
 *      never renamed onto one that is not empty, so of all who try one succeeds, and its content is there as soon as its
 *      name is. (A hard link could do the same for a file, but many file systems have none.)
 *   3. Look again. If a generation above N+1 exists, the judgement was out of date: remove N+1, begin again.
 *      Otherwise the lock is ours; remove the generations below.
 *
 * To release it, rename `holder.json` to `released.json`: that needs no space on a full disk.
 *
 * Why two processes never hold it. The highest generation is never removed (step 3 removes what has a higher one above it),
 * never empty, and so the maximum never falls. Let P hold p: its look in step 3 found nothing higher. Suppose somebody
 * makes the first generation above p after that look. It is made by one who judged p itself (the maximum was at least p, and
 * nothing was above), and judged the folder that P made, as a name below the maximum that is made anew makes its maker
 * give up in step 3. P's folder has named P since it got its name, so P was dead or had released. (Who finds no `holder.json`
 * looks at a lock that was released, or at one being removed below a higher one; step 3 tells the difference.)
 *
 * A `holder.json` that is no JSON cannot come from a crash, as it is on the disk before it has its name; a damaged disk
 * made it, no living process wrote it, and it counts as dead. One that is JSON but not understood may be of another version: refuse.
 */

/** The right to write in a run's folder. */
export interface RunLock {
  /** Gives the right back. May be called again. Throws a CheckpointError when that fails; the lock ends with the process anyway. */
  release(): Promise<void>
}

const HOLDER = 'holder.json'
const RELEASED = 'released.json'

/**
 * Takes the lock of a run's folder, which must exist. The lock of a dead process is taken over. Throws a UserError that names
 * the holder when another process (or this one) holds it, a CheckpointError when the folder cannot be written.
 */
export async function lockRun(folder: string): Promise<RunLock> {
  const elsewhere = mountedAt(folder)
  if (elsewhere !== undefined) return await elsewhere.lock()
  const token = randomUUID()
  // Every round but the last was lost to somebody who took the lock in the meantime.
  for (let round = 0; round < 1000; round++) {
    const generation = await highest(folder)
    if (generation > 0) await refuseIfHeld(folder, generation)
    const mine = generation + 1
    if (!(await make(folder, mine, token))) continue
    if ((await highest(folder)) > mine) {
      await remove(join(folder, nameOf(mine)))
      continue
    }
    await sweep(folder, mine)
    return { release: () => release(folder, mine, token) }
  }
  throw new UserError(
    `cannot lock ${printable(folder)}: other processes take and release the lock all the time`,
    'Find out what else starts s3move on this checkpoint.',
  )
}

/** Who drives the run in a folder now, without taking the lock: undefined when nobody does, as far as can be seen from here. */
export async function lockHolder(folder: string): Promise<Pick<Holder, 'pid' | 'host' | 'startedAt'> | undefined> {
  const elsewhere = mountedAt(folder)
  if (elsewhere !== undefined) return elsewhere.holder()
  const generation = await highest(folder)
  const holder = generation > 0 ? await readHolder(folder, generation) : 'absent'
  return typeof holder === 'string' || livenessOf(holder) === 'dead' ? undefined : holder
}

function nameOf(generation: number): string {
  return `lock.${generation}`
}

async function highest(folder: string): Promise<number> {
  return Math.max(0, ...(await generations(folder)))
}

async function generations(folder: string): Promise<number[]> {
  return (await names(folder)).map(generationOf).filter((generation) => generation > 0)
}

async function names(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    throw checkpointError('read the folder', folder, error)
  }
}

function generationOf(name: string): number {
  return Number(/^lock\.([1-9]\d{0,14})$/.exec(name)?.[1] ?? 0)
}

async function refuseIfHeld(folder: string, generation: number): Promise<void> {
  const holder = await readHolder(folder, generation)
  if (typeof holder === 'string') return
  const path = printable(join(folder, nameOf(generation)))
  const who = `process ${holder.pid} on ${printable(holder.host)} (since ${printable(holder.startedAt)})`
  switch (livenessOf(holder)) {
    case 'dead':
      return
    case 'alive':
      throw new UserError(
        `${printable(folder)} is in use by ${who}`,
        'Wait until it ends, or stop it; two processes on one checkpoint would undo each other.',
      )
    case 'elsewhere':
      throw new UserError(
        `${printable(folder)} is in use by ${who}, which cannot be seen from here`,
        `If you are sure that it does not run any more, delete the folder ${path} and try again.`,
      )
  }
}

async function readHolder(folder: string, generation: number): Promise<Holder | 'absent' | 'unreadable'> {
  const path = join(folder, nameOf(generation), HOLDER)
  let source: string
  try {
    source = await readFile(path, 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 'absent'
    throw checkpointError('read the lock', path, error)
  }
  let value: unknown
  try {
    value = JSON.parse(source)
  } catch {
    return 'unreadable'
  }
  try {
    return checkHolder(value, '')
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error
    throw new UserError(
      `${printable(folder)} is locked in a way that this version does not understand: ${error.message}`,
      `If you are sure that nothing uses the checkpoint, delete the folder ${printable(join(folder, nameOf(generation)))} and try again.`,
    )
  }
}

/** Makes a generation. False when somebody else has made it. */
async function make(folder: string, generation: number, token: string): Promise<boolean> {
  const path = join(folder, nameOf(generation))
  const temporary = join(folder, `lock.${token}${TEMPORARY}`)
  try {
    await mkdir(temporary, { mode: 0o700 })
    await writeNew(join(temporary, HOLDER), `${jsonText(thisProcess(token))}\n`)
    await syncFolder(temporary)
    await rename(temporary, path)
  } catch (error) {
    await remove(temporary)
    // A network file system may repeat a rename whose answer was lost: the token says whose the lock is.
    if (await exists(folder, generation)) return isMine(await readHolder(folder, generation), token)
    // A higher one may have come: then this one is gone, and its holder swept temporary folders away, ours included.
    if ((await highest(folder)) >= generation) return false
    throw checkpointError('lock', folder, error)
  }
  try {
    await syncFolder(folder)
  } catch (error) {
    await release(folder, generation, token).catch(() => undefined)
    throw checkpointError('lock', folder, error)
  }
  return true
}

async function exists(folder: string, generation: number): Promise<boolean> {
  return (await generations(folder)).includes(generation)
}

function isMine(holder: Holder | 'absent' | 'unreadable', token: string): boolean {
  return typeof holder === 'object' && holder.token === token
}

async function release(folder: string, generation: number, token: string): Promise<void> {
  // Should a person have deleted the lock, a folder of this name may be somebody else's by now.
  if (!isMine(await readHolder(folder, generation), token)) return
  const path = join(folder, nameOf(generation))
  try {
    await rename(join(path, HOLDER), join(path, RELEASED))
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw checkpointError('release', path, error)
  }
}

/** Removes the generations below, and what crashes have left: nobody else writes in the folder now. */
async function sweep(folder: string, mine: number): Promise<void> {
  for (const name of await names(folder)) {
    const generation = generationOf(name)
    const lower = generation > 0 && generation < mine
    const temporary = name.endsWith(TEMPORARY) && (name.startsWith('lock.') || name.startsWith(`${CHECKPOINT}.`))
    if (lower || temporary) await remove(join(folder, name))
  }
}

// What cannot be removed is harmless: a lower generation does not count, a temporary name is never read.
async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch(() => undefined)
}
