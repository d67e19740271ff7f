import { openRemovals, removalLedger } from '../../checkpoint/deferred-delete-ledger.js'
import type { LedgerPosition, WriteCheckpoint } from '../../checkpoint/checkpoint.js'
import type { Ledger } from '../../checkpoint/ledger.js'
import type { Throttle } from '../../job/events.js'
import { deferredDeletesOf, deletionPlace } from '../../job/kinds.js'
import type { DeferredDelete } from '../../job/outcome.js'
import type { Place } from '../../job/place.js'
import { settled, type Totals } from '../../job/totals.js'
import { DeferredDeleteSource } from '../../sources/deferred-delete-source.js'
import { addTo, type Tally } from '../../sources/tally.js'
import type { ActionContext } from '../actions/context.js'
import { deletionOf } from '../actions/actions.js'
import { DEFERRED_DELETE_FLIGHTS } from '../actions/deferred-delete.js'
import type { Gate } from '../lanes/gate.js'
import { heldBack, pacersFor, type Pacer } from '../lanes/pacer.js'
import { runLanes, type LanesOptions } from '../lanes/run-lanes.js'
import { ConcurrencyLimit } from '../lanes/concurrency-limit.js'

/** What a run deletes behind its checkpoint: its ledger, and how far that is done. */
export interface DeferredDeletes {
  readonly ledger: Ledger<DeferredDelete>
  readonly work: DeferredDeleteSource
  /** Those that the tally has gained, to be written to the ledger. */
  take(): readonly DeferredDelete[]
  /** Objects that are to be deleted, whether on the ledger yet or not. */
  readonly owed: number
  /**
   * Why `sync` must not delete what only the destination has, although it was asked to: it is then left where it is. Undefined when it may.
   * Asked when both sides have been listed to their ends, and all that is extra is on the ledger;
   * `waiting` objects are counted nowhere yet.
   */
  whyKept(waiting: number): string | undefined
  /** Deletes what the work hands out, until that ends or the run does. Never rejects. */
  deleteDeferred(waysFor: (pacer: Pacer) => ActionContext, watch: Watch | undefined): Promise<void>
  /** Objects being deleted now. */
  readonly inFlight: number
  readonly held: Throttle | undefined
}

type Watch = NonNullable<LanesOptions['watch']>

/** What deferred deletes need of their session. */
export interface DeferredDeleteOptions {
  readonly folder: string
  /** As last saved. */
  readonly checkpoint: WriteCheckpoint
  readonly tally: Tally
  readonly gate: Gate
  readonly ledger: Ledger<DeferredDelete>
  readonly stop: AbortSignal
  readonly fail: (error: unknown) => void
}

/** Opens the ledger of a job that deletes behind its checkpoint, as it was when that was saved; undefined for other jobs. */
export async function openDeleteLedger(
  folder: string,
  { job, removals = NONE }: WriteCheckpoint,
): Promise<Ledger<DeferredDelete> | undefined> {
  const path = removalLedger(folder, job)
  return path === undefined ? undefined : await openRemovals(path, removals)
}

/** What a job deletes behind its checkpoint; undefined for a job that does not. */
export function createDeferredDeletes(options: DeferredDeleteOptions): DeferredDeletes | undefined {
  const { folder, checkpoint, tally, gate, ledger, stop, fail } = options
  const { job, pace, removals = NONE } = checkpoint
  const path = removalLedger(folder, job)
  const deletes = deferredDeletesOf(job)
  if (path === undefined || deletes === undefined) return undefined
  const work = new DeferredDeleteSource(path, removals.done, deletionPlace(job).prefix, tally)
  const pacers = pacersFor(1)
  let slots: ConcurrencyLimit | undefined
  let planned = removals.entries
  const owed = (): number => planned - work.done.entries

  const reason = (most: number, waiting: number): string | undefined => {
    const { deleted = 0 } = tally.totals
    // Some were deleted already: it was asked before they were.
    const ofSource = work.done.entries > 0 ? Infinity : ofTheSource(job.source, tally.totals) + waiting
    return reasonToKeep(deleted + owed(), ofSource, most)
  }
  return {
    ledger,
    work,
    take() {
      const taken = tally.takeDeferredDeletes()
      planned += taken.length
      return taken
    },
    get owed() {
      return owed()
    },
    whyKept(waiting) {
      const why = deletes.when === 'at-the-end' ? reason(deletes.most ?? Infinity, waiting) : undefined
      if (why !== undefined) {
        addTo(tally.totals.skipped, 'extra', owed())
        work.forgo(ledger.position)
      }
      work.end()
      return why
    },
    async deleteDeferred(waysFor, watch) {
      // One lane, with nothing to be told apart: the ledger is in no order.
      const [pacer] = pacers
      if (pacer === undefined) return
      const ways = waysFor(pacer)
      slots = new ConcurrencyLimit(DEFERRED_DELETE_FLIGHTS)
      gate.attach(slots)
      await runLanes({
        work,
        actFor: () => deletionOf(job, ways, pace.concurrency),
        pacers,
        slots,
        stop,
        fail,
        watch,
      })
    },
    get inFlight() {
      return slots?.busy ?? 0
    },
    get held() {
      return heldBack(pacers)
    },
  }
}

/** Why so many objects that only the destination has must not be deleted, when `ofSource` were listed at the source; undefined when they may. */
export function reasonToKeep(extras: number, ofSource: number, most: number): string | undefined {
  if (extras > most) {
    const [found, limit] = [extras, most].map((n) => n.toLocaleString('en-US'))
    const are = extras === 1 ? 'object is' : 'objects are'
    return `${found} ${are} only at the destination, more than --max-delete ${limit} allows`
  }
  return extras > 0 && ofSource === 0 ? 'the source has no objects at all' : undefined
}

/** Of the objects that the totals of a synchronisation count, those that the source had. None must be deleted yet. */
export function ofTheSource({ prefix }: Place, totals: Readonly<Totals>): number {
  // Where the source is a whole bucket, the marker of the folder that the destination is can only be there.
  const markers = prefix === '' ? (totals.skipped['prefix-marker'] ?? 0) : 0
  // What was not selected may be on either side, and what is no key is no object.
  const { extra = 0, filtered = 0, 'outside-folder': outside = 0, NotAKey: none = 0 } = totals.skipped
  return settled(totals) - (totals.deleted ?? 0) - extra - filtered - outside - none - markers
}

const ZERO: LedgerPosition = { bytes: 0, entries: 0 }
const NONE = { ...ZERO, done: ZERO }

/** Objects that a checkpoint counts on being deleted later, and that are in none of its totals. */
export function owedBefore({ removals = NONE }: WriteCheckpoint): number {
  return removals.entries - removals.done.entries
}
