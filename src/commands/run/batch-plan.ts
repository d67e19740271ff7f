import { ManifestWriter, manifestRow, type SendManifest, type WrittenManifest } from '../../batch/manifest.js'
import { frontOf, routeOf, type RoutedObject } from '../../batch/route.js'
import { FORMAT, type WriteCheckpoint } from '../../checkpoint/checkpoint.js'
import type { FailureLedger } from '../../checkpoint/failure-ledger.js'
import { lsSink } from '../../engine/session/scan-results.js'
import { runScan, type ScanEnd } from '../../engine/session/scan-session.js'
import type { OutputWriter } from '../../engine/output/output-writer.js'
import { UserError } from '../../errors.js'
import type { CopyJob } from '../../job/copy.js'
import type { Expected } from '../../job/events.js'
import { lsOf } from '../../job/ls.js'
import { NOT_FOR_BATCH, type Failure } from '../../job/outcome.js'
import { placeUrl } from '../../job/place.js'
import { noTotals } from '../../job/totals.js'
import { printableName } from '../../keys.js'
import type { CommandIo } from '../options/io.js'
import type { Opened } from './open-and-run.js'

/** What is to be listed, and where what is found goes. */
export interface BatchPlanOptions {
  readonly job: CopyJob
  readonly checkpoint: WriteCheckpoint
  readonly opened: Opened
  /** Absent in a rehearsal. */
  readonly to?: {
    readonly folder: string
    readonly rowsAJob: number
    readonly send: SendManifest
    readonly ledger: FailureLedger
  }
  readonly warn: (message: string) => void
  /** Told several times a second; `elapsed` in milliseconds. */
  readonly progress: (listed: number, elapsed: number, expected: Expected | undefined) => void
  readonly io: CommandIo
}

/** What a listing came to. */
export interface BatchPlan {
  readonly ended: ScanEnd
  readonly manifests: readonly WrittenManifest[]
  /** Objects that are left to s3move itself, by the reason. */
  readonly own: ReadonlyMap<string, number>
  /** Objects of jobs, by the storage class of their copies. */
  readonly batch: ReadonlyMap<string, number>
  /** Objects that were not asked for. */
  readonly filtered: number
}

/**
 * Lists what is to be copied and decides of each object who does it: it goes into a manifest, or into the failure ledger, from which s3move takes it
 * afterwards. When it did not finish, or rejects (as `runScan` does), nothing of it counts, and it is to be done again from the beginning.
 */
export async function planBatch(options: BatchPlanOptions): Promise<BatchPlan> {
  const { job, checkpoint, opened, to, warn, progress, io } = options
  const listing = lsOf(job)
  const router = new Router(job, to)
  try {
    const ended = await runScan({
      checkpoint: {
        ...{ format: FORMAT, program: checkpoint.program, job: listing, connection: checkpoint.connection },
        ...{ pace: checkpoint.pace, state: 'unfinished', startedAt: checkpoint.startedAt, savedAt: checkpoint.savedAt },
        ...{ activeMs: 0, sessions: 1, ranges: checkpoint.ranges, listed: 0, totals: noTotals() },
        ...{ ledger: { bytes: 0, entries: 0 }, history: [] },
      },
      folder: undefined,
      ...{ ends: opened.ends, crew: opened.hands.crew(opened.ends), drain: opened.drain, abandon: io.abandon },
      openSink: (keyspace, fail) =>
        lsSink(
          listing,
          { format: 'json', packing: 'plain', terminal: false, before: 0 },
          router.outlet(fail),
          keyspace,
        ),
      warn: (message) => warn(printableName(message)),
      progress,
    })
    if (ended.end === 'finished') await router.finish()
    const { manifests, own, batch } = router
    return { ended, manifests, own, batch, filtered: ended.listed - router.seen }
  } finally {
    await router.close()
  }
}

/** Takes in lines of a listing, and gives each object where it belongs. */
class Router {
  readonly own = new Map<string, number>()
  readonly batch = new Map<string, number>()
  seen = 0
  private readonly writer: ManifestWriter | undefined
  private readonly front: string
  private turn: Promise<void> = Promise.resolve()

  constructor(
    private readonly job: CopyJob,
    private readonly to: BatchPlanOptions['to'],
  ) {
    this.front = batchFront(job)
    this.writer = to === undefined ? undefined : new ManifestWriter(to.folder, to.rowsAJob, to.send)
  }

  get manifests(): readonly WrittenManifest[] {
    return this.writer?.written ?? []
  }

  outlet(fail: (error: unknown) => void): OutputWriter {
    let broken = false
    let bytes = 0
    return {
      get bytes() {
        return bytes
      },
      kept: undefined,
      write: (piece, written) => {
        this.turn = this.turn.then(async () => {
          if (broken) return
          try {
            await this.take(Buffer.from(piece).toString())
            bytes += piece.length
            written()
          } catch (error) {
            broken = true
            fail(error)
          }
        })
      },
      sync: () => Promise.resolve(),
      finish: () => Promise.resolve(),
      close: () => Promise.resolve(),
    }
  }

  async finish(): Promise<void> {
    await this.turn
    await this.writer?.finish()
  }

  async close(): Promise<void> {
    await this.writer?.close()
    await this.turn
  }

  private async take(lines: string): Promise<void> {
    const { job, front, writer, to } = this
    const failures: Failure[] = []
    for (const line of lines.split('\n')) {
      if (line === '') continue
      const object = JSON.parse(line) as RoutedObject
      const route = routeOf(object, job, front)
      this.seen++
      if ('reason' in route) {
        addOne(this.own, route.reason)
        failures.push(leftOver(object, route.reason))
        continue
      }
      const { storageClass } = route
      addOne(this.batch, storageClass)
      await writer?.add(storageClass, manifestRow(job.source.bucket, object.key), object.size)
    }
    if (failures.length > 0) await to?.ledger.append(failures)
  }
}

function addOne(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

function leftOver(object: RoutedObject, reason: string): Failure {
  return {
    ...object,
    ...{ operation: 'CreateJob', code: NOT_FOR_BATCH, attempts: 0, time: new Date().toISOString() },
    message: `S3 Batch Operations cannot copy it: ${reason}`,
  }
}

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
