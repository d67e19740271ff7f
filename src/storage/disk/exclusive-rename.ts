import { readdir, writeFile } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { systemCode } from '../../file-system.js'
import { printable } from '../../keys.js'
import { fault, type Asked } from './storage-errors.js'
import { isLeftBehind, lockName, TEMPORARY_FOLDER } from './temporary.js'
import { removeFile } from './files.js'
import { MOST_TRIES, type Tree } from './tree.js'

/** How long another one is waited for before a further try, at least and at most, in milliseconds. */
const WAIT = [1, 40] as const

/**
 * Does `work` while no other thread or process of this machine does any for the same path of a tree, by names alone: for file systems that can do no
 * better. Fails with severity `retry` when others do not let it in.
 *
 * Whoever wants to work makes a lock of the name of its process, which one of its threads can, and then looks for locks of others: of two processes
 * the one whose lock was later sees the other's. The lock of a killed process is no lock; nobody takes it over, so nobody can take over a new one by
 * mistake.
 */
export async function alone<T>(tree: Tree, path: string, asked: Asked, work: () => Promise<T>): Promise<T> {
  const folder = tree.absolute(TEMPORARY_FOLDER)
  const { own, ending } = lockName(path)
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    if (await take(`${folder}/${own}`)) {
      try {
        if (!(await isHeldByOthers(folder, own, ending))) return await work()
      } finally {
        await removeFile(`${folder}/${own}`)
      }
    }
    const [least, most] = WAIT
    // Drawn at random, or two would get in each other's way again and again.
    await setTimeout(least + Math.random() * (most - least))
  }
  const message = 'others write a file of its name all the time'
  throw fault(asked, 'retry', 'EBUSY', message, `see what ends in ${ending} in ${printable(folder)}`)
}

async function take(lock: string): Promise<boolean> {
  try {
    await writeFile(lock, '', { flag: 'wx' })
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    throw error
  }
}

async function isHeldByOthers(folder: string, own: string, ending: string): Promise<boolean> {
  for (const name of await readdir(folder)) {
    if (name !== own && name.endsWith(ending) && !(await isLeftBehind(folder, name))) return true
  }
  return false
}
