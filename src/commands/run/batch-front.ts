import { frontOf } from '../../batch/route.js'
import { UserError } from '../../errors.js'
import type { CopyJob } from '../../job/copy.js'
import { placeUrl } from '../../job/place.js'

/** What the jobs of a copy put in front of names. A `UserError` where they cannot give the names that are asked for. */
export function batchFront(job: CopyJob): string {
  const front = frontOf(job)
  if (front !== undefined) return front
  const { source, destination } = job
  throw new UserError(
    `S3 Batch Operations can only put something in front of names, and ${placeUrl(destination)} does not end in ${placeUrl(source).slice(`s3://${source.bucket}/`.length)}`,
    'let the destination end as the source does, or use s3move copy, which gives any name',
  )
}
