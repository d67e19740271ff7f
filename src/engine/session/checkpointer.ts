import type { Checkpoint, LedgerPosition } from '../../checkpoint/checkpoint.js'
import type { FailureLedger } from '../../checkpoint/failure-ledger.js'
import type { Ledger } from '../../checkpoint/ledger.js'
import { mayPass } from '../../checkpoint/checkpoint-error.js'
import type { RunFolder } from '../../checkpoint/run-folder.js'
import type { DeferredDelete, Failure } from '../../job/outcome.js'
import { sleep } from '../../abort.js'

/** The state of a run at one moment, taken in one synchronous step: the failures belong to keys that the checkpoint passes. */
export interface RunState {
  readonly failures: readonly Failure[]
  /** What is to be deleted behind the checkpoint that passes it, and how much of that is done. */
  readonly deferredDeletes?: readonly DeferredDelete[]
  readonly deletesDone?: LedgerPosition
  readonly checkpoint: Omit<Checkpoint, 'ledger' | 'removals'>
  /** Where the failure ledger ended then, where somebody else appends to it. */
  readonly ledger?: LedgerPosition
}

/** The ledger of what a run deletes behind its checkpoint, and who is told how far a checkpoint counts on it. */
interface KeptDeferredDeletes {
  readonly ledger: Pick<Ledger<DeferredDelete>, 'append' | 'position'>
  readonly work: { allow(position: LedgerPosition): void }
}

/** Who writes down objects that a checkpoint passes and that are done apart, and answers where their ledger ends. */
interface Holder {
  flush(): Promise<LedgerPosition>
}

const NOWHERE: LedgerPosition = { bytes: 0, entries: 0 }

/** How long after one save the next begins, in milliseconds. What was done since is done again after a kill: at 20,000 objects a second, five pages. */
const INTERVAL = 250

/** How long a folder that cannot be written to is borne with, in milliseconds, and how often it is tried meanwhile. */
const PATIENCE = 10 * 60_000
const AGAIN = 1_000

/** What a checkpointer tells, and what it saves beside the state. */
export interface CheckpointerOptions {
  /** Called when a regular save failed for good, after which there are no more. */
  readonly fail: (error: unknown) => void
  /** Told when saving fails for the time being, and when it succeeds again. */
  readonly warn: (message: string) => void
  /** How long what may pass is borne with, in milliseconds; ten minutes at most. */
  readonly retryFor: number
  /** Where the job may put large objects off. */
  readonly large?: Holder
  /** Where objects may be set aside to be tried again. */
  readonly waiting?: Holder
  readonly deferredDeletes?: KeptDeferredDeletes | undefined
}

/**
 * Saves a run again and again, so that it can be killed at any moment. `state` is asked at each save. A save that fails because the disk is full does
 * not end the run at once: the work goes on, only that a kill would make more of it be repeated.
 */
export class Checkpointer {
  private timer: NodeJS.Timeout | undefined
  private stopped = false
  private busy: Promise<void> = Promise.resolve()
  private failingSince: number | undefined
  // Those of a write that did not succeed: their keys count as settled, so the next save must bring them.
  private unwritten: readonly Failure[] = []
  private unwrittenDeletes: readonly DeferredDelete[] = []

  constructor(
    private readonly folder: Pick<RunFolder, 'look' | 'save'> & Partial<Pick<RunFolder, 'interval'>>,
    private readonly ledger: Pick<FailureLedger, 'append' | 'position'>,
    private readonly state: () => RunState,
    private readonly options: CheckpointerOptions,
  ) {}

  /** Begins the regular saves. */
  start(): void {
    this.plan(this.interval)
  }

  /** Saves the state of now: failures first, then the checkpoint that passes them. Waits for a save under way. Rejects with a `CheckpointError`. */
  save(): Promise<void> {
    const turn = this.busy.then(() => this.saveOnce())
    this.busy = turn.catch(() => undefined)
    return turn
  }

  /**
   * Ends the regular saves and saves for the last time. What may pass (a full disk) is borne with as in a regular save, unless `hurry`
   * is aborted. Rejects with a `CheckpointError`.
   */
  async end(hurry: AbortSignal): Promise<void> {
    this.stopped = true
    clearTimeout(this.timer)
    for (;;) {
      await this.busy
      try {
        await this.save()
        this.saved()
        return
      } catch (error) {
        this.bear(error)
        if (hurry.aborted) throw error
        await sleep(AGAIN, hurry)
      }
    }
  }

  private async saveOnce(): Promise<void> {
    const { folder, ledger } = this
    const { large, waiting, deferredDeletes: kept } = this.options
    const { failures, deferredDeletes = [], deletesDone = NOWHERE, checkpoint, ledger: ended } = this.state()
    this.unwritten = joined(this.unwritten, failures)
    this.unwrittenDeletes = joined(this.unwrittenDeletes, deferredDeletes)
    // Another session's ledgers must not be written to either.
    await folder.look()
    await ledger.append(this.unwritten)
    this.unwritten = []
    const end = await large?.flush()
    const { large: begun, waiting: awaited } = checkpoint
    const setAside = await waiting?.flush()
    const counted = {
      ...checkpoint,
      ...(begun === undefined || end === undefined ? {} : { large: { ...begun, ledger: end } }),
      ...(awaited === undefined ? {} : { waiting: { ...awaited, ...setAside } }),
      ledger: ended ?? ledger.position,
    }
    if (kept === undefined) {
      await folder.save(counted)
      return
    }
    await kept.ledger.append(this.unwrittenDeletes)
    this.unwrittenDeletes = []
    const { position } = kept.ledger
    await folder.save({ ...counted, removals: { ...position, done: deletesDone } })
    kept.work.allow(position)
  }

  private get interval(): number {
    return this.folder.interval ?? INTERVAL
  }

  private plan(pause: number): void {
    this.timer = setTimeout(() => {
      this.save()
        .then(
          () => this.saved(),
          (error: unknown) => this.bear(error),
        )
        .then(() => {
          if (!this.stopped) this.plan(this.failingSince === undefined ? this.interval : AGAIN)
        }, this.options.fail)
    }, pause)
  }

  private saved(): void {
    if (this.failingSince !== undefined) this.options.warn('the checkpoint can be saved again')
    this.failingSince = undefined
  }

  // Throws the error on when it is not to be borne with.
  private bear(error: unknown): void {
    const { retryFor, warn } = this.options
    if (!mayPass(error)) throw error
    const now = performance.now()
    if (this.failingSince === undefined) {
      const reason = error instanceof Error ? error.message : String(error)
      if (retryFor > 0) warn(`${reason}. The work goes on; a kill now would make what was done since be repeated`)
    }
    this.failingSince ??= now
    if (now - this.failingSince >= Math.min(PATIENCE, retryFor)) throw error
  }
}

function joined<T>(before: readonly T[], more: readonly T[]): readonly T[] {
  return before.length === 0 ? more : [...before, ...more]
}
