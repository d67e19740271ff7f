import type { HostActivity, Throttle } from '../../job/events.js'
import type { DuJob } from '../../job/du.js'
import type { WriteJob } from '../../job/kinds.js'
import type { LineFormat, LsJob } from '../../job/ls.js'
import type { DifferenceFormat, VerifyJob } from '../../job/verify.js'
import type { KeptRanges, RangeClaim } from '../../sources/work-source.js'
import type { Compression } from '../output/compression.js'
import type { Gate } from '../lanes/gate.js'
import type { LargeQueue } from './large-hand.js'

/** What threads are to do with the objects of ranges. Plain data. */
export type Task =
  | {
      readonly kind: 'write'
      readonly job: WriteJob
      /** Tell of each object, not only of failures. */
      readonly watched: boolean
    }
  | { readonly kind: 'usage'; readonly job: DuJob }
  | {
      readonly kind: 'comparison'
      readonly job: VerifyJob
      readonly packing: Compression
      readonly format: DifferenceFormat
    }
  | {
      readonly kind: 'lines'
      /** Where it is sorted, each delivery holds the lines of one page, so that pages can be put in order. */
      readonly job: LsJob
      readonly format: LineFormat
      readonly packing: Compression
      /** Nothing that a terminal could take for a command is written raw. */
      readonly terminal: boolean
    }
  | { readonly kind: 'rows'; readonly job: LsJob }

/** What a crew needs to carry out a task. */
export interface PoolWork {
  readonly task: Task
  readonly ranges: KeptRanges
  /**
   * Takes in what a thread has got out of the objects that `settle` settles: a product of the task's kind. `settle` is
   * called once, when a checkpoint may pass these objects; the thread works ahead of it by a bounded amount only. `grant` is that
   * of the first of these objects.
   */
  readonly deliver: (product: unknown, settle: () => void, grant: RangeClaim | undefined) => void
  /** Told where objects were settled, in larger and smaller numbers, the last key of each; and where requests were refused. */
  readonly watch?:
    | {
        settled(key: string, count: number): void
        refused(key: string, times: number): void
      }
    | undefined
  /** Holds back what threads begin; for jobs that write. */
  readonly gate?: Gate | undefined
  /** The large objects that others may help to copy. */
  readonly large?: LargeQueue | undefined
  /** What is left to be done once the ranges are, while those that were lent are here still. Never rejects. */
  readonly after?: (() => Promise<void>) | undefined
  /** Aborted when nothing further is to be begun. */
  readonly stop: AbortSignal
  /** Called, perhaps several times, with what makes it impossible to go on. The caller aborts `stop`. */
  readonly fail: (error: unknown) => void
}

/** Threads that work on a task. */
export interface WorkerPool {
  /** Resolves when the ranges and what is `after` them are done, or, after `stop`, when nothing is in flight any more. Never rejects. */
  run(work: PoolWork): Promise<void>
  /** How many threads are at work; 0 where this one does the work itself. */
  readonly threads: number
  /** Who lends threads now; undefined where nobody may. */
  readonly hosts: readonly HostActivity[] | undefined
  /** Objects being worked on now, as last heard of. */
  readonly inFlight: number
  /** What is held back, as last heard of. */
  readonly held: Throttle | undefined
  /** Ends all threads at once. */
  close(): void
}
