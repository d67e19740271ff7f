import type { CopyJob, Outcome } from '../job.js'
import { renamer } from '../rules/rename.js'
import { able, type ObjectVersion } from '../storage/storage.js'
import { hasHistory, historyOf } from '../work/histories.js'
import { failed, outcomeOf } from './act.js'
import type { Ways } from './acts.js'
import type { Act } from './lane.js'

const COPIED: Outcome = { kind: 'copied' }
const GONE: Outcome = { kind: 'skipped', reason: 'gone' }

/**
 * The action of `copy` on an object with all of its versions: `copyOne` is called for each, the oldest first, and a delete marker is made where the
 * source has one. What fails ends it, since what comes behind would be out of order; a repetition begins with the oldest again.
 */
export function copyingHistories(job: CopyJob, { source, destination }: Ways, copyOne: Act): Act {
  const { prefix } = job.source
  const nameOf = renamer(job.map)
  const removing = able(destination.removing, 'make delete markers')
  const copyVersion = async (version: ObjectVersion): Promise<Outcome | undefined> => {
    if (!version.deleteMarker) return await copyOne(version)
    const [error] = await removing.remove([{ key: nameOf(version.key) }])
    return error === undefined ? COPIED : outcomeOf(error, prefix, version)
  }
  return async (object) => {
    try {
      const all = hasHistory(object) ? object : await historyOf(source, object.key)
      if (all === undefined) return GONE
      for (const version of all.history.toReversed()) {
        const outcome = await copyVersion(version)
        if (outcome?.kind === 'copied' || (outcome?.kind === 'skipped' && outcome.reason === 'gone')) continue
        if (outcome?.kind !== 'failed') return outcome
        const { failure } = outcome
        return failed(prefix, object, { ...failure, message: `version ${version.version}: ${failure.message}` })
      }
      return COPIED
    } catch (error) {
      return outcomeOf(error, prefix, object)
    }
  }
}
