import type { CopyJob } from '../../job/copy.js'
import type { Outcome } from '../../job/outcome.js'
import { hasHistory } from '../../sources/version-listing.js'
import type { ObjectSummary } from '../../storage/storage.js'
import { withArchiveHandling } from './archived.js'
import { allTogether, type ActionContext, type KindActions, type Requests } from './context.js'
import { copyAction, requestsOfCopy } from './copy-object.js'
import { lookingForTaken, requestsOfGuard, withNoClobber } from './no-clobber.js'
import { refusingOrDeferring } from './refuse-names.js'
import { requestsOfCopyCheck } from './spot-checks.js'
import { copyVersionsAction } from './versions.js'

const WRITTEN: Outcome = { kind: 'copied' }

// Of the versions of an object each is a copy, and each delete marker a request of its own.
function requestsOfCopies(job: CopyJob, object: ObjectSummary, context: ActionContext): Requests {
  if (!hasHistory(object)) {
    const guard = job.noClobber === true ? requestsOfGuard(job, object, context) : {}
    return allTogether([requestsOfCopy(job, object, context), guard])
  }
  return allTogether(
    object.history.map((version) =>
      version.deleteMarker ? { DeleteObjects: 1 } : requestsOfCopy(job, version, context),
    ),
  )
}

export const COPY_ACTIONS: KindActions<CopyJob> = {
  decide: (job, context, large) =>
    // The versions of an object are copied in their order, however large they are.
    refusingOrDeferring(job, context, job.versions === true ? 'act' : large),
  look(job, { destination }) {
    if (job.noClobber !== true) return undefined
    const look = lookingForTaken(job, destination)
    return async (object) => {
      const outcome = await look(object)
      return outcome === 'absent' ? WRITTEN : outcome
    }
  },
  act(job, context) {
    if (job.noClobber === true) return withArchiveHandling(job, context, withNoClobber(job, context))
    const copyOne = copyAction(job, context)
    // Of the versions of an object none may be passed over.
    return job.versions === true
      ? copyVersionsAction(job, context, copyOne)
      : withArchiveHandling(job, context, copyOne)
  },
  requests: requestsOfCopies,
  checkRequests: requestsOfCopyCheck,
}
