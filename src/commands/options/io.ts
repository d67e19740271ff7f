import { fstatSync } from 'node:fs'
import type { RunEvent } from '../../job/events.js'
import type { PaceChange } from '../../job/pace.js'
import type { Paints } from '../../report/paint.js'
import type { Planning } from './plan-options.js'

/** What a command may touch of the process. */
export interface CommandIo {
  readonly stdin: NodeJS.ReadableStream & { isTTY?: boolean }
  readonly stdout: NodeJS.WritableStream & { isTTY?: boolean; columns?: number; readonly fd?: number }
  readonly stderr: NodeJS.WritableStream & { isTTY?: boolean; columns?: number }
  readonly cwd: string
  /** How text for people is painted; not at all where it is absent. */
  readonly paint?: Paints
  /** Gets the lines that people see as well, as text that keeps its lines. */
  readonly log?: NodeJS.WritableStream | undefined
  /** Told of all that happens in a run. */
  readonly watch?: ((event: RunEvent) => void) | undefined
  /** Told of the folder of a run that begins, once it can be read. */
  readonly begun?: ((folder: string) => void) | undefined
  /** Who is told of changes of the pace, those from before included; absent where nothing changes it. */
  readonly onPace?: ((told: (change: PaceChange) => void) => void) | undefined
  /** The command line, from the command's name on. */
  readonly args: readonly string[]
  /** The same for people, where a named job stands for it. */
  readonly job?: string
  /** What is to be told of a command that is only planned. */
  readonly planning?: Planning
  /** Aborted by the first Ctrl-C, SIGTERM or SIGHUP: begin nothing further, let what is in flight end. */
  readonly stop: AbortSignal
  /** Aborted by the second: save and end at once. */
  readonly abandon: AbortSignal
}

/**
 * Whether progress may be drawn again and again at the foot of the terminal. `lines` of data go to standard output meanwhile: the reader of a pipe may write
 * them to the same terminal at any moment, into what is drawn there.
 */
export function mayRedraw({ stdout, stderr }: Pick<CommandIo, 'stdout' | 'stderr'>, lines: boolean): boolean {
  return stderr.isTTY === true && !(lines && isPipe(stdout))
}

// Whether another program reads what is written.
function isPipe({ fd }: CommandIo['stdout']): boolean {
  if (fd === undefined) return false
  const stats = fstatSync(fd)
  return stats.isFIFO() || stats.isSocket()
}

/** The person ended a command before it had begun to change anything. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

/** Awaits `work`, but rejects with `Interrupted` as soon as `signal` aborts. */
export async function unless<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let interrupt: (() => void) | undefined
  const interrupted = new Promise<never>((_resolve, reject) => {
    interrupt = () => reject(new Interrupted('interrupted'))
    if (signal.aborted) interrupt()
    else signal.addEventListener('abort', interrupt, { once: true })
  })
  try {
    return await Promise.race([work, interrupted])
  } finally {
    if (interrupt !== undefined) signal.removeEventListener('abort', interrupt)
  }
}
