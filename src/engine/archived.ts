import { RESTORE_REQUESTED, type CopyJob, type Outcome, type RelocateJob, type SyncJob } from '../job.js'
import { able, type ObjectSummary } from '../storage/storage.js'
import { failed, outcomeOf } from './act.js'
import type { WorkItem } from '../work/work.js'
import type { Ways } from './acts.js'
import { isGone, unlessListed } from './gone.js'
import type { Act } from './lane.js'
import { deletionFailed } from './sync.js'

const ARCHIVED: Outcome = { kind: 'skipped', reason: 'archived' }

/** How S3 refuses to read what is archived; the second is that of the archive tiers of INTELLIGENT_TIERING. */
const CODES: ReadonlySet<string> = new Set(['InvalidObjectState', 'ObjectNotInActiveTierError'])

/**
 * The same action for objects that may be gone, which the listing must confirm, and whose content may be archived, which is known when it is refused: such an object is passed over or, where the
 * job says so, S3 is asked to restore it, and it is a failure to be tried again once that is done.
 */
export function unlessArchived(
  job: CopyJob | SyncJob | RelocateJob,
  { source, destination }: Pick<Ways, 'source' | 'destination'>,
  act: Act,
): Act {
  const { restore } = job
  const { prefix } = job.source
  const request = async (object: ObjectSummary): Promise<Outcome | undefined> => {
    if (restore === undefined) return ARCHIVED
    const { key, storageClass, version } = object
    try {
      // What those tiers hold is brought back for good.
      const days = storageClass === 'INTELLIGENT_TIERING' ? undefined : restore.days
      await able(source.restoring, 'restore objects').restore(key, { days, tier: restore.tier }, version)
    } catch (error) {
      return outcomeOf(error, prefix, object)
    }
    return failed(prefix, object, {
      ...{ code: RESTORE_REQUESTED, operation: 'RestoreObject', attempts: 1 },
      message: 'it is archived, and is being restored: to be tried again when that is done',
    })
  }
  const settled = async (object: WorkItem, outcome: Outcome | undefined): Promise<Outcome | undefined> => {
    const now = outcome?.kind === 'failed' ? await request(object) : outcome
    const store = object.extra === true || (job.kind === 'sync' && deletionFailed(object)) ? destination : source
    return await unlessListed(store, prefix, object, now, act)
  }
  // Not async: that would cost each object a frame, for what nearly none needs.
  return (object) =>
    act(object).then((outcome) =>
      (outcome?.kind === 'failed' && CODES.has(outcome.failure.code)) || isGone(outcome)
        ? settled(object, outcome)
        : outcome,
    )
}
