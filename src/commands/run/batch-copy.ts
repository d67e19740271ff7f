import type { BatchableJob } from '../../batch/batchable.js'
import type { BatchJobState } from '../../checkpoint/batch-state.js'
import { isCopy, type CopyJob } from '../../job/copy.js'
import type { BatchCopy } from '../../storage/batch-control.js'
import { batchFront } from './batch-front.js'

/** What a job makes of the objects of its manifest. */
export function batchCopyOf(job: BatchableJob, { storageClass, fields, unmodifiedSince }: BatchJobState): BatchCopy {
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
