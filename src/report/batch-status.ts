import type { BatchJobState } from '../checkpoint/batch-state.js'
import { printable } from '../keys.js'
import { count, objects } from './format.js'

/** A job of S3 Batch Operations, as `s3move status --json` tells it. */
export interface BatchJobStatus {
  /** Null until it was made. */
  readonly id: string | null
  /** As S3 said last; null before it was asked. */
  readonly status: string | null
  readonly objects: number
  readonly copied: number
  readonly failed: number
}

/** What is known of a job. */
export function batchJobStatus({ id, status, rows, succeeded = 0, failed = 0 }: BatchJobState): BatchJobStatus {
  return { id: id ?? null, status: status ?? null, objects: rows, copied: succeeded, failed }
}

/** Jobs in words, `done` being what they do to objects: `2 jobs: 1 Active, 1 Complete; 1,500 of 2,000 objects copied, 3 failed`. */
export function batchJobsInWords(jobs: readonly BatchJobStatus[], done: string): string {
  const byStatus = new Map<string, number>()
  for (const { status } of jobs) byStatus.set(status ?? 'not made', (byStatus.get(status ?? 'not made') ?? 0) + 1)
  const states = [...byStatus].map(([status, n]) => `${count(n)} ${printable(status)}`).sort()
  const total = (field: 'objects' | 'copied' | 'failed'): number => jobs.reduce((sum, job) => sum + job[field], 0)
  const far = `${count(total('copied'))} of ${objects(total('objects'))} ${done}, ${count(total('failed'))} failed`
  return `${count(jobs.length)} of S3 Batch Operations${jobs.length === 0 ? '' : `: ${states.join(', ')}; ${far}`}`
}
