import type { Dirent } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { standInFor } from '../../keys.js'
import { unlessMissing } from '../../file-system.js'
import { lstat } from './calls.js'

/** What a folder has under a name. */
export interface Entry {
  /** Where the bytes are no UTF-8, each of them is a character that stands for it (`standInFor`), so that names stay apart and in order. */
  readonly name: string
  readonly kind: 'file' | 'folder' | 'link' | 'other'
  /** Its path, where its name is no UTF-8. */
  readonly raw?: Buffer
  /** What an entry that is neither file, folder nor link is, for a person. */
  readonly what?: string
}

/** The entries of a folder (absolute); undefined when it is gone. */
export async function entriesOf(folder: string): Promise<readonly Entry[] | undefined> {
  const found = await unlessMissing(readdir(folder, { withFileTypes: true }))
  // Bytes that are no UTF-8 are read as U+FFFD, which would be another name.
  if (found?.some(({ name }) => name.includes('\ufffd')) !== true) return found?.map(entryOf)
  const asBytes = await unlessMissing(readdir(folder, { withFileTypes: true, encoding: 'buffer' }))
  return asBytes?.map((entry) => {
    const name = entry.name.toString()
    if (Buffer.from(name).equals(entry.name)) return { name, ...kindOf(entry) }
    const raw = Buffer.concat([Buffer.from(`${folder}/`), entry.name])
    return { name: textFor(entry.name), ...kindOf(entry), raw }
  })
}

function entryOf(entry: Dirent): Entry {
  return { name: entry.name, ...kindOf(entry) }
}

function kindOf(entry: Dirent<string | Buffer>): Pick<Entry, 'kind' | 'what'> {
  if (entry.isFile()) return FILE
  if (entry.isDirectory()) return FOLDER
  if (entry.isSymbolicLink()) return LINK
  return {
    kind: 'other',
    what: entry.isFIFO() ? 'a FIFO (named pipe)' : entry.isSocket() ? 'a socket' : 'a device, or something else',
  }
}

const [FILE, FOLDER, LINK] = [{ kind: 'file' }, { kind: 'folder' }, { kind: 'link' }] as const

// What is UTF-8 as it is, every other byte apart.
function textFor(bytes: Buffer): string {
  let name = ''
  for (let at = 0; at < bytes.length;) {
    const length = [1, 2, 3, 4].find((length) => isCharacter(bytes.subarray(at, at + length)))
    name += length === undefined ? standInFor(bytes[at] ?? 0) : bytes.toString('utf8', at, at + length)
    at += length ?? 1
  }
  return name
}

function isCharacter(bytes: Buffer): boolean {
  const text = bytes.toString()
  return Array.from(text).length === 1 && Buffer.from(text).equals(bytes)
}

/** Size in bytes, and when it was last modified, of what an entry of a folder (absolute) is; undefined when it is gone. */
export async function statsOf(
  folder: string,
  { name, raw }: Entry,
): Promise<{ size: number; mtimeMs: number } | undefined> {
  return await lstat(raw ?? `${folder}/${name}`)
}
