import type { Checkpoint } from '../checkpoint/checkpoint.js'
import { runSession } from '../engine/session.js'
import type { Connection, CopyJob } from '../job.js'
import type { Progress } from '../progress.js'
import { openEnds, type Ends } from '../storage/open.js'
import { EXIT } from './exit.js'
import { unless, type CommandIo } from './io.js'
import type { Telling } from './options.js'

/** How long an operation is tried again before it counts as failed, in milliseconds. */
const RETRY_FOR = 10 * 60_000

/** The two ends of a job, and what ends the work on them. */
export interface Opened {
  readonly ends: Ends
  readonly drain: AbortController
}

/** Reaches both ends of a job. What is wrong with them is a `UserError`; a stop ends it at once, as `Interrupted`. */
export async function open(
  job: CopyJob,
  connection: Connection,
  { readOnly, io, progress }: { readonly readOnly: boolean; readonly io: CommandIo; readonly progress: Progress },
): Promise<Opened> {
  const drain = new AbortController()
  if (io.stop.aborted) drain.abort()
  else io.stop.addEventListener('abort', () => drain.abort(), { once: true })
  const opening = openEnds({
    source: job.source,
    destination: job.destination,
    connection,
    policy: { retryFor: RETRY_FOR, giveUp: drain.signal },
    readOnly,
    note: (message) => progress.event({ type: 'note', level: 'info', message }),
  })
  const ends = await unless(io.stop, opening)
  return { ends, drain }
}

/** What `drive` needs: a locked folder and everything that was found out. */
export interface DriveOptions {
  readonly folder: string
  readonly checkpoint: Checkpoint
  readonly opened: Opened
  readonly progress: Progress
  readonly telling: Telling
  readonly io: CommandIo
  readonly onlyFailed: boolean
  readonly resumed: boolean
}

/** Runs a session and turns its end into an exit code. */
export async function drive(options: DriveOptions): Promise<number> {
  const { folder, checkpoint, opened, progress, telling, io, onlyFailed, resumed } = options
  const { job, pace } = checkpoint
  progress.event({ type: 'start', job, checkpoint: folder, resumed, pace })
  const { end, failed } = await runSession({
    folder,
    checkpoint,
    ends: opened.ends,
    onlyFailed,
    drain: opened.drain,
    abandon: io.abandon,
    emit: (event) => progress.event(event),
    verbose: telling.verbose,
  })
  switch (end) {
    case 'finished':
      return failed > 0 ? EXIT.failures : EXIT.done
    case 'interrupted':
      return EXIT.interrupted
    case 'stopped':
      return EXIT.stopped
  }
}
