import type { Outcome } from '../../job/outcome.js'
import type { ObjectSummary } from '../../storage/storage.js'
import type { Notice } from '../../storage/notice.js'
import type { Meter } from '../../storage/retry.js'
import type { UploadLog } from '../actions/context.js'

/** Large objects that one process copies at once; each has several parts under way. */
export const LARGE_AT_ONCE = 4

/** A large object that is to be copied. */
export interface LargeTask {
  /** Where its line in their ledger begins, in bytes: no two have the same. */
  readonly at: number
  readonly object: ObjectSummary
  readonly uploads: UploadLog
}

/** Who copies large objects: the run's own process, or a host. */
export interface LargeHand {
  /** How many at once. */
  readonly atOnce: number
  /** Undefined when it gives the object back: nothing of it is to count, and another goes on with its upload. */
  copy(task: LargeTask): Promise<Outcome | undefined>
}

/** The large objects of a run, for those that help to copy them. */
export interface LargeQueue {
  /** Gives some to a hand until what it answers is called. */
  join(hand: LargeHand): () => void
}

/** Told of what large objects that are copied for another process bring to light. */
export interface LargeListener {
  readonly notice: (notice: Notice) => void
  /** It is impossible to go on. */
  readonly fail: (error: unknown) => void
}

/** Who copies them, for the time of a membership. */
export interface LargeAtWork extends Pick<LargeHand, 'copy'> {
  /** Begins no further part until it is told otherwise. */
  hold(isHeld: boolean): void
  /** Begins no further part; uploads are aborted, or `kept` for others. */
  stop(kept: boolean): void
  /** What was requested since the last time; undefined for nothing. */
  takeMeter(): Meter | undefined
}
