import { resolve } from 'node:path'
import { CheckpointError } from '../../checkpoint/checkpoint-error.js'
import { StoppedError, UserError } from '../../errors.js'
import { printable, withBytesShown, withoutCredentials } from '../../keys.js'
import { eventRecord, jsonRecord } from '../../report/json-records.js'
import { warningLine } from '../../report/paint.js'
import type { Progress } from '../../report/progress.js'
import type { SummaryEvent } from '../../report/summary.js'
import { EXIT } from '../options/exit.js'
import { readText, type Flags } from '../options/flag-values.js'
import { Interrupted, type CommandIo } from '../options/io.js'
import type { OutputOptions } from '../options/output-options.js'
import { openLogFile } from './log-file.js'
import { runOnFinish } from './on-finish.js'

/**
 * Does `work` with the log of `--log-file`, and `--on-finish` after it, whatever its end is; a rehearsal (`dry`) is no run that finishes. Both are of
 * this start, and not of the job. Resolves or rejects as `work` does.
 */
export async function attended(
  flags: Flags,
  io: CommandIo,
  dry: boolean,
  work: (io: CommandIo) => Promise<number>,
): Promise<number> {
  const onFinish = readText(flags, 'on-finish')
  const path = readText(flags, 'log-file')
  if (onFinish === undefined && path === undefined) return await work(io)
  // What is wrong with the log is not for the log.
  const warn = (message: string): void => warnTo({ ...io, log: undefined }, message)
  const log = path === undefined ? undefined : await openLogFile(resolve(io.cwd, path), warn)
  if (io.job !== undefined) log?.stream.write(`${io.job}\n`)
  let summary: SummaryEvent | undefined
  const summarised = (event: SummaryEvent): void => void (summary = event)
  const ended = async (code: number, error?: unknown): Promise<void> => {
    if (error !== undefined) log?.stream.write(`${complaintOf(error)}\n`)
    if (onFinish !== undefined && !dry) {
      const told = summary === undefined ? withoutSummary(code, error) : eventRecord({ ...summary, exitCode: code })
      const trouble = await runOnFinish(onFinish, told, io.abandon)
      if (trouble !== undefined) warnTo({ ...io, log: log?.stream }, `--on-finish ${printable(onFinish)}: ${trouble}`)
    }
    await log?.close()
  }
  return await endingWith(ended, () => work({ ...io, log: log?.stream, summarised }))
}

async function endingWith(
  ended: (code: number, error?: unknown) => Promise<void>,
  work: () => Promise<number>,
): Promise<number> {
  let code: number
  try {
    code = await work()
  } catch (error) {
    await ended(codeOf(error), error)
    throw error
  }
  await ended(code)
  return code
}

/** Writes a line for people, and into the log. */
export function sayTo({ stderr, log }: Pick<CommandIo, 'stderr' | 'log'>, line: string): void {
  stderr.write(`${line}\n`)
  log?.write(`${line}\n`)
}

/** Tells what a person must know, and not only one who asked for more. */
export function tell(
  message: string,
  { telling, progress, io }: { readonly telling: OutputOptions; readonly progress: Progress; readonly io: CommandIo },
): void {
  if (telling.json) progress.event({ type: 'note', level: 'info', message })
  else sayTo(io, message)
}

/** The same for who wants to hear more than warnings and the end. */
export function tellUnlessQuiet(message: string, setup: Parameters<typeof tell>[1]): void {
  if (!setup.telling.quiet) tell(message, setup)
}

/** Warns people, and the log. */
export function warnTo({ stderr, log, paint }: Pick<CommandIo, 'stderr' | 'log' | 'paint'>, message: string): void {
  stderr.write(`${warningLine(message, paint?.stderr)}\n`)
  log?.write(`${warningLine(message)}\n`)
}

function codeOf(error: unknown): number {
  if (error instanceof StoppedError || error instanceof CheckpointError) return EXIT.stopped
  if (error instanceof UserError) return EXIT.usage
  return error instanceof Interrupted ? EXIT.interrupted : EXIT.unexpected
}

function withoutSummary(exitCode: number, error: unknown): string {
  if (error !== undefined) return jsonRecord('error', { exitCode, message: complaintOf(error) })
  const end = exitCode === EXIT.interrupted ? 'interrupted' : exitCode === EXIT.stopped ? 'stopped' : 'finished'
  return jsonRecord('summary', { end, exitCode })
}

// Messages of ours are fit to be shown; of others nobody knows.
function complaintOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const shown = error instanceof UserError || error instanceof CheckpointError ? message : printable(message)
  return withBytesShown(withoutCredentials(shown))
}
