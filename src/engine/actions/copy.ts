import type { CopyJob } from '../../job/copy.js'
import type { Outcome } from '../../job/outcome.js'
import { withArchiveHandling } from './archived.js'
import type { KindActions } from './context.js'
import { copyAction, requestsOfCopy } from './copy-object.js'
import { lookingForTaken, withNoClobber } from './no-clobber.js'
import { refusingOrDeferring } from './refuse-names.js'
import { requestsOfCopyCheck } from './spot-checks.js'
import { copyVersionsAction } from './versions.js'

const WRITTEN: Outcome = { kind: 'copied' }

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
  requests: requestsOfCopy,
  checkRequests: requestsOfCopyCheck,
}
