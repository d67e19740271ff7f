import type { BatchableJob } from '../../batch/batchable.js'
import type { BatchState } from '../../checkpoint/batch-state.js'
import type { WriteCheckpoint } from '../../checkpoint/checkpoint.js'
import type { Connection } from '../../job/connection.js'
import type { Pace } from '../../job/pace.js'
import type { Progress } from '../../report/progress.js'
import type { Flags } from '../options/flag-values.js'
import type { CommandIo } from '../options/io.js'
import type { OutputOptions } from '../options/output-options.js'
import type { Opened } from './open-and-run.js'

/** The command line of a run of jobs of S3 Batch Operations, and where it tells of itself. */
export interface BatchSetup {
  readonly flags: Flags
  readonly telling: OutputOptions
  readonly pace: Pace
  readonly progress: Progress
  readonly io: CommandIo
}

/** The same with its buckets reached. */
export interface OpenedBatch extends BatchSetup {
  readonly opened: Opened
  /** As it was asked for: the bucket of the manifests may be elsewhere. */
  readonly reached: Connection
}

export type BatchCheckpoint = WriteCheckpoint & { readonly batch: BatchState; readonly job: BatchableJob }
