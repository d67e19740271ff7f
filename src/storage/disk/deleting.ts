import { StorageError } from '../../errors.js'
import type { Removal, Removing } from '../storage.js'
import { changed, diskFault, type Asked } from './storage-errors.js'
import { inParallel } from './in-parallel.js'
import { ASIDE, isStorable, parentOf, pathOf } from './names.js'
import { summary } from './reading.js'
import { removeFile, unlessMissing } from './files.js'
import type { Tree } from './tree.js'

/** Removes objects of a tree, their attributes, and the folders that are empty then. */
export function createRemoving(tree: Tree): Removing {
  // Answers the folders that may be empty now.
  const removeOne = async ({ key, etag }: Removal, asked: Asked): Promise<readonly string[]> => {
    const found = await tree.find(key, asked)
    if (found !== undefined && etag !== undefined) {
      const now = summary(key, found.stats, await tree.attributes(key, found.stats, asked))
      if (now.etag !== etag) throw changed(asked)
    }
    if (tree.names === 'literal') {
      if (found === undefined) return []
      await removeFile(found.path)
      return [parentOf(key)]
    }
    if (!isStorable(key, tree.names)) return []
    const path = pathOf(key, tree.names)
    // What made room first: else it would take the place of what is newer.
    if (found !== undefined) for (const place of [path + ASIDE, path]) await removeFile(tree.absolute(place))
    // Whoever was killed between the two left only these.
    const attributes = tree.attributesPath(path)
    if (await tree.check(parentOf(attributes), asked)) await removeFile(tree.absolute(attributes))
    return [parentOf(path), parentOf(attributes)]
  }

  return {
    async remove(objects) {
      const folders = new Set<string>()
      const errors = await inParallel(objects, async (object) => {
        const asked: Asked = { operation: 'DeleteObjects', bucket: tree.root, key: object.key }
        try {
          for (const folder of await removeOne(object, asked)) folders.add(folder)
          return undefined
        } catch (error) {
          return storageError(diskFault(error, asked))
        }
      })
      const problem = await settle(tree, folders)
      return problem === undefined ? errors : errors.map((error) => error ?? problem)
    },
  }
}

// Removes the folders that are empty, and resolves once what was removed stays so.
async function settle(tree: Tree, folders: ReadonlySet<string>): Promise<StorageError | undefined> {
  try {
    const stay = new Set<string>()
    for (const folder of folders) stay.add(await tree.prune(folder))
    await Promise.all([...stay].map((folder) => unlessMissing(tree.sync(folder))))
    return undefined
  } catch (error) {
    return storageError(diskFault(error, { operation: 'DeleteObjects', bucket: tree.root }))
  }
}

function storageError(error: unknown): StorageError {
  if (error instanceof StorageError) return error
  throw error
}
