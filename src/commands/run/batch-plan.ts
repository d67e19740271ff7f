import type { BatchableJob } from '../../batch/batchable.js'
import { HeaderSets, type CountedSet } from '../../batch/header-sets.js'
import { ManifestWriter, manifestRow, type SendManifest } from '../../batch/manifest.js'
import type { RoutedObject } from '../../batch/route.js'
import type { BatchJobState } from '../../checkpoint/batch-state.js'
import type { LedgerPosition, WriteCheckpoint } from '../../checkpoint/checkpoint.js'
import type { FailureLedger } from '../../checkpoint/failure-ledger.js'
import { HEADER_SETS, type ObjectOfSet } from '../../checkpoint/header-set-ledger.js'
import { LateLedger } from '../../checkpoint/object-ledger.js'
import { allTogether, type Requests } from '../../engine/actions/context.js'
import type { ScanEnd, ScanKeeper } from '../../engine/session/scan-session.js'
import type { OutputWriter } from '../../engine/output/output-writer.js'
import { UserError } from '../../errors.js'
import type { Expected } from '../../job/events.js'
import { writeKindOf } from '../../job/kinds.js'
import { isSetTags } from '../../job/set-tags.js'
import { lsOf } from '../../job/ls.js'
import { NOT_FOR_BATCH, type Failure } from '../../job/outcome.js'
import { sum } from '../../job/totals.js'
import type { CommandIo } from '../options/io.js'
import { BatchCounts, type BatchCounted } from './batch-counts.js'
import { decidingFor, looksAtEach, type DecideBatch, type BatchDecision } from './batch-decisions.js'
import { manifestsOfSets, rareFor, setsOf } from './batch-sets.js'
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
  /** The same, as what is saved goes there. */
  readonly run: ScanKeeper['folder']
}

/** What a listing came to. */
export interface BatchPlan extends BatchCounted {
  readonly ended: ScanEnd
  /** With their manifests written; none in a rehearsal. */
  readonly jobs: readonly BatchJobState[]
  /** What jobs are to do: those of one kind have all in common that a job can give. */
  readonly kinds: readonly { readonly storageClass: string; readonly rows: number }[]
  /** Sent for it over all sessions, by operation. */
  readonly requests: Requests
}

/**
 * Lists what is to be done and decides of each object who does it: it goes into a manifest, or into the failure ledger, from which s3move takes it
 * afterwards. Where each object is looked at, it is saved how far it has come, and a later session goes on from there. Else, when it did not finish or rejects
 * (as `runScan` does), nothing of it counts.
 */
export async function planBatch(options: BatchPlanOptions): Promise<BatchPlan> {
  const { job, checkpoint, opened, to, warn, progress, io } = options
  const listing = lsOf(job)
  const { planning } = checkpoint.batch ?? {}
  const ofSets = to && new LateLedger(HEADER_SETS, to.within, planning ?? NOTHING)
  let router: Router | undefined
  try {
    const sets = ofSets === undefined ? new HeaderSets() : await setsOf(ofSets, opened.drain.signal)
    router = new Router(options, decidingFor(job, opened, checkpoint.pace.maxErrors), sets, ofSets)
    const ended = await listLines(listing, {
      ...{ checkpoint, opened, warn, progress, io },
      ...{ outlet: router.outlet, keeper: router.keeper },
    })
    return await router.end(ended)
  } finally {
    await router?.close()
    await ofSets?.end(false)
  }
}

const NOTHING: LedgerPosition = { bytes: 0, entries: 0 }

/** What is written down and counted of a listing, up to some page. */
interface Taken {
  readonly counted: (listed: number) => BatchCounted
  /** Where ledgers end. */
  readonly ledger: LedgerPosition
  readonly ofSets: LedgerPosition
}

/** Takes in lines of a listing, and gives each object where it belongs. */
class Router {
  /** Who saves how far it has come; absent where nothing is kept of that. */
  readonly keeper: ScanKeeper | undefined
  private readonly job: BatchableJob
  private readonly to: BatchOutput | undefined
  private readonly classes = new Map<string, number>()
  private readonly writer: ManifestWriter<string> | undefined
  private readonly counts: BatchCounts
  private taken: Taken
  private kept: ReturnType<ScanKeeper['state']>
  private allTaken: () => Promise<void> = () => Promise.resolve()

  constructor(
    private readonly options: BatchPlanOptions,
    private readonly decide: DecideBatch,
    private readonly sets: HeaderSets,
    private readonly ofSets: LateLedger<ObjectOfSet> | undefined,
  ) {
    const { job, checkpoint, to } = options
    this.job = job
    this.to = to
    this.counts = new BatchCounts(job, checkpoint)
    this.writer = to === undefined ? undefined : new ManifestWriter(to.folder, to.rowsAJob, to.send)
    this.taken = this.now()
    this.kept = { checkpoint, ledger: checkpoint.ledger }
    const kept = to !== undefined && looksAtEach(job)
    this.keeper = kept ? { folder: to.run, state: (scan) => this.state(scan) } : undefined
  }

  readonly outlet = (fail: (error: unknown) => void): OutputWriter => {
    const { outlet, taken } = takingOutlet(
      (lines) => this.take(lines),
      fail,
      () => {
        if (this.keeper !== undefined) this.taken = this.now()
      },
    )
    this.allTaken = taken
    return outlet
  }

  async end(ended: ScanEnd): Promise<BatchPlan> {
    const worth = this.sets.worthAJob()
    const jobs = ended.end === 'finished' ? await this.jobs(worth) : []
    return {
      ...{ ended, jobs, requests: this.requests(), ...this.counts.now()(ended.listed) },
      kinds: [...[...this.classes].map(([storageClass, rows]) => ({ storageClass, rows })), ...worth],
    }
  }

  async close(): Promise<void> {
    await this.writer?.close()
    await this.allTaken()
  }

  private now(): Taken {
    const { counts, to, ofSets } = this
    return {
      ...{ counted: counts.now(), ledger: to?.ledger.position ?? NOTHING, ofSets: ofSets?.position ?? NOTHING },
    }
  }

  private requests(): Requests {
    const { checkpoint, opened } = this.options
    return allTogether([checkpoint.batch?.planning?.requests ?? {}, opened.ends.meter.requests])
  }

  private state({ ranges, list, listed, scan }: Parameters<ScanKeeper['state']>[0]): ReturnType<ScanKeeper['state']> {
    const { list: _list, batch, ...rest } = this.options.checkpoint
    // What could not be looked up is to be tried again by the session that goes on.
    if (batch === undefined || sum(scan?.unread ?? {}) > 0) return this.kept
    const { counted, ledger, ofSets } = this.taken
    const { totals, own, groups } = counted(listed)
    const planning = { ...ofSets, own, groups, requests: this.requests() }
    this.kept = {
      checkpoint: {
        ...{ ...rest, ranges, listed, totals: { ...rest.totals, ...totals }, batch: { ...batch, planning } },
        ...(list === undefined ? {} : { list }),
      },
      ledger,
    }
    return this.kept
  }

  private async jobs(worth: readonly CountedSet[]): Promise<readonly BatchJobState[]> {
    await this.allTaken()
    await this.writer?.finish()
    const { to, ofSets } = this
    const copies = this.writer?.written.map(({ kind, ...one }) => ({ ...one, storageClass: kind })) ?? []
    if (to === undefined || ofSets === undefined) {
      const rare = this.sets.objects - worth.reduce((all, { rows }) => all + rows, 0)
      if (rare > 0) this.counts.leave(rareFor(this.job), rare)
      return copies
    }
    const rewrites = await manifestsOfSets(worth, {
      ...{ to, ledger: ofSets, job: this.job },
      leave: async (objects, reason) => this.leave(objects, reason),
    })
    return [...copies, ...rewrites]
  }

  private async take(lines: readonly string[]): Promise<void> {
    const objects = lines.map((line) => JSON.parse(line) as RoutedObject)
    const decisions = await this.decide(objects)
    // It counts for nothing, and nobody waits for it.
    if (decisions === undefined) throw new UserError('it was interrupted')
    this.counts.see(objects.length)
    const ofSets: ObjectOfSet[] = []
    const failures: Failure[] = []
    for (const decision of decisions) {
      const full = this.route(decision, ofSets, failures)
      if (full !== undefined) await full
    }
    if (failures.length > 0) await this.to?.ledger.append(failures)
    if (ofSets.length > 0) await this.ofSets?.append(ofSets)
  }

  private route(decision: BatchDecision, ofSets: ObjectOfSet[], failures: Failure[]): Promise<void> | undefined {
    const { object } = decision
    if (!('outcome' in decision)) this.counts.plans(object, this.writesOf(decision))
    if ('reason' in decision) {
      this.counts.leave(decision.reason)
      failures.push(this.leftOver(object, decision.reason))
    } else if ('outcome' in decision) this.settle(decision.outcome, failures)
    else if (decision.fields === undefined) {
      const { storageClass } = decision
      this.classes.set(storageClass, (this.classes.get(storageClass) ?? 0) + 1)
      return this.writer?.add(storageClass, manifestRow(this.job.source.bucket, object.key), object.size)
    } else {
      const { storageClass, fields } = decision
      const set = { storageClass, fields }
      const { number, begins } = this.sets.add(set, object.lastModified)
      ofSets.push({ ...object, set: number, ...(begins ? { begins: set } : {}) })
    }
    return undefined
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
    const { kind } = outcome
    if (kind !== 'skipped' && kind !== 'failed') throw new Error(`a look has ${kind} an object`)
    this.counts.settle(outcome)
    if (kind === 'failed') failures.push(outcome.failure)
  }

  private async leave(objects: readonly RoutedObject[], reason: string): Promise<void> {
    this.counts.leave(reason, objects.length)
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
