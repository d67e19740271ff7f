import { compareKeys, standInFor } from '../../keys.js'
import type { NotAKey } from '../storage.js'
import { entriesOf, statsOf, type Entry } from './entries.js'
import { fault, type Asked } from './storage-errors.js'
import { ASIDE, folderOf, OURS, segmentOf } from './names.js'
import { lstat } from './calls.js'
import { changedAt } from './files.js'
import type { Tree } from './tree.js'

/** What was in a folder when it was read. */
export interface FolderContent {
  /** What keys go on with behind the folder's prefix, in UTF-8 byte order, each once: a segment, with a `/` behind it when it is a folder's. */
  readonly names: readonly string[]
  /** Which of them are no objects. */
  readonly strays: ReadonlyMap<string, Stray>
  /** The folders that were read for it, since one name may take several, and when each was last changed, in milliseconds. */
  readonly folders: readonly (readonly [path: string, changed: number])[]
}

/** What is no object, as far as it can be looked at: `modified` in milliseconds since 1970. */
export interface Stray {
  readonly size: number
  readonly modified: number
  readonly notAKey: NotAKey
}

/** Reads the folder of the keys that begin with `prefix`; undefined if there is none. Throws what stops the run when the whole tree is gone. */
export async function readFolder(tree: Tree, prefix: string, asked: Asked): Promise<FolderContent | undefined> {
  const folder = folderOf(prefix, tree.names)
  if (!(await tree.check(folder, asked))) return tree.nothing(asked)
  const names: string[] = []
  const strays = new Map<string, Stray>()
  const folders: [path: string, changed: number][] = []
  const isRoot = folder === ''
  const enter = async (within: string): Promise<void> => {
    const path = tree.absolute([folder, within].filter((part) => part !== '').join('/'))
    const stats = await lstat(path)
    const entries = stats?.isDirectory() === true ? await entriesOf(path) : undefined
    if (stats === undefined || entries === undefined) return
    folders.push([path, changedAt(stats)])
    const parts: string[] = []
    for (const entry of entries) {
      const { name, raw } = entry
      if (isRoot && within === '' && name === OURS) continue
      const isFolder = entry.kind === 'folder'
      const isAside = name.endsWith(ASIDE) && tree.names !== 'literal'
      if (isFolder && isAside) throw moved(asked, path, name)
      const local = isAside ? name.slice(0, -ASIDE.length) : name
      const relative = within === '' ? local : `${within}/${local}`
      const meaning = raw === undefined ? segmentOf(relative, tree.names, prefix === '') : undefined
      const isRead = raw === undefined && (isFolder || entry.kind === 'file')
      if (isRead && meaning === 'part' && isFolder) parts.push(relative)
      else if (isRead && meaning !== undefined && meaning !== 'part') {
        names.push(isFolder ? `${meaning.segment}/` : meaning.segment)
      } else {
        const segment = meaning === undefined || meaning === 'part' ? apart(local) : meaning.segment
        strays.set(segment, await strayOf(path, entry, isRead))
      }
    }
    for (const part of parts) await enter(part)
  }
  await enter('')
  // What is an object is never hidden by what is none.
  for (const name of names) strays.delete(name)
  names.push(...strays.keys())
  if (names.length === 0) await tree.nothing(asked)
  return folders.length === 0 ? undefined : { names: ordered(names), strays, folders }
}

/** What is no object: its name, and what is to be told of it. */
async function strayOf(path: string, entry: Entry, isRead: boolean): Promise<Stray> {
  const { kind, name } = entry
  const why = isRead
    ? 'has no name that s3move gives, so it is taken for no object'
    : kind === 'link'
      ? 'is a symbolic link, which s3move does not follow'
      : kind === 'other'
        ? `is neither a file nor a folder, but ${entry.what ?? 'something else'}`
        : 'has a name that is not valid UTF-8, so it can be no key'
  const standsFor = kind === 'link' ? 'either' : kind === 'folder' ? 'folder' : 'object'
  const stats = standsFor === 'object' ? await statsOf(path, entry) : undefined
  return {
    size: stats?.size ?? 0,
    modified: stats?.mtimeMs ?? 0,
    notAKey: { why: `${path}/${name} ${why}`, within: path, standsFor },
  }
}

// A name that no key has must not be taken for that of one: each `%` in it would be `%25`.
function apart(local: string): string {
  return local.replaceAll('%', standInFor(0x25))
}

// Two runs that wrote and deleted in the same place at the same time.
function moved(asked: Asked, path: string, name: string): Error {
  const message = `${path}/${name} is a folder with a name that only objects have`
  return fault(asked, 'stop-run', 'FolderMoved', message, `move what is in it into the folder without ${ASIDE}`)
}

function ordered(names: string[]): string[] {
  // Without halves of characters the order of units, which is several times faster, is that of bytes.
  if (names.some((name) => /[\ud800-\udfff]/.test(name))) names.sort(compareKeys)
  else names.sort()
  // While an object makes room for a folder it may be seen in both places.
  return names.filter((name, index) => index === 0 || name !== names[index - 1])
}
