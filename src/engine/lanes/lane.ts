import type { Deferral, Outcome } from '../../job/outcome.js'
import type { ObjectSummary } from '../../storage/storage.js'
import type { Lease, WorkItem } from '../../sources/work-source.js'
import { isAborted, sleep, unlessAborted } from '../../abort.js'
import type { Pacer } from './pacer.js'
import type { ConcurrencyLimit } from './concurrency-limit.js'

/**
 * Does one object. Undefined: it was given up because the run is ending, and nothing can be said of it. A rejection
 * ends the run: no object can be done until a person changes something.
 */
export type Action = (object: ObjectSummary) => Promise<Outcome | undefined>

/** Says what becomes of an object if that is known without a request; undefined for objects that are to be acted on. `page` is what it was listed with. */
export type Decide = (object: ObjectSummary, page: readonly ObjectSummary[]) => Outcome | Deferral | undefined

/** What a lane needs beside its lease. */
export interface LaneContext {
  readonly act: Action
  /** What it decides takes neither a slot nor the pace of the lane. */
  readonly decide?: Decide | undefined
  readonly pacer: Pacer
  readonly slots: ConcurrencyLimit
  /** Aborted when no further object is to be begun. */
  readonly stop: AbortSignal
  /** Called with what ends the run. */
  readonly fail: (error: unknown) => void
}

/** Objects handed out together. `first` is the first of them that is not settled. */
interface Batch {
  readonly objects: readonly ObjectSummary[]
  readonly outcomes: (Outcome | Deferral | undefined)[]
  first: number
}

/**
 * Pages of which some object is not settled, at most: while a store is away, or before an object is set aside, what is behind it must not pile up
 * in memory, to be repeated after a kill.
 */
const MOST_BATCHES = 8

/** Kept in the place of each such outcome: its ETag, of no more use, would keep the whole answer in memory. */
const COPIED: Outcome = { kind: 'copied' }

/**
 * Works on one lease until its end or until the run stops, and releases it. Objects are done in any order and settled
 * in the order of the listing: a batch keeps the outcomes that came early. While the objects of a page are being done
 * the next page is already on its way.
 */
export async function runLane(lease: Lease, context: LaneContext): Promise<void> {
  const lane = new Lane(lease, context)
  try {
    await lane.feed()
  } catch (error) {
    context.fail(error)
  }
  await lane.drained()
  lease.release()
}

class Lane {
  private readonly batches: Batch[] = []
  private inFlight = 0
  private onDrained: (() => void) | undefined
  private onSettled: (() => void) | undefined

  constructor(
    private readonly lease: Lease,
    private readonly context: LaneContext,
  ) {}

  async feed(): Promise<void> {
    const { pacer, slots, stop, decide } = this.context
    let granted = 0
    let entered = false
    let upcoming = this.lease.next()
    for (;;) {
      // A list that is slow to come is not waited for when the run stops.
      const objects = await unlessAborted(upcoming, stop)
      if (objects === undefined || isAborted(stop)) return
      if (this.batches.length >= MOST_BATCHES) await this.roomForBatch()
      if (isAborted(stop)) return
      upcoming = this.lease.next()
      // It is awaited after this page, or not at all when the run stops meanwhile.
      upcoming.catch(() => undefined)
      const batch: Batch = { objects, outcomes: new Array<Outcome | Deferral | undefined>(objects.length), first: 0 }
      if (decide !== undefined) {
        for (const [i, object] of objects.entries()) {
          const outcome = decide(object, objects)
          batch.outcomes[i] = outcome && unlessLater(object, outcome)
        }
      }
      this.batches.push(batch)
      this.settle()
      if (!entered && objects[0] !== undefined) {
        entered = true
        pacer.enter(objects[0].key)
      }
      if (objects[0] !== undefined) pacer.key = objects[0].key
      for (let i = 0; i < objects.length; i++) {
        if (batch.outcomes[i] !== undefined) continue
        for (let wait = pacer.admit(); wait > 0; wait = pacer.admit()) {
          pacer.key = objects[i]?.key ?? ''
          await sleep(wait, stop)
          if (isAborted(stop)) return
        }
        if (granted === 0) granted = await slots.room()
        if (isAborted(stop)) return
        granted--
        this.begin(batch, i)
      }
    }
  }

  /** Resolves when nothing of this lane is in flight. */
  async drained(): Promise<void> {
    if (this.inFlight > 0) await new Promise<void>((resolve) => (this.onDrained = resolve))
  }

  private begin(batch: Batch, index: number): void {
    this.inFlight++
    this.context.slots.add(async () => {
      const object = batch.objects[index]
      try {
        if (object !== undefined && !this.context.stop.aborted) {
          const outcome = await this.context.act(object)
          batch.outcomes[index] = outcome?.kind === 'copied' ? COPIED : outcome && unlessLater(object, outcome)
          this.context.pacer.succeeded()
          if (batch === this.batches[0] && index === batch.first) this.settle()
        }
      } catch (error) {
        this.context.fail(error)
      }
      this.inFlight--
      if (this.inFlight === 0) this.onDrained?.()
      this.context.slots.ended()
    })
  }

  // Tells the lease of every outcome that has none missing before it.
  private settle(): void {
    for (let batch = this.batches[0]; batch !== undefined; batch = this.batches[0]) {
      const { objects, outcomes } = batch
      while (batch.first < objects.length) {
        const object = objects[batch.first]
        const outcome = outcomes[batch.first]
        if (object === undefined || outcome === undefined) return
        this.lease.settle(object, outcome)
        batch.first++
      }
      this.batches.shift()
      this.onSettled?.()
    }
  }

  private async roomForBatch(): Promise<void> {
    const { stop } = this.context
    await new Promise<void>((resolve) => {
      this.onSettled = resolve
      stop.addEventListener('abort', this.onSettled, { once: true })
    })
    if (this.onSettled !== undefined) stop.removeEventListener('abort', this.onSettled)
    this.onSettled = undefined
  }
}

/** What is settled of an object in place of its outcome: one that is to be tried again is put off. */
export function unlessLater(object: WorkItem, outcome: Outcome | Deferral): Outcome | Deferral {
  if (outcome.kind !== 'failed' || outcome.later !== true) return outcome
  const { failure } = outcome
  return { kind: 'waiting', object: object.copy === undefined ? failure : { ...failure, copy: object.copy } }
}
