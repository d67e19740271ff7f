import type { HostActivity } from '../../job/events.js'
import type { FromHand, ToHand } from './messages.js'
import type { Meter } from '../../storage/retry.js'
import type { Notice } from '../../storage/notice.js'
import type { PoolWork, Task } from './worker-pool.js'

/** A thread that works on a task, of this process or lent by another. Good for one task. */
export interface Hand {
  /** Gives it a task, and itself what it needs for that. */
  start(task: Task, listener: HandListener): void
  /** Once it is gone, nobody hears it. */
  tell(message: ToHand): void
}

/** Who listens to a hand. */
export interface HandListener {
  /** Called in the order in which it was said. */
  said(message: FromHand): void
  /** It is no more, and says nothing from then on: what it held is work for others. `error`: and that is the end of the run. */
  gone(error?: Error): void
}

/** A task that hands join, and who is told of what they find beside it. */
export interface LentWork extends Pick<PoolWork, 'task' | 'large' | 'stop' | 'fail'> {
  readonly told: { readonly meter: Meter; readonly notice: (notice: Notice) => void }
}

/** Where hands come from that join a run while it goes on. */
export interface Lenders {
  /** Who lends some now. */
  readonly atWork: readonly HostActivity[]
  /** Lets them join a task until what it answers is called. */
  open(work: LentWork, join: (hand: Hand) => void): () => void
}
