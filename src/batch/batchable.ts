import { isCopy, type CopyJob } from '../job/copy.js'
import { isSetHeaders, type SetHeadersJob } from '../job/set-headers.js'
import { isSetTags, type SetTagsJob } from '../job/set-tags.js'

/** What S3 Batch Operations can do, by what `s3move batch` calls it. */
export type BatchableJob = CopyJob | SetHeadersJob | SetTagsJob

/** Whether a job is one. */
export function isBatchable(job: { readonly kind: string }): job is BatchableJob {
  return isCopy(job) || isSetHeaders(job) || isSetTags(job)
}
