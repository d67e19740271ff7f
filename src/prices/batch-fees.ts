/**
 * What S3 Batch Operations bills on top of the requests of its jobs, in US$, for each job and each object: about, as https://aws.amazon.com/s3/pricing/
 * has had it for years in the large Regions. The price list file has no name for it that is known.
 */
const FEES = { job: 0.25, object: 1e-6 } as const

/** What jobs for so many objects cost beside their requests, in US$. */
export function batchFees(jobs: number, objects: number): number {
  return jobs * FEES.job + objects * FEES.object
}
