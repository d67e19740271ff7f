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

/** Saves a run again and again, so that it can be killed at any moment. */
export interface Checkpointer {
  /** Saves the state of now: failures first, then the checkpoint that passes them. Waits for a save under way. Rejects with a `CheckpointError`. */
  save(): Promise<void>
  /**
   * Ends the regular saves and saves for the last time. What may pass (a full disk) is borne with as in a regular save, unless `hurry`
   * is aborted. Rejects with a `CheckpointError`.
   */
  end(hurry: AbortSignal): Promise<void>
}

const NOWHERE: LedgerPosition = { bytes: 0, entries: 0 }

/** How long after one save the next begins, in milliseconds. What was done since is done again after a kill: at 20,000 objects a second, five pages. */
const INTERVAL = 250

/** How long a folder that cannot be written to is borne with, in milliseconds, and how often it is tried meanwhile. */
const PATIENCE = 10 * 60_000
const AGAIN = 1_000

/** What a keeper tells. */
export interface KeeperOptions {
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
 * Keeps a run in its folder. `state` is asked at each save. A save that fails because the disk is full does not end the run at once: the work
 * goes on, only that a kill would make more of it be repeated.
 */
export function createKeeper(
  folder: Pick<RunFolder, 'look' | 'save'>,
  ledger: Pick<FailureLedger, 'append' | 'position'>,
  state: () => RunState,
  { fail, warn, retryFor, large, waiting, deferredDeletes: kept }: KeeperOptions,
): Checkpointer {
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  let busy: Promise<void> = Promise.resolve()
  // Those of a write that did not succeed: their keys count as settled, so the next save must bring them.
  let unwritten: readonly Failure[] = []
  let unwrittenDeferredDeletes: readonly DeferredDelete[] = []

  const saveOnce = async (): Promise<void> => {
    const { failures, deferredDeletes = [], deletesDone = NOWHERE, checkpoint } = state()
    unwritten = unwritten.length === 0 ? failures : [...unwritten, ...failures]
    unwrittenDeferredDeletes =
      unwrittenDeferredDeletes.length === 0 ? deferredDeletes : [...unwrittenDeferredDeletes, ...deferredDeletes]
    // Another session's ledgers must not be written to either.
    await folder.look()
    await ledger.append(unwritten)
    unwritten = []
    const end = await large?.flush()
    const { large: begun, waiting: awaited } = checkpoint
    const setAside = await waiting?.flush()
    const counted = {
      ...checkpoint,
      ...(begun === undefined || end === undefined ? {} : { large: { ...begun, ledger: end } }),
      ...(awaited === undefined ? {} : { waiting: { ...awaited, ...setAside } }),
      ledger: ledger.position,
    }
    if (kept === undefined) {
      await folder.save(counted)
      return
    }
    await kept.ledger.append(unwrittenDeferredDeletes)
    unwrittenDeferredDeletes = []
    const { position } = kept.ledger
    await folder.save({ ...counted, removals: { ...position, done: deletesDone } })
    kept.work.allow(position)
  }
  const save = (): Promise<void> => {
    const turn = busy.then(saveOnce)
    busy = turn.catch(() => undefined)
    return turn
  }
  let failingSince: number | undefined
  const saved = (): void => {
    if (failingSince !== undefined) warn('the checkpoint can be saved again')
    failingSince = undefined
  }
  // Throws the error on when it is not to be borne with.
  const bear = (error: unknown): void => {
    if (!mayPass(error)) throw error
    const now = performance.now()
    if (failingSince === undefined) {
      const reason = error instanceof Error ? error.message : String(error)
      if (retryFor > 0) warn(`${reason}. The work goes on; a kill now would make what was done since be repeated`)
    }
    failingSince ??= now
    if (now - failingSince >= Math.min(PATIENCE, retryFor)) throw error
  }
  const plan = (pause: number): void => {
    timer = setTimeout(() => {
      save()
        .then(saved, bear)
        .then(() => {
          if (!stopped) plan(failingSince === undefined ? INTERVAL : AGAIN)
        }, fail)
    }, pause)
  }
  plan(INTERVAL)
  return {
    save,
    async end(hurry) {
      stopped = true
      clearTimeout(timer)
      for (;;) {
        await busy
        try {
          await save()
          saved()
          return
        } catch (error) {
          bear(error)
          if (hurry.aborted) throw error
          await sleep(AGAIN, hurry)
        }
      }
    },
  }
}
