import type { BatchableJob } from '../../batch/batchable.js'
import type { BatchJobState } from '../../checkpoint/batch-state.js'
import { isCopy, type CopyJob } from '../../job/copy.js'
import type { SetHeadersJob } from '../../job/set-headers.js'
import { isSetTags } from '../../job/set-tags.js'
import type { BatchCopy, BatchChange } from '../../storage/batch-control.js'
import { batchFront } from './batch-front.js'

/** What a job does to the objects of its manifest. */
export function batchChangeOf(job: BatchableJob, state: BatchJobState): BatchChange {
  return isSetTags(job) ? { tags: state.fields ?? job.set } : { copy: batchCopyOf(job, state) }
}

/** The operation by which it does. */
export function batchOperationOf(task: BatchChange): string {
  if ('copy' in task) return 'S3PutObjectCopy'
  return task.tags.length === 0 ? 'S3DeleteObjectTagging' : 'S3PutObjectTagging'
}

function batchCopyOf(
  job: CopyJob | SetHeadersJob,
  { storageClass, fields, unmodifiedSince }: BatchJobState,
): BatchCopy {
  if (isCopy(job)) {
    return {
      destination: { bucket: job.destination.bucket, prefix: batchFront(job) },
      storageClass,
      ...{ acl: job.attributes?.acl, checksumAlgorithm: job.attributes?.checksumAlgorithm },
      tags: tagsOf(job),
    }
  }
  const acl = job.acl === 'reset' ? undefined : job.acl
  return { destination: { bucket: job.source.bucket, prefix: '' }, storageClass, fields, unmodifiedSince, acl }
}

function tagsOf({ attributes: { tagging, drop = [] } = {} }: CopyJob): (readonly [string, string])[] | undefined {
  if (tagging !== undefined) return [...new URLSearchParams(tagging)]
  return drop.includes('tags') ? [] : undefined
}
