import type { Finding } from '../job/finding.js'
import type { BucketTraits } from './storage.js'

/** How a bucket is set, for a person. */
export function traitFindings({ versioned, locks, acls }: BucketTraits): Finding[] {
  const finding = (what: string, has: boolean | undefined, [yes, no]: readonly [string, string]): Finding => ({
    ...{ about: 'trait', what },
    ...(has === undefined
      ? { state: 'unknown', told: 'the store does not tell, or not to these credentials' }
      : { state: has ? 'ok' : 'no', told: has ? yes : no }),
  })
  return [
    finding('versioning', versioned, [
      'on: a write keeps what it replaces',
      'off: what is replaced or deleted is gone',
    ]),
    finding('Object Lock', locks, ['on: objects can be locked', 'off: objects cannot be locked']),
    finding('ACLs', acls, ['objects have their own', 'off: BucketOwnerEnforced, the bucket owns all objects']),
  ]
}
