import { StorageError } from '../../errors.js'
import type { Removal, Removing } from '../storage.js'
import type { AttributesLogs } from './attributes-logs.js'
import { changed, diskFault, type Asked } from './storage-errors.js'
import { inParallel } from './in-parallel.js'
import { ASIDE, isStorable, nameOf, parentOf, pathOf } from './names.js'
import { isEmpty } from './identity.js'
import { summary } from './reading.js'
import { unlessMissing } from '../../file-system.js'
import { removeFile } from './files.js'
import type { Tree } from './tree.js'

/** Removes objects of a tree, their attributes, and the folders that are empty then. */
export function createRemoving(tree: Tree, logs: AttributesLogs): Removing {
  // Answers the path of what was removed.
  const removeOne = async ({ key, etag }: Removal, asked: Asked): Promise<string | undefined> => {
    const found = await tree.find(key, asked)
    if (found !== undefined && etag !== undefined) {
      const now = summary(key, found.stats, await tree.attributes(key, found.stats, asked))
      if (now.etag !== etag) throw changed(asked)
    }
    if (tree.names === 'literal') {
      if (found !== undefined) await removeFile(found.path)
      return found && key
    }
    if (!isStorable(key, tree.names)) return undefined
    const path = pathOf(key, tree.names)
    // What made room first: else it would take the place of what is newer.
    if (found !== undefined) for (const place of [path + ASIDE, path]) await removeFile(tree.absolute(place))
    // Whoever was killed between the two left only these.
    const attributes = tree.attributesPath(path)
    if (await tree.check(parentOf(attributes), asked)) await removeFile(tree.absolute(attributes))
    return path
  }

  return {
    async remove(objects) {
      const folders = new Map<string, string[]>()
      const errors = await inParallel(objects, async (object) => {
        const asked: Asked = { operation: 'DeleteObjects', bucket: tree.root, key: object.key }
        try {
          const path = await removeOne(object, asked)
          if (path === undefined) return undefined
          const names = folders.get(parentOf(path))
          if (names === undefined) folders.set(parentOf(path), [nameOf(path)])
          else names.push(nameOf(path))
          return undefined
        } catch (error) {
          return storageError(diskFault(error, asked))
        }
      })
      const problem = await logs.alone(() => settle(tree, logs, folders))
      return problem === undefined ? errors : errors.map((error) => error ?? problem)
    },
  }
}

// Removes the folders that are empty, and resolves once what was removed stays so.
async function settle(
  tree: Tree,
  logs: AttributesLogs,
  folders: ReadonlyMap<string, readonly string[]>,
): Promise<StorageError | undefined> {
  const asked: Asked = { operation: 'DeleteObjects', bucket: tree.root }
  try {
    const stay = new Set<string>()
    for (const [folder, names] of folders) {
      const first = await tree.prune(folder)
      stay.add(first)
      if (tree.names === 'literal') continue
      if (first === folder) await logs.withdraw(folder, names, asked)
      // The root stays, empty or not.
      if (first === '' && (await isEmpty(tree.root))) await logs.remove('')
      for (let gone = folder; gone !== first; gone = parentOf(gone)) await logs.remove(gone)
      stay.add(await tree.prune(tree.attributesFolder(folder)))
    }
    await Promise.all([...stay].map((folder) => unlessMissing(tree.sync(folder))))
    return undefined
  } catch (error) {
    return storageError(diskFault(error, asked))
  }
}

function storageError(error: unknown): StorageError {
  if (error instanceof StorageError) return error
  throw error
}
