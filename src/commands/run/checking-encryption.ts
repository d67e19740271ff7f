import { isAwsHost } from '../../storage/aws-host.js'
import { UserError } from '../../errors.js'
import { connectionOf } from '../../job/connection.js'
import { placeUrl } from '../../job/place.js'
import { updatedKeyOf, type SetEncryptionJob } from '../../job/set-encryption.js'
import { checkingAcls, KEEPING } from './checking-acls.js'
import type { Prepare } from './start-write.js'

/** Lets no encryption be changed before it is certain that the key can be used, and what becomes of what is rewritten. */
export function checkingEncryption(job: SetEncryptionJob): Prepare {
  return async (opened, warn) => {
    const { region } = connectionOf(opened.ends.connection, 'destination')
    const ofKey = updatedKeyOf(job)?.split(':')[3]
    if (isAwsHost(opened.ends.source.store.host) && region !== undefined && ofKey !== undefined && ofKey !== region) {
      throw new UserError(
        `the key is in ${ofKey}, and ${placeUrl(job.source)} is in ${region}: S3 takes keys of the bucket’s Region alone`,
        'name a key that is there',
      )
    }
    if (job.rewriteOthers === true) await checkingAcls(job, KEEPING)(opened, warn)
  }
}
