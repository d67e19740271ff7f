import { FORMAT, type Checkpoint } from '../../checkpoint/checkpoint.js'
import type { OutputWriter } from '../../engine/output/output-writer.js'
import { lsSink } from '../../engine/session/scan-results.js'
import { runScan, type ScanEnd, type ScanKeeper, type ScanOptions } from '../../engine/session/scan-session.js'
import type { LsJob } from '../../job/ls.js'
import { noTotals } from '../../job/totals.js'
import { printableName } from '../../keys.js'
import type { CommandIo } from '../options/io.js'
import type { Opened } from './open-and-run.js'

/** How a run lists what it is for, before anything else. */
export interface ListLinesOptions {
  readonly checkpoint: Pick<
    Checkpoint,
    'program' | 'connection' | 'pace' | 'startedAt' | 'savedAt' | 'ranges' | 'list' | 'listed'
  >
  readonly opened: Opened
  /** Where the lines go, as JSON; `fail` is told what goes wrong there. */
  readonly outlet: (fail: (error: unknown) => void) => OutputWriter
  readonly warn: (message: string) => void
  readonly progress: ScanOptions['progress']
  /** Absent where it is done in one go. */
  readonly keeper?: ScanKeeper | undefined
  readonly io: CommandIo
}

/** Lists what remains. Ends and rejects as `runScan` does. */
export async function listLines(listing: LsJob, options: ListLinesOptions): Promise<ScanEnd> {
  const { opened, outlet, warn, progress, keeper, io } = options
  const { program, connection, pace, startedAt, savedAt, ranges, list, listed } = options.checkpoint
  return await runScan({
    checkpoint: {
      ...{ format: FORMAT, program, job: listing, connection, pace, state: 'unfinished', startedAt, savedAt },
      ...{ activeMs: 0, sessions: 1, ranges, listed, totals: noTotals(), history: [] },
      ledger: { bytes: 0, entries: 0 },
      ...(list === undefined ? {} : { list }),
    },
    folder: undefined,
    ...(keeper === undefined ? {} : { keeper }),
    ...{ ends: opened.ends, crew: opened.hands.crew(opened.ends), drain: opened.drain, abandon: io.abandon },
    openSink: (keyspace, fail) =>
      lsSink(listing, { format: 'json', packing: 'plain', terminal: false, before: 0 }, outlet(fail), keyspace),
    warn: (message) => warn(printableName(message)),
    progress,
  })
}
