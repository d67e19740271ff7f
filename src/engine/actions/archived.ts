import type { CopyJob } from '../../job/copy.js'
import type { MoveJob } from '../../job/move.js'
import { RESTORE_REQUESTED, type Outcome } from '../../job/outcome.js'
import type { SyncJob } from '../../job/sync.js'
import { able, type ObjectSummary } from '../../storage/storage.js'
import { failed, isArchived, outcomeOf } from './outcome.js'
import type { WorkItem } from '../../sources/work-source.js'
import type { ActionContext } from './context.js'
import { isGone, unlessListed } from './gone.js'
import type { Action } from '../lanes/lane.js'
import { deletionFailed } from './deferred-delete.js'

/** How a store that has no RestoreObject refuses it. */
const NOT_RESTORED: ReadonlySet<number> = new Set([405, 501])

const ARCHIVED: Outcome = { kind: 'skipped', reason: 'archived' }

/**
 * The same action for objects that may be gone, which the listing must confirm, and whose content may be archived, which is known when it is refused: such an object is passed over or, where the
 * job says so, S3 is asked to restore it, and it is a failure to be tried again once that is done.
 */
export function withArchiveHandling(
  job: CopyJob | SyncJob | MoveJob,
  { source, destination }: Pick<ActionContext, 'source' | 'destination'>,
  act: Action,
): Action {
  const { restore } = job
  const { prefix } = job.source
  const request = async (object: ObjectSummary): Promise<Outcome | undefined> => {
    if (restore === undefined) return ARCHIVED
    const { key, storageClass, version } = object
    let begins: boolean
    try {
      // What those tiers hold is brought back for good.
      const days = storageClass === 'INTELLIGENT_TIERING' ? undefined : restore.days
      begins = await able(source.restoring, 'restore objects').restore(key, { days, tier: restore.tier }, version)
    } catch (error) {
      const outcome = outcomeOf(error, prefix, object)
      if (outcome?.kind !== 'failed' || !NOT_RESTORED.has(outcome.failure.status ?? 0)) return outcome
      const { failure } = outcome
      const message = `it is archived, and this store cannot restore it (RestoreObject: ${failure.status} ${failure.code})`
      return { kind: 'failed', failure: { ...failure, code: 'RestoreNotSupported', message } }
    }
    const outcome = failed(prefix, object, {
      ...{ code: RESTORE_REQUESTED, operation: 'RestoreObject', attempts: 1 },
      message: 'it is archived, and is being restored: to be tried again when that is done',
    })
    return begins ? { ...outcome, restoring: true } : outcome
  }
  const settled = async (object: WorkItem, outcome: Outcome | undefined): Promise<Outcome | undefined> => {
    const now = outcome?.kind === 'failed' ? await request(object) : outcome
    const store = object.extra === true || (job.kind === 'sync' && deletionFailed(object)) ? destination : source
    return await unlessListed(store, prefix, object, now, act)
  }
  // Not async: that would cost each object a frame, for what nearly none needs.
  return (object) =>
    act(object).then((outcome) =>
      (outcome?.kind === 'failed' && isArchived(outcome.failure)) || isGone(outcome)
        ? settled(object, outcome)
        : outcome,
    )
}
