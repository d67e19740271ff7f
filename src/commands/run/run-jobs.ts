import { createHash } from 'node:crypto'
import { isAborted, sleep } from '../../abort.js'
import { hasEnded, type BatchJobState, type BatchState } from '../../checkpoint/batch-state.js'
import type { Checkpoint } from '../../checkpoint/checkpoint.js'
import { StorageError } from '../../errors.js'
import { printable } from '../../keys.js'
import { count, objects } from '../../report/format.js'
import type { BatchControl, BatchRequest, BatchView } from '../../storage/batch-control.js'

/** The checkpoint of a run that has jobs. */
export type JobsCheckpoint = Checkpoint & { readonly batch: BatchState }

/** A run whose jobs are at work, or to be made. */
export interface JobsRun<C extends JobsCheckpoint> {
  checkpoint: C
  /** Keeps what has changed. */
  readonly save: (checkpoint: C) => Promise<void>
  /** Asks a person whether the jobs may start. */
  readonly confirm: () => Promise<boolean>
  readonly say: (message: string) => void
  /** Told after each look at the jobs. */
  readonly looked: () => void
  readonly stop: AbortSignal
}

type WithoutName<T> = T extends unknown ? Omit<T, 'token' | 'description'> : never

/** What the jobs of a run are. */
export interface JobsKind {
  /** Where a job belongs to. */
  readonly controlOf: (job: BatchJobState) => BatchControl
  readonly requestOf: (job: BatchJobState) => WithoutName<BatchRequest>
  /** What an object is called that a job has done: `copied`. */
  readonly done: string
  /** Takes into account what a job has done that has ended, and saves it. */
  readonly count: (at: number, ended: BatchView) => Promise<void>
}

/** First and longest pause between two looks at the jobs, in milliseconds. */
const FIRST_LOOK = 250
const LONGEST_LOOK = 30_000

/** What a job that nobody has started leaves by itself. */
const MOVING = /^(?:New|Preparing|Cancelling|Failing|Completing)?$/

/**
 * Makes the jobs, has them confirmed, waits for their ends and has each counted, each step saved before the next. Answers whether all have ended; otherwise
 * it was stopped, or nobody has confirmed.
 */
export async function runJobs<C extends JobsCheckpoint>(
  run: JobsRun<C>,
  kind: JobsKind,
  resumed: boolean,
): Promise<boolean> {
  await make(run, kind, resumed)
  if (!run.checkpoint.batch.confirmed) {
    const ready = await watch(run, kind, (status) => !MOVING.test(status))
    if (!ready) return false
    const startable = run.checkpoint.batch.jobs.some(({ status }) => !hasEnded(status))
    if (startable && !(await run.confirm())) return false
    await change(run, { confirmed: true })
  }
  return await watch(run, kind, hasEnded, true)
}

async function change<C extends JobsCheckpoint>(run: JobsRun<C>, changed: Partial<BatchState>): Promise<void> {
  run.checkpoint = { ...run.checkpoint, batch: { ...run.checkpoint.batch, ...changed } }
  await run.save(run.checkpoint)
}

async function changeJob<C extends JobsCheckpoint>(
  run: JobsRun<C>,
  at: number,
  changed: Partial<BatchJobState>,
): Promise<void> {
  await change(run, {
    jobs: run.checkpoint.batch.jobs.map((job, index) => (index === at ? { ...job, ...changed } : job)),
  })
}

async function make<C extends JobsCheckpoint>(run: JobsRun<C>, kind: JobsKind, resumed: boolean): Promise<void> {
  const { batch } = run.checkpoint
  const found = resumed ? await foundJobs(batch, kind) : new Map<string, string>()
  for (const [at, one] of batch.jobs.entries()) {
    if (one.id !== undefined) continue
    if (run.stop.aborted) return
    const description = describedAs(batch, at)
    const asked = { description, ...kind.requestOf(one) }
    const token = createHash('sha256').update(JSON.stringify(asked)).digest('hex')
    const id = found.get(description) ?? (await kind.controlOf(one).create({ ...asked, token }))
    await changeJob(run, at, { id })
    run.say(`job ${at + 1} of ${batch.jobs.length} is ${id}: ${objects(one.rows)}`)
  }
}

/** The ids of jobs that were made, by requests whose answers nobody saved, by their descriptions: S3 may have forgotten the tokens. */
export async function foundJobs(
  batch: BatchState,
  { controlOf }: Pick<JobsKind, 'controlOf'>,
): Promise<ReadonlyMap<string, string>> {
  const named = new Map<BatchControl, string[]>()
  for (const [at, job] of batch.jobs.entries()) {
    if (job.id !== undefined || job.counted === true) continue
    const control = controlOf(job)
    named.set(control, [...(named.get(control) ?? []), describedAs(batch, at)])
  }
  const found = new Map<string, string>()
  for (const [control, names] of named) for (const [name, id] of await control.find(new Set(names))) found.set(name, id)
  return found
}

/** What the job of a manifest is called, by which it is found again. */
export function describedAs({ id, jobs }: BatchState, at: number): string {
  return `s3move ${id} ${at + 1}/${jobs.length}`
}

// Looks at the jobs until each is where it is waited for. What is suspended is started, and what has ended is counted, where that may be.
async function watch<C extends JobsCheckpoint>(
  run: JobsRun<C>,
  kind: JobsKind,
  arrived: (status: string) => boolean,
  confirmed = false,
): Promise<boolean> {
  let pause = FIRST_LOOK
  while (!run.stop.aborted) {
    let waiting = false
    for (const [at, before] of run.checkpoint.batch.jobs.entries()) {
      const { id, counted } = before
      if (id === undefined) return false
      if (counted === true || isAborted(run.stop)) continue
      const control = kind.controlOf(before)
      const now = await control.describe(id)
      const moved = now.status !== before.status
      if (moved) {
        pause = FIRST_LOOK
        tell(run, kind, at, now)
      }
      if (moved || now.succeeded !== before.succeeded || now.failed !== before.failed) {
        await changeJob(run, at, { status: now.status, succeeded: now.succeeded, failed: now.failed })
      }
      if (confirmed && now.status === 'Suspended') await start(control, id)
      if (!arrived(now.status)) waiting = true
      else if (confirmed) await kind.count(at, now)
    }
    run.looked()
    if (!waiting) return !isAborted(run.stop)
    await sleep(pause, run.stop)
    pause = Math.min(pause * 1.5, LONGEST_LOOK)
  }
  return false
}

function tell<C extends JobsCheckpoint>(
  { say, checkpoint: { batch } }: JobsRun<C>,
  { done }: JobsKind,
  at: number,
  { status, tasks, succeeded, failed, reasons }: BatchView,
): void {
  const of = tasks > 0 ? `, ${count(succeeded)} of ${count(tasks)} ${done}, ${count(failed)} failed` : ''
  const why = reasons.length === 0 ? '' : ` (${printable(reasons.join('; '))})`
  say(`job ${at + 1} of ${batch.jobs.length}: ${printable(status)}${of}${why}`)
}

// Somebody else may have started it in between.
async function start(control: BatchControl, id: string): Promise<void> {
  try {
    await control.start(id)
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== 'JobStatusException') throw error
    if ((await control.describe(id)).status === 'Suspended') throw error
  }
}
