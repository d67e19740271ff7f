import { UserError } from '../../errors.js'
import { unorderedSidesOf, type Job } from '../../job/kinds.js'
import { isDirectoryBucket, type Place } from '../../job/place.js'
import type { Trait } from '../../job/object-attributes.js'
import { EXPRESS_ONEZONE } from '../../job/storage-classes.js'
import { printable } from '../../keys.js'

// What jobs do to one of their sides that directory buckets have not, or of which nobody knows whether they have.
const NOT_THERE: Readonly<Partial<Record<Job['kind'], string>>> = {
  'set-headers': 'headers are changed by a copy of an object onto itself, which was not tried on such buckets',
  'set-storage-class': 'it has one storage class',
  'set-encryption': 'all of its objects are encrypted as the bucket says',
  'set-tags': 'its objects have no tags',
}

/** Refuses what cannot be done with directory buckets, each by what to do instead; `quick` is a plan by a sample of the keys. */
export function checkDirectoryBuckets(job: Job, quick?: boolean): void {
  const { source } = job
  const destination = 'destination' in job ? job.destination : undefined
  const sides = [source, destination].filter((side) => side !== undefined && isDirectoryBucket(side.bucket))
  const [one] = sides
  if (one === undefined) return
  const reason = NOT_THERE[job.kind]
  if (reason !== undefined) throw refusal(one, `${job.kind} does not go with one, as ${reason}`, INSTEAD)
  if ('versions' in job && job.versions) throw refusal(one, 'its objects have no versions', 'leave --all-versions away')
  const asked = destination !== undefined && isDirectoryBucket(destination.bucket) ? askedInVain(job) : undefined
  if (asked !== undefined && destination !== undefined)
    throw refusal(destination, `its objects have no ${asked.what}`, `leave --${asked.flag} away`)
  if ('folders' in job && job.folders)
    throw refusal(one, 'a level of it is not in order either', 'leave --folders away')
  for (const side of unorderedSidesOf(job)) {
    const { bucket, prefix } = (side === 'source' ? source : destination) ?? source
    // What lies beside the folder is looked for in the order of the keys.
    if ('prefixAs' in job && prefix !== '' && !prefix.endsWith('/')) {
      throw refusal(
        { bucket, prefix },
        'it lists whole folders',
        `write the prefix with / at its end: ${printable(prefix)}/`,
      )
    }
    if (quick === true) throw refusal({ bucket, prefix }, 'its keys cannot be sampled', 'leave --quick away')
  }
}

// What is asked of copies and no object of such a bucket can have.
function askedInVain(job: Job): { readonly what: string; readonly flag: string } | undefined {
  if (!('attributes' in job)) return undefined
  const { acl, tagging, storageClass, keyFile, bucketKey, preserve = [] } = job.attributes
  if (acl !== undefined) return { what: LISTS, flag: 'acl' }
  if (tagging !== undefined) return { what: 'tags', flag: 'tagging' }
  if (keyFile !== undefined) return { what: 'keys of the customer’s (SSE-C)', flag: 'sse-c-key-file' }
  if (bucketKey !== undefined) return { what: 'choice about Bucket Keys', flag: 'bucket-key' }
  if (storageClass !== undefined && storageClass !== EXPRESS_ONEZONE)
    return { what: `storage class but ${EXPRESS_ONEZONE}`, flag: 'storage-class' }
  const kept = preserve.find((trait) => NEVER_KEPT[trait] !== undefined)
  return kept === undefined ? undefined : { what: NEVER_KEPT[kept] ?? '', flag: `preserve ${kept}` }
}

const LISTS = 'access control lists'
const NEVER_KEPT: Readonly<Partial<Record<Trait, string>>> = {
  acl: LISTS,
  annotations: 'annotations',
  lock: 'locks',
  redirect: 'redirects',
}

/** Why jobs of Batch Operations do not go with one. */
export const NO_JOBS = 's3move does not make jobs of S3 Batch Operations for those'

const INSTEAD = 'docs/directory-buckets.md says what works with directory buckets'

/** Refuses a command for which a place is not to be a directory bucket. */
export function refuseDirectory(place: Place, because: string): void {
  if (isDirectoryBucket(place.bucket)) throw refusal(place, because, 'name a general purpose bucket')
}

function refusal({ bucket }: Place, because: string, instead: string): UserError {
  return new UserError(`${printable(bucket)} is a directory bucket (S3 Express One Zone): ${because}`, instead)
}
