import { StorageError } from '../../errors.js'
import type { Wrap } from '../around.js'
import type { BucketTraits } from '../storage.js'
import type { HttpResponse } from './http.js'
import type { Channel } from './request.js'
import { problemOf } from './storage-errors.js'
import { elementText } from './xml.js'

type TraitAnswer = HttpResponse | StorageError

/** Answers to GetBucketOwnershipControls, GetBucketVersioning and, where it was asked, GetObjectLockConfiguration. */
export interface AskedTraits {
  readonly ownership: TraitAnswer
  readonly versioning: TraitAnswer
  readonly locking?: TraitAnswer | undefined
}

/** Asks for the settings of a bucket. `tried` may try each question again. */
export async function askedTraits(
  { place, bucketPath, always, request }: Channel,
  tried: Wrap,
  locks: boolean,
): Promise<AskedTraits> {
  const ask = async (operation: string, subresource: string): Promise<TraitAnswer> => {
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
  return {
    ownership: await ask('GetBucketOwnershipControls', 'ownershipControls'),
    versioning: await ask('GetBucketVersioning', 'versioning'),
    locking: locks ? await ask('GetObjectLockConfiguration', 'object-lock') : undefined,
  }
}

/** What the settings of a bucket mean. What the store does not tell, or not to these credentials, is undefined. */
export async function bucketTraits(channel: Channel, tried: Wrap, locks: boolean): Promise<BucketTraits> {
  return traitsIn(await askedTraits(channel, tried, locks))
}

/** What the answers mean. */
export function traitsIn({ ownership, versioning, locking }: AskedTraits): BucketTraits {
  const status = versioning instanceof StorageError ? versioning : elementText(versioning.body, 'Status')
  const mfa = versioning instanceof StorageError ? undefined : elementText(versioning.body, 'MfaDelete')
  const rule = ownership instanceof StorageError ? undefined : elementText(ownership.body, 'ObjectOwnership')
  return {
    acls:
      ownership instanceof StorageError && ownership.code === 'OwnershipControlsNotFoundError'
        ? true
        : rule === undefined
          ? undefined
          : rule !== 'BucketOwnerEnforced',
    versioned: status instanceof StorageError ? undefined : status === 'Enabled',
    ...(status === 'Suspended' ? { suspended: true } : {}),
    ...(mfa === 'Enabled' ? { mfaDelete: true } : {}),
    locks: locking === undefined ? undefined : locksOf(locking),
    ...retentionOf(locking),
  }
}

// A store that does not know the question may answer another one.
function locksOf(answer: HttpResponse | StorageError): boolean | undefined {
  if (answer instanceof StorageError) return answer.code === 'ObjectLockConfigurationNotFoundError' ? false : undefined
  if (!/<ObjectLockConfiguration[\s/>]/.test(answer.body)) return undefined
  return elementText(answer.body, 'ObjectLockEnabled') === 'Enabled'
}

function retentionOf(answer: TraitAnswer | undefined): Pick<BucketTraits, 'defaultRetention'> {
  if (answer === undefined || answer instanceof StorageError) return {}
  const rule = elementText(answer.body, 'DefaultRetention') === undefined ? undefined : answer.body
  const mode = rule && elementText(rule, 'Mode')
  if (rule === undefined || mode === undefined) return {}
  const [days, years] = [elementText(rule, 'Days'), elementText(rule, 'Years')]
  const time = days === undefined ? `${years ?? '?'} years` : `${days} days`
  return { defaultRetention: `${mode} for ${time}` }
}
