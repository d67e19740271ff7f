import type { BatchableJob } from '../../batch/batchable.js'
import { keyIn } from '../../batch/manifest.js'
import { failedRows, type FailedRow } from '../../batch/report.js'
import { isBatchUnderWay, type BatchJobState, type BatchState } from '../../checkpoint/batch-state.js'
import type { WriteCheckpoint } from '../../checkpoint/checkpoint.js'
import { openFailures } from '../../checkpoint/failure-ledger.js'
import { UserError } from '../../errors.js'
import { writeKindOf } from '../../job/kinds.js'
import type { Failure } from '../../job/outcome.js'
import { printable } from '../../keys.js'
import { rowsOf } from '../../sources/files-from/csv-rows.js'
import { textLines } from '../../sources/files-from/text-lines.js'
import type { BatchControl, BatchView } from '../../storage/batch-control.js'
import { batchOperationOf, batchChangeOf } from './batch-copy.js'
import { runJobs, type JobsKind } from './run-jobs.js'

/** A run that S3 Batch Operations does, listed to its end. */
export interface BatchRun {
  readonly folder: string
  checkpoint: WriteCheckpoint & { readonly batch: BatchState; readonly job: BatchableJob }
  readonly control: BatchControl
  /** Keeps what has changed. */
  readonly save: (checkpoint: WriteCheckpoint) => Promise<void>
  /** Asks a person whether the jobs may start. */
  readonly confirm: () => Promise<boolean>
  readonly read: (key: string, etag?: string) => AsyncIterable<Buffer>
  readonly say: (message: string) => void
  /** Told after each look at the jobs. */
  readonly looked: () => void
  readonly stop: AbortSignal
}

/** Objects of a report whose failures are told one by one where its job did not come to its end. */
const MOST_KNOWN = 100_000

/**
 * Makes the jobs, has them confirmed, waits for their ends and takes what became of their objects into totals and failure ledger, each step saved before
 * the next. Answers whether all is counted; otherwise it was stopped, or nobody has confirmed.
 */
export async function runBatchJobs(run: BatchRun, resumed: boolean): Promise<boolean> {
  const { job, batch } = run.checkpoint
  const { bucket } = batch.manifests
  const kind: JobsKind = {
    controlOf: () => run.control,
    requestOf: (one) => ({
      ...{ role: batch.role, ...batchChangeOf(job, one) },
      manifest: { bucket, prefix: one.manifest, etag: one.etag },
      report: { bucket, prefix: reportsOf(batch) },
    }),
    done: writeKindOf(job).done,
    count: (at, ended) => countJob(run, at, ended),
  }
  return (await runJobs(run, kind, resumed)) && !isBatchUnderWay(run.checkpoint.batch)
}

function reportsOf({ manifests, id }: BatchState): string {
  return `${manifests.prefix}${id}/reports`
}

// Totals and ledger change in one save, and what was appended without one is cut off by the next session.
async function countJob(run: BatchRun, at: number, ended: BatchView): Promise<void> {
  const { checkpoint, folder } = run
  const job = checkpoint.batch.jobs[at]
  if (job === undefined) return
  const ledger = await openFailures(folder, checkpoint.ledger)
  try {
    const failed = new Map<string, number>()
    const append = async (rows: readonly FailedRow[], operation: string): Promise<void> => {
      await ledger.append(rows.map((row) => failureOf(row, operation)))
      for (const { code } of rows) failed.set(code, (failed.get(code) ?? 0) + 1)
    }
    const whole = ended.status === 'Complete' && ended.tasks === job.rows && ended.succeeded + ended.failed === job.rows
    if (whole)
      await readReport(run, ended, (rows) => append(rows, batchOperationOf(batchChangeOf(checkpoint.job, job))))
    else await readManifest(run, job, ended, (rows) => append(rows, 'CreateJob'))
    const { totals } = checkpoint
    const all = { ...totals.failed }
    for (const [code, n] of failed) all[code] = (all[code] ?? 0) + n
    const copied = whole ? ended.succeeded : 0
    const bytes = copied === job.rows ? job.bytes : 0
    const jobs = checkpoint.batch.jobs.map((one, index) => (index === at ? { ...one, counted: true } : one))
    const batch = { ...checkpoint.batch, jobs }
    run.checkpoint = {
      ...{ ...checkpoint, batch, state: isBatchUnderWay(batch) ? 'unfinished' : 'finished' },
      totals: { ...totals, copied: totals.copied + copied, bytes: totals.bytes + bytes, failed: all },
      ledger: ledger.position,
    }
    await run.save(run.checkpoint)
  } finally {
    await ledger.close()
  }
}

function failureOf({ key, code, status, message }: FailedRow, operation: string): Failure {
  const answer = status === undefined ? {} : { status }
  return { key, operation, ...answer, code, message, attempts: 1, time: new Date().toISOString() }
}

async function readReport(
  run: BatchRun,
  { id, failed }: BatchView,
  append: (rows: readonly FailedRow[]) => Promise<void>,
): Promise<void> {
  if (failed === 0) return
  const { batch, job } = run.checkpoint
  let found = 0
  for await (const rows of failedRows(`${reportsOf(batch)}/job-${id}/manifest.json`, run.read)) {
    const other = rows.find(({ key }) => !key.startsWith(job.source.prefix))
    if (other !== undefined) {
      throw new UserError(
        `the report of the job ${id} names ${printable(other.key)}, which is none of this job’s`,
        AGAIN,
      )
    }
    found += rows.length
    await append(rows)
  }
  if (found === failed) return
  throw new UserError(`the report of the job ${id} has ${found} failures where the job tells of ${failed}`, AGAIN)
}

const AGAIN = 'resume the run to read it again; what the jobs have copied stays'

// Which of its objects a job has come to is told by no list, so that all of them are to be tried again.
async function readManifest(
  run: BatchRun,
  { manifest, etag, rows: expected }: BatchJobState,
  ended: BatchView,
  append: (rows: readonly FailedRow[]) => Promise<void>,
): Promise<void> {
  const known = await reported(run, ended)
  const why = ended.reasons.length === 0 ? '' : `: ${ended.reasons.join('; ')}`
  const otherwise = {
    code: ended.status === 'Cancelled' ? 'BatchJobCancelled' : 'BatchJobFailed',
    message: `the job ${ended.id} ended as ${ended.status} before it was known to have ${writeKindOf(run.checkpoint.job).done} it${why}`,
  }
  let found = 0
  for await (const rows of rowsOf(textLines(run.read(manifest, etag), manifest), manifest)) {
    found += rows.length
    await append(
      rows.map(({ fields: [, field = ''] }) => {
        const key = keyIn(field)
        return known.get(key) ?? { key, ...otherwise }
      }),
    )
  }
  if (found === expected) return
  throw new UserError(`the manifest ${printable(manifest)} has ${found} rows where ${expected} were written`, AGAIN)
}

// What a job did report, as far as there is a report.
async function reported(run: BatchRun, { id, failed }: BatchView): Promise<ReadonlyMap<string, FailedRow>> {
  const known = new Map<string, FailedRow>()
  if (failed === 0 || failed > MOST_KNOWN) return known
  try {
    for await (const rows of failedRows(`${reportsOf(run.checkpoint.batch)}/job-${id}/manifest.json`, run.read)) {
      for (const row of rows) known.set(row.key, row)
    }
    return known
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    return new Map()
  }
}
