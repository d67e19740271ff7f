import { StorageError } from '../../errors.js'
import type { CopyJob } from '../../job/copy.js'
import type { DeleteJob } from '../../job/delete.js'
import type { Outcome } from '../../job/outcome.js'
import { renamer } from '../../rules/rename.js'
import { able, type Storage } from '../../storage/storage.js'
import type { ObjectVersion } from '../../storage/object-versions.js'
import { hasHistory, historyOf } from '../../sources/version-listing.js'
import { failed, outcomeOf } from './outcome.js'
import type { ActionContext } from './context.js'
import { unlessListed } from './gone.js'
import type { Action } from '../lanes/lane.js'
import { removingTogether } from './delete-batches.js'
import { checkingRemovals } from './still-listed.js'

const COPIED: Outcome = { kind: 'copied' }
const GONE: Outcome = { kind: 'skipped', reason: 'gone' }

/**
 * The action of `copy` on an object with all of its versions: `copyOne` is called for each, the oldest first, and a delete marker is made where the
 * source has one. What fails ends it, since what comes behind would be out of order. The failure names the version: whoever tries it again begins with that,
 * so that the destination does not get the older ones once more; after a kill it begins with the oldest.
 */
export function copyVersionsAction(job: CopyJob, { source, destination }: ActionContext, copyOne: Action): Action {
  const { prefix } = job.source
  const nameOf = renamer(job.map)
  const removing = able(destination.removing, 'make delete markers')
  const copyVersion = async (version: ObjectVersion): Promise<Outcome | undefined> => {
    if (!version.deleteMarker) return await unlessListed(source, prefix, version, await copyOne(version), copyOne)
    try {
      const [error] = await removing.remove([{ key: nameOf(version.key) }])
      return error === undefined ? COPIED : outcomeOf(error, prefix, version)
    } catch (error) {
      return outcomeOf(error, prefix, version)
    }
  }
  return async (object) => {
    try {
      const all = hasHistory(object) ? object : await historyOf(source, object.key)
      if (all === undefined) return GONE
      for (const version of all.history.toReversed()) {
        const outcome = await copyVersion(version)
        if (outcome?.kind === 'copied' || (outcome?.kind === 'skipped' && outcome.reason === 'gone')) continue
        if (outcome?.kind !== 'failed') return outcome
        const { failure, later } = outcome
        const message = `version ${version.version}: ${failure.message}`
        const severity = later === true ? 'later' : 'fail-object'
        return failed(prefix, { ...object, version: version.version }, { ...failure, message, severity })
      }
      return COPIED
    } catch (error) {
      return outcomeOf(error, prefix, object)
    }
  }
}

const DELETED: Outcome = { kind: 'deleted' }

/**
 * The action of `delete` on an object with all of its versions and delete markers. The newest goes when all others are gone: else a kill, or a
 * version that cannot be deleted, could bring back what was deleted or replaced long ago.
 */
export function deleteVersionsAction({ source: { prefix } }: DeleteJob, store: Storage, stop?: AbortSignal): Action {
  const remove = removingTogether(able(store.removing, 'remove objects'), checkingRemovals(store, stop))
  const removeVersion = async (one: ObjectVersion): Promise<void> => {
    const { key, version } = one
    try {
      await remove({ key, version }, one)
    } catch (error) {
      if (!(error instanceof StorageError) || (error.severity !== 'fail-object' && error.severity !== 'later'))
        throw error
      throw error.with({ message: `version ${version}: ${error.message}` })
    }
  }
  return async (object) => {
    try {
      const all = hasHistory(object) ? object : await historyOf(store, object.key)
      const [newest, ...older] = all?.history ?? []
      if (newest === undefined) return GONE
      const gone = await Promise.allSettled(older.map(removeVersion))
      for (const one of gone) if (one.status === 'rejected') throw one.reason
      await removeVersion(newest)
      return DELETED
    } catch (error) {
      return outcomeOf(error, prefix, object)
    }
  }
}
