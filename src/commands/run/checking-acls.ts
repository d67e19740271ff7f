import { lossesOfRewriting } from '../../engine/actions/fidelity.js'
import { UserError } from '../../errors.js'
import { placeUrl } from '../../job/place.js'
import type { SetHeadersJob } from '../../job/set-headers.js'
import type { Prepare } from './start-write.js'

/** Lets nothing be rewritten before it is certain what becomes of access control lists. `keeping` says how they can be kept. */
export function checkingAcls(job: Pick<SetHeadersJob, 'source' | 'acl'>, keeping: string): Prepare {
  return async ({ ends }, warn) => {
    const { acls, versioned } = (await ends.destination?.traits()) ?? {}
    const url = placeUrl(job.source)
    if (acls !== false && job.acl === undefined) {
      throw new UserError(
        acls === true
          ? `the bucket of ${url} has access control lists, and S3 resets them when it rewrites an object: what is public would become private`
          : `the store does not say whether the objects of ${url} have access control lists, which S3 resets when it rewrites an object`,
        `${keeping}, --acl NAME to set one for all, or --reset-acl if none matters`,
      )
    }
    if (acls === false && job.acl !== undefined && !HARMLESS.has(job.acl)) {
      throw new UserError(`the bucket of ${url} has access control lists disabled`, 'leave --acl away')
    }
    const lost = lossesOfRewriting({ bucket: job.source.bucket, software: ends.source.software })
    if (lost !== undefined) warn(lost)
    if (versioned === true) {
      warn(
        `the bucket of ${url} keeps versions: each object that is rewritten gains one, and what it replaces stays and is billed`,
      )
    }
  }
}

/** How the lists of objects that are rewritten one by one can be kept. */
export const KEEPING = 'add --preserve acl to keep them (a request more for each object that is rewritten)'

const HARMLESS = new Set(['preserve', 'reset', 'bucket-owner-full-control'])
