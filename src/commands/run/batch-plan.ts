import type { BatchableJob } from '../../batch/batchable.js'
import { HeaderSets, type CountedSet } from '../../batch/header-sets.js'
import { ManifestWriter, manifestRow, type SendManifest } from '../../batch/manifest.js'
import type { RoutedObject } from '../../batch/route.js'
import type { BatchJobState } from '../../checkpoint/batch-state.js'
import type { WriteCheckpoint } from '../../checkpoint/checkpoint.js'
import type { FailureLedger } from '../../checkpoint/failure-ledger.js'
import { HEADER_SETS, type ObjectOfSet } from '../../checkpoint/header-set-ledger.js'
import { LateLedger } from '../../checkpoint/object-ledger.js'
import type { Requests } from '../../engine/actions/context.js'
import { PlanCounts } from '../../engine/session/plan-counts.js'
import type { ScanEnd } from '../../engine/session/scan-session.js'
import type { OutputWriter } from '../../engine/output/output-writer.js'
import { UserError } from '../../errors.js'
import type { Expected } from '../../job/events.js'
import { writeKindOf } from '../../job/kinds.js'
import { isSetTags } from '../../job/set-tags.js'
import type { PlannedGroup } from '../../job/planned-group.js'
import { lsOf } from '../../job/ls.js'
import { NOT_FOR_BATCH, type Failure, type Outcome } from '../../job/outcome.js'
import type { Totals } from '../../job/totals.js'
import type { CommandIo } from '../options/io.js'
import { decidingFor, type DecideBatch, type BatchDecision } from './batch-decisions.js'
import { manifestsOfSets, rareFor } from './batch-sets.js'
import { listLines } from './list-lines.js'
import type { Opened } from './open-and-run.js'
import { takingOutlet } from './taking-outlet.js'

/** What is to be listed, and where what is found goes. */
export interface BatchPlanOptions {
  readonly job: BatchableJob
  readonly checkpoint: WriteCheckpoint
  readonly opened: Opened
  /** Absent in a rehearsal. */
  readonly to?: BatchOutput
  readonly warn: (message: string) => void
  /** Told several times a second; `elapsed` in milliseconds. */
  readonly progress: (listed: number, elapsed: number, expected: Expected | undefined) => void
  readonly io: CommandIo
}

/** Where manifests and what no job does go. */
export interface BatchOutput {
  /** What the keys of manifests begin with. */
  readonly folder: string
  readonly rowsAJob: number
  readonly send: SendManifest
  readonly ledger: FailureLedger
  /** The folder of the run. */
  readonly within: string
}

/** What a listing came to. */
export interface BatchPlan {
  readonly ended: ScanEnd
  /** With their manifests written; none in a rehearsal. */
  readonly jobs: readonly BatchJobState[]
  /** Objects that are left to s3move itself, by the reason. */
  readonly own: ReadonlyMap<string, number>
  /** What jobs are to do: those of one kind have all in common that a job can give. */
  readonly kinds: readonly { readonly storageClass: string; readonly rows: number }[]
  /** All that is to be done, by jobs or not, with the requests for it. */
  readonly groups: readonly PlannedGroup[]
  /** Of the objects that no job is to do; those of `own` are among the failures. */
  readonly totals: Pick<Totals, 'skipped' | 'failed'>
}

/**
 * Lists what is to be done and decides of each object who does it: it goes into a manifest, or into the failure ledger, from which s3move takes it
 * afterwards. When it did not finish, or rejects (as `runScan` does), nothing of it counts, and it is to be done again from the beginning.
 */
export async function planBatch(options: BatchPlanOptions): Promise<BatchPlan> {
  const { job, checkpoint, opened, to, warn, progress, io } = options
  const listing = lsOf(job)
  const sets = to && new LateLedger(HEADER_SETS, to.within, { bytes: 0, entries: 0 })
  const router = new Router(job, decidingFor(job, opened, checkpoint.pace.maxErrors), to, sets)
  try {
    const ended = await listLines(listing, {
      ...{ checkpoint, opened, warn, progress, io },
      outlet: (fail) => router.outlet(fail),
    })
    return await router.end(ended)
  } finally {
    await router.close()
    await sets?.end(true)
  }
}

/** Takes in lines of a listing, and gives each object where it belongs. */
class Router {
  private readonly own = new Map<string, number>()
  private readonly classes = new Map<string, number>()
  private readonly sets = new HeaderSets()
  private readonly skipped = new Map<string, number>()
  private readonly failed = new Map<string, number>()
  private seen = 0
  private readonly writer: ManifestWriter<string> | undefined
  private readonly counts: PlanCounts
  private taken: () => Promise<void> = () => Promise.resolve()

  constructor(
    private readonly job: BatchableJob,
    private readonly decide: DecideBatch,
    private readonly to: BatchOutput | undefined,
    private readonly ofSets: LateLedger<ObjectOfSet> | undefined,
  ) {
    this.counts = new PlanCounts(job, Date.now())
    this.writer = to === undefined ? undefined : new ManifestWriter(to.folder, to.rowsAJob, to.send)
  }

  outlet(fail: (error: unknown) => void): OutputWriter {
    const { outlet, taken } = takingOutlet((lines) => this.take(lines), fail)
    this.taken = taken
    return outlet
  }

  async end(ended: ScanEnd): Promise<BatchPlan> {
    const { own, skipped, failed, classes } = this
    const worth = this.sets.worthAJob()
    const jobs = ended.end === 'finished' ? await this.jobs(worth) : []
    const left = [...own.values()].reduce((all, n) => all + n, 0)
    const filtered = ended.listed - this.seen
    return {
      ...{ ended, jobs, own, groups: this.counts.groups() },
      kinds: [...[...classes].map(([storageClass, rows]) => ({ storageClass, rows })), ...worth],
      totals: {
        skipped: Object.fromEntries(filtered === 0 ? skipped : [...skipped, ['filtered', filtered]]),
        failed: Object.fromEntries(left === 0 ? failed : [...failed, [NOT_FOR_BATCH, left]]),
      },
    }
  }

  async close(): Promise<void> {
    await this.writer?.close()
    await this.taken()
  }

  private async jobs(worth: readonly CountedSet[]): Promise<readonly BatchJobState[]> {
    await this.taken()
    await this.writer?.finish()
    const { to, ofSets } = this
    const copies = this.writer?.written.map(({ kind, ...one }) => ({ ...one, storageClass: kind })) ?? []
    if (to === undefined || ofSets === undefined) {
      const rare = this.sets.objects - worth.reduce((all, { rows }) => all + rows, 0)
      if (rare > 0) addTo(this.own, rareFor(this.job), rare)
      return copies
    }
    const rewrites = await manifestsOfSets(worth, {
      ...{ to, ledger: ofSets, job: this.job },
      leave: async (objects, reason) => this.leave(objects, reason),
    })
    return [...copies, ...rewrites]
  }

  private async take(lines: string): Promise<void> {
    const objects = lines.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as RoutedObject]))
    const decisions = await this.decide(objects)
    // It counts for nothing, and nobody waits for it.
    if (decisions === undefined) throw new UserError('it was interrupted')
    this.seen += objects.length
    const ofSets: ObjectOfSet[] = []
    const failures: Failure[] = []
    for (const decision of decisions) await this.route(decision, ofSets, failures)
    if (failures.length > 0) await this.to?.ledger.append(failures)
    if (ofSets.length > 0) await this.ofSets?.append(ofSets)
  }

  private async route(decision: BatchDecision, ofSets: ObjectOfSet[], failures: Failure[]): Promise<void> {
    const { object } = decision
    if (!('outcome' in decision)) this.counts.add(object, DONE, this.writesOf(decision))
    if ('reason' in decision) {
      addTo(this.own, decision.reason, 1)
      failures.push(this.leftOver(object, decision.reason))
    } else if ('outcome' in decision) this.settle(decision.outcome, failures)
    else if (decision.fields === undefined) {
      addTo(this.classes, decision.storageClass, 1)
      await this.writer?.add(decision.storageClass, manifestRow(this.job.source.bucket, object.key), object.size)
    } else {
      const { storageClass, fields } = decision
      ofSets.push({ ...object, set: this.sets.add({ storageClass, fields }, object.lastModified) })
    }
  }

  // Of what is too large for one, s3move sends several.
  private writesOf(decision: Exclude<BatchDecision, { outcome: unknown }>): Requests {
    const { job } = this
    if (isSetTags(job)) {
      const { fields = job.set } = 'reason' in decision ? {} : decision
      return { [fields.length === 0 ? 'DeleteObjectTagging' : 'PutObjectTagging']: 1 }
    }
    const { size } = decision.object
    if (!('reason' in decision) || size <= MOST_COPIED) return { CopyObject: 1 }
    return { CreateMultipartUpload: 1, UploadPartCopy: Math.ceil(size / LEAST_PART), CompleteMultipartUpload: 1 }
  }

  private settle(outcome: Extract<BatchDecision, { outcome: unknown }>['outcome'], failures: Failure[]): void {
    if (outcome.kind === 'skipped') addTo(this.skipped, outcome.reason, 1)
    else if (outcome.kind === 'failed') {
      addTo(this.failed, outcome.failure.code, 1)
      failures.push(outcome.failure)
    } else throw new Error(`a look has ${outcome.kind} an object`)
  }

  private async leave(objects: readonly RoutedObject[], reason: string): Promise<void> {
    addTo(this.own, reason, objects.length)
    await this.to?.ledger.append(objects.map((object) => this.leftOver(object, reason)))
  }

  private leftOver({ key, size, etag, lastModified, storageClass }: RoutedObject, reason: string): Failure {
    return {
      ...{ key, size, etag, lastModified, storageClass },
      ...{ operation: 'CreateJob', code: NOT_FOR_BATCH, attempts: 0, time: new Date().toISOString() },
      message: `S3 Batch Operations cannot ${writeKindOf(this.job).task} it: ${reason}`,
    }
  }
}

/** What one CopyObject takes, and the parts in which more is copied, at least; in bytes. */
const MOST_COPIED = 5 * 1024 ** 3
const LEAST_PART = 512 * 1024 ** 2

const DONE: Outcome = { kind: 'copied' }

function addTo(counts: Map<string, number>, name: string, gain: number): void {
  counts.set(name, (counts.get(name) ?? 0) + gain)
}
