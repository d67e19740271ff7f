import { mountedAt, shownFolder } from '../../checkpoint/mounts.js'
import { UserError } from '../../errors.js'
import { nameOfList } from '../../job/files-from.js'
import { isScanJob, listFileOf, type Job } from '../../job/kinds.js'
import { isObjectUrl, placeUrl } from '../../job/place.js'
import { comparesPlaces } from '../../job/verify.js'
import { printable } from '../../keys.js'

/**
 * Refuses to keep a run in the bucket that a folder stands for where its objects would be taken for objects of the job, or the other way round, and where what the job needs is
 * on this machine alone, so that no other could go on with it.
 */
export function checkKeptInBucket(job: Job, folder: string): void {
  const place = mountedAt(folder)?.place
  if (place === undefined) return
  for (const side of ['source', 'destination'] as const) {
    const other = side === 'source' ? job.source : 'destination' in job ? job.destination : undefined
    if (other === undefined || other.bucket !== place.bucket) continue
    // A prefix is no folder: below `photos` is `photos-run/` too.
    if (!place.prefix.startsWith(other.prefix) && !other.prefix.startsWith(place.prefix)) continue
    throw new UserError(
      `the run would be kept in ${placeUrl(place)}, and one of that and the ${side}, ${placeUrl(other)}, lies in the other: its objects would be taken for those of the job`,
      'name another bucket, or a prefix outside of it, with --checkpoint',
    )
  }
  const list = listFileOf(job)
  if (list !== undefined && list.origin === undefined) {
    throw needsThisMachine(
      folder,
      nameOfList(list),
      'put it into a bucket, and name it as s3://bucket/key; or give it on standard input: --files-from -',
    )
  }
  if (!isScanJob(job)) return
  if (!comparesPlaces(job)) {
    throw new UserError(
      `${job.kind} cannot keep how far it came in a bucket, ${printable(shownFolder(folder))}`,
      'name a folder with --checkpoint',
    )
  }
  if (job.to !== undefined && !isObjectUrl(job.to))
    throw needsThisMachine(folder, printable(job.to), 'send it to a bucket: --to s3://bucket/key')
}

function needsThisMachine(folder: string, what: string, hint: string): UserError {
  return new UserError(
    `the run is kept in ${shownFolder(folder)}, so that any machine can go on with it, and ${what} is a file of this one`,
    hint,
  )
}
