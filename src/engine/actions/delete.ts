import type { DeleteJob } from '../../job/delete.js'
import type { Outcome } from '../../job/outcome.js'
import { able, type Storage } from '../../storage/storage.js'
import type { Action } from '../lanes/lane.js'
import type { KindActions } from './context.js'
import { removingTogether } from './delete-batches.js'
import { outcomeOf } from './outcome.js'
import { checkingRemovals } from './still-listed.js'
import { deleteVersionsAction } from './versions.js'

const DELETED: Outcome = { kind: 'deleted' }

/** The action of `delete` on one object. */
function deleteAction(job: DeleteJob, store: Storage, stop?: AbortSignal): Action {
  const remove = removingTogether(able(store.removing, 'remove objects'), checkingRemovals(store, stop))
  return async (object) => {
    try {
      await remove({ key: object.key, version: object.version }, object)
      return DELETED
    } catch (error) {
      return outcomeOf(error, job.source.prefix, object)
    }
  }
}

export const DELETE_ACTIONS: KindActions<DeleteJob> = {
  look: () => () => Promise.resolve(DELETED),
  act: (job, { source, stop }) =>
    job.versions === true ? deleteVersionsAction(job, source, stop) : deleteAction(job, source, stop),
  requests: () => ({}),
  checkRequests: () => ({}),
}
