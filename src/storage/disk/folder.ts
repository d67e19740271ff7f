import type { Dirent } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { compareKeys, printable } from '../../keys.js'
import { fault, type Asked } from './faults.js'
import { ASIDE, folderOf, OURS, segmentOf } from './names.js'
import { unlessGone } from './files.js'
import type { Tree } from './tree.js'

/** What was in a folder when it was read. */
export interface FolderContent {
  /** What keys go on with behind the folder's prefix, in UTF-8 byte order, each once: a segment, with a `/` behind it when it is a folder's. */
  readonly names: readonly string[]
  /** The folders that were read for it, since one name may take several, and when each was last changed, in milliseconds. */
  readonly folders: readonly (readonly [path: string, changed: number])[]
}

/**
 * Reads the folder of the keys that begin with `prefix`; undefined if there is none. `passOver` is told what can be no key, and why. Throws what stops
 * the run when names would be lost otherwise, or when the whole tree is gone.
 */
export async function readFolder(
  tree: Tree,
  prefix: string,
  passOver: (what: string) => void,
  asked: Asked,
): Promise<FolderContent | undefined> {
  const folder = folderOf(prefix, tree.names)
  if (!(await tree.check(folder, asked))) return tree.nothing(asked)
  const names: string[] = []
  const folders: [path: string, changed: number][] = []
  const isRoot = folder === ''
  const enter = async (within: string): Promise<void> => {
    const path = tree.absolute([folder, within].filter((part) => part !== '').join('/'))
    const stats = await unlessGone(lstat(path))
    const entries = stats?.isDirectory() === true ? await unlessGone(readdir(path, { withFileTypes: true })) : undefined
    if (stats === undefined || entries === undefined) return
    folders.push([path, Math.max(stats.mtimeMs, stats.ctimeMs)])
    await checkText(path, entries, asked)
    const parts: string[] = []
    for (const entry of entries) {
      const { name } = entry
      if (isRoot && within === '' && name === OURS) continue
      const isFolder = entry.isDirectory()
      const isAside = name.endsWith(ASIDE) && tree.names !== 'literal'
      if (isFolder && isAside) throw moved(asked, path, name)
      const local = isAside ? name.slice(0, -ASIDE.length) : name
      const meaning =
        isFolder || entry.isFile()
          ? segmentOf(within === '' ? local : `${within}/${local}`, tree.names, prefix === '')
          : undefined
      if (meaning === undefined || (meaning === 'part' && !isFolder)) passOver(whyNot(path, entry))
      else if (meaning === 'part') parts.push(within === '' ? local : `${within}/${local}`)
      else names.push(isFolder ? `${meaning.segment}/` : meaning.segment)
    }
    for (const part of parts) await enter(part)
  }
  await enter('')
  if (names.length === 0) await tree.nothing(asked)
  return folders.length === 0 ? undefined : { names: ordered(names), folders }
}

// Bytes that are no UTF-8 are read as U+FFFD, which would be another key.
async function checkText(path: string, entries: readonly Dirent[], asked: Asked): Promise<void> {
  if (!entries.some(({ name }) => name.includes('\ufffd'))) return
  for (const name of (await unlessGone(readdir(path, { encoding: 'buffer' }))) ?? []) {
    if (Buffer.from(name.toString()).equals(name)) continue
    const shown = name.toString('latin1').replace(/[^!-~]/g, (c) => `\\x${c.charCodeAt(0).toString(16)}`)
    const message = `the name ${printable(path)}/${shown} is not valid UTF-8, so it can be no key`
    throw fault(asked, 'stop-run', 'UndecodableKey', message, 'rename it')
  }
}

function whyNot(path: string, entry: Dirent): string {
  const what = entry.isSymbolicLink()
    ? 'is a symbolic link, which s3move does not follow'
    : entry.isFile() || entry.isDirectory()
      ? 'is no name that s3move gives, so it is taken for no object'
      : 'is neither a file nor a folder'
  return `${printable(`${path}/${entry.name}`)} ${what}`
}

// Two runs that wrote and deleted in the same place at the same time.
function moved(asked: Asked, path: string, name: string): Error {
  const message = `${printable(`${path}/${name}`)} is a folder with a name that only objects have`
  return fault(asked, 'stop-run', 'FolderMoved', message, `move what is in it into the folder without ${ASIDE}`)
}

function ordered(names: string[]): string[] {
  // Without halves of characters the order of units, which is several times faster, is that of bytes.
  if (names.some((name) => /[\ud800-\udfff]/.test(name))) names.sort(compareKeys)
  else names.sort()
  // While an object makes room for a folder it may be seen in both places.
  return names.filter((name, index) => index === 0 || name !== names[index - 1])
}
