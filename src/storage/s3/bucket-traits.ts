import { StorageError } from '../../errors.js'
import type { Wrap } from '../around.js'
import type { BucketTraits } from '../storage.js'
import type { HttpResponse } from './http.js'
import type { Channel } from './request.js'
import { problemOf } from './storage-errors.js'
import { elementText } from './xml.js'

/**
 * GetBucketOwnershipControls, GetBucketVersioning and, where `locks` are asked for, GetObjectLockConfiguration, each of which `tried` may try again.
 * What the store does not tell, or not to these credentials, is undefined.
 */
export async function bucketTraits(
  { place, bucketPath, always, request }: Channel,
  tried: Wrap,
  locks: boolean,
): Promise<BucketTraits> {
  const ask = async (operation: string, subresource: string): Promise<HttpResponse | StorageError> => {
    const asked = { operation, bucket: place.bucket }
    const wanted = { method: 'GET', path: `${bucketPath}/`, query: `${subresource}=`, fields: always }
    let passing: StorageError | undefined
    try {
      return await tried(operation, async () => {
        const response = await request(asked, wanted)
        const error = problemOf(response, asked)
        passing = error?.severity === 'retry' || error?.severity === 'throttle' ? error : undefined
        if (passing !== undefined) throw passing
        return error ?? response
      })
    } catch (error) {
      // Swift takes the question for one of a listing, and fails where a key would not go into it.
      if (passing === undefined || !(error instanceof StorageError)) throw error
      return error
    }
  }
  const ownership = await ask('GetBucketOwnershipControls', 'ownershipControls')
  const versioning = await ask('GetBucketVersioning', 'versioning')
  const status = versioning instanceof StorageError ? undefined : elementText(versioning.body, 'Status')
  const locking = locks ? locksOf(await ask('GetObjectLockConfiguration', 'object-lock')) : undefined
  const rule = ownership instanceof StorageError ? undefined : elementText(ownership.body, 'ObjectOwnership')
  return {
    acls:
      ownership instanceof StorageError && ownership.code === 'OwnershipControlsNotFoundError'
        ? true
        : rule === undefined
          ? undefined
          : rule !== 'BucketOwnerEnforced',
    versioned: versioning instanceof StorageError ? undefined : status === 'Enabled',
    ...(status === 'Suspended' ? { suspended: true } : {}),
    locks: locking,
  }
}

// A store that does not know the question may answer another one.
function locksOf(answer: HttpResponse | StorageError): boolean | undefined {
  if (answer instanceof StorageError) return answer.code === 'ObjectLockConfigurationNotFoundError' ? false : undefined
  if (!/<ObjectLockConfiguration[\s/>]/.test(answer.body)) return undefined
  return elementText(answer.body, 'ObjectLockEnabled') === 'Enabled'
}
