import type { Outcome } from '../../job/outcome.js'
import type { SetStorageClassJob } from '../../job/set-storage-class.js'
import { isSameClass } from './asked-attributes.js'
import type { KindActions } from './context.js'
import {
  lookAtRewrite,
  requestsOfRewrite,
  requestsOfRewriteCheck,
  setHeadersAction,
  type RewriteJob,
} from './set-headers.js'

const UNCHANGED: Outcome = { kind: 'skipped', reason: 'unchanged' }

/** The rewrite in which the headers stay. */
function rewriteOf({ source, storageClass, folderMarkers, acl }: SetStorageClassJob): RewriteJob {
  return {
    ...{ source, folderMarkers, rules: [{ set: [], remove: [] }] },
    ...(acl === undefined ? {} : { acl }),
    carried: [['x-amz-storage-class', storageClass]],
  }
}

export const SET_STORAGE_CLASS_ACTIONS: KindActions<SetStorageClassJob> = {
  decide:
    ({ storageClass }) =>
    (object) =>
      isSameClass(object.storageClass, storageClass) ? UNCHANGED : undefined,
  look: (job, { source }) => lookAtRewrite(rewriteOf(job), source),
  act: (job, { destination, checks }) => setHeadersAction(rewriteOf(job), destination, undefined, checks),
  requests: requestsOfRewrite,
  checkRequests: requestsOfRewriteCheck,
}
